"""What a team gives back: its answer, how it came about, and what it cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from phalanx.agents.result import AgentResult
from phalanx.agents.tools.use import jsonable
from phalanx.errors import LimitExceeded, ValidationError
from phalanx.formations.base import Outcome, Round
from phalanx.formations.voting import Decision
from phalanx.messages import Message, Usage
from phalanx.runtime.entries import Entry
from phalanx.runtime.human import Question

if TYPE_CHECKING:
    from phalanx.formations.attribution import Right
    from phalanx.formations.contribution import Contributions
    from phalanx.formations.voting import Equivalence, Rule

Board = Sequence[Entry | dict[str, Any]]


class TeamResult(AgentResult):
    """A team's answer: a `str` with facts.

    Besides what an agent's result has: status ("completed"; "undecided": the members did not agree; "partial": part
    of the work failed or an objection stands; "stopped": a limit ended it, `stop_reason` says which; "paused": it
    waits for the answers to `questions`; "failed": only inside a TeamError). decision: what the votes came to, if
    there was a vote. members: every asking of every member in order, with its outcome, its cost and the exact
    messages sent. rounds: answers and choices by round, for formations that vote. board: what stood on the blackboard
    at the end (as plain mappings in a loaded result). author: the member whose answer it is, where it is one member's
    and the formation says so, else "". refusal: the limit that stopped it (None in a loaded result).
    """

    status: str
    stop_reason: str | None
    decision: Decision | None
    members: tuple[Outcome, ...]
    rounds: tuple[Round, ...]
    questions: tuple[Question, ...]
    _board: Board | Callable[[], Board]
    refusal: LimitExceeded | None
    author: str

    def __new__(
        cls,
        text: str,
        *,
        status: str = "completed",
        stop_reason: str | None = None,
        decision: Decision | None = None,
        members: Sequence[Outcome] = (),
        rounds: Sequence[Round] = (),
        board: Board | Callable[[], Board] = (),
        questions: Sequence[Question] = (),
        refusal: LimitExceeded | None = None,
        author: str = "",
        **facts: Any,
    ) -> Self:
        self = super().__new__(cls, text, **facts)
        self.status, self.stop_reason, self.decision = status, stop_reason, decision
        self.members, self.rounds, self._board = tuple(members), tuple(rounds), board
        self.questions, self.refusal, self.author = tuple(questions), refusal, author
        return self

    @property
    def board(self) -> tuple[Entry | dict[str, Any], ...]:
        """What stood on the blackboard at the end."""
        found = self._board() if callable(self._board) else self._board
        self._board = found = tuple(found)
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        self._board = self.board  # a function that would have to be asked does not go into a file
        return super().__reduce__()

    @property
    def success(self) -> bool:
        """Whether the team completed the task."""
        return self.status == "completed"

    @property
    def final_output(self) -> str:
        """The text under its other name."""
        return self.content

    @property
    def member_results(self) -> dict[str, str]:
        """Each member's last answer, by name; members without one are left out."""
        return {outcome.member: outcome.text for outcome in self.members if outcome.ok}

    @property
    def votes(self) -> dict[str, str | None]:
        """What each member's answer was last counted as; empty when nothing was voted on."""
        return dict(self.rounds[-1].choices) if self.rounds else {}

    @property
    def transcript(self) -> list[Message]:
        """What was answered, in the order of the asking, each under its member's name."""
        return [Message(role="assistant", name=each.member, content=each.text) for each in self.members if each.ok]

    def walk(self) -> Iterator[Outcome]:
        """Every asking of every member, those inside nested teams included, each after the team that holds it."""
        waiting = list(reversed(self.members))
        while waiting:
            outcome = waiting.pop()
            yield outcome
            waiting += reversed(outcome.inside)

    def member(self, name: str) -> Outcome:
        """The last outcome of the member `name`. Raises KeyError when it was never asked."""
        for outcome in reversed(self.members):
            if outcome.member == name:
                return outcome
        raise KeyError(f"{name!r} was not asked; asked were: {', '.join({each.member: None for each in self.members})}")

    def usage_by_member(self) -> dict[str, Usage]:
        """What each member cost."""
        spent: dict[str, Usage] = {}
        for outcome in self.members:
            spent[outcome.member] = spent.get(outcome.member, Usage()) + outcome.usage
        return spent

    def contributions(
        self,
        right: Right | None = None,
        *,
        rule: Rule | None = None,
        equivalence: Equivalence | None = None,
        round: int = -1,
        samples: int = 400,
    ) -> Contributions:
        """What each member brought: from the record alone, without asking any model.

        Every vote that changed and whose words it had been shown; what the decision loses without a member's ballot,
        and its Shapley value; how far apart the votes were. A result that was loaded or replayed gives the same.

        right: the right answer, or a function that grades an answer's text from 0 to 1; without it, a group of members
        is worth 1 if its ballots decide what the team decided. rule: what decides (default: the recorded rule; the
        file of a saved result cannot hold a rule that is the user's own). equivalence: how answers are compared with
        `right`, and between rounds. round: the place of the round whose ballots count (default: the last; 0 is the
        drafts). samples: how many orders are drawn for more than ten voters.

        Where nothing was voted on, what depends on votes is empty or None, and `notes` says so. Raises ValidationError
        for a round that is not there, or a grade that is not from 0 to 1.
        """
        from phalanx.formations.attribution import attribute

        return attribute(
            self.rounds, self.members, self.usage, answer=self.content, right=right, rule=rule,
            equivalence=equivalence, round=round, samples=samples,
        )  # fmt: skip

    def why(self) -> str:
        """How the answer came about, in lines, from the record alone.

        How it ended; what was decided, and the votes of each round; every asking, with whose words the member saw and
        how it ended; whose the answer is, and on whose words it rests, back to the first; what it cost.
        """
        from .why import why

        return why(self)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        from phalanx.formations.record import round_facts  # rounds of a vote need the rules of voting

        usage = self.usage
        facts: dict[str, Any] = jsonable(
            {
                "text": self.content,
                "output": None if self.output == self.content else self.output,
                "status": self.status,
                "stop_reason": self.stop_reason,
                "author": self.author,
                "run_id": self.run_id,
                "duration": self.duration,
                "cost": self.cost,
                "usage": _usage_facts(usage),
                "decision": None if self.decision is None else self.decision.model_dump(mode="json"),
                "rounds": [round_facts(each) for each in self.rounds],
                "members": [_as_dict(each) for each in self.members],
                "board": list(self.board),
                "questions": list(self.questions),
            }
        )  # fmt: skip
        return facts

    def save(self, path: str | Path) -> None:
        """Write it to a file (`path`) as JSON. Raises OSError when it cannot be written."""
        Path(path).write_text(json.dumps(self.to_dict(), ensure_ascii=False, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote to `path`; typed outputs come back as JSON values.

        Raises OSError, or ValidationError when the file is not a saved result.
        """
        try:
            facts = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls.from_dict(facts)
        except (ValueError, KeyError, TypeError) as problem:
            raise ValidationError(f"{path} is not a saved team result: {problem}") from problem

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Self:
        """The result whose `facts` `to_dict` gave. Raises KeyError, TypeError or ValueError when they are not that."""
        from phalanx.formations.record import round_of

        members = [_outcome(each) for each in facts["members"]]
        decision = facts["decision"]
        made = None if decision is None else Decision.model_validate(decision)
        return cls(
            facts["text"], output=facts["output"], status=facts["status"], stop_reason=facts["stop_reason"],
            decision=made, members=members, board=facts["board"], run_id=facts["run_id"],
            author=facts.get("author", ""), duration=facts["duration"], usage=_usage_of(facts["usage"]),
            rounds=[round_of(each) for each in facts["rounds"]],
            questions=[Question(**{**each, "options": tuple(each["options"])}) for each in facts["questions"]],
        )  # fmt: skip


def _as_dict(outcome: Outcome) -> dict[str, Any]:
    usage = outcome.usage
    return {
        "member": outcome.member,
        "role": outcome.role,
        "stage": outcome.stage,
        "round": outcome.round,
        "status": outcome.status,
        "text": outcome.text,
        "error": outcome.error,
        "calls": usage.calls,
        "tokens": usage.tokens,
        "cost": usage.cost,
        "usage": _usage_facts(usage),
        "messages": [message.model_dump(mode="json") for message in outcome.messages],
        "inside": [_as_dict(each) for each in outcome.inside],
    }


def _outcome(facts: Mapping[str, Any]) -> Outcome:
    return Outcome(
        facts["member"],
        facts["role"],
        facts["stage"],
        facts["round"],
        facts["status"],
        AgentResult(facts["text"]) if facts["status"] == "ok" else None,
        facts["error"],
        _usage_of(facts["usage"]) if "usage" in facts else _rough_usage(facts),
        tuple(Message.model_validate(message) for message in facts["messages"]),
        inside=tuple(_outcome(each) for each in facts["inside"]),
    )


def _usage_facts(usage: Usage) -> dict[str, Any]:
    return {
        "calls": usage.calls, "tokens": usage.tokens, "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens, "cached_tokens": usage.cached_tokens,
        "cache_write_tokens": usage.cache_write_tokens, "reasoning_tokens": usage.reasoning_tokens,
        "known_cost": usage.known_cost, "unpriced_calls": usage.unpriced_calls, "estimated": usage.estimated,
    }  # fmt: skip


def _usage_of(facts: Mapping[str, Any]) -> Usage:
    return Usage(**{name: value for name, value in facts.items() if name != "tokens"})


def _rough_usage(facts: Mapping[str, Any]) -> Usage:
    """A member's usage from a file that holds no more of it than its sums."""
    unpriced = 0 if facts["cost"] is not None else facts["calls"]
    return Usage(facts["calls"], facts["tokens"], known_cost=facts["cost"] or 0.0, unpriced_calls=unpriced)
