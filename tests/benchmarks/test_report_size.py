"""A report of a hundred thousand results: all of them counted, the page small and drawn piece by piece."""

from __future__ import annotations

import random

from phalanx.benchmarks import html, summary
from phalanx.benchmarks.drilldown import BLOCK
from tests.benchmarks.comparisons import comparison


def test_a_hundred_thousand_results_are_summed_up_and_stay_a_small_page() -> None:
    rng = random.Random(1)
    columns = {name: [float(rng.random() < share) for _ in range(25_000)] for name, share in SHARES.items()}
    told = comparison(columns, calls={"debate": 6, "vote": 5}, baselines={"vote": "debate"})
    found = summary.of(told)
    assert [each.attempts for each in found.standings] == [25_000] * 4
    assert sum(each.calls for each in found.standings) == 25_000 * (6 + 5 + 1 + 1)
    page = html.page(told, summary=found)
    assert page.count('<script type="text/plain"') == 25_000 // BLOCK
    assert len(page) < 12_000_000
    # What is there before anything is opened does not grow with the number of items.
    assert len(page.split('id="index"')[0]) < 100_000


SHARES = {"debate": 0.7, "vote": 0.72, "single": 0.6, "other": 0.61}
