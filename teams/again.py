"""A recorded run once more: it goes on, is played back, or is forked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from phalanx.agents.task import Task
from phalanx.errors import ConfigurationError, LogError
from phalanx.runtime.events import AnyEvent, RunResumed, RunStarted
from phalanx.runtime.forking import copied
from phalanx.runtime.holding import held
from phalanx.runtime.human import Human
from phalanx.runtime.limits import Limits, as_limits
from phalanx.runtime.log import Log, MemoryLog
from phalanx.runtime.playback import Decision, Playback
from phalanx.runtime.run import Listener

from .answering import check_answers
from .begun import check_team, naming_what_differs
from .result import TeamResult
from .running import Facts, facts_of, perform, roster, spec_in

if TYPE_CHECKING:
    from .team import AgentTeam


async def go_on(
    team: AgentTeam,
    run_id: str,
    log: Log | None,
    *,
    limits: Limits | None,
    decisions: Mapping[str, Decision] | None,
    answers: Mapping[str, str] | None,
    human: Human | None,
    listeners: tuple[Listener, ...],
) -> TeamResult:
    """What AgentTeam.resume does, with its arguments."""
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


async def play_back(team: AgentTeam, run_id: str, log: Log | None, *, listeners: tuple[Listener, ...]) -> TeamResult:
    """What AgentTeam.replay does, with its arguments."""
    playback = Playback(await _records(_log(team, log), run_id), only=True)
    check_team(team, run_id, playback.start)
    with naming_what_differs(team, playback.start):
        return await perform(
            team, _task_of(playback.start), changed(_limits_of(playback.events), None), playback.start.seed, run_id,
            MemoryLog(), listeners, playback,
        )  # fmt: skip


async def go_another_way(
    team: AgentTeam,
    run_id: str,
    at: str,
    fresh: str,
    log: Log | None,
    *,
    limits: Limits | None,
    decisions: Mapping[str, Decision] | None,
    human: Human | None,
    listeners: tuple[Listener, ...],
) -> TeamResult:
    """What AgentTeam.fork does, with its arguments; `fresh` is the new run's id."""
    given, journal = as_limits(limits), _log(team, log)
    whole = Playback(await _records(journal, run_id), only=True)
    if team.name != whole.start.name:
        raise ConfigurationError(
            f"run {run_id!r} is one of team {whole.start.name!r}, after which its steps are named; give the team that "
            f"forks it the same name, name={whole.start.name!r}"
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
    journal = log or team.log
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
