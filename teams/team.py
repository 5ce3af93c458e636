"""A team: members in a formation, ready to be given tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from phalanx.agents.agent import Agent
from phalanx.agents.models.model import Model, close
from phalanx.agents.models.resolve import resolve, resolve_now
from phalanx.agents.output import Shape
from phalanx.agents.prompts import Prompts
from phalanx.agents.task import Context, Hooks, Task, TaskHook, hooks_of
from phalanx.errors import ConfigurationError, LimitExceeded, ValidationError
from phalanx.formations.base import Asking, FormationModel, Member
from phalanx.formations.team_run import TeamRun
from phalanx.runtime.asked import guarded
from phalanx.runtime.blocking import run_blocking
from phalanx.runtime.board import Blackboard
from phalanx.runtime.events import TeamFinished, TeamStarted
from phalanx.runtime.execution import Listener
from phalanx.runtime.human import Human
from phalanx.runtime.limits import Limits, as_limits
from phalanx.runtime.log import Log
from phalanx.runtime.run import Run
from phalanx.runtime.stream import EventStream
from phalanx.settings import nearest

from .again import Recorded, fresh_id
from .classic import Classic
from .given import check_board, check_human, check_log
from .handle import RunHandle
from .members import Who, listed, members_of, named
from .opportunity import Opportunity
from .options import Brought, TeamOptions, briefly, made
from .result import TeamResult
from .running import judge_in, perform, roster, work
from .sampling import Sampling
from .steering import Steering
from .talk import Talk

if TYPE_CHECKING:
    from phalanx.agents.tools.tool import FunctionTool

    from .estimate import Estimate


class AgentTeam(Classic, Talk, Sampling, Steering, Opportunity, Recorded):
    """Members in a formation.

    Making one does no I/O; it is reusable and may run many tasks at the same time. Members are agents, roles, whole
    teams, or names: a name is the role of an agent that is made for it, with the team's model.

    agents: the members. formation: how they work together: a formation value such as `Debate(rounds=2)`, what
    `Formation.debate(…)` gives (with its members), or any async function of (run, task). seats: members in special
    seats, by seat. name: what it is called. model: for members that have none of their own. limits: of each run.
    prompts: its own text for prompt slots. hooks: on_start, on_complete, on_error. board: a blackboard that outlives
    single runs (default: a new one for each run). log: where runs are journaled (default: in memory, run by run).

    Any other keyword is refused (`unknown` holds it), with the nearest that exists.

    Raises ConfigurationError or ValidationError when the members and the formation do not fit.
    """

    name: str
    formation: Any
    members: tuple[Member, ...]
    limits: Limits | None
    prompts: Prompts
    hooks: tuple[TaskHook, ...]
    board: Blackboard | None
    log: Log | None
    given_model: object
    _given: tuple[Who, ...]
    _given_seats: dict[str, Who]

    def __init__(
        self,
        agents: Sequence[Who] | None = None,
        *,
        formation: Any = None,
        seats: Mapping[str, Who] | None = None,
        name: str = "",
        model: object = None,
        limits: Limits | None = None,
        prompts: Mapping[str, str] | None = None,
        hooks: Hooks = None,
        board: Blackboard | None = None,
        log: Log | None = None,
        **unknown: object,
    ) -> None:
        for word in unknown:
            raise _no_option(word, formation)
        if isinstance(formation, Brought):
            if agents is not None or seats is not None:
                raise ConfigurationError("this formation brings its own members: leave agents= and seats= out")
            source: AgentTeam = formation.team
            agents, seats = source._given, source._given_seats
            name, model = name or source.name, model if model is not None else source.given_model
            limits = source.limits if limits is None else limits
            hooks = source.hooks if hooks is None else hooks
            prompts = source.prompts.overrides if prompts is None else prompts
            board = source.board if board is None else board
            log = source.log if log is None else log
            formation = source.formation
        if formation is None:
            from phalanx.formations.flat import Flat

            formation = Flat()
        self.formation = formation
        if isinstance(self.formation, type) or not callable(self.formation):
            raise ConfigurationError(
                f"formation={self.formation!r} is no formation: give a value such as Debate(rounds=2), "
                "Formation.debate(…), or an async function of (run, task)"
            )
        self._given, self._given_seats, self.given_model = tuple(listed(agents)), dict(seats or {}), model
        self.members = members_of(self._given, self._given_seats, self.formation)
        self.name = named(name or self.kind, "team")
        self.limits, self.prompts, self.hooks = as_limits(limits), Prompts(prompts), hooks_of(hooks)
        if isinstance(self.formation, FormationModel):
            self.formation.check(self.members)
        elif not self.members:
            raise ConfigurationError("a team needs at least one member")
        check_board(board)
        check_log(log)
        self.board, self.log = board, log
        self._model: Model | None = None if model is None else resolve(model)

    # -- running ---------------------------------------------------------------------------------------------------

    async def run(
        self,
        task: Task | str,
        context: Context | None = None,
        *,
        limits: Limits | None = None,
        seed: int = 0,
        run_id: str | None = None,
        on_event: Listener | None = None,
        log: Log | None = None,
        human: Human | None = None,
    ) -> TeamResult:
        """Do a task.

        context: what it needs to know, as text or named parts. limits: of this run, besides the team's own. seed: of
        all chance in it. run_id: its id (default: a new one). on_event: called with each event as it happens. log:
        where the run is journaled (default: the team's, else memory); with a durable one it can be resumed. human:
        answers questions and approves tools: a function of the Question, or `pause`, which ends the run with status
        "paused" until it is resumed with the answers; without one, tools that need approval are denied.

        Returns the answer, a str with facts; a run that a limit stopped returns the best answer it has, with status
        "stopped". Raises TeamError, which carries the result with all that was paid for, when there is no answer;
        ConfigurationError and ValidationError before anything is spent.
        """
        check_human(human)
        journal = self._journal(log)
        return await perform(
            self,
            Task.of(task, context),
            limits,
            seed,
            fresh_id(run_id),
            journal,
            guarded(on_event),
            human=human,
        )

    execute = run

    def run_sync(self, task: Task | str, context: Context | None = None, **options: Any) -> TeamResult:
        """`run` for code that is not async; works inside a running event loop too, so in notebooks.

        task, context, options: what `run` takes. It raises what `run` does.
        """

        async def work() -> TeamResult:
            try:
                return await self.run(task, context, **options)
            finally:
                await self.aclose()

        return run_blocking(work)

    def stream(
        self,
        task: Task | str,
        context: Context | None = None,
        *,
        limits: Limits | None = None,
        seed: int = 0,
        run_id: str | None = None,
        log: Log | None = None,
        human: Human | None = None,
    ) -> EventStream[TeamResult]:
        """Do a task and iterate over its events as they happen, tokens and nested teams included.

        `.result` holds the result after the last event. Leaving its `async with` block cancels the run and all its
        members; so does letting go of a stream that was not entered. Takes and raises what `run` does.
        """

        check_human(human)
        name, job, journal = fresh_id(run_id), Task.of(task, context), self._journal(log)

        async def work(listener: Listener) -> TeamResult:
            return await perform(self, job, limits, seed, name, journal, (listener,), streaming=True, human=human)

        return EventStream(work)

    def start(
        self,
        task: Task | str,
        context: Context | None = None,
        *,
        limits: Limits | None = None,
        seed: int = 0,
        run_id: str | None = None,
        log: Log | None = None,
    ) -> RunHandle:
        """Begin a task and give a handle on it: iterate over its events, answer its questions, cancel it, wait for it.

        Takes and raises what `run` does, but for `human`, which the handle is. The task begins when the handle is
        entered (`async with`), iterated over, or awaited: `handle = await team.start(…)`; whoever does not enter it
        cancels it or waits for its end.
        """
        name, job, journal = fresh_id(run_id), Task.of(task, context), self._journal(log)

        async def work(listener: Listener, human: Human) -> TeamResult:
            return await perform(self, job, limits, seed, name, journal, (listener,), streaming=True, human=human)

        return RunHandle(name, work)

    async def run_inside(
        self, around: TeamRun, branch: Run, task: Task, *, shape: Shape[Any] | None = None
    ) -> TeamResult:
        """Do a task as a member of another team, in a branch of its run; formations call this.

        around: the run of the team around it. branch: where in it. task: what to do. shape: no team gives an answer of
        a shape that is asked for. Raises ConfigurationError when one is, LimitExceeded when teams are nested deeper
        than a limit allows, and what `run` raises.
        """
        if shape is not None:
            raise ConfigurationError(
                f"team {self.name!r} was asked for a typed answer; only agents give one: seat an agent there"
            )
        for account in branch.accounts.chain:
            most = account.limits.depth
            if most is not None and branch.depth > most:
                raise LimitExceeded("depth", spent=branch.depth, limit=most, owner=account.owner)
        inner_owner = f"team {self.name!r}"
        inner = branch.within(self.limits, owner=inner_owner)
        default = self._model if self._model is not None else around.default_model
        inner.emit(TeamStarted, self.name, self.kind, roster(self))
        result: TeamResult | None = None
        try:
            result = await work(self, inner, task, default, self.prompts.over(around.prompts), None)
            if result.refusal is not None and result.refusal.owner != inner_owner:
                # A limit from around this team stopped it: the team around it has not been given all it asked for.
                around.cut_short = result.refusal
        finally:
            status, text = ("failed", "") if result is None else (result.status, result.content)
            inner.emit(TeamFinished, status, text, inner.usage)
        return result

    # -- facts -----------------------------------------------------------------------------------------------------

    @property
    def kind(self) -> str:
        """The formation's kind, or the name of the user's function."""
        return str(getattr(self.formation, "kind", None) or getattr(self.formation, "__name__", "custom"))

    def plan(self) -> list[Asking]:
        """Every asking it makes when nothing fails and nothing stops it early.

        Raises ConfigurationError for a formation that is the user's function: nobody can know.
        """
        if not isinstance(self.formation, FormationModel):
            raise ConfigurationError(f"what {self.kind!r} will ask cannot be known before it runs")
        return self.formation.plan(self.members)

    def estimate(self, task: Task | str, context: Context | None = None) -> Estimate:
        """What a task costs at most, before any of it is spent: calls, tokens, US dollars (None if unknown).

        It counts every asking that the formation makes when nothing stops it early, each answered in one call: no
        tools, repairs or retries; in a hierarchy one assignment for each worker and round. task, context: as in `run`.
        Raises ConfigurationError when the formation is a function of the user's.
        """
        from .estimate import estimate

        return estimate(self, Task.of(task, context))

    def to_yaml(self) -> str:
        """The team as YAML that `from_yaml` reads again; where its runs are journaled (`log`) is left out.

        Raises ValidationError, naming it, for what a file cannot hold: functions, objects, tools, keys.
        """
        from .spec import to_yaml

        return to_yaml(self)

    @classmethod
    def from_yaml(cls, text: str) -> AgentTeam:
        """The team in a YAML text.

        text: the YAML. Raises SpecError, with line and field, for whatever is wrong with it.
        """
        from .spec import parse_team

        return parse_team(text)

    def diagram(self) -> str:
        """The team as a Mermaid flowchart."""
        from .diagram import diagram

        return diagram(self)

    def as_tool(self, name: str = "", description: str = "") -> FunctionTool:
        """The team as a tool for an agent: one argument, the task; what it gives back is the team's answer.

        It runs as a part of the run that calls it, under the same limits. name, description: what the model is told.
        """
        from .embed import as_tool

        return as_tool(self, name, description)

    def set_workflow(self, name: str) -> None:
        """Work in the named formation from now on, with its defaults. Raises ValidationError for an unknown name."""
        from phalanx.formations.kinds import KINDS

        known = {**KINDS, "coding_review": KINDS["pipeline"]}
        if name not in known:
            raise ValidationError(f"there is no workflow {name!r}{nearest(name, known)}; there are: {', '.join(known)}")
        formation: FormationModel = made(known[name])
        formation.check(self.members)
        self.formation = formation

    async def aclose(self) -> None:
        """Let go of the connections of all its members' models, and its judges'; it can be used again after."""
        if self._model is not None:
            await close(self._model)
        for member in self.members:
            await close(member.who)
        await close(judge_in(self))

    cleanup = aclose

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        seated = [(each.name, each.seat) for each in self.members]
        who = ", ".join(name if seat in (None, name) else f"{name} ({seat})" for name, seat in seated)
        return f"AgentTeam({self.name!r}, {briefly(self.formation)}, members=[{who}])"

    def _journal(self, log: Log | None) -> Log | None:
        check_log(log)
        return self.log if log is None else log

    @property
    def own_model(self) -> Model | None:
        """The model that was given to the team itself; None when there was none."""
        return self._model

    async def default_model(self) -> Model | None:
        """The team's model, or the environment's when a member needs one and none was named.

        Raises ConfigurationError when there is none.
        """
        if self._model is None and any(isinstance(each.who, Agent) and each.who.needs_model for each in self.members):
            self._model = await resolve_now()
        return self._model


Team = AgentTeam


def _no_option(word: str, formation: object) -> ConfigurationError:
    options, how = getattr(type(formation), "model_fields", ()), type(formation).__name__
    seats = (*getattr(formation, "seats", ()), *getattr(formation, "optional_seats", ()))
    if word in seats:
        return ConfigurationError(f"{word!r} is a seat of {how}: write AgentTeam(…, seats={{{word!r}: …}})")
    if word in options:
        return ConfigurationError(f"{word!r} is an option of the formation: write formation={how}({word}=…)")
    words = (*TeamOptions.__annotations__, "agents", "formation", "seats", *options, *seats)
    return ConfigurationError(
        f"a team has no option {word!r}{nearest(word, words)}; api_base and the like belong to its agents"
    )
