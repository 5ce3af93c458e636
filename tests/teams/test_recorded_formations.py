"""Recorded answers of real models through whole formations: prompts, journal, reading, rule and decision.

tests/voting/test_recorded counts every published number by the rules alone; here teams must come to the same ones.
Sets of tens of thousands of answers are taken in part, and whole with PHALANX_TORTURE=1. The recordings lie beside the
repository, in ../shared/data; without them these tests are skipped.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import anyio
import pytest

from phalanx import Agent, AgentTeam, Task, TeamError, TeamResult
from phalanx.agents.models.recorded import Recording
from phalanx.formations.voting import Equivalence, Plurality, StopRule, beta, esc, more_than
from phalanx.messages import Completion, Request
from phalanx.testing import FunctionModel, RecordedModel
from tests.clock import VirtualLoop

DATA = Path(__file__).parents[2].parent / "shared" / "data"
WHOLE = bool(os.environ.get("PHALANX_TORTURE"))
FIRST_SEEN = Plurality(tie_break=("earliest",))
# What the sets call the parsed answer is counted as it stands.
AS_IT_STANDS = Equivalence(kind="text")
CHOICES = Equivalence(kind="choice", options="ABCD", fallbacks=())
OPTIONS = Equivalence(kind="choice", options="ABCDE", fallbacks=())

pytestmark = [
    pytest.mark.skipif(not DATA.is_dir(), reason=f"the recordings are not at {DATA}"),
    pytest.mark.timeout(1800 if WHOLE else 170),
]


@lru_cache(maxsize=2)
def records(path: str) -> list[dict[str, Any]]:
    with gzip.open(DATA / path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def expected(folder: str) -> Any:
    return json.loads((DATA / folder / "expected.json").read_text(encoding="utf-8"))


def playing(path: str, members: dict[str, str], parsed: str = "parsed") -> RecordedModel:
    """The recorded answers; who gave none says so in words."""
    return RecordedModel.from_jsonl(DATA / path, say="parsed", parsed=parsed, members=members)


def run(asked: Iterable[tuple[AgentTeam, dict[str, Any]]]) -> list[TeamResult]:
    """What each team comes to on its record; where nobody could be counted, the result that the error carries."""

    async def work() -> list[TeamResult]:
        found = []
        for team, record in asked:
            try:
                found.append(await team.run(Task(record["id"], id=record["id"])))
            except TeamError as none:
                if not isinstance(none.result, TeamResult):
                    raise
                found.append(none.result)
        return found

    return anyio.run(work, backend_options={"loop_factory": VirtualLoop})


def winner(result: TeamResult) -> str | None:
    return None if result.decision is None else result.decision.winner


def right(results: Sequence[TeamResult], asked: Sequence[dict[str, Any]]) -> int:
    same = AS_IT_STANDS.same
    return sum(
        (won := winner(result)) is not None and same(won, record["gold"])
        for result, record in zip(results, asked, strict=True)
    )


# -- debates with early stop and ranking ---------------------------------------------------------------------------

ROLES = ("Economist", "Doctor", "Lawyer", "Mathematician", "Psychologist", "Programmer", "Historian")


def spoken(path: str, *, one_by_one: bool = False) -> FunctionModel:
    """Everybody says who it is and what it was recorded to answer; one after the other where that is asked for."""

    def told(answer: dict[str, Any]) -> str:
        said = answer["parsed"]
        return f"I am the {answer['agent']}.\n" + ("I cannot tell." if said is None else f"Answer: {said}")

    held = RecordedModel(
        Recording(record["id"], answer["agent"], told(answer), answer["round"])
        for record in records(path)
        for answer in record["answers"]
    )

    async def answer(request: Request) -> Completion:
        if one_by_one:
            await anyio.sleep(1 + ROLES.index(request.about.member))
        return await held.complete(request)

    return FunctionModel(answer, name="offline/recorded")


def stages(record: dict[str, Any]) -> list[list[dict[str, Any]]]:
    last = max(answer["round"] for answer in record["answers"])
    return [[each for each in record["answers"] if each["round"] == round] for round in range(last + 1)]


def test_seven_roles_stop_as_soon_as_five_agree_as_they_did() -> None:
    """Two layers of every recorded debate: who was still out when more than two thirds agreed is asked for nothing.

    The drafts and their revisions are right as often as published, layer by layer.
    """
    path = "dylan-mmlu-roles/dylan_mmlu_roles.jsonl.gz"
    wanted, asked = expected("dylan-mmlu-roles")["dylan_mmlu_roles"], records(path)
    team = AgentTeam.debate(
        ROLES, 1, topology="full", stop=more_than("2/3"), early=True, rule=FIRST_SEEN, equivalence=CHOICES, quorum=1,
        model=spoken(path, one_by_one=True),
    )  # fmt: skip
    results = run((team, record) for record in asked)
    stop, as_recorded = more_than("2/3"), [0, 0]
    by_rounds: dict[int, list[int]] = {}
    for result, record in zip(results, asked, strict=True):
        layers = stages(record)
        for at, layer in enumerate(layers[:2]):
            gave = [each.member for each in result.members if each.round == at and each.ok]
            said = [each["parsed"] for each in layer]
            out = [None] * len(ROLES)
            due = next(
                (count for count in range(1, len(said)) if stop.reached([*said[:count], *out[count:]])), len(said)
            )
            assert gave == [each["agent"] for each in layer[:due]], (record["id"], at)
            as_recorded[at] += due == len(said) and stop.reached([*said, *out[due:]]) is (at + 1 == len(layers))
        rights = [_first(list(round.choices.values())) == record["gold"] for round in result.rounds[: len(layers)]]
        found = by_rounds.setdefault(len(layers), [0] * len(rights))
        by_rounds[len(layers)] = [one + other for one, other in zip(found, rights, strict=True)]
    told = {int(count): each["plurality_right_per_round"][:2] for count, each in wanted["by_rounds"].items()}
    assert by_rounds == told == {1: [443], 2: [93, 101], 3: [22, 19]}
    assert sum(first for first, *_ in by_rounds.values()) == wanted["plurality_round0_right"] == 558
    # The rest were cut off one answer later; or when five had abstained, which is no agreement.
    assert as_recorded == [682, 191]


def test_the_two_that_were_ranked_best_have_the_last_word() -> None:
    """The debates with a third layer, the recorded ranking in the ranker's seat: the last vote is that of the two."""
    path = "dylan-mmlu-roles/dylan_mmlu_roles.jsonl.gz"
    wanted = expected("dylan-mmlu-roles")["dylan_mmlu_roles"]["by_rounds"]["3"]
    asked = [record for record in records(path) if len(stages(record)) == 3]
    kept = {record["id"]: [each["agent"] for each in stages(record)[2]] for record in asked}

    def rank(request: Request) -> str:
        shown = re.findall(r'from="(Response \w)">\nI am the (\w+)', request.messages[-1].content)
        assert len(shown) == 7
        return json.dumps({"ranking": [label for label, name in shown if name in kept[request.about.question]]})

    team = AgentTeam.debate(
        ROLES, 2, topology="full", stop=more_than("2/3"), keep=2, keep_from=2, rule=FIRST_SEEN, equivalence=CHOICES,
        ranker=Agent("ranker", name="rex", model=FunctionModel(rank)), model=spoken(path),
    )  # fmt: skip
    results = run((team, record) for record in asked)
    assert len(asked) == wanted["questions"]
    for result, record in zip(results, asked, strict=True):
        assert sorted(result.votes) == sorted(kept[record["id"]])
    rights = [sum(_first(list(result.rounds[at].choices.values())) == record["gold"]
                  for result, record in zip(results, asked, strict=True)) for at in range(3)]  # fmt: skip
    assert rights == wanted["plurality_right_per_round"] == [22, 19, 22]
    assert sum(winner(result) == record["gold"] for result, record in zip(results, asked, strict=True)) == 22


