"""What readers of reports stumbled over: each of these was wrong once."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from phalanx import Agent, AgentTeam
from phalanx.benchmarks import html, markdown, summary, table
from phalanx.benchmarks.between import between
from phalanx.benchmarks.compare import compare
from phalanx.benchmarks.conclusion import conclusions
from phalanx.benchmarks.gate import Gate
from phalanx.benchmarks.record import Comparison, System
from phalanx.benchmarks.systems import entrant
from phalanx.benchmarks.tasks import TaskSet
from phalanx.errors import ValidationError
from phalanx.messages import Price
from phalanx.testing import FunctionModel, RecordedModel, SimulatedModel
from tests.benchmarks.comparisons import attempt, ballots, comparison, debate, items, system
from tests.cli.command import several

SOME = [1.0] * 60 + [0.0] * 40
MORE = [1.0] * 80 + [0.0] * 20


def flat(words: str) -> str:
    return " ".join(words.replace("\\", "").split())


def against(
    team: Sequence[float], *, usd: float = 1.0, base: Sequence[float] = SOME, margin: float = 0.02
) -> summary.Summary:
    """A team that costs `usd` an attempt against a baseline that costs 1."""
    made = comparison(
        {"debate": team, "vote": base}, usd={"debate": usd, "vote": 1.0}, baselines={"vote": "debate"}, margin=margin
    )
    return summary.of(made)


def test_a_narrow_terminal_shows_every_column() -> None:
    words = table.text(against(MORE, usd=3.0), width=80)
    assert max(map(len, words.splitlines())) <= 80
    for heading in ("accuracy", "95% interval", "failed", "calls", "tokens", "cost", "time", "US dollars an item"):
        assert heading in words, heading
    assert "$300.00" in words
    assert "…" not in words


def test_a_wide_terminal_shows_one_table() -> None:
    words = table.text(against(MORE, usd=3.0), width=140)
    assert sum(line.startswith("system") for line in words.splitlines()) == 1


def test_a_team_that_loses_at_its_own_cost_is_said_not_to_be_worth_it_in_every_report() -> None:
    made = comparison({"debate": SOME, "vote": MORE}, usd={"debate": 1.0, "vote": 1.0}, baselines={"vote": "debate"})
    found = summary.of(made)
    told = "debate is not worth its cost: vote is better by 20.0 points, and debate was run for the same money."
    assert conclusions(found) == [told]
    assert told in flat(table.text(found, width=80))
    assert told in flat(markdown.of(found))
    assert told in html.page(made, summary=found)


def test_a_team_that_loses_but_is_much_cheaper_is_not_said_to_be_worth_nothing() -> None:
    told = conclusions(against(SOME, usd=0.2, base=MORE))
    assert told == ["debate is less accurate than vote, but cheaper: it was run for 0.2 times the money."]


def test_a_team_that_ties_at_a_higher_cost_is_not_worth_it() -> None:
    same = [1.0] * 150 + [0.0] * 50
    told = conclusions(against(same, usd=5.0, base=same, margin=0.05))
    assert told == [
        "debate is not worth its cost: vote is as good within ±5 points, and debate was run for 5 times the money."
    ]


def test_a_team_that_ties_for_less_is_cheaper_and_as_accurate() -> None:
    same = [1.0] * 150 + [0.0] * 50
    told = conclusions(against(same, usd=0.5, base=same, margin=0.05))
    assert told == ["debate is as accurate within ±5 points as vote, but cheaper: it was run for 0.5 times the money."]


def test_a_team_that_beats_all_its_baselines_is_told_with_the_smallest_gain() -> None:
    scores = {"debate": [1.0] * 95 + [0.0] * 5, "one": SOME, "vote": [1.0] * 70 + [0.0] * 30}
    usd = {"debate": 3.0, "one": 1.0, "vote": 3.0}
    told = conclusions(summary.of(comparison(scores, usd=usd, baselines={"one": "debate", "vote": "debate"})))
    assert told == [
        "debate is better than each of its 2 baselines: the smallest gain is 25.0 points over vote, for the same money."
    ]


def test_too_few_items_conclude_nothing() -> None:
    (told,) = conclusions(against([1.0, 1.0, 0.0], base=[1.0, 0.0, 0.0]))
    assert told.startswith("debate may or may not be worth its cost: it takes ")
    assert told.endswith(" more items to tell.")


def test_systems_without_baselines_have_verdicts_and_no_conclusion() -> None:
    assert conclusions(summary.of(comparison({"a": MORE, "b": SOME}))) == []


async def test_every_report_says_first_that_answers_were_simulated() -> None:
    model = SimulatedModel(1.0, answers={"q": ("4", ("4", "5"))})
    real = FunctionModel(lambda _: "4")
    found = await compare(
        {"dice": AgentTeam.flat([Agent("proposer", name="a"), Agent("proposer", name="b")], model=model),
         "mixed": AgentTeam.flat([Agent("proposer", name="a", model=model), Agent("proposer", name="b", model=real)]),
         "real": AgentTeam.flat([Agent("proposer", name="a", model=real), Agent("proposer", name="b", model=real)])},
        [{"id": "q", "question": "2+2?", "gold": 4}],
        baselines=False,
    )  # fmt: skip
    made = summary.of(found)
    assert made.simulated == ("dice", "mixed")
    told = "SIMULATED: members' answers were made up by dice in dice, mixed."
    for report in (flat(table.text(made)), flat(markdown.of(made)), html.page(found, summary=made)):
        report = report.replace("&#x27;", "'")
        assert told in report
        assert report.index(told) < report.index("100.0%")


def test_a_report_of_real_answers_does_not_speak_of_simulation() -> None:
    found = against(MORE)
    assert found.simulated == ()
    assert "SIMULATED" not in table.text(found)


def test_the_samples_of_a_baseline_are_not_told_apart() -> None:
    told = (ballots(0, [True, False, True], 1.0),)
    made = Comparison.model_validate(
        {
            "name": "quiz", "tasks": "doubling", "items": items(2),
            "systems": (system("debate"), system("vote", kind="sample-and-vote", baseline_of="debate")),
            "attempts": tuple(attempt("vote", f"q{at}", 1.0, ballots=told) for at in range(2)),
        }
    )  # fmt: skip
    found = summary.of(made)
    assert found.diagnoses[0].members == ()
    for report in (table.text(found), markdown.of(found), html.page(made, summary=found)):
        assert "lost without it" not in report.lower()


def test_nobody_is_said_to_have_brought_anything_when_only_the_smaller_votes_can_be_counted() -> None:
    small, large = [True, True, False], [True] * 5 + [False] * 4
    mixed = summary.of(debate([[small], [large], [small]]))
    assert {each.brought for each in mixed.diagnoses[0].members} == {None}
    assert {each.without for each in mixed.diagnoses[0].members} == {None}
    alike = summary.of(debate([[small], [small], [small]]))
    assert None not in {each.brought for each in alike.diagnoses[0].members}


def test_how_a_system_is_made_stands_below_the_table_and_not_in_it() -> None:
    long = "formation: " + "options " * 200
    made = comparison({"debate": MORE})
    made = made.model_copy(
        update={"systems": (System(name="debate", spec="spec-debate", kind="debate", described=long + "<b>"),)}
    )
    page = html.page(made)
    within = page[page.index('<table class="systems"') : page.index("</table>")]
    assert "options" not in within
    assert "How each is made" in page
    assert long + "&lt;b&gt;" in page


def test_one_item_is_one_item() -> None:
    assert summary.of(comparison({"a": [1.0]})).origin.startswith("1 item, 1 repeat,")


def test_a_report_goes_to_a_narrow_file_whole() -> None:
    held = io.StringIO()
    table.print(against(MORE, usd=3.0), file=held)
    assert "$300.00" in held.getvalue()


def test_a_report_says_what_most_failures_were() -> None:
    made = comparison({"a": [1.0, 0.0, 0.0, 0.0], "b": [1.0] * 4})
    errors = [None, "ValueError: no\nnumber", "ValueError: no\nnumber", "KeyError: x" + "y" * 1000]
    failed = [
        each.model_copy(update={"status": "failed", "error": error}) if error else each
        for each, error in zip(made.attempts, [*errors, None, None, None, None], strict=True)
    ]
    notes = summary.of(made.model_copy(update={"attempts": tuple(failed)})).notes
    assert "Failed attempts, which score 0: a (3 of 4)." in notes
    assert "a, 2 times: ValueError: no number" in notes
    assert max(map(len, notes)) < 400


async def test_a_simulated_or_recorded_model_that_was_changed_makes_another_system() -> None:
    async def spec(model: object) -> str:
        return (await entrant("solo", AgentTeam([Agent("solver")], model=model))).system.spec

    plain = SimulatedModel(0.6)
    others = [
        SimulatedModel(0.6, correlation=0.2),
        SimulatedModel(0.6, revise_right=0.5),
        SimulatedModel(0.6, abstain=0.1),
        SimulatedModel(0.6, confidence="inflated"),
        SimulatedModel(0.6, seed=1),
        RecordedModel({("q", "solver", 0, 0): "4"}),
        RecordedModel({("q", "solver", 0, 0): "5"}),
        RecordedModel({("q", "solver", 0, 0): "5"}, members={"ada": "solver"}),
    ]
    assert len({await spec(each) for each in (plain, *others)}) == 1 + len(others)
    assert await spec(SimulatedModel(0.6)) == await spec(plain)
    assert repr(plain) == "SimulatedModel(0.6, seed=0)"


def test_two_comparisons_are_told_apart_as_one_family_and_at_their_cost_in_tokens() -> None:
    before = comparison({"a": [1.0] * 70 + [0.0] * 30, "b": SOME, "c": SOME}, name="old")
    after = comparison({"a": MORE, "b": SOME, "c": SOME}, calls={"a": 2}, name="new")
    found = between(after, before, [(name, name) for name in "abc"])
    assert found[0].text.startswith("new a is better than old a by 10.0 points")
    assert "for 2 times the tokens" in found[0].text
    assert [each.verdict.adjusted is not None and each.verdict.adjusted.family for each in found] == [3, 3, 3]


def test_questions_that_are_not_the_same_in_both_comparisons_are_left_out() -> None:
    before, after = comparison({"a": [1.0] * 4}, name="old"), comparison({"a": [0.0] * 4}, name="new")
    changed = before.items[0].model_copy(update={"question": "What else?"})
    before = before.model_copy(update={"items": (changed, *before.items[1:])})
    (found,) = between(before, after, [("a", "a")])
    assert found.verdict.difference.n == 3
    with pytest.raises(ValidationError, match="there is no system 'b' in 'new'; there are a"):
        between(before, after, [("a", "b")])


def test_a_conclusion_on_what_ended_early_says_so() -> None:
    made = comparison({"a": MORE, "b": SOME}, baselines={"b": "a"}, stopped="the suite reached its limit of 9 calls")
    (told,) = conclusions(summary.of(made))
    assert told.startswith("So far: a is better than its baseline")
    few = comparison({"a": [1.0, 0.0], "b": [0.0, 0.0]}, baselines={"b": "a"}, stopped="the suite reached its limit")
    (told,) = conclusions(summary.of(few))
    assert told.startswith("So far: a may or may not be worth its cost")


@pytest.mark.parametrize(
    ("condition", "baselines", "complaint"),
    [
        ("debate < 'debate: vote at equal cals'", True, "did you mean 'debate: vote at equal calls'"),
        ("debate < 'debate: one'", True, "there will be: debate, and their baselines"),
        ("debate < 'debate: vote at equal calls'", False, "there will be: debate$"),
        ("debat < 80%", True, "did you mean 'debate'"),
    ],
)
def test_a_condition_on_what_there_will_not_be_is_refused_before_anything_is_run(
    condition: str, baselines: bool, complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Gate.read(condition).check_before(("debate",), baselines=baselines)


@pytest.mark.parametrize(
    "name", ["debate", "'debate: one member'", "'debate: ada alone'", "'debate: vote at equal money'"]
)
def test_a_condition_on_what_may_yet_be_is_taken(name: str) -> None:
    Gate.read(f"debate < {name} + 2pp").check_before(("debate",))


def test_a_condition_that_cannot_be_judged_does_not_hide_the_report_that_was_paid_for(tmp_path: Path) -> None:
    (tmp_path / "bench.yaml").write_text(
        "tasks: {generated: {kind: arithmetic, n: 2, seed: 1}}\nsimulate: {skill: 1.0}\n"
        "systems: {duo: {team: {members: [a, b], formation: {kind: consensus}}}}\n"
    )
    condition = "duo < 'duo: vote at equal money'"
    (ended,) = several(["bench", "bench.yaml", "--no-keep", "-q", "--fail-if", condition], cwd=tmp_path, seconds=60)
    assert ended.code == 2
    assert "no system 'duo: vote at equal money'" in ended.err
    assert "Verdicts" in ended.out


@pytest.mark.parametrize("amount", [-1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["input", "output", "cached_input", "cache_write"])
def test_a_price_below_zero_or_of_no_number_is_refused(name: str, amount: float) -> None:
    with pytest.raises(ValueError, match=f"Price\\({name}="):
        Price(**{"input": 1.0, "output": 1.0, name: amount})


def test_a_set_of_one_item_in_one_cluster_says_so() -> None:
    (one,) = items(1, clusters=1)
    assert str(TaskSet("sums", (one,))) == "sums: 1 item, 1 cluster"
    assert str(TaskSet("sums", tuple(items(2)))) == "sums: 2 items"


def test_seven_of_a_hundred_items_are_held_out_as_seven() -> None:
    _, held_out = TaskSet("sums", items(100)).split(0.07)
    assert len(held_out) == 7
