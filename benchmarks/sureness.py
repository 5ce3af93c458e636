"""How sure a system was, and how right: what members stated, and how many of them agreed, against what came true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from phalanx.messages import Data

from .grouping import Grouped
from .record import Attempt
from .rows import RIGHT
from .statistics.calibration import Calibration, calibration
from .wording import percent, points


class Sureness(Data):
    """How well the confidences of a system fit how often it is right.

    system: its name. stated: of what members said of their own answers, in the last round in which they said it, or of
    the answer itself where nothing was voted on; None when nobody said it. votes: of the share of votes that the answer
    got; None when nothing was voted on. Only an answer with full credit counts as right. The intervals know that the
    answers to one item, or to one cluster, are no independent ones.
    """

    system: str
    stated: Calibration | None = None
    votes: Calibration | None = None


def sureness(group: Grouped, *, level: float = 0.95) -> Sureness | None:
    """The calibration of a system's confidences; None where it has none at all.

    group: its attempts. level: of the intervals.
    """
    stated = _calibrated(group, _stated(group.attempts), level)
    votes = _calibrated(group, _shared(group.attempts), level)
    if stated is None and votes is None:
        return None
    return Sureness(system=group.system.name, stated=stated, votes=votes)


def sentences(found: Sureness) -> list[str]:
    """What there is to say of it, a sentence each; the same in every report.

    found: as `sureness` gives it.
    """
    told = []
    for what, each in (
        ("members said of their answers that they were right with", found.stated),
        ("the answers had", found.votes),
    ):
        if each is not None:
            kind = "" if each is found.stated else " of the votes"
            mean = sum(bin.n * bin.confidence for bin in each.bins) / each.n
            way = "too sure" if each.overconfidence > 0 else "not sure enough"
            gap = points(abs(each.overconfidence)).removeprefix("+")
            off = "as sure as right" if gap == "0.0" else f"{gap} points {way}"
            told.append(
                f"{found.system}: {what} {percent(mean)}{kind} on average, and {percent(mean - each.overconfidence)} "
                f"were right, {off}. {each}."
            )
    return told


@dataclass(slots=True)
class _Pairs:
    """What was said of answers: of which item, how sure, and whether it was right."""

    items: list[str] = field(default_factory=list)
    sure: list[float] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)

    def add(self, item: str, sure: float, right: bool) -> None:
        self.items.append(item)
        self.sure.append(sure)
        self.right.append(right)


def _stated(attempts: Sequence[Attempt]) -> _Pairs:
    found = _Pairs()
    for made in attempts:
        # A round in which nobody said how sure they were is passed over.
        said = [each for each in made.ballots if each.stated]
        if said:
            last = said[0] if len(said) == 1 else max(said, key=lambda each: each.round)
            choices, worth = last.choices, last.worth
            for name, sure in last.stated.items():
                if choices.get(name) is not None:
                    found.add(made.item, sure, worth.get(name, 0.0) >= RIGHT)
        elif made.confidence is not None:
            found.add(made.item, made.confidence, made.score >= RIGHT)
    return found


def _shared(attempts: Sequence[Attempt]) -> _Pairs:
    found = _Pairs()
    for made in attempts:
        if made.share is not None:
            found.add(made.item, made.share, made.score >= RIGHT)
    return found


def _calibrated(group: Grouped, pairs: _Pairs, level: float) -> Calibration | None:
    if not pairs.items:
        return None
    labels = [group.labels.get(item, item) for item in pairs.items] if group.labels else pairs.items
    clusters = labels if len(set(labels)) < len(labels) else None
    return calibration(pairs.sure, pairs.right, clusters=clusters, level=level)