def _first(choices: Sequence[str | None]) -> str | None:
    return FIRST_SEEN.decide(list(choices)).winner


# -- teams that vote -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["weak_to_strong", "strong_to_weak"])
def test_a_team_of_nine_models_in_both_orders(order: str) -> None:
    """Every question of the set: a tie goes to the model that sits first."""
    wanted, path = expected("zeroeval-gsm8k"), "zeroeval-gsm8k/zeroeval_gsm8k.jsonl.gz"
    models = wanted["team_weak_to_strong"][:: 1 if order == "weak_to_strong" else -1]
    seats = {f"m{at}": model for at, model in enumerate(models)}
    recorded, asked = playing(path, seats), records(path)
    for size in (3, 6, 9) if WHOLE else (9,):
        team = AgentTeam.parallel([*seats][:size], aggregation=FIRST_SEEN, model=recorded)
        found = right(run((team, record) for record in asked), asked)
        assert found == wanted[f"plurality_first_k_of_team_{order}"][size - 1]


def test_a_team_of_forty_three_models() -> None:
    """A part of the set, question by question as the rule alone decides; the whole set under torture."""
    wanted, path = expected("zeroeval-gsm8k"), "zeroeval-gsm8k/zeroeval_gsm8k.jsonl.gz"
    asked = records(path)[:: 1 if WHOLE else 33]
    seats = {f"m{at}": answer["agent"] for at, answer in enumerate(asked[0]["answers"])}
    assert len(seats) == 43
    team = AgentTeam.debate([*seats], 0, rule=FIRST_SEEN, equivalence=AS_IT_STANDS, model=playing(path, seats))
    results = run((team, record) for record in asked)
    for result, record in zip(results, asked, strict=True):
        said = FIRST_SEEN.decide([answer["parsed"] for answer in record["answers"]])
        assert winner(result) == (said.winner and said.winner.casefold()), record["id"]
    if WHOLE:
        assert right(results, asked) == wanted["plurality_all_43_file_order"]


