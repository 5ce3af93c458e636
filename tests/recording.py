"""A model for tests that answers by a function of who asks and for what, and keeps every request."""

from __future__ import annotations

import json
from collections.abc import Callable

from phalanx.agents.models.offline import FunctionModel
from phalanx.messages import Completion, Request

Reply = str | Completion | Exception | dict[str, object]


class Recording(FunctionModel):
    """Answers by `replies`: (member, stage) → a reply, or a function of the request; else by a default text."""

    def __init__(self, replies: dict[tuple[str, str], Reply | Callable[[Request], Reply]] | None = None) -> None:
        super().__init__(self.reply, name="offline/recording")
        self.replies = replies or {}
        self.requests: list[Request] = []

    def reply(self, request: Request) -> str | Completion:
        self.requests.append(request)
        about = request.about
        found = self.replies.get((about.member, about.stage))
        if found is None:
            found = f"{about.member} on {about.stage} {about.round}"
        if callable(found):
            found = found(request)
        if isinstance(found, Exception):
            raise found
        return json.dumps(found) if isinstance(found, dict) else found

    def sent(self, member: str, stage: str, round: int | None = None) -> str:
        """Everything a member was sent for a stage, as one text; an error when it was not asked exactly once."""
        found = [
            request
            for request in self.requests
            if (request.about.member, request.about.stage) == (member, stage) and round in (None, request.about.round)
        ]
        assert len(found) == 1, f"{member} was asked {len(found)} times for {stage} (round {round})"
        return "\n".join(message.content for message in found[0].messages)

    def stages(self) -> list[tuple[str, str, int]]:
        """Who was asked for what, in order."""
        return [(each.about.member, each.about.stage, each.about.round) for each in self.requests]


def plan(*assignments: tuple[str, str, str, list[str]]) -> dict[str, object]:
    """A lead's plan from (id, worker, task, depends_on)."""
    keys = ("id", "worker", "task", "depends_on")
    return {"assignments": [dict(zip(keys, each, strict=True)) for each in assignments]}


DONE: dict[str, object] = {"done": True}
