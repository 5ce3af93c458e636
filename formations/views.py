"""What a member is shown of the others: whole texts, answers, reasons, or groups of equal answers.

Always anonymous, in an order drawn from the run's seed, as data, and within a budget.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from phalanx.agents.prompts import fenced, fenced_all, label
from phalanx.messages import estimate_tokens

from .base import Outcome
from .chance import Chance
from .stated import reason, said

View = Literal["full", "answer", "answer_and_reason", "summary", "grouped"]


class Shown(NamedTuple):
    """One thing that a prompt shows: under which label, what, and whose it is."""

    label: str
    text: str
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Looks:
    """How others' answers are shown.

    view: see `Deliberation`. show_counts: say how many gave an answer that is shown once. each: the most tokens of one
    answer. total: the most of all together (None: no more than `each` for each).
    """

    view: View
    show_counts: bool
    each: int
    total: int | None


def shown(
    looks: Looks,
    peers: Sequence[Outcome],
    choices: Mapping[str, str | None],
    sure: Mapping[str, float],
    chance: Chance,
) -> list[Shown]:
    """The answers of peers as they are shown, in the order drawn by `chance`.

    looks: how. choices: what each answer was counted as, by member. sure: confidences, by member.
    """
    order = list(peers)
    chance.shuffle(order)
    if looks.view == "grouped":
        return _cut_all(_grouped(order, choices, sure), looks)
    # How many gave an answer is all that mere answers say, so these are merged only when they are counted.
    merges = looks.view != "answer" or looks.show_counts
    whose: dict[str | tuple[str, int], list[str]] = {}
    is_full = looks.view == "full"
    for at, outcome in enumerate(order):
        text = said(outcome) if is_full else projected(looks.view, outcome, choices.get(outcome.member))
        whose.setdefault(text if merges else (text, at), []).append(outcome.member)
    found = []
    for at, (key, members) in enumerate(whose.items()):
        name = f"{label(at)}, given by {len(members)}" if looks.show_counts else label(at)
        found.append(Shown(name, key if isinstance(key, str) else key[0], tuple(members)))
    return _cut_all(found, looks)


def projected(view: View, outcome: Outcome, choice: str | None) -> str:
    """One answer as a `view` shows it; `choice` is what it was counted as, None when it abstained."""
    if view == "answer":
        return choice or "(no answer)"
    if view != "answer_and_reason":
        return said(outcome)
    reasons = reason(outcome)
    if choice is None:
        return reasons or said(outcome)
    return f"{reasons}\n\nAnswer: {choice}" if reasons and reasons != choice else f"Answer: {choice}"


def _grouped(order: Sequence[Outcome], choices: Mapping[str, str | None], sure: Mapping[str, float]) -> list[Shown]:
    """All answers, each once, with how many hold it, why, and how sure they are (ReConcile: arXiv:2309.13007)."""
    groups: dict[str | None, list[Outcome]] = {}
    for outcome in order:
        groups.setdefault(choices.get(outcome.member), []).append(outcome)
    found = []
    for at, (choice, held) in enumerate(groups.items()):
        head = "No answer could be read" if choice is None else f"Answer: {_inset(choice)}"
        lines = [head, f"Given by {len(held)} of {len(order)}."]
        for outcome in held:
            reasons = reason(outcome)
            mark = f" (confidence {sure[outcome.member]:g})" if outcome.member in sure else ""
            if mark or (reasons and reasons != choice):
                lines.append(f"Reasons{mark}: {_inset(reasons) if reasons != choice else '(none)'}")
        found.append(Shown(f"Group {label(at).removeprefix('Response ')}", "\n".join(lines), _names(held)))
    return found


def _inset(text: str) -> str:
    """Words of a member's, so that no line of them can pass for one that says how many hold an answer, or how sure."""
    return "\n    ".join(text.splitlines())


def _names(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    return tuple(outcome.member for outcome in outcomes)


def _cut_all(parts: Sequence[Shown], looks: Looks) -> list[Shown]:
    """Each part cut to its budget; what short ones leave over goes to the long ones."""
    if looks.total is None and not [part for part in parts if not _fits(part.text, looks.each)]:
        return list(parts)
    most = [looks.each] * len(parts)
    if looks.total is not None:
        left, waiting = looks.total, sorted(range(len(parts)), key=lambda at: (estimate_tokens(parts[at].text), at))
        for done, at in enumerate(waiting):
            most[at] = min(looks.each, left // (len(parts) - done))
            left -= min(most[at], estimate_tokens(parts[at].text))
    return [Shown(part.label, cut(part.text, tokens), part.members) for part, tokens in zip(parts, most, strict=True)]


def cut(text: str, tokens: int) -> str:
    """Text cut to about so many tokens; says so when it was cut. The end is kept: that is where answers stand."""
    if _fits(text, tokens) or estimate_tokens(text) <= tokens:
        return text
    end = text.encode("utf-8", "replace")[-tokens * 3 :].decode("utf-8", "ignore") if tokens > 0 else ""
    return f"[cut: {len(text) - len(end)} characters not shown]\n{end}"


def _fits(text: str, tokens: int) -> bool:
    """Whether a text is so short that it need not be estimated: no character has more than four bytes."""
    return 4 * len(text) <= 3 * tokens - 2


def as_data(parts: Sequence[Shown], empty: str = "(nothing)") -> str:
    """What is shown, as a prompt holds it: fenced, under its label."""
    return fenced_all([(part.label, part.text) for part in parts], empty)


def own_answer(own: Outcome | None) -> str:
    """A member's own last answer, as a prompt shows it."""
    return "(you gave none)" if own is None else fenced(said(own), "yourself")
