"""Recorded answers played back: by question, member, round and sample, or request by request from a cassette."""

from __future__ import annotations

import difflib
import functools
import hashlib
import heapq
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

import anyio.lowlevel

from phalanx.errors import ValidationError
from phalanx.messages import Completion, Delta, Price, Request
from phalanx.settings import nearest

from .cassette import Cassette, NoRecording, short
from .lines import Place, json_lines
from .model import FREE
from .offline import as_completion, in_pieces

Key = tuple[str, str, int, int]
Said = Literal["text", "parsed", "both"]
FIELDS = ("question", "member", "round", "sample")


@dataclass(frozen=True)
class Recording:
    """What a member answered to a question.

    question: its id or text. member: who answered. text: what, as text or as a whole Completion. round: 0 is before
    seeing others. sample: which of several answers to the same, from 0 on.
    """

    question: str
    member: str
    text: str | Completion
    round: int = 0
    sample: int = 0

    @property
    def key(self) -> Key:
        """What it is found by."""
        return self.question, self.member, self.round, self.sample


class RecordedModel:
    """A model that gives recorded answers and nothing else.

    recordings: Recording objects; or a mapping from (question, member, round, sample) to a text or Completion; or a
    Cassette. A question is found by the id or the text that the run calls it by. members: which recorded agent speaks
    for a member, by the member's name, where the names differ. The sample is the request's `about.attempt`.

    Keyed answers may be asked for any number of times; a cassette's each once, in the order recorded (`rewind` starts
    it over). Usage is what was recorded, or an estimate where only text was. What was not recorded raises
    NoRecording, which shows the nearest recording. Raises ValidationError when two recordings have one key.
    """

    free = True
    native_tools = True

    def __init__(
        self,
        recordings: Iterable[Recording] | Mapping[Key, str | Completion] | Cassette,
        *,
        members: Mapping[str, str] | None = None,
        name: str = "offline/recorded",
    ) -> None:
        self.name, self.members = name, dict(members or {})
        self._cassette = recordings if isinstance(recordings, Cassette) else None
        self._held: dict[Key, str | Completion] = {}
        self._aliases: dict[str, list[str]] = {}
        if isinstance(recordings, Mapping):
            recordings = [Recording(key[0], key[1], text, key[2], key[3]) for key, text in recordings.items()]
        if not isinstance(recordings, Cassette):
            for each in recordings:
                if each.key in self._held:
                    raise ValidationError(f"two recordings for {_said(each.key)}; number them with sample=0, 1, …")
                self._held[each.key] = each.text

    @classmethod
    def from_jsonl(
        cls,
        *paths: Place,
        say: Said = "text",
        parsed: str = "parsed",
        members: Mapping[str, str] | None = None,
        name: str = "offline/recorded",
    ) -> RecordedModel:
        """Answers from data sets.

        paths: files of JSON lines, gzipped when the name ends in .gz. Each line is {"id", "question", "answers":
        [{"agent", "round", "text", "parsed", …}]}; an answer's sample is its "sample" or "trial", else its place among
        the answers of one agent in one round. A question is found by its id, or by its text where only one line has
        it.
        say: "text" gives replies as they were released (or "Answer: " and the parsed answer where there is no text),
        "parsed" only the parsed answer, "both" the text with the parsed answer as its last line. parsed: the field
        that the parsed answer stands in, for sets that hold several. members: which recorded agent speaks for a
        member, by the member's name, where the names differ. name: what the model is called in events and errors.
        Raises ValidationError for a line that cannot be read, LogError for a file that is cut off.
        """
        if say not in ("text", "parsed", "both"):
            raise ValidationError(f"say must be 'text', 'parsed' or 'both', not {say!r}")
        aliases: dict[str, list[str]] = {}
        recordings: list[Recording] = []
        fields: set[str] = set()
        for path in paths:
            for where, record in json_lines(path):
                id, found = _answers_of(record, where, say, parsed)
                recordings += found
                fields.update(name for answer in record["answers"] for name in answer)  # type: ignore[attr-defined]
                if isinstance(text := record.get("question"), str) and text != id:
                    aliases.setdefault(text, []).append(id)
        if fields and parsed not in fields and (say != "text" or parsed != "parsed"):
            raise ValidationError(f"no answer has a field parsed={parsed!r}{nearest(parsed, fields)}")
        model = cls(recordings, members=members, name=name)
        model._aliases = aliases
        return model

    @classmethod
    def from_cassette(cls, path: Place, *, name: str = "offline/recorded") -> RecordedModel:
        """Completions from a cassette, as `record` writes it. Raises what `Cassette.read` raises."""
        return cls(Cassette.read(path), name=name)

    def rewind(self) -> None:
        """Start a cassette from its beginning."""
        if self._cassette is not None:
            self._cassette.rewind()

    async def complete(self, request: Request, /) -> Completion:
        await anyio.lowlevel.checkpoint()
        if self._cassette is not None:
            return self._cassette.take(request, self.name)
        return as_completion(self._find(request), request, self.name)

    async def stream(self, request: Request, /) -> AsyncIterator[Delta]:
        async for delta in in_pieces(await self.complete(request)):
            yield delta

    async def price(self) -> Price:
        return FREE

    def __repr__(self) -> str:
        if self._cassette is not None:
            return f"RecordedModel({self._cassette!r})"
        return f"RecordedModel({len(self._held)} answers, {self._content})"

    @functools.cached_property
    def _content(self) -> str:
        """Which answers they are: a comparison tells by it whether a system is the one that it knows.

        They are read once and not for each run, for every run says in its journal who its members are.
        """
        said = hashlib.sha256()
        for part in (*sorted(self._held.items(), key=lambda each: each[0]), sorted(self.members.items())):
            said.update(repr(part).encode("utf-8", "surrogatepass"))
        return said.hexdigest()[:12]

    def _find(self, request: Request) -> str | Completion:
        about = request.about
        member = self.members.get(about.member, about.member)
        asked = about.question
        ids = [asked, *self._aliases.get(asked, ())]
        found = [key for id in ids if (key := (id, member, about.round, about.attempt)) in self._held]
        if len(found) > 1:
            raise ValidationError(
                f"{len(found)} recorded questions have the text {short(asked)}; ask by id: {', '.join(ids[1:4])}"
            )
        if found:
            return self._held[found[0]]
        raise self._miss((ids[-1], member, about.round, about.attempt))

    def _miss(self, wanted: Key) -> NoRecording:
        if not self._held:
            return NoRecording(
                self.name, _said(wanted), nearest="none", field="everything: it is empty", recorded=None, asked=None
            )
        question = wanted[0]
        if all(key[0] != question for key in self._held):
            alike = _nearest(question, {*self._aliases, *(key[0] for key in self._held)})
            question = self._aliases.get(alike, [alike])[0]
        candidates = [key for key in self._held if key[0] == question]
        # The nearest agrees in the most fields, the earlier fields weighing more, then in the closest numbers.
        closest = min(
            candidates,
            key=lambda key: (
                key[1] != wanted[1],
                key[2] != wanted[2],
                abs(key[2] - wanted[2]),
                abs(key[3] - wanted[3]),
                key,
            ),
        )
        at = next(at for at in range(4) if closest[at] != wanted[at])
        return NoRecording(
            self.name, _said(wanted), nearest=_said(closest), field=FIELDS[at], recorded=closest[at], asked=wanted[at]
        )


