"""All that can be seen of a run: one ordered stream of typed events, nested teams included.

Each event carries `run_id`, `seq` (1, 2, … without gaps), `path` (where in the tree: team, formation stage, member),
`time` (seconds since the epoch) and `parent` (the seq of the event that opened this branch, None at the root).
The same events are the journal, the live view, the trace and the report. `Token` and `Missed` are not recorded: they
carry the seq of the event before them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from phalanx.messages import Completion, Request, ToolCall, ToolResult, Usage

StepKind = Literal["model", "tool", "human"]
OutcomeStatus = Literal["ok", "failed", "timed_out", "refused", "cancelled"]


@dataclass(frozen=True, slots=True)
class Event:
    """What every event carries."""

    kind: ClassVar[str] = "event"

    run_id: str
    seq: int
    path: tuple[str, ...]
    time: float
    parent: int | None


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A run began. `formation` is how its members work together, `roster` their (name, role) in seat order.

    given: the rest of the task (name, id, context, requirements). spec: the team as YAML, where it can be written as
    one. limits: those that were given to this run, by name; team_limits: those of every run of the team; None: none.
    forked_from, forked_at: the run that this one took its beginning over from, and the first step that is its own.
    """

    kind: ClassVar[str] = "run.started"

    name: str
    formation: str
    task: str
    seed: int
    roster: tuple[tuple[str, str], ...] = ()
    given: Mapping[str, object] = field(default_factory=dict)
    spec: str | None = None
    limits: Mapping[str, object] | None = None
    team_limits: Mapping[str, object] | None = None
    forked_from: str | None = None
    forked_at: str | None = None


@dataclass(frozen=True, slots=True)
class RunResumed(Event):
    """A run that had stopped goes on from its journal; `forked_from` names the run it was copied from, up to `at`.

    limits: those of the run from here on, by name; None: as they were.
    """

    kind: ClassVar[str] = "run.resumed"

    forked_from: str | None = None
    at: str | None = None
    limits: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class DeadlinePassed(Event):
    """The time given to a run, a gathering or a member was over. `key` is the deadline's causal name."""

    kind: ClassVar[str] = "deadline.passed"

    key: str
    seconds: float


@dataclass(frozen=True, slots=True)
class RunFinished(Event):
    """A run ended. `status` is completed, undecided, partial, stopped, failed or cancelled."""

    kind: ClassVar[str] = "run.finished"

    status: str
    text: str
    stop_reason: str | None
    usage: Usage


@dataclass(frozen=True, slots=True)
class TeamStarted(Event):
    """A nested team began to work as a member of another."""

    kind: ClassVar[str] = "team.started"

    name: str
    formation: str
    roster: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class TeamFinished(Event):
    """A nested team ended."""

    kind: ClassVar[str] = "team.finished"

    status: str
    text: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class RoundStarted(Event):
    """A formation began a stage: a draft, a round of revision, a review."""

    kind: ClassVar[str] = "round.started"

    stage: str
    round: int


@dataclass(frozen=True, slots=True)
class MemberStarted(Event):
    """A member was asked something; `prompt` is what it was told, its role card aside."""

    kind: ClassVar[str] = "member.started"

    member: str
    role: str
    stage: str
    round: int
    prompt: str


@dataclass(frozen=True, slots=True)
class MemberFinished(Event):
    """A member answered, or did not; `usage` is what the asking cost."""

    kind: ClassVar[str] = "member.finished"

    member: str
    stage: str
    round: int
    status: OutcomeStatus
    text: str
    usage: Usage
    error: str | None = None


@dataclass(frozen=True, slots=True)
class StepStarted(Event):
    """A call is about to be made. `key` is its causal name; `model`, `tool` or human `name` is who is called."""

    kind: ClassVar[str] = "step.started"

    key: str
    step: StepKind
    name: str
    request: Request | ToolCall | str
    idempotent: bool = True


@dataclass(frozen=True, slots=True)
class StepFinished(Event):
    """A call ended: with its `result`, or with the `error` it raised. `usage` was spent either way.

    facts: the error's attributes, so that a replay can raise it again.
    """

    kind: ClassVar[str] = "step.finished"

    key: str
    step: StepKind
    name: str
    status: OutcomeStatus
    seconds: float
    usage: Usage
    result: Completion | ToolResult | str | None = None
    error: str | None = None
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retried(Event):
    """A failed call is made again after `wait` seconds."""

    kind: ClassVar[str] = "model.retried"

    model: str
    attempt: int
    wait: float
    error: str


@dataclass(frozen=True, slots=True)
class BreakerChanged(Event):
    """A circuit breaker is now closed, open or half-open."""

    kind: ClassVar[str] = "model.breaker"

    model: str
    state: Literal["closed", "open", "half_open"]
    failures: int


@dataclass(frozen=True, slots=True)
class Delegated(Event):
    """The lead gave a worker an assignment."""

    kind: ClassVar[str] = "delegated"

    assignment: str
    worker: str
    task: str
    depends_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BallotCast(Event):
    """A member's answer was counted as `choice`; None is an abstention."""

    kind: ClassVar[str] = "ballot.cast"

    member: str
    round: int
    choice: str | None


@dataclass(frozen=True, slots=True)
class Decided(Event):
    """A rule was applied to ballots. `status` is decided, tie, no_quorum or no_agreement."""

    kind: ClassVar[str] = "decided"

    status: str
    winner: str | None
    tally: tuple[tuple[str, float], ...]
    explanation: str


@dataclass(frozen=True, slots=True)
class BoardWritten(Event):
    """Something was written to the blackboard, or taken back."""

    kind: ClassVar[str] = "board.written"

    region: str
    key: str
    version: int
    author: str
    op: str


@dataclass(frozen=True, slots=True)
class LimitRefused(Event):
    """A limit refused a call; no money was spent on it."""

    kind: ClassVar[str] = "limit.refused"

    what: str
    owner: str
    spent: float
    limit: float


@dataclass(frozen=True, slots=True)
class Paused(Event):
    """A member waits for a person. The answer is given by `key`; `options` is what may be answered, empty anything."""

    kind: ClassVar[str] = "run.paused"

    key: str
    question: str
    options: tuple[str, ...] = ()
    member: str = ""


@dataclass(frozen=True, slots=True)
class Missed(Event):
    """A subscriber was too slow and was not shown `count` events before this one. Not recorded."""

    kind: ClassVar[str] = "missed"

    count: int


@dataclass(frozen=True, slots=True)
class Warned(Event):
    """Something that the user should know and that did not stop the run."""

    kind: ClassVar[str] = "warning"

    text: str


@dataclass(frozen=True, slots=True)
class Token(Event):
    """A piece of a member's answer as it is generated. Not recorded; `seq` is that of the event before it."""

    kind: ClassVar[str] = "token"

    member: str
    text: str
    key: str


AnyEvent = (
    RunStarted
    | RunResumed
    | DeadlinePassed
    | RunFinished
    | TeamStarted
    | TeamFinished
    | RoundStarted
    | MemberStarted
    | MemberFinished
    | StepStarted
    | StepFinished
    | Retried
    | BreakerChanged
    | Delegated
    | BallotCast
    | Decided
    | BoardWritten
    | LimitRefused
    | Paused
    | Missed
    | Warned
    | Token
)
