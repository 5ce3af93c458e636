"""When sampling or debating stops."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from phalanx.formations.voting import (
    AnyStop,
    StopRule,
    agreement,
    beta,
    dirichlet,
    esc,
    stable,
    stop_of,
    unanimous,
)
from phalanx.formations.voting.stopping import Agreement


def first_stop(rule: StopRule, answers: list[str | None]) -> int | None:
    """After how many answers the rule stops."""
    return next((at for at in range(len(answers) + 1) if rule.reached(answers[:at])), None)


def test_a_unanimous_run_stops_at_exactly_four_samples() -> None:
    assert first_stop(beta(), ["x"] * 10) == 4
    assert first_stop(beta(0.93), ["x"] * 10) == 3
    assert first_stop(dirichlet(), ["x"] * 10) == 4


def test_one_other_answer_makes_it_go_on_longer() -> None:
    assert first_stop(beta(), ["y", *["x"] * 20]) == 7
    assert first_stop(beta(), ["y", "y", *["x"] * 20]) == 10


def test_abstentions_are_no_answers() -> None:
    assert first_stop(beta(), [None, *["x"] * 5]) == 5
    assert first_stop(beta(), [None] * 50) is None
    assert first_stop(dirichlet(), [None] * 50) is None


def test_scattered_rivals_hold_dirichlet_back_less_than_one_strong_rival() -> None:
    after_scattered = first_stop(dirichlet(), ["a", "b", "c", *["x"] * 30])
    after_strong = first_stop(dirichlet(), ["a", "a", "a", *["x"] * 30])
    assert (after_scattered, after_strong) == (11, 12)


def test_a_window_must_agree_as_a_whole_and_windows_do_not_overlap() -> None:
    assert first_stop(esc(3), ["x", "x", "x"]) == 3
    assert first_stop(esc(3), ["y", "x", "x", "x", "x", "y"]) is None
    assert first_stop(esc(3), ["y", "x", "x", "x", "x", "x"]) == 6
    assert first_stop(esc(2), [None, None, "x", "x"]) == 4


def test_unanimity_needs_every_answer() -> None:
    assert unanimous().reached(["x", "x", "x"])
    assert not unanimous().reached(["x", "x", None])
    assert not unanimous().reached([])


def test_agreement_is_a_share_of_all_answers_exactly() -> None:
    assert agreement("2/3").reached(["x", "x", "y"])
    assert not Agreement(q="2/3", strict=True).reached(["x", "x", "y"])
    assert not agreement("2/3").reached(["x", "x", "y", None])
    assert not agreement("2/3").reached([None])


def test_stable_means_nobody_changed_for_that_many_rounds() -> None:
    assert stable(2).reached(["x", "y"], before=[["x", "y"]])
    assert not stable(2).reached(["x", "y"], before=[["y", "y"]])
    assert not stable(2).reached(["x", "y"])
    assert not stable(3).reached(["x", "y"], before=[["x", "y"]])
    assert stable(3).reached(["x"], before=[["y"], ["x"], ["x"]])


@given(st.lists(st.sampled_from(["x", "y", "z", None]), max_size=30), st.data())
def test_counting_rules_do_not_depend_on_the_order(answers: list[str | None], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(answers))
    for rule in (beta(), dirichlet(), unanimous(), agreement()):
        assert rule.reached(answers) is rule.reached(shuffled)


@pytest.mark.parametrize(
    ("text", "rule"),
    [("beta", beta()), ("beta(.95)", beta()), ("beta( 0.9 )", beta(0.9)), ("esc(4)", esc(4)), ("stable(3)", stable(3)),
     ("unanimous", unanimous()), ("agreement(2/3)", agreement()), ("agreement(66%)", agreement(0.66)),
     ("dirichlet", dirichlet())],
)  # fmt: skip
def test_a_stop_rule_is_written_as_it_is_called(text: str, rule: StopRule) -> None:
    assert stop_of(text) == rule
    assert TypeAdapter[StopRule](AnyStop).validate_python(text) == rule


@pytest.mark.parametrize("rule", [beta(), dirichlet("9/10"), esc(7), unanimous(), Agreement(strict=True), stable(3)])
def test_a_stop_rule_round_trips_through_yaml(rule: StopRule) -> None:
    written = yaml.safe_load(yaml.safe_dump(rule.model_dump(mode="json")))
    assert TypeAdapter[StopRule](AnyStop).validate_python(written) == rule


@pytest.mark.parametrize("text", ["betta", "beta(2)", "beta(0.5)", "esc(0)", "esc(2.5)", "unanimous(2)", "agreement(0)",
                                  "stable(1)", "beta(x)", "", "beta(1,2)"])  # fmt: skip
def test_a_stop_rule_that_cannot_work_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        stop_of(text)
