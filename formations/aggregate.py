"""Several answers into one: written by an aggregator, joined, voted on, or by the user's own function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainSerializer

from phalanx.agents.prompts import fenced_all, label
from phalanx.agents.task import Task
from phalanx.errors import ConfigurationError
from phalanx.messages import estimate_tokens
from phalanx.settings import nearest

from .base import UNDECIDED, Answer, Asking, Member, Outcome, Stage, Wiring
from .count import count, undecided_text
from .headings import under_names
from .rule_field import as_rule, written
from .team_run import TeamRun
from .voting import Equivalence, Plurality, Rule

Named = Literal["synthesize", "concat", "majority_vote"]
Aggregation = Annotated[
    Any,
    BeforeValidator(lambda given: as_rule(given) if isinstance(given, Mapping) else given),
    PlainSerializer(lambda given: given if isinstance(given, str) else written(given)),
]
NAMED = ("synthesize", "concat", "majority_vote")
AGGREGATE: Mapping[str, Stage] = {"aggregate": Stage(("aggregate",))}
# What stands around an answer that is joined to others, besides its author's name.
_HEADING = 40


def check_aggregation(aggregation: object, members: Sequence[Member]) -> None:
    """Raise ConfigurationError when it is no way to aggregate, or leaves an aggregator among `members` idle."""
    if isinstance(aggregation, str):
        if aggregation not in NAMED:
            raise ConfigurationError(
                f"there is no aggregation {aggregation!r}{nearest(aggregation, NAMED)}; there are: {', '.join(NAMED)}, "
                "a rule such as Plurality(), or a function of the list of texts"
            )
    elif not callable(aggregation) and not hasattr(aggregation, "decide"):
        raise ConfigurationError(f"aggregation={aggregation!r} is no name, no rule and no function")
    idle = next((member.name for member in members if member.seat == "aggregator"), None)
    if idle is not None and aggregation != "synthesize":
        raise ConfigurationError(
            f"aggregator={idle!r} would never be asked: only aggregation='synthesize' has an aggregator; "
            "give that, or leave the aggregator out"
        )


def is_vote(aggregation: object) -> bool:
    """Whether answers are counted: an `aggregation` that is a rule, or "majority_vote"."""
    return aggregation == "majority_vote" or hasattr(aggregation, "decide")


def aggregation_asks(aggregation: object, members: Sequence[Member], reads: int) -> list[Asking]:
    """The askings an aggregation makes: one for "synthesize", none otherwise."""
    if aggregation != "synthesize" or not members:
        return []
    return [Asking(_aggregator(members).name, "aggregate", 0, reads)]


def aggregation_longest(aggregation: object, lengths: Mapping[str, int], members: Sequence[Member]) -> int:
    """The longest answer an aggregation can give, in tokens; `lengths` are the members' longest, by name."""
    if aggregation == "synthesize":
        return max(lengths.values())
    if aggregation == "concat" or (callable(aggregation) and not hasattr(aggregation, "decide")):
        free = [member.name for member in members if member.seat is None]
        return sum(lengths[name] + estimate_tokens(name) + _HEADING for name in free)
    return max(*lengths.values(), UNDECIDED)


def aggregation_wiring(aggregation: object, members: Sequence[Member], *, board: bool = False) -> Wiring:
    """Who hears whom where all answer and one aggregation follows; `board`: whether they share one."""
    free = tuple(member.name for member in members if member.seat is None)
    if aggregation != "synthesize" or not free:
        return Wiring(free, free, board=board)
    last = _aggregator(members).name
    return Wiring(free, (last,), tuple((name, "-->", last) for name in free if name != last), board)


async def aggregate(aggregation: Aggregation, run: TeamRun, task: Task, answers: Sequence[Outcome]) -> Answer:
    """One answer from several.

    A user's function may be async. Raises LimitExceeded when the aggregator may not be asked, TypeError when the
    function gives no text, ValueError when that is empty, and what it raises itself.
    """
    if not isinstance(aggregation, str):
        if hasattr(aggregation, "decide"):
            return vote(aggregation, run, answers)
        function: Callable[[list[str]], object] = aggregation
        text = function([outcome.text for outcome in answers])
        if inspect.isawaitable(text):
            text = await text
        if not isinstance(text, str):
            raise TypeError(f"an aggregation function must give text, not {type(text).__name__}")
        if not text.strip():
            raise ValueError("the aggregation function gave an empty text, which is no answer")
        return Answer(text)
    if aggregation == "concat":
        return concat(answers) or Answer("")
    if aggregation == "majority_vote":
        return vote(Plurality(tie_break=()), run, answers)
    run.hold(lambda: concat(answers))
    run.begin("aggregate")
    parts = [(label(at), outcome.text) for at, outcome in enumerate(answers)]
    prompt = run.prompts("aggregate", task=run.text(task), answers=fenced_all(parts))
    outcome = await run.try_ask(_aggregator(run.everyone, answers), prompt, stage="aggregate", question=task.id)
    run.raise_refusal(outcome)
    if outcome.answer is None:
        run.run.warn(f"{outcome.member} could not aggregate ({outcome.error}); the answers stand as they are")
        return Answer((concat(answers) or Answer("")).text, status="partial")
    return Answer(outcome.text, outcome.answer.output)


def concat(outcomes: Sequence[Outcome]) -> Answer | None:
    """All answers under their authors' names; None when there are none."""
    parts = [(outcome.member, outcome.text) for outcome in outcomes if outcome.ok]
    return Answer(under_names(parts)) if parts else None


def vote(rule: Rule, run: TeamRun, answers: Sequence[Outcome]) -> Answer:
    """The answer a rule decides on; a tie or a missing agreement is told, not broken silently.

    Members that were asked and gave no answer are eligible and did not vote.
    """
    counted = count(answers, rule, Equivalence(), eligible=len(run.members), seed=run.seed)
    run.record(counted, 0)
    if (winner := counted.decision.winner) is None:
        return Answer(undecided_text(counted.decision), status="undecided", decision=counted.decision)
    return Answer(counted.text_of(winner), counted.output_of(winner), decision=counted.decision)


def _aggregator(members: Sequence[Member], answers: Sequence[Outcome] = ()) -> Member:
    """Who aggregates: the one in the seat, else the first who answered, else the first."""
    free = [member for member in members if member.seat is None]
    seated = [member for member in members if member.seat == "aggregator"]
    answered = {outcome.member for outcome in answers}
    return (seated or [member for member in free if member.name in answered] or free)[0]
