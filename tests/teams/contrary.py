"""A model that never lets a team end early: nobody agrees, the lead always wants more, the verifier always objects."""

from __future__ import annotations

import json

from phalanx.messages import Request, estimate_tokens
from phalanx.testing import FunctionModel


class Contrary(FunctionModel):
    """Answers differently at each call, and always at the length of `max_tokens`, as they are estimated."""

    def __init__(self, tokens: int) -> None:
        super().__init__(self._answer, name="offline/contrary")
        self.tokens = tokens
        self.requests: list[Request] = []
        self.answers: list[str] = []

    def _answer(self, request: Request) -> str:
        self.requests.append(request)
        shape = None if request.output is None else request.output.name
        if shape is None:
            text = self._filled("{}\nAnswer: " + str(len(self.requests)))
        else:
            text = self._filled(json.dumps(self._shaped(shape, request), ensure_ascii=False).replace("FILL", "{}", 1))
        self.answers.append(text)
        return text

    def _shaped(self, shape: str, request: Request) -> dict[str, object]:
        number = len(self.requests)
        if shape in ("Plan", "Review"):
            assert request.output is not None
            definitions: dict[str, object] = request.output.schema_["$defs"]  # type: ignore[assignment]
            names = definitions["Assignment"]["properties"]["worker"]["enum"]  # type: ignore[index]
            given = [
                # Each builds on all before it.
                {"id": f"{number}.{at}", "worker": name, "task": f"Part {number}.{at}. " + ("FILL" if at == 0 else ""),
                 "depends_on": [f"{number}.{earlier}" for earlier in range(at)]}
                for at, name in enumerate(names)
            ]  # fmt: skip
            return {"assignments": given} if shape == "Plan" else {"done": False, "assignments": given}
        if shape == "Check":
            return {"accepted": False, "objection": f"Objection {number}. FILL"}
        if shape == "Verdict":
            return {"verdict": "undecided", "reason": "FILL"}
        return {"x": number, "why": "FILL"}

    def _filled(self, text: str) -> str:
        """The text with its gap filled up to the length that is allowed."""
        room = 3 * self.tokens - len(text.replace("{}", "", 1).encode())
        assert room > 0, "give it more tokens: its answer does not fit"
        filled = text.replace("{}", "w" * room, 1)
        assert estimate_tokens(filled) == self.tokens
        return filled
