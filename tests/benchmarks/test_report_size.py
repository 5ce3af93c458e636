"""A report of a hundred thousand results: all of them counted, the page small and drawn piece by piece."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from phalanx.benchmarks import html, summary
from phalanx.benchmarks.drilldown import BLOCK
from phalanx.benchmarks.record import Ballots, Comparison
from phalanx.benchmarks.rule_text import rule_text
from phalanx.formations.voting import BucketedConfidence, Majority, Plurality
from tests.benchmarks.comparisons import attempt, comparison, items


def test_a_hundred_thousand_results_are_summed_up_and_stay_a_small_page() -> None:
    told = plain(N)
    found = summary.of(told)
    assert [each.attempts for each in found.standings] == [25_000] * 4
    assert sum(each.calls for each in found.standings) == 25_000 * (6 + 5 + 1 + 1)
    page = html.page(told, summary=found)
    assert page.count('<script type="text/plain"') == 25_000 // BLOCK
    assert len(page) < 12_000_000
    # What is there before anything is opened does not grow with the number of items.
    assert len(page.split('id="index"')[0]) < 100_000


REPORT = """
import json, random, sys, time
from pathlib import Path
from phalanx.benchmarks import html, markdown, summary, table
from tests.benchmarks.test_report_size import plain, voted

told = {"plain": plain, "voted": voted}[sys.argv[1]](int(sys.argv[2]))
began = time.process_time()
found = summary.of(told)
texts = [table.text(found), markdown.of(found), html.page(told, summary=found)]
took = time.process_time() - began
# Not getrusage: what that tells of a new process begins with the size of the one that began it.
[peak] = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
votes = sum(len(each.choices) for made in told.attempts for each in made.ballots)
drafts = [inside.attempts for inside in found.diagnoses]
print(json.dumps({"n": len(told.attempts), "votes": votes, "drafts": drafts, "seconds": took, "kb": int(peak)}))
"""

N = 25_000
SHARES = {"debate": 0.7, "vote": 0.72, "single": 0.6, "other": 0.61}
CALLS = {"debate": 6, "vote": 5}
BASELINES = {"vote": "debate"}


def plain(n: int) -> Comparison:
    """Four systems on n items, right or wrong."""
    rng = random.Random(1)
    columns = {name: [float(rng.random() < share) for _ in range(n)] for name, share in SHARES.items()}
    return comparison(columns, calls=CALLS, baselines=BASELINES)


def voted(n: int) -> Comparison:
    """The same, where each attempt has five ballots, each of a confidence; of the debate there are two rounds."""
    rng = random.Random(1)
    names = [f"m{at}" for at in range(5)]
    rules = [rule_text(Plurality()), rule_text(BucketedConfidence()), rule_text(Majority()), rule_text(Plurality())]
    made = []
    for (name, share), rule in zip(SHARES.items(), rules, strict=True):
        for item in range(n):
            hard = share - 0.2 + 0.4 * rng.random()
            rounds = []
            for number in range(2 if name == "debate" else 1):
                said: dict[str, str | None] = {}
                for member in names:
                    draw = rng.random()
                    wrong = f"{2 * item + 1 + int(4 * rng.random())}"
                    said[member] = f"{2 * item}" if draw < hard else None if draw > 0.98 else wrong
                counts = Counter(each for each in said.values() if each is not None)
                first = [each for each in counts if counts[each] == max(counts.values())]
                rounds.append(
                    Ballots(
                        round=number,
                        choices=said,
                        worth={member: float(each == f"{2 * item}") for member, each in said.items()},
                        decided=first.count(f"{2 * item}") / len(first) if first else 0.0,
                        rule=rule,
                        stated={member: round(rng.random(), 2) for member in names},
                    )
                )
            made.append(attempt(name, f"q{item}", rounds[-1].decided, calls=5 * len(rounds), ballots=tuple(rounds)))
    empty = comparison({name: [] for name in SHARES}, baselines=BASELINES, items=items(n))
    return empty.model_copy(update={"attempts": tuple(made)})


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from Linux's /proc")
@pytest.mark.timeout(170)
@pytest.mark.parametrize("which", [pytest.param("plain", id="without ballots"), pytest.param("voted", id="of votes")])
def test_a_hundred_thousand_results_are_reported_within_a_gigabyte(which: str) -> None:
    # Votes take long to make up, so that the whole of them is left for where the time is judged as well.
    tortured = bool(os.environ.get("PHALANX_TORTURE"))
    n = N if tortured or which == "plain" else N // 10
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", REPORT, which, str(n)], cwd=root, capture_output=True, text=True, timeout=160,
        check=False, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["n"] == 4 * n
    assert found["drafts"] == ([n] * 4 if which == "voted" else [])
    assert found["votes"] == (25 * n if which == "voted" else 0)
    # A tenth of the results takes a little more than a tenth of a gigabyte, for Python itself takes its part.
    assert found["kb"] < (1_000_000 if n == N else 150_000)
    # What it takes depends on the machine and on who else works on it: the time is judged where that is wanted.
    if tortured:
        assert found["seconds"] < 10
