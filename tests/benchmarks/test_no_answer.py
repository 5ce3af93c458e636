"""A vote that comes to nothing is worth nothing, whatever the words for it say; and it is worth the same everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from phalanx import Agent, AgentTeam
from phalanx.agents.models.recorded import RecordedModel, Recording
from phalanx.benchmarks import summary
from phalanx.benchmarks.compare import SuiteBroken, compare
from phalanx.benchmarks.recorded import Recorded
from phalanx.benchmarks.recordings import RecordedAnswer
from phalanx.benchmarks.scoring import Scorer
from phalanx.benchmarks.systems import Comparable
from phalanx.benchmarks.tasks import Gold, TaskItem, TaskSet
from phalanx.formations.voting import Majority, Plurality, Supermajority, Unanimity, VotingRule

RULES: list[VotingRule] = [
    Plurality(tie_break=()), Plurality(tie_break=("random",)), Plurality(tie_break=("earliest",)), Majority(),
    Supermajority(q="2/3"), Unanimity(), Plurality(min_agreement=3, tie_break=()), Plurality(quorum=3, tie_break=()),
]  # fmt: skip


def one(gold: Gold, scorer: str | None = None) -> TaskSet:
    return TaskSet.of("one", [TaskItem(id="q1", question="How much?", gold=gold, scorer=scorer)])


def record(texts: list[str | None], rule: VotingRule) -> Recorded:
    return Recorded({"q1": texts}, rule=rule)


def team(texts: list[str | None], rule: VotingRule) -> AgentTeam:
    agents = [
        Agent("solver", name=f"m{at}", model=RecordedModel([Recording("q1", f"m{at}", text or "Answer:")]))
        for at, text in enumerate(texts)
    ]
    return AgentTeam.vote(agents, samples=len(texts), rule=rule, early=False)


@pytest.mark.parametrize(
    ("texts", "gold", "scorer"),
    [
        ([None, None], 2, None),  # "none of 2 voted"
        (["4", "4", "5", "5"], 0.5, None),  # "'4' and '5' each have 1/2 of what was cast"
        (["yes", "yes", "no", "no"], "no", "regex"),  # "No decision"
    ],
)
async def test_the_words_for_no_decision_are_no_answer(texts: list[str | None], gold: Gold, scorer: str | None) -> None:
    systems: dict[str, Comparable] = {"record": record(texts, Majority()), "team": team(texts, Majority())}
    found = await compare(systems, one(gold, scorer), baselines=False)
    assert [(each.status, each.score, each.read) for each in found.attempts] == [("undecided", 0.0, None)] * 2
    for each in found.attempts:
        assert each.answer is not None
        assert each.answer.startswith("No decision: ")


async def test_no_scorer_is_asked_what_the_words_for_no_decision_are_worth() -> None:
    asked: list[str] = []

    def generous(answer: str, item: TaskItem) -> float:
        asked.append(answer)
        return 1.0

    found = await compare({"record": record(["4", "5"], Majority())}, one(4), baselines=False, scorer=generous)
    assert found.attempts[0].score == 0.0
    assert sorted(asked) == ["4", "5"]


class FailsOnce:
    """A scorer that fails on what a member said until it is mended, and gives all else full credit."""

    def __init__(self) -> None:
        self.mended = False

    def __call__(self, answer: str, item: TaskItem) -> float:
        if not self.mended:
            raise RuntimeError("not now")
        return 1.0

    def __repr__(self) -> str:
        return "FailsOnce()"


@pytest.mark.parametrize("who", [record, team])
async def test_no_answer_is_still_none_when_it_is_scored_later(tmp_path: Path, who: object) -> None:
    scorer: Scorer = FailsOnce()
    system = who(["4", "5"], Majority())  # type: ignore[operator]
    with pytest.raises(SuiteBroken):
        await compare({"s": system}, one(4), baselines=False, scorer=scorer, log=tmp_path / "bench.db")
    scorer.mended = True  # type: ignore[attr-defined]
    found = await compare({"s": system}, one(4), baselines=False, scorer=scorer, log=tmp_path / "bench.db")
    assert [(each.status, each.score) for each in found.attempts] == [("undecided", 0.0)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.kind} {rule.model_dump_json(exclude_defaults=True)}")
async def test_who_only_repeats_itself_has_won_and_lost_nothing_by_talking(rule: VotingRule) -> None:
    votes = {"q1": "445", "q2": "4455", "q3": "4567", "q4": "5544", "q5": "44", "q6": "4 5", "q7": "  5", "q8": "   "}
    answers = [
        RecordedAnswer(id, f"m{at}", None if said == " " else said, round)
        for id, texts in votes.items()
        for at, said in enumerate(texts)
        for round in (0, 1)
    ]
    items = TaskSet.of("many", [TaskItem(id=id, question=f"How much? {id}", gold=4) for id in votes])
    found = await compare({"talk": Recorded(answers, rule=rule)}, items, baselines=False)
    (inside,) = summary.of(found).diagnoses
    assert [made.score for made in found.attempts] == [made.ballots[0].decided for made in found.attempts]
    assert inside.vote.value == inside.final.value
    assert inside.talked is not None
    assert inside.talked.value == 0.0


SAID = ["4455", "4445", "4567", "5544", "44 5", "4 5 ", "  5 ", "    ", "5554", "4   "]


@pytest.mark.parametrize("rule", [each for each in RULES if "random" not in each.tie_break], ids=repr)
async def test_what_members_brought_adds_up_to_what_their_votes_are_scored_as(rule: VotingRule) -> None:
    answers = {f"q{at}": [None if each == " " else each for each in said] for at, said in enumerate(SAID)}
    items = TaskSet.of("many", [TaskItem(id=id, question=f"How much? {id}", gold=4) for id in answers])
    told = summary.of(await compare({"vote": Recorded(answers, rule=rule)}, items, baselines=False))
    (inside,) = told.diagnoses
    brought = [each.brought.value for each in inside.members if each.brought is not None]
    assert len(brought) == 4
    assert sum(brought) == pytest.approx(told.standing("vote").accuracy.value)  # type: ignore[union-attr]
