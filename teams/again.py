"""A recorded run once more: it goes on, is played back, or is forked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from phalanx.agents.task import Task
from phalanx.errors import ConfigurationError, LogError
from phalanx.runtime.asked import check_asked, guarded
from phalanx.runtime.events import AnyEvent, RunResumed, RunStarted
from phalanx.runtime.execution import Listener
from phalanx.runtime.forking import copied
from phalanx.runtime.holding import held
from phalanx.runtime.human import Human
from phalanx.runtime.limits import Limits, as_limits
from phalanx.runtime.log import Log, MemoryLog
from phalanx.runtime.playback import Decision, Playback
from phalanx.runtime.run import new_run_id

from .answering import check_answers
from .begun import check_team, naming_what_differs
from .given import check_human, check_log
from .result import TeamResult
from .running import Facts, facts_of, perform, roster, spec_in

if TYPE_CHECKING:
    from .team import AgentTeam


class Recorded:
    """What a team does with runs that are recorded: it goes on with them, plays them back, and forks them."""

    async def resume(
        self,
        run_id: str,
        *,
        log: Log | None = None,
        limits: Limits | None = None,
        decisions: Mapping[str, Decision] | None = None,
        answers: Mapping[str, str] | None = None,
        human: Human | None = None,
        on_event: Listener | None = None,
    ) -> TeamResult:
        """Go on with a run that was interrupted, stopped or failed: calls that it finished are not made again.

        The team must be the one that began the run, or forked it. run_id: of that run. log: where it was journaled
        (default: the team's). limits: of the run from here on, what was spent before counts; those that are not given
        stay as they were, `Limits(calls=None)` lifts one.
        decisions: for tools that must not be repeated and whose end is unknown, by step key: "retry" or "skip".
        answers: to the questions a paused run waits for, by their keys. human: as in `run`.
        on_event: called with the recorded events first, then with new ones.

        Calls whose failure left the run without an answer are tried again; other failed calls stand as they are.
        Raises RunBusy when somebody works on the run, UncertainStep for such a tool without a decision, TeamDiffers for
        another team, ReplayDivergence when it asks for something else than is recorded, LogError when there is no such
        run, ValidationError for an answer to no open question, and what `run` raises.
        """
        check_human(human)
        team, listeners = _team(self), guarded(on_event)
        given, journal = as_limits(limits), _log(team, log)
        # Held before it is read: whoever worked on it until now has written all there will be.
        async with held(journal, run_id):
            playback = Playback(await _records(journal, run_id), decisions=decisions)
            check_team(team, run_id, playback.start)
            check_answers(answers, playback, run_id)
            with naming_what_differs(team, playback.start):
                return await perform(
                    team, _task_of(playback.start), changed(_limits_of(playback.events), given), playback.start.seed,
                    run_id, journal, listeners, playback, human=human, answers=answers,
                )  # fmt: skip

    async def replay(self, run_id: str, *, log: Log | None = None, on_event: Listener | None = None) -> TeamResult:
        """Play a recorded run back: no model and no tool is called, nothing is written, the result is the same.

        run_id: of that run. log: where it was journaled (default: the team's). on_event: called with its events.

        Raises TeamDiffers for another team, ReplayDivergence when it asks for something that is not recorded, LogError
        when there is no such run, and what the recorded run raised.
        """
        team, listeners = _team(self), guarded(on_event)
        playback = Playback(await _records(_log(team, log), run_id), only=True)
        check_team(team, run_id, playback.start)
        with naming_what_differs(team, playback.start):
            return await perform(
                team, _task_of(playback.start), changed(_limits_of(playback.events), None), playback.start.seed,
                run_id, MemoryLog(), listeners, playback,
            )  # fmt: skip

    async def fork(
        self,
        run_id: str,
        at: str,
        *,
        log: Log | None = None,
        new_id: str | None = None,
        limits: Limits | None = None,
        decisions: Mapping[str, Decision] | None = None,
        human: Human | None = None,
        on_event: Listener | None = None,
    ) -> TeamResult:
        """A new run that has what a recorded one had done before the step `at` began, and goes on from there anew.

        Fork with another team of the same name than the one that began the run, to see what another model, prompt or
        member would have changed: what is recorded before `at` stands as it was. The new run can be resumed, replayed
        and forked itself, by the team that forked it.
        run_id: of the recorded run. at: the first step to make anew; one that a limit refused is a step too. log:
        where it was journaled, and the new one is (default: the team's). new_id: the new run's id. limits: of the new
        run; what it took over counts. decisions: as in `resume`, for tools that were under way at that moment. human:
        as in `run`. on_event: called with the recorded events first, then with new ones.

        Raises LogError when there is no such run or step, ConfigurationError for a team of another name or an id that
        is taken, and what `run` raises.
        """
        check_human(human)
        team, fresh, listeners = _team(self), fresh_id(new_id), guarded(on_event)
        given, journal = as_limits(limits), _log(team, log)
        whole = Playback(await _records(journal, run_id), only=True)
        if team.name != whole.start.name:
            raise ConfigurationError(
                f"run {run_id!r} is one of team {whole.start.name!r}, after which its steps are named; give the team "
                f"that forks it the same name, name={whole.start.name!r}"
            )
        start = replace(
            whole.start, run_id=fresh, formation=team.kind, roster=roster(team), spec=spec_in(team, journal),
            limits=facts_of(given), team_limits=facts_of(team.limits), forked_from=run_id, forked_at=at,
        )  # fmt: skip
        playback = Playback(copied(whole.events, at, start), decisions=decisions)
        playback.check_decided()
        async with held(journal, fresh):
            if await journal.read(f"run/{fresh}"):
                raise ConfigurationError(f"there is a run {fresh!r} in this log already; give another new_id=")
            await journal.append(f"run/{fresh}", playback.records, expect=0)
            return await perform(
                team, _task_of(start), given, start.seed, fresh, journal, listeners, playback, human=human, fork=True
            )


def changed(recorded: Facts, given: Limits | None) -> Limits | None:
    """The limits of a run that goes on: what is given replaces what is recorded, limit by limit; None lifts one."""
    facts = dict(recorded or {})
    if given is not None:
        facts |= {name: getattr(given, name) for name in given.model_fields_set}
    left: Any = {name: value for name, value in facts.items() if value is not None}
    return Limits(**left) if left else None


def _limits_of(events: list[AnyEvent]) -> Facts:
    """The limits that were given to a run, by the last word on them."""
    said: Facts = None
    for event in events:
        if isinstance(event, RunStarted | RunResumed) and event.limits is not None:
            said = event.limits
    return said


def _log(team: AgentTeam, log: Log | None) -> Log:
    check_log(log)
    journal = team.log if log is None else log
    if journal is None:
        raise ConfigurationError("there is no log to read the run from; give log=…, or a team with log=…")
    return journal


async def _records(log: Log, run_id: str) -> list[object]:
    records = [record for _, record in await log.read(f"run/{run_id}")]
    if not records:
        raise LogError(f"there is no run {run_id!r} in this log")
    return records


def _task_of(start: RunStarted) -> Task:
    given: Any = dict(start.given)
    return Task(start.task, **given)


def fresh_id(run_id: str | None) -> str:
    """A run's id: as given, or a new one. Raises ValidationError for one that is empty or cannot be printed."""
    check_asked(0, run_id)
    return run_id or new_run_id()


def _team(mixin: Recorded) -> AgentTeam:
    from .team import AgentTeam

    assert isinstance(mixin, AgentTeam)
    return mixin
