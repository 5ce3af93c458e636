"""What reports call systems: the baselines of the only team go without its name, in every report."""

from __future__ import annotations

import json
import re

from phalanx.benchmarks import html, markdown, summary, table
from phalanx.benchmarks.conclusion import conclusions
from phalanx.benchmarks.naming import short_names
from phalanx.benchmarks.record import Comparison
from phalanx.messages import Usage
from tests.benchmarks.comparisons import ballots, comparison, system

SOME = [1.0] * 60 + [0.0] * 40
MORE = [1.0] * 80 + [0.0] * 20


def one_team() -> Comparison:
    """A debate that voted, with two baselines, one of which failed once and had to guess its tokens."""
    scores = {"debate": SOME, "debate: one member": SOME[::-1], "debate: vote at equal calls": MORE}
    of = dict.fromkeys(list(scores)[1:], "debate")
    made = comparison(scores, calls={"debate": 3, "debate: vote at equal calls": 3}, baselines=of)
    first, *others = made.attempts
    voted = (ballots(0, [True, False, True], 1.0), ballots(1, [True, True, True], 1.0))
    last = others.pop().model_copy(
        update={
            "status": "failed", "error": "boom", "ballots": voted, "share": 0.5,
            "usage": Usage(calls=4, input_tokens=300, output_tokens=100, estimated=True),
        }
    )  # fmt: skip
    attempts = (first.model_copy(update={"ballots": voted, "share": 1.0}), *others, last)
    return made.model_copy(update={"attempts": attempts})


def test_no_report_repeats_the_name_of_the_only_team_before_its_baselines() -> None:
    made = one_team()
    found = summary.of(made)
    plain = markdown.of(found).replace("\\", "")
    page = html.page(made, summary=found)
    for report in (table.text(found), plain, page):
        assert "debate: one member" not in report
        assert "debate: vote at equal calls" not in report
        assert "vote at equal calls" in report
    index = json.loads(re.findall(r'id="index">(.*?)</script>', page)[0])
    assert index["systems"] == ["debate", "one member", "vote at equal calls"]
    assert "Failed attempts, which score 0: vote at equal calls (1 of 100)." in found.notes
    assert "vote at equal calls, 1 time: boom" in found.notes


def test_the_summary_keeps_the_whole_names_that_conditions_and_files_go_by() -> None:
    found = summary.of(one_team())
    assert found.standing("debate: vote at equal calls").calls == 301
    assert [each.verdict.b for each in found.findings] == ["debate: one member", "debate: vote at equal calls"]
    assert [each.text.split(" than ")[-1][:19] for each in found.findings][1] == "vote at equal calls"


def test_the_conclusion_on_a_team_names_its_baseline_without_the_team() -> None:
    (told,) = conclusions(summary.of(one_team()))
    assert told.startswith("debate is not worth its cost: vote at equal calls is better by 20.0 points")


def test_baselines_of_two_teams_keep_the_names_of_their_teams_but_not_within_a_conclusion() -> None:
    scores = {"a": SOME, "b": SOME, "a: one member": MORE, "b: one member": MORE}
    found = summary.of(comparison(scores, baselines={"a: one member": "a", "b: one member": "b"}))
    assert "└ a: one member" in table.text(found)
    assert "b is worse than b: one member" in table.text(found)
    assert [each.split(" is better")[0] for each in conclusions(found)] == [
        "a is not worth its cost: one member", "b is not worth its cost: one member",
    ]  # fmt: skip


def test_names_that_would_be_the_same_are_not_shortened() -> None:
    systems = [system("a"), system("one member"), system("a: one member", baseline_of="a")]
    assert short_names(systems)["a: one member"] == "a: one member"
    assert short_names([systems[0], systems[2]]) == {"a": "a", "a: one member": "one member"}


def test_the_end_of_the_report_in_a_terminal_is_what_it_comes_to() -> None:
    words = table.text(summary.of(one_team()), width=80)
    parts = ["doubling", "Inside debate", "How sure", "Worth having", "Notes", "\nsystem ", "Verdicts", "debate is not"]
    places = [words.rindex(part) for part in parts]
    assert places == sorted(places)
    assert "worth its cost" in " ".join(words.splitlines()[-2:])
