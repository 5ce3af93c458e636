"""What every formation is: its answer, its members, and how the asking of one of them ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

from phalanx.agents.agent import Agent
from phalanx.agents.output import Shape
from phalanx.agents.result import AgentResult
from phalanx.agents.role import Role
from phalanx.agents.task import Task
from phalanx.errors import ConfigurationError, LimitExceeded, QuorumMissed
from phalanx.messages import Message, Usage
from phalanx.runtime.events import OutcomeStatus
from phalanx.runtime.limits import Limits
from phalanx.runtime.run import Run

from .voting import Ballot, Decision, Rule

if TYPE_CHECKING:
    from .team_run import TeamRun


@dataclass(frozen=True, slots=True)
class Answer:
    """What a formation gives back.

    text: the answer. output: the same as a validated object, if there is one. status: completed, undecided or partial.
    decision: what a vote came to. author: the member whose answer it is, if it is one member's.
    """

    text: str
    output: object = None
    status: str = "completed"
    decision: Decision | None = None
    author: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one asking of one member ended: never an exception through its siblings.

    `answer` is there when status is "ok"; `error` says why it is not. `messages` is exactly what it was sent. `inside`:
    where the member is a team, the outcomes of its own members, also when it failed. `path`: where in the run it was
    asked; empty for what was taken over from another.
    """

    member: str
    role: str
    stage: str
    round: int
    status: OutcomeStatus
    answer: AgentResult | None = None
    error: str | None = None
    usage: Usage = Usage()
    messages: tuple[Message, ...] = ()
    failure: BaseException | None = field(default=None, compare=False, repr=False)
    inside: tuple[Outcome, ...] = ()
    path: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The answer's text; empty when there is none."""
        return "" if self.answer is None else self.answer.content

    @property
    def ok(self) -> bool:
        """Whether there is an answer."""
        return self.status == "ok"


@dataclass(frozen=True, slots=True)
class Round:
    """One round of a vote: every member's text, what it was counted as (None: it abstained), and the decision.

    rule: what decided. ballots: what it was given, in the order of the choices.
    """

    number: int
    texts: Mapping[str, str]
    choices: Mapping[str, str | None]
    decision: Decision | None = None
    rule: Rule | None = None
    ballots: tuple[Ballot | None, ...] = ()


# How many members an error names; the others it counts.
_NAMED = 5


