"""Who changed its vote after reading whose words: read off the messages that were sent, as they were recorded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from phalanx.agents.prompts import fences
from phalanx.messages import Data

from .base import Outcome, Round
from .voting import Equivalence
from .voting.exact import Exact

Choices = Mapping[str, str | None]


class Flip(Data):
    """A vote that changed from one round to the next.

    member: whose. round: the number of the round in which it had changed. before, after: what it was counted as; None
    is an abstention. shown: the members whose words of earlier rounds it had been shown, in seat order; None when
    nothing was recorded that it was sent, as when it took over an answer without being asked. by: those among them
    whose words were counted as what it changed to. gain: what the change is worth when it is known what is right: from
    -1 (a right vote became wrong) to 1.
    """

    member: str
    round: int
    before: str | None
    after: str | None
    shown: tuple[str, ...] | None = None
    by: tuple[str, ...] = ()
    gain: Exact | None = None


def common_names(rounds: Sequence[Round], equivalence: Equivalence) -> list[dict[str, str | None]]:
    """Each round's choices with one name for one answer in all rounds: that of the round in which it came up first.

    A class is named after an answer in it, so the same class may go by "1/2" in one round and by "0.5" in the next.
    Two classes of one round stay two. rounds: in order. equivalence: which names mean the same.
    """
    names: list[str] = []
    found = []
    for round in rounds:
        known: dict[str, str] = {}
        for choice in dict.fromkeys(each for each in round.choices.values() if each is not None):
            taken = set(known.values())
            same = [choice] if choice in names else [name for name in names if equivalence.same(name, choice)]
            known[choice] = next((name for name in same if name not in taken), choice)
        names += [name for name in known.values() if name not in names]
        found.append({member: None if each is None else known[each] for member, each in round.choices.items()})
    return found


def flips(rounds: Sequence[Round], choices: Sequence[Choices], outcomes: Sequence[Outcome]) -> list[Flip]:
    """Every change of a vote from round to round, in order, members in seat order.

    rounds: the rounds. choices: what each vote was in each of them, by common names. outcomes: the askings, with the
    messages sent.
    """
    found = []
    for at in range(1, len(rounds)):
        for member, after in choices[at].items():
            if member not in choices[at - 1] or (before := choices[at - 1][member]) == after:
                continue
            sources = _sources(member, at, rounds, outcomes)
            if sources is None:
                found.append(Flip(member=member, round=rounds[at].number, before=before, after=after))
                continue
            everyone = dict.fromkeys(name for each in choices[:at] for name in each)
            shown = tuple(name for name in everyone if name in {peer for peer, _ in sources})
            by = {peer for peer, place in sources if after is not None and choices[place].get(peer) == after}
            found.append(
                Flip(
                    member=member, round=rounds[at].number, before=before, after=after,
                    shown=shown, by=tuple(name for name in shown if name in by),
                )
            )  # fmt: skip
    return found


def _sources(member: str, at: int, rounds: Sequence[Round], outcomes: Sequence[Outcome]) -> set[tuple[str, int]] | None:
    """Whose words of which earlier rounds a member was shown when it gave its answer; None when that is unknown."""
    text, number = rounds[at].texts.get(member), rounds[at].number
    asking = next(
        (each for each in outcomes if each.member == member and each.round == number and each.ok and each.text == text),
        None,
    )
    if asking is None or not asking.messages:
        return None
    bodies = [body for label, body in fenced_in(asking) if label != OWN]
    found = set()
    for place in range(at):
        for peer, said in rounds[place].texts.items():
            if peer != member and any(shows(body, said, rounds[place].choices.get(peer)) for body in bodies):
                found.add((peer, place))
    return found


OWN = "yourself"
"""The label of a fence around what a member said itself."""
_CUT = re.compile(r"\[cut: \d+ characters not shown\]\n")


def fenced_in(asking: Outcome) -> Iterator[tuple[str, str]]:
    """What each fence holds in what a member was sent, after its label.

    asking: the outcome that has the messages.
    """
    for message in asking.messages:
        if message.role == "user":
            yield from fences(message.content)


def shows(body: str, text: str, choice: str | None = None) -> bool:
    """Whether a fence shows a text: whole, the end of it, or only what it was counted as.

    body: what the fence holds. text: what a member said. choice: what that was counted as.
    """
    if body == text or (choice is not None and body == choice):
        return True
    cut = _CUT.match(body)
    return cut is not None and text.endswith(body[cut.end() :])