@pytest.mark.parametrize("who", ["six", "without_gpt4", "gpt4_palm2_chatgpt"])
@pytest.mark.parametrize("strategy", ["Vanilla", "CoT", "Swap_CoT", "Metrics_Reference"] if WHOLE else ["Vanilla"])
def test_a_panel_of_judges_votes_over_both_orders(strategy: str, who: str) -> None:
    """Each judge gives two samples, one for each order of the candidates; who is level wins nothing."""
    path = "llmbar-judges/llmbar_judges.jsonl.gz"
    judges = {"six": ["GPT-4", "ChatGPT", "ChatGPT-0301", "LLaMA2", "PaLM2", "Falcon"],
              "without_gpt4": ["ChatGPT", "ChatGPT-0301", "LLaMA2", "PaLM2", "Falcon"],
              "gpt4_palm2_chatgpt": ["GPT-4", "PaLM2", "ChatGPT"]}[who]  # fmt: skip
    recorded = playing(path, {judge: f"{judge}/{strategy}" for judge in judges})
    team = AgentTeam.vote(judges, 2 * len(judges), early=False, quorum=1, model=recorded)
    asked = records(path)
    counts = Counter[str]()
    for result, record in zip(run((team, record) for record in asked), asked, strict=True):
        won = winner(result)
        assert (result.status == "undecided") is (won is None)
        counts["tie" if won is None else "win" if won == record["gold"] else "loss"] += 1
    assert counts == expected("llmbar-judges")["panels"][f"{strategy}/{who}"]