def _answers_of(record: Mapping[str, object], where: str, say: Said, parsed: str) -> tuple[str, list[Recording]]:
    id, answers = record.get("id"), record.get("answers")
    if not isinstance(id, str) or not isinstance(answers, list):
        raise ValidationError(f'{where}: a recording needs "id" (text) and "answers" (a list)')
    counts: Counter[tuple[str, int]] = Counter()
    recordings = []
    for answer in answers:
        agent, round = (answer.get("agent"), answer.get("round", 0)) if isinstance(answer, dict) else (None, 0)
        if not isinstance(agent, str) or not isinstance(round, int):
            raise ValidationError(f'{where}: each answer of {id!r} needs "agent" (text) and "round" (a whole number)')
        place = counts[agent, round]
        counts[agent, round] += 1
        sample = answer.get("sample", answer.get("trial", place))
        if not isinstance(sample, int):
            raise ValidationError(f"{where}: the sample of {agent!r}'s answer to {id!r} is no whole number: {sample!r}")
        recordings.append(Recording(id, agent, _reply(answer.get("text"), answer.get(parsed), say), round, sample))
    return id, recordings


def _reply(text: object, parsed: object, say: Said) -> str:
    line = "" if parsed is None else f"Answer: {parsed}"
    if say == "parsed" or not isinstance(text, str):
        # An answer that states nothing is read as an abstention, and its words are no answer of their own.
        return line or "No answer was recorded.\nAnswer:"
    return text if say == "text" or not line else f"{text}\n\n{line}"


def _nearest(text: str, known: Iterable[str]) -> str:
    """The known text most like this one; of many, only those that begin most like it are compared in full."""

    def shared(other: str) -> int:
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(text, other, strict=False)))

    few = sorted(heapq.nlargest(100, sorted(known), key=shared))
    return max(few, key=lambda other: difflib.SequenceMatcher(None, text[:200], other[:200]).ratio())


def _said(key: Key) -> str:
    return ", ".join(f"{field}={short(value)}" for field, value in zip(FIELDS, key, strict=True))