def require(outcomes: Sequence[Outcome], quorum: int | Fraction | None = None) -> list[Outcome]:
    """The `outcomes` that are answers; takes and raises what `TeamRun.require` does.

    quorum: how many there must be, or what part of those asked; None is all.
    """
    good = [outcome for outcome in outcomes if outcome.ok]
    needed = len(outcomes)
    if quorum is not None:
        needed = quorum if isinstance(quorum, int) else -((-quorum * len(outcomes)) // 1)
    if len(good) >= needed:
        return good
    bad = [outcome for outcome in outcomes if not outcome.ok]
    for outcome in bad:
        if isinstance(outcome.failure, LimitExceeded):
            raise outcome.failure
    if not good and bad and all(isinstance(outcome.failure, ConfigurationError) for outcome in bad):
        raise bad[0].failure or AssertionError
    raise QuorumMissed(answered=len(good), needed=int(needed), asked=len(outcomes), reasons=_reasons(bad))


def _reasons(bad: Sequence[Outcome]) -> tuple[str, ...]:
    """Why there are no answers, each cause once: "ada, bob and cleo failed: …"."""
    whose: dict[str, list[str]] = {}
    for each in bad:
        whose.setdefault(f"{each.status.replace('_', ' ')}: {each.error}", []).append(each.member)
    return tuple(f"{_together(list(dict.fromkeys(names)))} {cause}" for cause, names in whose.items())


def _together(names: Sequence[str]) -> str:
    if len(names) > _NAMED:
        return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


class NestedTeam(Protocol):
    """A team as a member of another: what formations need of it. Teams implement it; formations never import them."""

    name: str
    limits: Limits | None
    members: tuple[Member, ...]

    async def run_inside(self, around: TeamRun, branch: Run, task: Task, *, shape: Shape[Any] | None) -> AgentResult:
        """Do a task in a branch of the run around it."""
        ...

    def plan(self) -> list[Asking]:
        """Every asking it makes when nothing fails and nothing stops it early."""
        ...


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a team: an agent or a whole team, under a name, perhaps in a special seat such as "lead"."""

    name: str
    who: Agent | NestedTeam
    role: Role
    seat: str | None = None

    @property
    def skills(self) -> tuple[str, ...]:
        """What it knows: its role's skills, and an agent's tools that are words and no tools."""
        return (*self.role.skills, *self.who.tools.skills) if isinstance(self.who, Agent) else self.role.skills


@dataclass(frozen=True, slots=True)
class Asking:
    """One asking that a formation will make: of whom, and how many earlier answers its prompt holds at most."""

    member: str
    stage: str
    round: int = 0
    reads: int = 0


@dataclass(frozen=True, slots=True)
class Stage:
    """How a formation asks in one of its stages.

    slots: the prompt slots it may use. shaped: whether it says the shape of the answer (JSON that fits a schema).
    """

    slots: tuple[str, ...]
    shaped: bool = False


@dataclass(frozen=True, slots=True)
class Wiring:
    """Who hears whom, by member name.

    entries: who is given the task first. exits: whose answers are, or become, the team's. arrows: (a, arrow, b), where
    "-->" is that b works on what a said, "<-->" that both do, "<-.->" that they see each other's answers. board:
    whether all see a shared board.
    """

    entries: tuple[str, ...]
    exits: tuple[str, ...]
    arrows: tuple[tuple[str, str, str], ...] = ()
    board: bool = False


UNDECIDED = 400
"""The most tokens that "No decision: …" takes, the answer of a vote that came to nothing."""


class FormationModel(BaseModel):
    """A way of working together, as a value: its options are its fields, its state belongs to the run.

    A formation is frozen, compares, hashes, pickles and round-trips through YAML by `kind`. `seats` are the special
    seats that must be filled, `optional_seats` those that may be; `least` is the fewest other members. `stages` are
    those of its `plan`, by name. `summary` says in a line what happens, `calls` how many model calls that takes at
    most: a formula of n (members without a special seat), its options by name, and its optional seats (1 when filled,
    else 0). `board_tokens` is the most that a prompt shows of the team's board.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    kind: str
    seats: ClassVar[tuple[str, ...]] = ()
    optional_seats: ClassVar[tuple[str, ...]] = ()
    least: ClassVar[int] = 1
    stages: ClassVar[Mapping[str, Stage]] = {}
    summary: ClassVar[str] = ""
    calls: ClassVar[str] = ""

    @property
    def board_tokens(self) -> int:
        """The most that a prompt shows of the team's board, in tokens."""
        return 0

    def check(self, members: Sequence[Member]) -> None:
        """Raise ConfigurationError or ValidationError when it cannot work with these `members`."""
        free = [member for member in members if member.seat is None]
        if len(free) < self.least:
            what = "member" if self.least == 1 else "members"
            raise ConfigurationError(f"{self.kind} needs at least {self.least} {what}, got {len(free)}")
        filled = {member.seat for member in members}
        for seat in self.seats:
            if seat not in filled:
                raise ConfigurationError(f"{self.kind} needs somebody in the seat {seat!r}: give {seat}=…")

    def plan(self, members: Sequence[Member]) -> list[Asking]:
        """Every asking of `members`, in order, when nothing fails or stops it early; `estimate()` counts them."""
        raise NotImplementedError

    def wiring(self, members: Sequence[Member]) -> Wiring:
        """Who hears whom among `members`, for a diagram; by default all work at once and side by side."""
        free = tuple(member.name for member in members if member.seat is None)
        return Wiring(free, free)

    def longest(self, lengths: Mapping[str, int], members: Sequence[Member]) -> int:  # noqa: ARG002
        """The longest answer it can give, in tokens.

        lengths: of each member's longest, by name. members: who works in it.
        """
        return max(*lengths.values(), UNDECIDED)

    async def __call__(self, run: TeamRun, task: Task, /) -> Answer | str:
        """Let the run's members do the task together."""
        raise NotImplementedError


Formation = FormationModel | Callable[["TeamRun", Task], Awaitable["Answer | str"]]
