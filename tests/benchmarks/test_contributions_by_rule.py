"""Contributions are decided again by the rule that decided, and a report says which that was."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from phalanx.benchmarks import html, markdown, summary
from phalanx.benchmarks.compare import compare
from phalanx.benchmarks.record import Ballots, Comparison
from phalanx.benchmarks.recorded import Recorded
from phalanx.benchmarks.recordings import RecordedAnswer
from phalanx.benchmarks.tasks import TaskItem, TaskSet
from phalanx.formations.voting import Decision, LogOdds, Plurality, RawBallot, Rule

ITEM = TaskSet.of("one", [TaskItem(id="q", question="Which one?", gold="A")])
SAID = [("ada", "A", 0.95), ("bob", "B", 0.5), ("cy", "B", 0.5)]


async def voted(rule: Rule | str) -> Comparison:
    answers = [RecordedAnswer("q", name, text, confidence=sure) for name, text, sure in SAID]
    return await compare({"vote": Recorded(answers, rule=rule)}, ITEM, baselines=False)


def brought(found: Comparison) -> dict[str, float | None]:
    (inside,) = summary.of(found).diagnoses
    return {each.member: None if each.brought is None else each.brought.value for each in inside.members}


@pytest.mark.parametrize(
    ("rule", "name", "worth"),
    [
        # One who is sure outweighs two who are not; one who is usually right two who are usually not.
        ("bucketed_confidence", "bucketed confidence", 1.0),
        (LogOdds(skills={"ada": 0.95}, unknown=0.55), "log odds", 1.0),
        (Plurality(tie_break=()), "plurality", 0.0),
        ("unanimity", "unanimity", 0.0),
    ],
)
async def test_members_bring_what_the_rule_makes_of_their_ballots(rule: Rule | str, name: str, worth: float) -> None:
    found = await voted(rule)
    (made,) = found.attempts
    assert made.ballots[0].rule.startswith('{"kind": "')
    parts = brought(found)
    assert sum(part or 0.0 for part in parts.values()) == pytest.approx(worth)
    assert (parts["ada"] or 0.0) > 0.0
    told = summary.of(found)
    for report in (str(told), markdown.of(told), html.page(found)):
        assert f"decided again by {name}" in " ".join(report.replace("\\", "").split())


class Dictator:
    """The user's own rule: the first voter decides."""

    def decide(self, ballots: Sequence[RawBallot], *, seed: int = 0, eligible: int | None = None) -> Decision:
        return Plurality().decide(ballots[:1], seed=seed)


async def test_a_rule_of_the_users_own_is_not_in_the_record_and_that_is_said() -> None:
    found = await voted(Dictator())  # type: ignore[arg-type]
    assert found.attempts[0].score == 1.0
    assert "by plurality, in place of Dictator, which is not in the record" in " ".join(str(summary.of(found)).split())


async def test_what_was_kept_before_rules_were_is_decided_by_plurality() -> None:
    found = await voted("bucketed_confidence")
    old = Ballots.model_validate(found.attempts[0].ballots[0].model_dump(exclude={"rule", "stated"}))
    made = found.attempts[0].model_copy(update={"ballots": (old,)})
    kept = found.model_copy(update={"attempts": (made,)})
    assert sum(part or 0.0 for part in brought(kept).values()) == pytest.approx(0.0)
    assert "decided again by plurality;" in " ".join(str(summary.of(kept)).split())
