"""What else is kept under a comparison's name: results that count no more, or count though they were made otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from phalanx.runtime.limits import Limits

from .record import Attempt, Comparison


@dataclass(frozen=True)
class Making:
    """How results are made, besides what they are kept under. None is not known, as of logs of earlier versions.

    within: the limits of an attempt in words, "" without any. version: of Phalanx.
    """

    within: str | None = None
    version: str | None = None


@dataclass(frozen=True)
class Beside:
    """What else is kept. changed: of systems that are others now, by name how many. told: the rest, in sentences."""

    changed: dict[str, int]
    told: tuple[str, ...]


def beside(comparison: Comparison, now: Making, kept: Iterable[tuple[Attempt, Making]]) -> Beside:
    """What else is kept under the name of a comparison; each result that counts no more is told of once.

    comparison: as it is now. now: how its results are made now. kept: every result with how it was made.
    """
    items = {item.id for item in comparison.items}
    specs, names = {each.spec for each in comparison.systems}, {each.name for each in comparison.systems}
    left: Counter[str] = Counter()
    changed: Counter[str] = Counter()
    limits: Counter[str] = Counter()
    versions: Counter[str] = Counter()
    for attempt, how in kept:
        if attempt.seed != comparison.seed:
            left[f"made with seed {attempt.seed} and not {comparison.seed}"] += 1
        elif attempt.item not in items:
            left["of items that are asked no more"] += 1
        elif attempt.repeat >= comparison.repeats:
            left[f"of repeats after the first {comparison.repeats}"] += 1
        elif attempt.spec in specs:
            if how.within is not None and now.within is not None and how.within != now.within:
                limits[how.within] += 1
            if how.version and now.version and how.version != now.version:
                versions[how.version] += 1
        elif attempt.system in names:
            changed[attempt.system] += 1
    told = [f"{_results(many)} {why} {_are(many)} left behind and not counted." for why, many in left.items()]
    for within, many in limits.items():
        under = _under(now.within or "")
        told.append(
            f"{_results(many)} made {_under(within)} {_are(many)} counted as before; now attempts are made {under}."
        )
    for version, many in versions.items():
        told.append(
            f"{_results(many)} made by Phalanx {version} {_are(many)} counted as before; this is {now.version}."
        )
    return Beside(dict(changed), tuple(told))


def in_words(limits: Limits | None) -> str:
    """Limits in words, "calls=3, usd=0.5"; "" for none.

    limits: of an attempt.
    """
    given = {} if limits is None else limits.model_dump(exclude_none=True)
    return ", ".join(f"{name}={value:g}" for name, value in given.items())


def _results(many: int) -> str:
    return "1 result" if many == 1 else f"{many:,} results"


def _are(many: int) -> str:
    return "is" if many == 1 else "are"


def _under(within: str) -> str:
    return f"under the limits {within}" if within else "without limits of their own"
