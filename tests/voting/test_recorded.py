"""Recorded answers of real models: every published count must come out of our own rules, exactly.

The recordings lie beside the repository, in ../shared/data; without them these tests are skipped.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from phalanx.formations.voting import Decision, Equivalence, Plurality, Score, agreement
from phalanx.formations.voting.sampling import pass_at_k, pass_hat_k
from phalanx.formations.voting.stopping import Agreement

DATA = Path(__file__).parents[2].parent / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the recordings are not at {DATA}")

Record = Mapping[str, Any]
FIRST_SEEN = Plurality(tie_break=("earliest",))


@lru_cache(maxsize=2)
def records(path: str) -> tuple[Record, ...]:
    with gzip.open(DATA / path, "rt", encoding="utf-8") as lines:
        return tuple(json.loads(line) for line in lines)


def expected(folder: str) -> Record:
    found: Record = json.loads((DATA / folder / "expected.json").read_text(encoding="utf-8"))
    return found


def vote(answers: Iterable[str | None]) -> Decision:
    return FIRST_SEEN.decide(list(answers))


def rounds(record: Record) -> dict[int, list[Record]]:
    by_round: dict[int, list[Record]] = defaultdict(list)
    for answer in record["answers"]:
        by_round[answer["round"]].append(answer)
    return dict(sorted(by_round.items()))


def parsed(answers: Iterable[Record]) -> list[str | None]:
    return [answer["parsed"] for answer in answers]


def right(record: Record, answers: Sequence[str | None]) -> bool:
    return bool(vote(answers).winner == record["gold"])


def debate_numbers(questions: Sequence[Record]) -> dict[str, object]:
    """What the expected numbers of a debate say, by our rules."""
    found: dict[str, Any] = defaultdict(int)
    by_rounds: dict[str, Any] = {}
    for record in questions:
        stages = rounds(record)
        drafts, last = parsed(stages[0]), parsed(stages[max(stages)])
        everything = parsed(record["answers"])
        first, final = right(record, drafts), right(record, last)
        found["questions"] += 1
        found["answers"] += len(everything)
        found["round0_answers"] += len(drafts)
        found["round0_answers_right"] += drafts.count(record["gold"])
        found["plurality_round0_right"] += first
        found["plurality_last_round_right"] += final
        found["plurality_all_rounds_right"] += right(record, everything)
        found["any_right"] += record["gold"] in everything
        found["debate_fixed"] += final and not first
        found["debate_broke"] += first and not final
        by_round = by_rounds.setdefault(
            str(len(stages)), {"questions": 0, "plurality_right_per_round": [0] * len(stages)}
        )
        by_round["questions"] += 1
        for at, stage in enumerate(stages.values()):
            by_round["plurality_right_per_round"][at] += right(record, parsed(stage))
    return {**found, "by_rounds": by_rounds}


@pytest.mark.parametrize("name", ["dylan_math_small", "dylan_math"])
def test_debates_on_mathematics(name: str) -> None:
    questions = records(f"dylan-math/{name}.jsonl.gz")
    numbers = debate_numbers(questions)
    numbers["agent0_round0_right"] = sum(rounds(record)[0][0]["parsed"] == record["gold"] for record in questions)
    numbers["plurality_first3_round0_right"] = sum(right(record, parsed(rounds(record)[0])[:3]) for record in questions)
    assert numbers == expected("dylan-math")[name]


def test_the_recorded_debates_stopped_where_our_stop_rule_says() -> None:
    """As soon as more than two thirds of the first three or four answers are the same."""
    stop = Agreement(q="2/3", strict=True)
    early = explained = 0
    for record in records("dylan-math/dylan_math.jsonl.gz"):
        drafts = parsed(rounds(record)[0])
        if record["meta"]["rounds"] == 1:
            early += 1
            explained += any(stop.reached(drafts[:seen]) for seen in (3, 4))
    # The reader of answers used then differs from the one that made `parsed` in a few.
    assert (early, explained) == (1450, 1450 - 13)


def test_seven_roles_that_may_abstain() -> None:
    questions = records("dylan-mmlu-roles/dylan_mmlu_roles.jsonl.gz")
    wanted = expected("dylan-mmlu-roles")["dylan_mmlu_roles"]
    numbers = debate_numbers(questions)
    per_role: dict[str, dict[str, int]] = {}
    for record in questions:
        for answer in rounds(record)[0]:
            role = per_role.setdefault(answer["agent"], {"answered": 0, "abstained": 0, "right": 0})
            role["answered"] += 1
            role["abstained"] += answer["parsed"] is None
            role["right"] += answer["parsed"] == record["gold"]
    finals = [right(record, parsed(rounds(record)[max(rounds(record))])) for record in questions]
    recorded = [record["meta"]["recorded_final_correct"] for record in questions]
    numbers |= {
        "per_role_round0": per_role,
        "recorded_final_right": sum(recorded),
        "plurality_last_round_agrees_with_record": sum(
            one is other for one, other in zip(finals, recorded, strict=True)
        ),
    }
    assert numbers == wanted
    abstentions = sum(role["abstained"] for role in per_role.values())
    decided = [vote(parsed(rounds(record)[0])) for record in questions]
    assert sum(decision.abstained for decision in decided) == abstentions == 632


@pytest.mark.parametrize("how", ["io", "cot"])
def test_a_hundred_samples_of_the_game_of_24(how: str) -> None:
    puzzles = records(f"game24/game24_{how}_100samples.jsonl.gz")
    wanted = expected("game24")[how]
    rights = [sum(answer["correct"] for answer in record["answers"]) for record in puzzles]
    assert sum(rights) == wanted["samples_right"]
    for k, share in wanted["pass_at_k"].items():
        mean = sum(pass_at_k(100, count, int(k)) for count in rights) / len(puzzles)
        assert round(float(mean), 6) == share
    chosen = 0
    for record in puzzles:
        texts = ["".join(answer["parsed"].split()) or None for answer in record["answers"]]
        winner = vote(texts).winner
        chosen += record["answers"][texts.index(winner)]["correct"]
    assert chosen == wanted["plurality_of_expression_without_spaces_right"]


def test_the_game_of_24_needs_no_help_to_drop_spaces() -> None:
    """Our own classes of formulas merge what the recording merged by taking spaces out."""
    chosen = 0
    for record in records("game24/game24_io_100samples.jsonl.gz"):
        partition = Equivalence().classes(parsed(record["answers"]))
        winner = vote(partition.choices).winner
        chosen += record["answers"][partition.choices.index(winner)]["correct"]
    assert chosen == expected("game24")["io"]["plurality_of_expression_without_spaces_right"]


def test_a_tree_search_keeps_the_five_best_by_value() -> None:
    wanted = expected("game24")["tot"]
    puzzles = records("game24/game24_tot_search.jsonl.gz")
    steps = [step for record in puzzles for step in record["search"]]
    kept = 0
    for step in steps:
        # A value for each proposal by its place: equal ones stand in the tally by name, and so in their order.
        values = {f"{at:04d}": value for at, value in enumerate(step["values"])}
        ranked = list(Score(high=1 + max(values.values())).decide([values]).tally) if values else []
        kept += [step["proposed"][int(at)] for at in ranked[:5]] == step["kept"]
    assert {
        "puzzles": len(puzzles),
        "outputs_right": sum(answer["correct"] for record in puzzles for answer in record["answers"]),
        "puzzles_with_a_right_output": sum(any(a["correct"] for a in record["answers"]) for record in puzzles),
        "first_output_right": sum(bool(record["answers"]) and record["answers"][0]["correct"] for record in puzzles),
        "search_steps": len(steps),
        "steps_where_kept_is_top5_by_value_stable": kept,
    } == wanted


def test_thirty_sampled_programs_voted_by_their_value() -> None:
    questions = records("pot-aqua/pot_aqua_30samples.jsonl.gz")
    wanted = expected("pot-aqua")
    options = [[answer["option"] for answer in record["answers"]] for record in questions]
    assert {
        "questions": len(questions),
        "samples": len(questions[0]["answers"]),
        "program_value_vote_equals_recorded_vote": sum(
            str(vote(parsed(record["answers"])).winner) == record["meta"]["recorded_vote"] for record in questions
        ),
        "recorded_option_right": sum(record["meta"]["recorded_option"] == record["gold"] for record in questions),
        "single_sample_option_right": sum(
            each.count(record["gold"]) for each, record in zip(options, questions, strict=True)
        ),
        "option_plurality_first_k_right": {
            k: sum(right(record, each[: int(k)]) for each, record in zip(options, questions, strict=True))
            for k in wanted["option_plurality_first_k_right"]
        },
        "any_right": sum(record["gold"] in each for each, record in zip(options, questions, strict=True)),
    } == wanted


def test_a_team_of_different_models_grows() -> None:
    questions = records("zeroeval-gsm8k/zeroeval_gsm8k.jsonl.gz")
    wanted = expected("zeroeval-gsm8k")
    by_model = [{answer["agent"]: answer["parsed"] for answer in record["answers"]} for record in questions]
    models = wanted["right_per_model"]
    weak = wanted["team_weak_to_strong"]

    def plurality(order: Sequence[str]) -> int:
        return sum(
            right(record, [said[model] for model in order]) for record, said in zip(questions, by_model, strict=True)
        )

    def any_right(order: Iterable[str]) -> int:
        return sum(
            any(said[model] == record["gold"] for model in order)
            for record, said in zip(questions, by_model, strict=True)
        )

    strong, by_skill = weak[::-1], sorted(models, key=lambda model: -models[model])
    sizes = range(1, len(weak) + 1)
    assert {model: any_right([model]) for model in models} == models
    assert [plurality(weak[:k]) for k in sizes] == wanted["plurality_first_k_of_team_weak_to_strong"]
    assert [plurality(strong[:k]) for k in sizes] == wanted["plurality_first_k_of_team_strong_to_weak"]
    assert [any_right(weak[:k]) for k in sizes] == wanted["any_right_first_k_weak_to_strong"]
    assert plurality([answer["agent"] for answer in questions[0]["answers"]]) == wanted["plurality_all_43_file_order"]
    assert plurality(by_skill) == wanted["plurality_all_43_strong_to_weak"]
    assert any_right(models) == wanted["any_of_43"]


PANELS = {
    "six": ["GPT-4", "ChatGPT", "ChatGPT-0301", "LLaMA2", "PaLM2", "Falcon"],
    "without_gpt4": ["ChatGPT", "ChatGPT-0301", "LLaMA2", "PaLM2", "Falcon"],
    "gpt4_palm2_chatgpt": ["GPT-4", "PaLM2", "ChatGPT"],
}


def test_panels_of_judges_in_both_orders() -> None:
    items = records("llmbar-judges/llmbar_judges.jsonl.gz")
    wanted = expected("llmbar-judges")
    judges: dict[str, dict[str, int]] = defaultdict(lambda: {"right": 0, "same_verdict_in_both_orders": 0})
    panels: dict[str, dict[str, int]] = {name: {"win": 0, "tie": 0, "loss": 0} for name in wanted["panels"]}
    for record in items:
        verdicts: dict[str, list[str | None]] = defaultdict(list)
        for answer in record["answers"]:
            verdicts[answer["agent"]].append(answer["parsed"])
        for judge, (one, other) in verdicts.items():
            judges[judge]["right"] += (one == record["gold"]) + (other == record["gold"])
            judges[judge]["same_verdict_in_both_orders"] += one is not None and one == other
        for name, counts in panels.items():
            strategy, _, members = name.partition("/")
            ballots = [vote for model in PANELS[members] for vote in verdicts[f"{model}/{strategy}"]]
            decision = Plurality(tie_break=()).decide(ballots, candidates=["1", "2"])
            counts["tie" if decision.winner is None else "win" if decision.winner == record["gold"] else "loss"] += 1
    assert len(items) == wanted["items"]
    assert dict(judges) == wanted["right_of_838_per_judge"]
    assert panels == wanted["panels"]


TASKS = [
    "CheckmateInOne",
    "GameOf24",
    "MGSM_BN",
    "MGSM_DE",
    "geometric_shapes",
    "multistep_arithmetic_two",
    "word_sorting",
]


@pytest.mark.parametrize("task", TASKS)
def test_seven_ways_to_ask_one_model(task: str) -> None:
    items = records(f"meta-prompting/meta_{task}.jsonl.gz")
    wanted = expected("meta-prompting")[task]
    chosen = 0
    rights: dict[str, int] = defaultdict(int)
    for record in items:
        texts = [answer["parsed"] or None for answer in record["answers"]]
        winner = vote(texts).winner
        chosen += winner is not None and record["answers"][texts.index(winner)]["correct"]
        for answer in record["answers"]:
            rights[answer["agent"]] += answer["correct"]
    assert len(items) == wanted["items"]
    assert dict(rights) == wanted["right"]
    assert chosen == wanted["plurality_of_7_exact_parsed_right"]
    assert sum(any(a["correct"] for a in record["answers"]) for record in items) == wanted["any_right"]


def test_four_trials_of_an_agent_with_tools() -> None:
    tasks = records("tau-airline/tau_airline.jsonl.gz")
    wanted = expected("tau-airline")
    rights = [sum(answer["parsed"] for answer in record["answers"]) for record in tasks]
    for name, measure in (("pass_hat_k", pass_hat_k), ("pass_at_k", pass_at_k)):
        for k, share in wanted[name].items():
            assert round(float(sum(measure(4, count, int(k)) for count in rights) / len(tasks)), 6) == share
    assert (len(tasks), len(tasks[0]["answers"])) == (wanted["tasks"], wanted["trials"])


def test_councils_of_four() -> None:
    runs = records("council-traces/council_traces.jsonl.gz")
    wanted = expected("council-traces")
    answers = [answer for record in runs for answer in record["answers"]]
    by_formation: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for record in runs:
        counts = by_formation[record["meta"]["formation"]]
        counts[0] += record["meta"]["recorded_correct"]
        counts[1] += 1
    assert {
        "runs": len(runs),
        "recorded_right": dict(by_formation),
        "answers": len(answers),
        "answers_without_final_answer_line": parsed(answers).count(None),
    } == wanted


def texts(path: str, every: int = 1) -> Iterator[tuple[Record, Record]]:
    for record in records(path)[::every]:
        for answer in record["answers"]:
            if answer["text"] is not None:
                yield record, answer


def compared(pairs: Iterable[tuple[Record, Record]], equivalence: Equivalence) -> dict[str, int]:
    """How our reading of replies compares with the recorded one."""
    found = dict.fromkeys(
        ("same", "differ", "only theirs", "only ours", "neither", "right by ours", "right by theirs"), 0
    )
    for record, answer in pairs:
        ours, theirs = equivalence.read(answer["text"]), answer["parsed"]
        if ours is None or theirs is None:
            found["neither" if ours == theirs else "only theirs" if ours is None else "only ours"] += 1
        else:
            found["same" if equivalence.same(ours, theirs) else "differ"] += 1
        found["right by ours"] += ours is not None and equivalence.same(ours, record["gold"])
        found["right by theirs"] += theirs is not None and equivalence.same(theirs, record["gold"])
    return found


def test_malformed_json_answers_are_read_as_well_as_by_a_reader_made_for_them() -> None:
    numbers = Equivalence(kind="number", fallbacks=(), percent="plain")
    found = compared(texts("zeroeval-gsm8k/zeroeval_gsm8k.jsonl.gz", every=6), numbers)
    assert found["same"] >= 0.975 * sum(found[kind] for kind in ("same", "differ", "only theirs", "only ours"))
    assert found["right by ours"] >= found["right by theirs"] - 5


def test_council_answers_are_read_and_merged() -> None:
    found = compared(texts("council-traces/council_traces.jsonl.gz"), Equivalence(fallbacks=()))
    assert found["same"] >= 360
    assert found["only theirs"] == 0
    assert found["right by ours"] >= found["right by theirs"]


def test_refusals_of_roles_are_abstentions_and_no_choices() -> None:
    choices = Equivalence(kind="choice", options="ABCD", fallbacks=("choice",))
    found = compared(texts("dylan-mmlu-roles/dylan_mmlu_roles.jsonl.gz", every=3), choices)
    assert found["only ours"] <= 0.01 * found["neither"] + 8
    assert found["same"] >= 0.94 * (found["same"] + found["differ"] + found["only theirs"])


def test_a_deliberating_council_agrees_with_itself_over_rounds() -> None:
    """The stop rule sees unanimity exactly where all four members' classes are one."""
    stop = agreement(1)
    for record in records("council-traces/council_traces.jsonl.gz"):
        drafts = parsed(rounds(record)[0])
        partition = Equivalence().classes(drafts)
        assert stop.reached(partition.choices) is (len(partition.classes) == 1 and None not in drafts)
