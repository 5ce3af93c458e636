"""Recorded answers of real models, through `compare`: published counts, with the intervals and verdicts they allow.

The recordings lie beside the repository, in ../shared/data; without them these tests are skipped.
"""

from __future__ import annotations

import gzip
import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import sub
from pathlib import Path
from statistics import stdev
from typing import Any, Literal

import pytest

from phalanx import Agent, AgentTeam
from phalanx.agents.models.recorded import RecordedModel
from phalanx.agents.task import Task
from phalanx.benchmarks import summary
from phalanx.benchmarks.compare import compare
from phalanx.benchmarks.grouping import group
from phalanx.benchmarks.matching import Exact
from phalanx.benchmarks.record import Comparison
from phalanx.benchmarks.statistics.paired import McNemar
from phalanx.benchmarks.statistics.sampling import mean_pass_at_k, mean_pass_hat_k
from phalanx.benchmarks.systems import Comparable
from phalanx.benchmarks.tasks import TaskItem, TaskSet
from phalanx.formations.voting import Equivalence, Plurality
from tests.cli.command import phalanx

DATA = Path(__file__).parents[2].parent / "shared" / "data"
VERBATIM = Exact(compare="verbatim")

pytestmark = [
    pytest.mark.skipif(not DATA.is_dir(), reason=f"the recordings are not at {DATA}"),
    pytest.mark.timeout(170),
]

Record = Mapping[str, Any]


@lru_cache(maxsize=2)
def records(path: str) -> dict[str, Record]:
    with gzip.open(DATA / path, "rt", encoding="utf-8") as lines:
        return {record["id"]: record for record in map(json.loads, lines)}


def expected(folder: str) -> Any:
    return json.loads((DATA / folder / "expected.json").read_text(encoding="utf-8"))


def tasks(path: str) -> TaskSet:
    items = [
        TaskItem(id=id, question=record["question"], gold=record["gold"], meta={"from": path})
        for id, record in records(path).items()
    ]
    return TaskSet(Path(path).name.split(".")[0], tuple(items))


def plurality(answers: list[str | None]) -> str:
    """The most frequent answer, of equal ones the first seen; nothing when all abstain."""
    return Plurality(tie_break=("earliest",)).decide(answers).winner or ""


def right(found: Comparison, system: str) -> float:
    """How many questions a system got right."""
    return math.fsum(each.score for each in found.attempts if each.system == system)


# -- debates ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Discussed:
    """What a recorded debate came to at a point of it."""

    path: str
    at: Literal["first draft", "drafts", "end", "all"]

    async def __call__(self, task: Task) -> str:
        answers = records(self.path)[task.id]["answers"]
        last = max(answer["round"] for answer in answers)
        wanted = {"first draft": {0}, "drafts": {0}, "end": {last}, "all": set(range(last + 1))}[self.at]
        said = [answer["parsed"] for answer in answers if answer["round"] in wanted]
        return plurality(said[:1] if self.at == "first draft" else said)


MATH = "dylan-math/dylan_math.jsonl.gz"


@pytest.mark.parametrize(("margin", "kind"), [(0.02, "tied"), (0.005, "not enough items")])
async def test_a_recorded_debate_does_not_beat_the_vote_of_its_first_round(margin: float, kind: str) -> None:
    wanted = expected("dylan-math")["dylan_math"]
    systems: dict[str, Comparable] = {"debate": Discussed(MATH, "end"), "vote": Discussed(MATH, "drafts")}
    found = await compare(systems, tasks(MATH), scorer=VERBATIM, margin=margin)
    n = wanted["questions"]
    assert (right(found, "debate"), right(found, "vote"), n) == (1800, 1834, 4800)
    (finding,) = summary.of(found).findings
    verdict = finding.verdict
    assert isinstance(verdict.test, McNemar)
    assert (verdict.test.wins, verdict.test.losses) == (wanted["debate_fixed"], wanted["debate_broke"]) == (264, 298)
    difference = verdict.difference
    error = math.sqrt((264 + 298 - 34**2 / n) / n**2)
    assert difference.value == pytest.approx(-34 / n)
    assert difference.low == pytest.approx(-34 / n - 1.96 * error, abs=2e-4)
    assert difference.high == pytest.approx(-34 / n + 1.96 * error, abs=2e-4)
    assert verdict.kind == kind
    assert "\u22120.7" in finding.text
    assert "[\u22121.7, +0.3]" in finding.text