@pytest.mark.parametrize("formation", ["vote", "deliberate-vote"])
def test_a_council_of_four_comes_to_what_it_came_to(formation: str) -> None:
    """Where its own vote went by the answers that it gave, ours has the same winner; and is right as often."""
    path = "council-traces/council_traces.jsonl.gz"
    asked = [record for record in records(path) if record["meta"]["formation"] == formation]
    agreed = 0
    for record in asked:
        names = list(dict.fromkeys(answer["agent"] for answer in record["answers"]))
        seats = {f"m{at}": name for at, name in enumerate(names)}
        team = AgentTeam.debate(
            [*seats], formation.count("deliberate"), topology="full", trigger="always", stop="never", rule=FIRST_SEEN,
            quorum=1, model=playing(path, seats),
        )  # fmt: skip
        (result,) = run([(team, record)])
        assert len(result.rounds) == 1 + formation.count("deliberate")
        won, final = winner(result), record["meta"]["recorded_final"]
        agreed += won is not None and Equivalence().same(won, final)
    assert (len(asked), agreed) == (15, 15)


# -- samples of one model ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [1, 3, 5, 10, 15, 20, 30] if WHOLE else [1, 5, 30])
def test_sampled_programs_are_right_as_often_as_published(samples: int) -> None:
    """253 questions, the options that up to 30 programs came to, the first one of those level."""
    path = "pot-aqua/pot_aqua_30samples.jsonl.gz"
    asked, wanted = records(path), expected("pot-aqua")["option_plurality_first_k_right"]
    recorded = playing(path, {"solver": "code-davinci-002"}, parsed="option")
    team = AgentTeam.vote(
        "solver", samples, rule=FIRST_SEEN, equivalence=OPTIONS, early=False, quorum=1, model=recorded
    )
    results = run((team, record) for record in asked)
    assert (
        sum(winner(result) == record["gold"] for result, record in zip(results, asked, strict=True))
        == wanted[str(samples)]
    )


@pytest.mark.parametrize("stop", [esc(5), beta()], ids=["esc(5)", "beta(0.95)"])
def test_sampling_stops_on_recorded_answers_where_one_by_one_it_would(stop: StopRule) -> None:
    """As many samples are drawn as when the rule is asked after each, and the winner is that of those drawn."""
    path = "pot-aqua/pot_aqua_30samples.jsonl.gz"
    asked = records(path)[:: 1 if WHOLE else 3]
    recorded = playing(path, {"solver": "code-davinci-002"}, parsed="option")
    team = AgentTeam.vote(
        "solver", 30, stop=stop, rule=FIRST_SEEN, equivalence=OPTIONS, early=False, quorum=None, model=recorded
    )
    drawn = 0
    for result, record in zip(run((team, record) for record in asked), asked, strict=True):
        options = [answer["option"] for answer in record["answers"]]
        due = next((at for at in range(1, 30) if stop.reached(options[:at])), 30)
        assert result.usage.calls == due, record["id"]
        assert winner(result) == _first(options[:due])
        drawn += due
    assert drawn < 0.8 * 30 * len(asked), "most questions need fewer"


def test_the_most_frequent_of_a_hundred_formulas() -> None:
    """The plurality of 100 samples of the game of 24, formulas that differ in spaces alone being one.

    With chain of thought it is counted in tests/voting: there many samples say in words that there is no formula, and
    a team takes "Not possible." and "not possible" for one answer, which the published number does not.
    """
    how = "io"
    path = f"game24/game24_{how}_100samples.jsonl.gz"
    asked, wanted = records(path), expected("game24")[how]
    recorded = playing(path, {"solver": asked[0]["answers"][0]["agent"]})
    team = AgentTeam.vote("solver", 100, rule=FIRST_SEEN, early=False, quorum=1, model=recorded)
    chosen = 0
    for result, record in zip(run((team, record) for record in asked), asked, strict=True):
        said = {
            f"solver#{at + 1}" if at else "solver": answer["correct"] for at, answer in enumerate(record["answers"])
        }
        won = winner(result)
        chosen += next((said[name] for name, choice in result.votes.items() if won and choice == won), False)
    assert chosen == wanted["plurality_of_expression_without_spaces_right"]
