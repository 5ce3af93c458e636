"""The names in the chart of the HTML report stand beside the line of the front, and never on it."""

from __future__ import annotations

import re

import pytest

from phalanx.benchmarks import html, summary
from phalanx.benchmarks.svg import scatter
from tests.benchmarks.comparisons import comparison, system


def scores(share: float) -> list[float]:
    return [1.0] * round(100 * share) + [0.0] * round(100 - 100 * share)


@pytest.mark.parametrize("width", [920, 343])
@pytest.mark.parametrize("middle", [0.62, 0.7, 0.85])
def test_the_line_of_the_front_does_not_run_through_a_name(width: int, middle: float) -> None:
    worth = {"one member": 0.6, "vote at equal calls": middle, "vote at equal tokens": 0.9, "debate": 0.66}
    calls = {"one member": 1, "vote at equal calls": 7, "vote at equal tokens": 15, "debate": 16}
    made = comparison({name: scores(share) for name, share in worth.items()}, calls=calls)
    drawn = scatter(summary.of(made), width=width, height=400)
    (path,) = re.findall(r'class="steps" d="M([^"]+)"', drawn)
    start, *turns = re.split(r"[HV]", path)
    x, y = map(float, start.split())
    line = []
    for across, up in zip(turns[::2], [*turns[1::2], None], strict=True):
        line.append((x, float(across), y))
        x, y = float(across), y if up is None else float(up)
    places = re.findall(r'class="label[^"]*" x="([\d.]+)" y="([\d.]+)" dy="4" text-anchor="(\w+)"', drawn)
    assert len(places) == 4
    for at_x, at_y, anchor in places:
        left, right = {"start": (5, 60), "middle": (-40, 40), "end": (-60, -5)}[anchor]
        crossed = [
            height
            for low, high, height in line
            if low < float(at_x) + right and float(at_x) + left < high and abs(height - float(at_y)) < 7
        ]
        assert not crossed, (at_x, at_y, anchor)


def test_a_system_that_is_named_after_its_formation_is_named_once() -> None:
    made = comparison({"debate": scores(0.5), "mine": scores(0.5)})
    systems = (system("debate", kind="debate"), system("mine", kind="debate"))
    page = html.page(made.model_copy(update={"systems": systems}))
    assert '<td data-label="System">debate</td>' in page
    assert '<td data-label="System">mine<span class="small">debate</span></td>' in page
