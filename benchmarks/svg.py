"""The drawings of the HTML report, as SVG without any style of its own: classes say what a thing is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from .diagnosis import Diagnosis
from .statistics.verdict import Verdict
from .summary import Summary
from .wording import AN_ITEM, CostUnit, cost, percent


@dataclass
class Spot:
    """A system in the plane of cost and accuracy; low and high are None where there is no interval."""

    name: str
    x: float
    y: float
    low: float | None
    high: float | None
    on_front: bool


def spots(summary: Summary) -> list[Spot]:
    """The systems that have a cost and an accuracy on the items that all share, cheapest first."""
    if summary.front is None:
        return []
    found = []
    for point in summary.front.points:
        standing = summary.standing(point.system)
        known = standing.accuracy if standing.items == summary.front.n else None
        low, high = (None, None) if known is None else (known.low, known.high)
        found.append(Spot(point.system, point.cost, point.accuracy, low, high, point.on_front))
    return found


def is_wide(costs: Sequence[float]) -> bool:
    """Whether costs are so far apart that they are shown by their logarithms."""
    return min(costs) > 0 and max(costs) / min(costs) > 8


def ticks(costs: Sequence[float], unit: CostUnit) -> list[tuple[float, str]]:
    """Round costs along an axis of logarithms, each with how it is written.

    costs: what the axis shows. unit: what they are.
    """
    return [(tick, _tick(tick, unit)) for tick in _log_scale(costs).ticks]


def scatter(summary: Summary, *, width: int, height: int) -> str:
    """Accuracy against cost, with intervals, names, and the Pareto front as a line of steps.

    summary: of what. width, height: in the pixels it is meant for. Empty when no system has both.
    """
    found = spots(summary)
    if not found:
        return ""
    left, right, top, bottom = 46, 14, 18, 44
    costs = [spot.x for spot in found]
    scale = _log_scale(costs) if is_wide(costs) else _scale(0, max(costs) * 1.08 or 1)
    reached = [end for spot in found for end in (spot.low, spot.high, spot.y) if end is not None]
    rise = _scale(max(0, min(reached) - 0.03), min(1, max(reached) + 0.03))

    def across(value: float) -> float:
        return left + scale.share(value) * (width - left - right)

    def up(value: float) -> float:
        return height - bottom - rise.share(value) * (height - top - bottom)

    unit = summary.unit
    words = "; ".join(f"{spot.name} {percent(spot.y)} at {cost(spot.x, unit)}" for spot in found)
    parts = [
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(f"Accuracy against cost: {words}")}">'
    ]
    for tick in rise.ticks:
        y = _n(up(tick))
        parts.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="tick" x="{left - 8}" y="{y}" dy="4" text-anchor="end">{100 * tick:.0f}%</text>')
    for tick in _thinned(scale.ticks, across, 56):
        x = _n(across(tick))
        parts.append(f'<line class="mark" x1="{x}" x2="{x}" y1="{height - bottom}" y2="{height - bottom + 4}"/>')
        label = _tick(tick, unit)
        parts.append(f'<text class="tick" x="{x}" y="{height - bottom + 18}" text-anchor="middle">{label}</text>')
    parts.append(f'<line class="axis" x1="{left}" x2="{width - right}" y1="{height - bottom}" y2="{height - bottom}"/>')
    parts.append(f'<text class="name" x="{width - right}" y="{height - 6}" text-anchor="end">{AN_ITEM[unit]} →</text>')
    front = [(across(spot.x), up(spot.y)) for spot in found if spot.on_front]
    parts.append(_steps(front, width - right))
    for spot in found:
        kind = "front" if spot.on_front else "off"
        x, y = _n(across(spot.x)), _n(up(spot.y))
        parts.append(f'<g class="spot {kind}"><title>{escape(_tip(spot, summary))}</title>')
        if spot.low is not None and spot.high is not None:
            parts.append(f'<line x1="{x}" x2="{x}" y1="{_n(up(spot.low))}" y2="{_n(up(spot.high))}"/>')
        parts.append(f'<circle cx="{x}" cy="{y}" r="4.5"/></g>')
    places = []
    for spot in found:
        ends = [up(end) for end in (spot.high, spot.y, spot.low) if end is not None]
        places.append((across(spot.x), up(spot.y), min(ends), max(ends), spot))
    parts += _labels(places, front, (left, 2, width, height - bottom))
    parts.append("</svg>")
    return "".join(parts)


def forest(verdict: Verdict, reach: float, *, width: int = 180) -> str:
    """A difference with its interval on a line around 0, with the band within which systems are tied.

    verdict: whose difference. reach: the difference, 0 to 1, at both ends of the line, the same for all verdicts that
    stand together. width: in pixels.
    """
    height, edge = 22, 6

    def across(value: float) -> str:
        inside = max(-1.0, min(1.0, value / reach))
        return _n(width / 2 + inside * (width / 2 - edge))

    found = verdict.difference
    start, end = float(across(-verdict.margin)), float(across(verdict.margin))
    parts = [
        f'<svg class="forest" viewBox="0 0 {width} {height}" width="{width}" height="{height}" aria-hidden="true">',
        f'<rect class="band" x="{_n(start)}" y="2" width="{_n(end - start)}" height="{height - 4}"/>',
        f'<line class="zero" x1="{width / 2:g}" x2="{width / 2:g}" y1="1" y2="{height - 1}"/>',
    ]
    if found.low is not None and found.high is not None:
        parts.append(f'<line class="reach" x1="{across(found.low)}" x2="{across(found.high)}" y1="11" y2="11"/>')
    kind = "found" if verdict.kind in ("better", "worse") else "open"
    parts.append(f'<circle class="{kind}" cx="{across(found.value)}" cy="11" r="4"/></svg>')
    return "".join(parts)


def ladder(diagnosis: Diagnosis, *, width: int = 416) -> str:
    """One draft, the vote of the drafts, the final answer, and what a perfect choice would reach, with intervals.

    diagnosis: whose. width: in pixels.
    """
    rows = [
        ("One draft", diagnosis.draft, "step"),
        ("Vote of the drafts", diagnosis.vote, "step"),
        ("Final answer", diagnosis.final, "front"),
        ("Any draft right", diagnosis.coverage, "off"),
    ]
    left, right, line = 124, 52, 34
    height = line * len(rows) + 26
    ends = [end for _, found, _ in rows for end in (found.low, found.high, found.value) if end is not None]
    scale = _scale(max(0, min(ends) - 0.02), min(1, max(ends) + 0.02))

    def across(value: float) -> str:
        return _n(left + scale.share(value) * (width - left - right))

    words = "; ".join(f"{name} {percent(found.value)}" for name, found, _ in rows)
    parts = [
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(words)}">'
    ]
    for tick in scale.ticks:
        x = across(tick)
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="0" y2="{height - 22}"/>')
        parts.append(f'<text class="tick" x="{x}" y="{height - 6}" text-anchor="middle">{100 * tick:.0f}%</text>')
    for at, (name, found, kind) in enumerate(rows):
        y = at * line + line / 2
        parts.append(f'<text x="0" y="{y:g}" dy="4">{name}</text><g class="spot {kind}">')
        if found.low is not None and found.high is not None:
            parts.append(f'<line x1="{across(found.low)}" x2="{across(found.high)}" y1="{y:g}" y2="{y:g}"/>')
        parts.append(f'<circle cx="{across(found.value)}" cy="{y:g}" r="4.5"/></g>')
        parts.append(f'<text x="{width}" y="{y:g}" dy="4" text-anchor="end">{percent(found.value)}</text>')
    parts.append("</svg>")
    return "".join(parts)


@dataclass
class _Scale:
    low: float
    high: float
    ticks: list[float]
    is_log: bool = False

    def share(self, value: float) -> float:
        low, high, at = self.low, self.high, value
        if self.is_log:
            low, high, at = math.log(low), math.log(high), math.log(value)
        return (at - low) / (high - low)


def _scale(low: float, high: float) -> _Scale:
    step = _step((high - low) / 5)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return _Scale(first * step, last * step, [at * step for at in range(first, last + 1)])


def _step(rough: float) -> float:
    power = 10 ** math.floor(math.log10(rough))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.999))


def _log_scale(values: Sequence[float]) -> _Scale:
    low, high = min(values) / 1.35, max(values) * 1.35
    ticks = [
        step * 10.0**power
        for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for step in (1, 2, 5)
    ]
    return _Scale(low, high, [tick for tick in ticks if low <= tick <= high], is_log=True)


def _steps(places: Sequence[tuple[float, float]], end: float) -> str:
    """The front: the best accuracy that each cost can have, to the right edge."""
    if not places:
        return ""
    path = f"M{_n(places[0][0])} {_n(places[0][1])}"
    for x, y in places[1:]:
        path += f"H{_n(x)}V{_n(y)}"
    return f'<path class="steps" d="{path}H{_n(end)}"/>'


Box = tuple[float, float, float, float]


def _labels(
    places: Sequence[tuple[float, float, float, float, Spot]], front: Sequence[tuple[float, float]], frame: Box
) -> list[str]:
    """A name beside each point, where it covers least of what else is drawn; those on the front choose first.

    places: x, y, and the upper and lower end of the interval, of each spot. front: the points of its line. frame: left,
    top, right, bottom.
    """
    # The line between the words of a name would look as if it struck them out.
    line = [
        box
        for (x, y), (to, then) in zip(front, [*front[1:], (frame[2], front[-1][1])] if front else [], strict=True)
        for box in ((x, y - 1, to, y + 1), (to - 1, min(y, then), to + 1, max(y, then)))
    ]
    taken: list[Box] = []
    parts = []
    # A wide chart has room for "a team: vote at equal tokens" in full, a phone's has not.
    longest = 40 if frame[2] >= 600 else 26
    for x, y, above, below, spot in sorted(places, key=lambda place: (not place[4].on_front, place[1])):
        name = spot.name if len(spot.name) <= longest else spot.name[: longest - 1] + "…"
        size = (7.4 if spot.on_front else 6.7) * len(name)
        best: tuple[float, float, float, str] | None = None
        for at_x, at_y, anchor, price in _candidates(x, y, above, below):
            start = at_x - {"start": 0.0, "middle": size / 2, "end": size}[anchor]
            box = (start, at_y - 8, start + size, at_y + 8)
            for other_x, other_y, top, bottom, other in places:
                price += 12 * _cross(box, (other_x - 2, top, other_x + 2, bottom)) * (other is not spot)
                price += 40 * _cross(box, (other_x - 7, other_y - 7, other_x + 7, other_y + 7)) * (other is not spot)
            price += sum(100 * _cross(box, other) for other in taken)
            price += sum(12 * _cross(box, other) for other in line)
            price += 1000 * (box[0] < frame[0] or box[2] > frame[2] or box[1] < frame[1] or box[3] > frame[3])
            if best is None or price < best[0]:
                best = (price, at_x, at_y, anchor)
        if best is None:
            continue
        _, at_x, at_y, anchor = best
        start = at_x - {"start": 0.0, "middle": size / 2, "end": size}[anchor]
        taken.append((start, at_y - 8, start + size, at_y + 8))
        if anchor != "middle" and abs(at_y - y) > 13:
            parts.append(f'<line class="lead" x1="{_n(x)}" y1="{_n(y)}" x2="{_n(at_x)}" y2="{_n(at_y)}"/>')
        kind = "label" if spot.on_front else "label off"
        place = f'x="{_n(at_x)}" y="{_n(at_y)}" dy="4" text-anchor="{anchor}"'
        parts.append(f'<text class="{kind}" {place}>{escape(name)}</text>')
    return parts


def _candidates(x: float, y: float, above: float, below: float) -> Iterator[tuple[float, float, str, float]]:
    """Where a name may stand, and what that costs before it covers anything."""
    yield x + 10, y, "start", 0
    yield x - 10, y, "end", 1
    for at in (y - 13, y + 13):
        yield x + 9, at, "start", 1.5
        yield x - 9, at, "end", 1.6
    yield x, above - 9, "middle", 2
    yield x, below + 10, "middle", 3
    for shift in range(12, 120, 6):
        for at in (y - shift, y + shift):
            yield x + 14, at, "start", 4 + shift / 6
            yield x - 14, at, "end", 5 + shift / 6


def _cross(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _thinned(ticks: Sequence[float], place: Callable[[float], float], room: float) -> list[float]:
    kept: list[float] = []
    for tick in ticks:
        if not kept or place(tick) - place(kept[-1]) >= room:
            kept.append(tick)
    return kept


def _tick(value: float, unit: CostUnit) -> str:
    """A round number on the axis, without digits that say nothing."""
    if unit != "usd" or value == 0:
        return "0" if value == 0 else cost(value, unit)
    return "$" + (f"{value:,.0f}" if value >= 1 else f"{value:.9f}".rstrip("0"))


def _tip(spot: Spot, summary: Summary) -> str:
    interval = "" if spot.low is None or spot.high is None else f" [{percent(spot.low)}, {percent(spot.high)}]"
    return f"{spot.name}: {percent(spot.y)}{interval} at {cost(spot.x, summary.unit)} an item"


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
