"""How a team's answer came about, told from its result alone: who was asked what, what was voted, what it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from phalanx.formations.base import Outcome, Round
from phalanx.formations.flips import OWN, fenced_in, shows

from .stages import in_words

if TYPE_CHECKING:
    from .result import TeamResult

# The most characters of what somebody wrote in a line.
_MOST = 60


@dataclass(slots=True, eq=False)
class _Asking:
    """An asking, with what it was shown.

    label: whose it is, "inner > bob" for bob in the team inner. place: where it stands among all, by when they ended.
    """

    outcome: Outcome
    label: str
    place: int
    depth: int
    inside: list[_Asking] = field(default_factory=list)
    sources: list[_Asking] = field(default_factory=list)
    given: list[str] = field(default_factory=list)

    def walk(self) -> Iterator[_Asking]:
        yield self
        for each in self.inside:
            yield from each.walk()


def why(result: TeamResult) -> str:
    """How the answer of a `result` came about, in lines.

    How it ended; what was decided, and the votes round by round; every asking with what it was shown and how it
    ended; whose the answer is and on which others it rests, back to the first; what it cost.
    """
    lines = [result.status + (f": {_line(result.stop_reason, None)}" if result.stop_reason else "")]
    if result.decision is not None:
        lines.append(_line(result.decision.explanation, None))
    for at, round in enumerate(result.rounds):
        lines.append(_votes(round, result.rounds[at - 1] if at else None))
    askings = _asked(result.members)
    told = (_told(each) for top in askings for each in top.walk())
    for line, alike in groupby(told):
        times = len(list(alike))
        lines.append(f"{line} ({times} times)" if times > 1 else line)
    lines.append(_provenance(result, askings))
    usage = result.usage
    cost = "unknown" if usage.cost is None else f"{usage.cost:.6g} USD"
    lines.append(f"{usage.calls} calls, {usage.tokens} tokens, cost {cost}")
    return "\n".join(lines)


def _votes(round: Round, before: Round | None) -> str:
    said = ", ".join(
        f"{_line(name)}: {'abstains' if choice is None else _line(choice)}" for name, choice in round.choices.items()
    )
    old = {} if before is None else before.choices
    changed = [_line(name) for name, choice in round.choices.items() if name in old and old[name] != choice]
    return f"round {round.number}: {said}" + (f" (changed: {', '.join(changed)})" if changed else "")


def _asked(members: Sequence[Outcome]) -> list[_Asking]:
    """The askings of a team, those of nested teams inside, each with where what it was shown comes from."""
    ended: list[_Asking] = []
    wrote: dict[str, list[_Asking]] = {}

    def take(outcome: Outcome, around: str, depth: int) -> _Asking:
        label = around + _line(outcome.member)
        inside = [take(each, f"{label} > ", depth + 1) for each in outcome.inside]
        asking = _Asking(outcome, label, len(ended), depth, inside)
        _find_sources(asking, ended, wrote)
        ended.append(asking)
        if outcome.ok and (text := outcome.text.strip()):
            wrote.setdefault(text, []).append(asking)
        return asking

    return [take(each, "", 0) for each in members]


def _find_sources(asking: _Asking, ended: Sequence[_Asking], wrote: dict[str, list[_Asking]]) -> None:
    """Note whose words, of those that had ended, stand between the fences of what an asking was sent."""
    for label, body in fenced_in(asking.outcome):
        said = body.strip()
        found = wrote.get(said, [])
        if not found and said.startswith("[cut:"):
            found = [each for each in ended if each.outcome.ok and shows(said, each.outcome.text.strip())]
        # Of those who said the same the last; its own word where it is shown as such, else that of somebody else.
        fitting = [each for each in found if (each.outcome.member == asking.outcome.member) == (label == OWN)] or found
        if not fitting:
            asking.given.append(f'"{_line(label)}" ({_line(body, 40)})')
        elif fitting[-1] not in asking.sources:
            asking.sources.append(fitting[-1])


def _told(asking: _Asking) -> str:
    """One asking in a line: who did what, having seen whose words, and how it ended."""
    outcome = asking.outcome
    seen = ["its own answer" if each.outcome.member == outcome.member else each.label for each in asking.sources]
    seen = list(dict.fromkeys([*seen, *asking.given]))
    ended = outcome.status if outcome.error is None else f"{outcome.status}: {_line(outcome.error, None)}"
    saw = f", saw {', '.join(seen)}" if seen else ""
    return f"{'  ' * asking.depth}{_line(outcome.member)} {_doing(asking)}{saw}: {ended}"


def _provenance(result: TeamResult, askings: Sequence[_Asking]) -> str:
    """Whose the answer is, and on which other askings it rests."""
    text = result.content.strip()
    if not text:
        return "there is no answer"
    good = [each for each in askings if each.outcome.ok and each.outcome.text.strip()]
    theirs = [each for each in good if each.outcome.text.strip() == text]
    named = [each for each in good if each.outcome.member == result.author]
    author = next(iter([each for each in theirs if each in named][-1:] or named[-1:] or theirs[-1:]), None)
    if author is not None:
        rests = _rests_on([author])
        made = f"; it rests on {', '.join(rests)}" if rests else "; it rests on nobody else's words"
        return f"the answer is by {_names([author])[0]}{made}"
    parts = [each for each in good if each.outcome.text.strip() in text]
    if parts:
        return f"the answer is put together from {', '.join(_names(parts))}"
    if result.status == "undecided":
        return "there is no answer that was decided on"
    return "the answer is no member's own words: the formation put it together"


def _rests_on(ahead: list[_Asking]) -> list[str]:
    """Those behind the askings `ahead`, the latest stage first, each once: "ada, bob (drafts alone)"."""
    told = {each.place for each in ahead}
    found: list[_Asking] = []
    while ahead:
        asking = ahead.pop()
        text = asking.outcome.text.strip()
        authors = [each for each in asking.inside if each.outcome.ok and each.outcome.text.strip() == text]
        for each in [*asking.sources, *(authors[-1:] or asking.inside)]:
            if each.place not in told:
                told.add(each.place)
                found.append(each)
                ahead.append(each)
    return _names(sorted(found, key=lambda each: each.place))[::-1]


def _names(askings: Sequence[_Asking]) -> list[str]:
    """Who did what, those together who did the same: "ada, bob (drafts alone)"."""
    doing: dict[str, list[str]] = {}
    for each in askings:
        doing.setdefault(_doing(each), []).append(each.label)
    return [f"{', '.join(dict.fromkeys(names))} ({what})" for what, names in doing.items()]


def _doing(asking: _Asking) -> str:
    return _line(in_words(asking.outcome.stage, asking.outcome.round))


def _line(text: str, most: int | None = _MOST) -> str:
    """What somebody wrote on one line, cut where it is long: it is data, and must not look like lines of ours."""
    line = " ".join(text.split())
    return line if most is None or len(line) <= most else line[: most - 1] + "…"