async def test_a_recorded_debate_beats_one_draft_by_what_its_vote_gains() -> None:
    wanted = expected("dylan-math")["dylan_math"]
    systems: dict[str, Comparable] = {
        "debate": Discussed(MATH, "end"), "one draft": Discussed(MATH, "first draft"), "all": Discussed(MATH, "all"),
    }  # fmt: skip
    found = await compare(systems, tasks(MATH), scorer=VERBATIM)
    assert right(found, "one draft") == wanted["agent0_round0_right"]
    assert right(found, "all") == wanted["plurality_all_rounds_right"]
    kinds = {(each.verdict.a, each.verdict.b): each.verdict.kind for each in summary.of(found).findings}
    assert kinds["debate", "one draft"] == "better"
    assert kinds["one draft", "all"] == "worse"


async def test_two_hundred_recorded_debates_tell_nothing() -> None:
    path = "dylan-math/dylan_math_small.jsonl.gz"
    wanted = expected("dylan-math")["dylan_math_small"]
    systems: dict[str, Comparable] = {"debate": Discussed(path, "end"), "vote": Discussed(path, "drafts")}
    found = await compare(systems, tasks(path), scorer=VERBATIM)
    assert right(found, "debate") == wanted["plurality_last_round_right"]
    assert right(found, "vote") == wanted["plurality_round0_right"]
    (finding,) = summary.of(found).findings
    assert finding.verdict.kind == "not enough items"
    assert finding.verdict.more_items is not None
    assert finding.verdict.more_items > 1000


# -- samples ------------------------------------------------------------------------------------------------------


async def test_thirty_recorded_programs_are_voted_on_by_a_team() -> None:
    path = "pot-aqua/pot_aqua_30samples.jsonl.gz"
    wanted = expected("pot-aqua")
    model = RecordedModel.from_jsonl(DATA / path, say="parsed", parsed="option")
    coder = Agent("coder", name="code-davinci-002", model=model)
    how = {"rule": Plurality(tie_break=("earliest",)), "equivalence": Equivalence(kind="choice", fallbacks=())}
    systems: dict[str, Comparable] = {
        f"vote of {k}": AgentTeam.vote(coder, samples=k, early=False, **how)  # type: ignore[arg-type]
        for k in (1, 3, 5, 10, 30)
    }
    found = await compare(systems, tasks(path), scorer="exact", baselines=False)
    told = summary.of(found)
    firsts = wanted["option_plurality_first_k_right"]
    assert {name: right(found, name) for name in systems} == {f"vote of {k}": firsts[str(k)] for k in (1, 3, 5, 10, 30)}
    inside = next(each for each in told.diagnoses if each.system == "vote of 30")
    n = wanted["questions"]
    assert inside.draft.value == pytest.approx(wanted["single_sample_option_right"] / n / 30)
    assert inside.coverage.value == pytest.approx(wanted["any_right"] / n)
    verdicts = {(each.verdict.a, each.verdict.b): each.verdict for each in told.findings}
    whole = verdicts["vote of 1", "vote of 30"]
    assert whole.kind == "worse"
    assert whole.difference.value == pytest.approx((firsts["1"] - firsts["30"]) / n)
    assert whole.cost_ratio is not None
    assert whole.cost_ratio.value < 0.1


class Tried:
    """Recorded attempts in turn: each time an item is asked, the next of its answers."""

    def __init__(self, path: str) -> None:
        self.path, self.asked = path, Counter[str]()

    async def __call__(self, task: Task) -> str:
        self.asked[task.id] += 1
        return str(records(self.path)[task.id]["answers"][self.asked[task.id] - 1]["parsed"])


def by_item(found: Comparison, system: str) -> list[int]:
    """How many of its repeats each item got right."""
    (grouped,) = [each for each in group(found) if each.system.name == system]
    return [round(sum(each.score for each in made)) for made in grouped.by_item.values()]


