"""Recorded answers, and the files of JSON lines that hold them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite

from phalanx.agents.models.lines import Place, json_lines
from phalanx.agents.models.recorded import Said
from phalanx.errors import ValidationError
from phalanx.messages import Usage
from phalanx.settings import nearest


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """What somebody answered to a question.

    question: the id of the item. member: who answered. text: the reply; None for none, which is an abstention. round: 0
    is before seeing others. sample: which of several answers to the same, from 0 on. usage: what it cost, None when not
    known. confidence: how sure it was of it, from 0 to 1; None when it did not say. Raises ValidationError for what is
    of another type, a round or a sample below 0, and a confidence beyond.
    """

    question: str
    member: str
    text: str | None
    round: int = 0
    sample: int = 0
    usage: Usage | None = None
    confidence: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.question, str) or not isinstance(self.member, str):
            raise ValidationError(
                f"a recorded answer is of a member and to a question, both text: {self.member!r}, {self.question!r}"
            )
        if self.text is not None and not isinstance(self.text, str):
            raise ValidationError(
                f"what {self.member!r} answered to {self.question!r} is {type(self.text).__name__}; give it as text, "
                "or None for an abstention"
            )
        for what, number in (("round", self.round), ("sample", self.sample)):
            if not _is_count(number):
                raise ValidationError(
                    f"the {what} of {self.member!r}'s answer to {self.question!r} is {number!r}; it must be a whole "
                    "number, at least 0"
                )
        if self.confidence is not None and not _is_share(self.confidence):
            raise ValidationError(
                f"the confidence of {self.member!r} in its answer to {self.question!r} is {self.confidence!r}; it must "
                "be from 0 to 1"
            )

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What it is found by."""
        return self.question, self.member, self.round, self.sample


def read_answers(paths: Iterable[Place], *, say: Said = "text", parsed: str = "parsed") -> list[RecordedAnswer]:
    """The answers in files of JSON lines.

    paths: which; each line is {"id", "answers": [{"agent", "round", "text", "parsed", …}]}. say: "text" takes replies
    as they were released, "parsed" only the parsed answer, "both" the text with the parsed answer as its last line.
    parsed: the field that the parsed answer stands in. Raises ValidationError for a line that cannot be read, with its
    file and line, or a field that no answer has; LogError for a file that is cut off.
    """
    if say not in ("text", "parsed", "both"):
        raise ValidationError(f"say must be 'text', 'parsed' or 'both', not {say!r}")
    found: list[RecordedAnswer] = []
    fields: set[str] = set()
    for path in paths:
        for where, record in json_lines(path):
            found += _answers(record, where, say, parsed, fields)
    if fields and parsed not in fields and (say != "text" or parsed != "parsed"):
        raise ValidationError(f"no answer has a field parsed={parsed!r}{nearest(parsed, fields)}")
    return found


def _answers(
    record: Mapping[str, object], where: str, say: Said, parsed: str, fields: set[str]
) -> Iterator[RecordedAnswer]:
    id, answers = record.get("id"), record.get("answers")
    if not isinstance(id, str) or not isinstance(answers, list):
        raise ValidationError(f'{where}: a recording needs "id" (text) and "answers" (a list)')
    counts: Counter[tuple[str, int]] = Counter()
    for answer in answers:
        agent, round = (answer.get("agent"), answer.get("round", 0)) if isinstance(answer, dict) else (None, 0)
        if not isinstance(agent, str) or not _is_count(round):
            raise ValidationError(f'{where}: each answer of {id!r} needs "agent" (text) and "round" (0, 1, …)')
        fields.update(answer)
        sample = answer.get("sample", answer.get("trial", counts[agent, round]))
        counts[agent, round] += 1
        if not _is_count(sample):
            raise ValidationError(f"{where}: the sample of {agent!r}'s answer to {id!r} is no whole number: {sample!r}")
        text = _reply(answer.get("text"), answer.get(parsed), say)
        usage = _usage(answer.get("usage"))
        sure = answer.get("confidence")
        if sure is not None and not _is_share(sure):
            raise ValidationError(f"{where}: the confidence of {agent!r} in its answer to {id!r} is {sure!r}, not 0..1")
        yield RecordedAnswer(id, agent, text, round, sample, usage, sure)


def _reply(text: object, parsed: object, say: Said) -> str | None:
    line = None if parsed is None else f"Answer: {parsed}"
    if say == "parsed" or not isinstance(text, str):
        return line
    return text if say == "text" or line is None else f"{text}\n\n{line}"


_NAMES = (("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens"), ("usd", "cost"))


def _usage(given: object) -> Usage | None:
    """What an answer cost, as its record says; None where it does not say both kinds of tokens."""
    if not isinstance(given, Mapping):
        return None
    sent, made, usd = (next((given[name] for name in names if name in given), None) for names in _NAMES)
    if not _is_count(sent) or not _is_count(made):
        return None
    known = isinstance(usd, int | float) and not isinstance(usd, bool) and isfinite(usd) and usd >= 0
    assert isinstance(sent, int)
    assert isinstance(made, int)
    return Usage(1, sent, made, known_cost=float(usd) if known else 0.0, unpriced_calls=0 if known else 1)  # type: ignore[arg-type]


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
