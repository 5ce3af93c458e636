"""How sure a system was, and how right: what members stated, and how many of them agreed, against what came true."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from phalanx.messages import Data

from .diagnosis import RIGHT
from .grouping import Grouped
from .record import Attempt
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
    stated = _calibrated(group, (pair for made in group.attempts for pair in _stated(made)), level)
    shares = ((made.item, made.share, made.score >= RIGHT) for made in group.attempts if made.share is not None)
    votes = _calibrated(group, shares, level)
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


Pair = tuple[str, float, bool]


def _stated(made: Attempt) -> Iterator[Pair]:
    """What was said of the answers in an attempt: its item, how sure, and whether it was right."""
    for ballots in sorted(made.ballots, key=lambda each: -each.round):
        if ballots.stated:
            for name, sure in ballots.stated.items():
                if ballots.choices.get(name) is not None:
                    yield made.item, sure, ballots.worth.get(name, 0.0) >= RIGHT
            return
    if made.confidence is not None:
        yield made.item, made.confidence, made.score >= RIGHT


def _calibrated(group: Grouped, pairs: Iterable[Pair], level: float) -> Calibration | None:
    held = list(pairs)
    if not held:
        return None
    labels = [group.labels.get(item, item) for item, _, _ in held]
    clusters = labels if len(set(labels)) < len(labels) else None
    return calibration([sure for _, sure, _ in held], [right for _, _, right in held], clusters=clusters, level=level)