async def test_four_trials_of_an_agent_with_tools_are_repeats_of_one_item() -> None:
    path, wanted = "tau-airline/tau_airline.jsonl.gz", expected("tau-airline")

    def rewarded(answer: str, item: TaskItem) -> float:
        return float(answer == "True")

    found = await compare({"agent": Tried(path)}, tasks(path), scorer=rewarded, repeats=4)
    counts = by_item(found, "agent")
    for name, measure in (("pass_hat_k", mean_pass_hat_k), ("pass_at_k", mean_pass_at_k)):
        for k, share in wanted[name].items():
            assert measure([(count, 4) for count in counts], int(k)).value == pytest.approx(share, abs=1e-6)
    (standing,) = summary.of(found).standings
    assert standing.accuracy is not None
    assert standing.accuracy.value == pytest.approx(wanted["pass_hat_k"]["1"])
    # Fifty tasks, not two hundred: the trials of one task are no independent questions.
    assert standing.accuracy.n == 50
    assert standing.accuracy.low is not None
    assert standing.accuracy.low < 0.42 - 1.96 * math.sqrt(0.42 * 0.58 / 200)


async def test_a_hundred_samples_of_the_game_of_24_direct_or_with_a_chain_of_thought() -> None:
    paths = {how: f"game24/game24_{how}_100samples.jsonl.gz" for how in ("io", "cot")}
    wanted = expected("game24")
    known = {
        (id, str(answer["parsed"])): answer["correct"]
        for path in paths.values()
        for id, record in records(path).items()
        for answer in record["answers"]
    }

    def solves(answer: str, item: TaskItem) -> float:
        return float(known[item.id, answer])

    systems: dict[str, Comparable] = {"io": Tried(paths["io"]), "cot": AlsoTried(paths["cot"])}
    found = await compare(systems, tasks(paths["io"]), scorer=solves, repeats=100)
    for how in paths:
        counts = by_item(found, how)
        assert sum(counts) == wanted[how]["samples_right"]
        for k, share in wanted[how]["pass_at_k"].items():
            found_share = mean_pass_at_k([(count, 100) for count in counts], int(k)).value
            assert found_share == pytest.approx(share, abs=1e-6)
    (finding,) = summary.of(found).findings
    assert finding.verdict.difference.value == pytest.approx(0.0734 - 0.0403)
    # 20,000 samples of 100 puzzles are 100 puzzles.
    assert finding.verdict.difference.n == 100
    difference = [counts / 100 for counts in map(sub, by_item(found, "io"), by_item(found, "cot"))]
    assert finding.verdict.difference.se == pytest.approx(stdev(difference) / 10)
    assert finding.verdict.kind == "better"


class AlsoTried(Tried):
    """Another record, in turn."""


# -- different models, and judges ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answered:
    """What recorded models answer, and their plurality."""

    path: str
    agents: tuple[str, ...]

    async def __call__(self, task: Task) -> str:
        said = {answer["agent"]: answer["parsed"] for answer in records(self.path)[task.id]["answers"]}
        return plurality([said[agent] for agent in self.agents])


async def test_a_team_of_nine_models_against_the_best_of_them() -> None:
    path, wanted = "zeroeval-gsm8k/zeroeval_gsm8k.jsonl.gz", expected("zeroeval-gsm8k")
    weak = tuple(wanted["team_weak_to_strong"])
    everybody = tuple(answer["agent"] for answer in next(iter(records(path).values()))["answers"])
    best = max(wanted["right_per_model"], key=wanted["right_per_model"].__getitem__)
    systems: dict[str, Comparable] = {
        "nine": Answered(path, weak), "best of the nine": Answered(path, weak[-1:]),
        "everybody": Answered(path, everybody), "best of all": Answered(path, (best,)),
    }  # fmt: skip
    found = await compare(systems, tasks(path), scorer=VERBATIM)
    assert right(found, "nine") == wanted["plurality_first_k_of_team_weak_to_strong"][8] == 1194
    assert right(found, "best of the nine") == wanted["right_per_model"][weak[-1]] == 1171
    assert right(found, "everybody") == wanted["plurality_all_43_file_order"] == 1280
    assert right(found, "best of all") == 1275
    verdicts = {(each.verdict.a, each.verdict.b): each.verdict for each in summary.of(found).findings}
    assert verdicts["nine", "best of all"].kind == "worse"
    # 43 models beat the best of them by 5 questions of 1,319: nothing that anybody needs.
    assert verdicts["everybody", "best of all"].kind == "tied"


