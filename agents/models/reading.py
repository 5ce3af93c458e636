"""What a simulated model reads in a prompt: its own last answer, and the answers of others inside data fences."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from phalanx.messages import Request

from .knowledge import Question, canonical

OWN_LABELS = frozenset({"you", "yourself", "own", "your answer", "your last answer"})


@dataclass(frozen=True)
class Shown:
    """One piece of others' work as a prompt shows it; `answer` is None when it holds none that can be read."""

    label: str
    text: str
    answer: str | None


@dataclass(frozen=True)
class Seen:
    """What a request shows: the asker's own last answer, and others' work in the order in which it stands."""

    own: str | None = None
    others: tuple[Shown, ...] = ()

    @property
    def answers(self) -> tuple[str, ...]:
        """The readable answers of the others."""
        return tuple(shown.answer for shown in self.others if shown.answer is not None)


def read(request: Request, question: Question, *, history: bool) -> Seen:
    """What the newest user message that shows any work shows.

    Others' work stands in data fences; an answer is its last line "Answer: …", its "answer" field when it is JSON, or
    all of it when that is one of the options. The asker's own is what follows "Your last answer was:", in a fence or
    not; with `history`, also what the model itself said last before that message.
    """
    messages = request.messages
    for at in range(len(messages) - 1, -1, -1):
        if messages[at].role != "user":
            continue
        seen = _read_text(messages[at].content, question)
        if seen.own is None and history:
            before = [message.content for message in messages[:at] if message.role == "assistant"]
            own = answer_in(before[-1], question) if before else None
            seen = Seen(own, seen.others)
        if seen.own is not None or seen.answers:
            return seen
    return Seen()


def answer_in(text: str, question: Question) -> str | None:
    """The answer that a text ends with, as one of the question's options where it is one; None if there is none."""
    stripped = text.strip()
    if stripped.startswith("{"):
        try:
            value = json.loads(stripped)
        except ValueError:
            return None
        said = next((value[name] for name in ("answer", "final_answer") if value.get(name) is not None), None)
        return None if said is None else canonical(str(said), question)
    lines = _answer_lines(text)
    if lines:
        return canonical(lines[-1], question)
    whole = canonical(stripped, question)
    return whole if whole in question.options else None


_ANSWER_LINE = re.compile(r"^[ \t>*_#-]*answer[ \t*_]*:[ \t*_]*(\S.*)$", re.IGNORECASE | re.MULTILINE)
_FENCE = re.compile(r'<data id="([0-9a-f]+)" from=("(?:[^"\\\n]|\\.)*")>\n')
_OWN = re.compile(
    r"^your (?:own |last |previous |latest )*answer (?:was|is)[^\n:]*:[ \t]*$", re.IGNORECASE | re.MULTILINE
)


def _read_text(text: str, question: Question) -> Seen:
    own: str | None = None
    others: list[Shown] = []
    at = 0
    while opening := _FENCE.search(text, at):
        closing = f'\n</data id="{opening[1]}">'
        end = text.find(closing, opening.end())
        if end < 0:
            break
        before, body, label = text[at : opening.start()], text[opening.end() : end], str(json.loads(opening[2]))
        own = _unfenced_own(before, question) or own
        if _ends_as_own(before) or label.casefold() in OWN_LABELS:
            own = answer_in(body, question)
        else:
            others.append(Shown(label, body, answer_in(body, question)))
        at = end + len(closing)
    own = _unfenced_own(text[at:], question) or own
    return Seen(own, tuple(others))


def _ends_as_own(before: str) -> bool:
    last = before.rstrip().rpartition("\n")[2]
    return _OWN.match(last) is not None


def _unfenced_own(between: str, question: Question) -> str | None:
    leads = list(_OWN.finditer(between))
    if not leads:
        return None
    # What follows the lead is the asker's own answer, up to its answer line or, without one, up to an empty line.
    rest = between[leads[-1].end() :].strip()
    lines = _answer_lines(rest)
    return canonical(lines[0], question) if lines else answer_in(rest.split("\n\n")[0], question)


def _answer_lines(text: str) -> list[str]:
    """What stands on the "Answer:" lines of a text, but for the placeholder of the answer contract."""
    found = (line.rstrip(" \t\r*_") for line in _ANSWER_LINE.findall(text))
    return [line for line in found if line and not line.startswith("<")]
