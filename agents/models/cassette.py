"""Cassettes: requests and the completions they got, one a line, to be played back without a model.

A line is {"request": {…}, "completion": {…}}. The request is all that the model was sent, what is at its default left
out, and under "about" who asked and where in the run. A replay goes by these alone, never by the order of calls.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter
from pydantic import ValidationError as PydanticError
from pydantic_core import to_jsonable_python

from phalanx.errors import ConfigurationError, PhalanxError, ValidationError
from phalanx.messages import About, Completion, Delta, Request

from .lines import Place, json_lines
from .model import Model, Wrapper, close, stream

Facts = Mapping[str, object]


class NoRecording(PhalanxError, LookupError):
    """Nothing was recorded for what is asked; `field` is the first in which the `nearest` recording differs."""

    def __init__(self, model: str, wanted: str, *, nearest: str, field: str, recorded: object, asked: object) -> None:
        if isinstance(recorded, str) and isinstance(asked, str):
            recorded, asked = _from_difference(recorded, asked)
        super().__init__(
            f"{model} has no recording for {wanted}; the nearest is {nearest}, which differs in {field}: "
            f"recorded {short(recorded)}, asked {short(asked)}"
        )
        self.nearest, self.field, self.recorded, self.asked = nearest, field, recorded, asked


class Cassette:
    """Recorded completions by request; requests that are equal are answered in the order they were recorded."""

    def __init__(self, recorded: Iterable[tuple[Facts, Completion]]) -> None:
        self._requests: dict[str, Facts] = {}
        self._completions: dict[str, list[Completion]] = {}
        self._taken: dict[str, int] = {}
        for facts, completion in recorded:
            key = _digest(facts)
            self._requests[key] = facts
            self._completions.setdefault(key, []).append(completion)

    @classmethod
    def read(cls, path: Place) -> Cassette:
        """A cassette from a file.

        path: the file's, gzipped when its name ends in .gz. Raises OSError when it cannot be read, LogError when its
        last line is torn, ValidationError, with file and line, when one is no recording.
        """
        return cls(_recorded(where, line) for where, line in json_lines(path))

    def take(self, request: Request, model: str) -> Completion:
        """The next completion for a request. Raises NoRecording in the name of `model` when there is none."""
        facts = request_facts(request)
        key = _digest(facts)
        held, taken = self._completions.get(key, []), self._taken.get(key, 0)
        if taken < len(held):
            self._taken[key] = taken + 1
            return held[taken]
        if held:
            raise NoRecording(
                model, _who(facts), nearest=f"its last one (rewind() starts over; {len(held)} recorded)",
                field="how often it is asked", recorded=len(held), asked=taken + 1,
            )  # fmt: skip
        raise self._miss(facts, model)

    def rewind(self) -> None:
        """Forget what was taken."""
        self._taken.clear()

    def _miss(self, facts: Facts, model: str) -> NoRecording:
        if not self._requests:
            return NoRecording(
                model, _who(facts), nearest="none", field="everything: the cassette is empty", recorded=None, asked=None
            )
        nearest = min(self._requests.values(), key=lambda recorded: sum(1 for _ in differences(recorded, facts)))
        field, recorded, asked = next(differences(nearest, facts))
        return NoRecording(model, _who(facts), nearest=_who(nearest), field=field, recorded=recorded, asked=asked)

    def __repr__(self) -> str:
        return f"Cassette({sum(map(len, self._completions.values()))} completions)"


class Recorder(Wrapper):
    """A model whose answers are written to a cassette as they come; see `record`."""

    def __init__(self, model: Model, path: Place, *, append: bool = False) -> None:
        super().__init__(model)
        self.path = Path(path)
        last = _last_byte(self.path)
        if last and not append:
            raise ConfigurationError(f"{self.path} holds a recording already; delete it, or record(…, append=True)")
        if last not in (b"", b"\n"):
            raise ConfigurationError(f"the last line of {self.path} is torn: delete it before recording more")

    async def complete(self, request: Request, /) -> Completion:
        completion = await self.model.complete(request)
        self._write(request, completion)
        return completion

    async def stream(self, request: Request, /) -> AsyncIterator[Delta]:
        pieces = stream(self.model, request)
        try:
            async for delta in pieces:
                if delta.completion is not None:
                    self._write(request, delta.completion)
                yield delta
        finally:
            await close(pieces)

    def _write(self, request: Request, completion: Completion) -> None:
        line = cassette_line(request, completion)
        with self.path.open("ab") as file:
            file.write(line.encode() + b"\n")


def record(model: Model, path: Place, *, append: bool = False) -> Recorder:
    """The model, with every answer that it gives written to a cassette at `path` before it is used.

    Failed calls are not written. The file holds all messages in clear text. append: go on with a file that is there.
    Raises ConfigurationError when the file holds something and `append` is not given, or its last line is torn.
    """
    return Recorder(model, path, append=append)


def cassette_line(request: Request, completion: Completion) -> str:
    """One line of a cassette, without its end."""
    said = _completions().dump_python(completion, mode="json")
    return json.dumps({"request": request_facts(request), "completion": said})


def request_facts(request: Request) -> dict[str, object]:
    """All that tells one request from another, ready for JSON: defaults and the run's seed are left out.

    An option that JSON cannot hold counts as its type's name.
    """
    about = {**_not_default(request.about, About()), "seed": None}
    facts = {"about": {name: value for name, value in about.items() if value is not None}}
    return {**facts, **_not_default(request, Request(messages=()), skip="about")}


def differences(recorded: object, asked: object, where: str = "") -> Iterator[tuple[str, object, object]]:
    """Where two values ready for JSON differ: the path of each difference and both sides, None for what is absent."""
    if isinstance(recorded, Mapping) and isinstance(asked, Mapping):
        for name in [*recorded, *(name for name in asked if name not in recorded)]:
            yield from differences(recorded.get(name), asked.get(name), f"{where}.{name}" if where else str(name))
    elif isinstance(recorded, list) and isinstance(asked, list):
        for at in range(max(len(recorded), len(asked))):
            one, other = (side[at] if at < len(side) else None for side in (recorded, asked))
            yield from differences(one, other, f"{where}[{at}]")
    elif recorded != asked:
        yield where, recorded, asked


def short(value: object) -> str:
    """A value as an error message shows it."""
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:79] + "…"


@cache
def _completions() -> TypeAdapter[Completion]:
    return TypeAdapter(Completion)


def _recorded(where: str, line: Mapping[str, object]) -> tuple[Facts, Completion]:
    request = line.get("request")
    if not isinstance(request, dict) or "completion" not in line:
        raise ValidationError(f'{where}: a line of a cassette is {{"request": {{…}}, "completion": {{…}}}}')
    try:
        return request, _completions().validate_python(line["completion"])
    except PydanticError as problem:
        raise ValidationError(f"{where}: this completion cannot be read: {problem}") from None


def _not_default(value: About | Request, default: About | Request, skip: str = "") -> dict[str, object]:
    names = [each.name for each in dataclasses.fields(value) if each.name != skip]
    changed = {name: getattr(value, name) for name in names if getattr(value, name) != getattr(default, name)}
    facts: dict[str, object] = to_jsonable_python(
        changed, by_alias=True, exclude_none=True, fallback=lambda odd: f"<{type(odd).__name__}>"
    )
    return facts


def _digest(facts: Facts) -> str:
    return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16).hexdigest()


def _who(facts: Facts) -> str:
    """A request in a few words; its path is left to the difference, if that is where it differs."""
    about = facts.get("about")
    told = dict(about) if isinstance(about, Mapping) else {}
    messages = facts.get("messages")
    last = messages[-1].get("content") if isinstance(messages, list) and messages else ""
    parts = [f"{name}={short(told[name])}" for name in ("member", "stage", "round", "attempt") if name in told]
    return " ".join(["the request", *parts, f"that ends in {str(last)[-40:]!r}"])


def _from_difference(recorded: str, asked: str) -> tuple[str, str]:
    """Two texts from shortly before they part."""
    at = next((at for at, (one, other) in enumerate(zip(recorded, asked, strict=False)) if one != other), None)
    start = max(0, (min(len(recorded), len(asked)) if at is None else at) - 20)
    return recorded[start:], asked[start:]


def _last_byte(path: Path) -> bytes:
    if not path.exists() or not path.stat().st_size:
        return b""
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1)