JUDGES = ("GPT-4", "ChatGPT", "ChatGPT-0301", "LLaMA2", "PaLM2", "Falcon")


class Judged:
    """The verdict of recorded judges in both orders; of one judge alone, order by order."""

    def __init__(self, *judges: str) -> None:
        self.judges, self.asked = judges, Counter[str]()

    async def __call__(self, task: Task) -> str:
        verdicts: dict[str, list[str | None]] = {judge: [] for judge in self.judges}
        for answer in records(LLMBAR)[task.id]["answers"]:
            if answer["agent"] in verdicts:
                verdicts[answer["agent"]].append(answer["parsed"])
        self.asked[task.id] += 1
        if len(self.judges) == 1:
            return verdicts[self.judges[0]][self.asked[task.id] - 1] or "none"
        ballots = [vote for judge in self.judges for vote in verdicts[judge]]
        return Plurality(tie_break=()).decide(ballots, candidates=["1", "2"]).winner or "tie"


class Panel(Judged):
    """Several judges."""


LLMBAR = "llmbar-judges/llmbar_judges.jsonl.gz"


async def test_a_panel_of_weak_judges_is_worse_than_the_best_judge() -> None:
    wanted = expected("llmbar-judges")
    systems: dict[str, Comparable] = {
        "panel": Panel(*(f"{judge}/CoT" for judge in JUDGES)), "GPT-4": Judged("GPT-4/CoT"),
    }  # fmt: skip
    found = await compare(systems, tasks(LLMBAR), scorer=VERBATIM, repeats=2)
    assert right(found, "GPT-4") == wanted["right_of_838_per_judge"]["GPT-4/CoT"]["right"] == 681
    assert right(found, "panel") == 2 * wanted["panels"]["CoT/six"]["win"] == 2 * 215
    ties = Counter(each.answer for each in found.attempts if each.system == "panel")["tie"]
    assert ties == 2 * wanted["panels"]["CoT/six"]["tie"]
    (finding,) = summary.of(found).findings
    assert finding.verdict.kind == "worse"
    assert finding.verdict.difference.value == pytest.approx((215 - 681 / 2) / 419)
    assert finding.verdict.difference.n == 419


# -- from the command line ---------------------------------------------------------------------------------------------

VOTES = """\
name: programs
tasks: {file: TASKS, columns: {question: question, gold: gold}}
recorded: {files: [TASKS], say: parsed, parsed: option}
scorer: exact
baselines: false
systems:
"""
TEAM = """\
  vote of K:
    team:
      members: [{name: code-davinci-002, role: coder}]
      formation:
        kind: vote
        samples: K
        early: false
        rule: {kind: plurality, tie_break: [earliest]}
        equivalence: {kind: choice, fallbacks: []}
"""


def test_the_command_says_of_recorded_programs_what_was_published(tmp_path: Path) -> None:
    path, wanted = DATA / "pot-aqua/pot_aqua_30samples.jsonl.gz", expected("pot-aqua")
    sizes = (1, 3, 15)
    text = VOTES.replace("TASKS", str(path)) + "".join(TEAM.replace("K", str(k), 2) for k in sizes)
    (tmp_path / "programs.yaml").write_text(text, encoding="utf-8")
    done = phalanx("bench", "programs.yaml", "--json", "-q", "--fail-if", "'vote of 1' < 'vote of 15'", cwd=tmp_path)
    assert done.code == 7, done.err
    told = json.loads(done.out)
    n = wanted["questions"]
    for standing, k in zip(told["standings"], sizes, strict=True):
        assert standing["system"]["name"] == f"vote of {k}"
        assert standing["accuracy"]["value"] == pytest.approx(wanted["option_plurality_first_k_right"][str(k)] / n)
        assert standing["calls"] == k * n
    assert [each["verdict"]["kind"] for each in told["findings"]] == ["worse", "worse", "worse"]
