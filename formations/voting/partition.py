"""Classes of equal answers: a relation that need not be transitive made into a partition by a named policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log

from phalanx.messages import Data

from .kinds import Policy


class AnswerClass(Data):
    """Answers that mean the same.

    label: the answer that stands for the class, word for word one of its members: the one most like the others, then
    the most frequent, then the shortest. members: the places of its answers.
    """

    label: str
    members: tuple[int, ...]


class Partition(Data):
    """Answers sorted into classes, largest first; it does not depend on the order in which answers were given.

    choices: for each answer the label of its class, or None where there was no answer to read: ballots for a vote.
    """

    classes: tuple[AnswerClass, ...] = ()
    choices: tuple[str | None, ...] = ()

    @property
    def unread(self) -> tuple[int, ...]:
        """The places of the answers that could not be read."""
        return tuple(at for at, choice in enumerate(self.choices) if choice is None)

    @property
    def entropy(self) -> float | None:
        """Semantic entropy in nats over the answers read: 0 when all mean the same; None when there are none.

        Farquhar et al. 2024 (doi 10.1038/s41586-024-07421-0), with the classes' shares as probabilities.
        """
        total = sum(len(each.members) for each in self.classes)
        if not total:
            return None
        shares = [len(each.members) / total for each in self.classes]
        return max(0.0, -sum(share * log(share) for share in shares))


def grouped(size: int, related: Callable[[int, int], bool], policy: Policy) -> list[list[int]]:
    """The items 0 to size-1 in groups, taken in this order.

    related: whether two items belong together; it must be symmetric but need not be transitive. policy: "complete",
    every two items of a group are related; "components", every item of a group is related to some other of it;
    "greedy_first", every item is related to the group's first.
    """
    groups: list[list[int]] = []
    for item in range(size):
        if policy == "components":
            joined = [group for group in groups if any(related(item, other) for other in group)]
            rest = [group for group in groups if group not in joined]
            groups = [*rest, sorted([item, *(other for group in joined for other in group)])]
            continue
        for group in groups:
            if related(item, group[0]) and (
                policy == "greedy_first" or all(related(item, other) for other in group[1:])
            ):
                group.append(item)
                break
        else:
            groups.append([item])
    return sorted(groups)


def medoid(names: Sequence[str], weights: Sequence[int], likeness: Callable[[int, int], float]) -> int:
    """The item most like all others, each counted by its weight; then the heaviest, the shortest, the first by name."""

    def merit(item: int) -> tuple[float, int, int, str]:
        near = sum(weight * likeness(item, other) for other, weight in enumerate(weights))
        return (-near, -weights[item], len(names[item]), names[item])

    return min(range(len(names)), key=merit)
