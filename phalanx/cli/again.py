"""`phalanx resume`, `phalanx replay` and `phalanx fork`: a stored run goes on, comes again, or goes another way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from phalanx.errors import UncertainStep, ValidationError
from phalanx.settings import nearest

from .failures import WrongUse, say
from .journal import runs_file, stored_run
from .options import code_of, read_limits, read_team, team_like
from .present import Output, Work, present, say_undecided
from .story import Story
from .text import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from phalanx.runtime.execution import Listener
    from phalanx.runtime.playback import Decision
    from phalanx.teams.result import TeamResult
    from phalanx.teams.team import AgentTeam


@dataclass(frozen=True, kw_only=True)
class AgainOptions:
    """What these commands were told, as it was typed; each uses its part."""

    run: str
    team: Path | None = None
    model: str | None = None
    api_base: str | None = None
    limits: Sequence[str] = ()
    answers: Sequence[str] = ()
    decisions: Sequence[str] = ()
    at: str = ""
    output: Output = field(default_factory=Output)

    @property
    def changes(self) -> bool:
        """Whether the run is to go on otherwise than it was: with another model, or under other limits.

        A team that is given may be the one that began it, which its file of runs cannot hold.
        """
        return bool(self.model or self.api_base or self.limits)


def resume(options: AgainOptions) -> int:
    """Go on with a run that was interrupted, stopped, paused or killed; what it finished is not paid for again."""

    def prepare() -> Work:
        from phalanx.runtime.human import pause
        from phalanx.runtime.sqlite import SqliteLog

        limits, story = read_limits(options.limits), stored_run(options.run)
        answers, decisions = read_answers(options.answers, story), read_decisions(options.decisions, story)
        open_steps = [each for each in story.undecided if each.key not in decisions]
        if open_steps:
            say_undecided(story, code_of(options.team))
            raise UncertainStep(open_steps[0].key, open_steps[0].name)
        if story.status == "completed" and not options.changes:
            played_back = _played_back(options, story)
            say(f"run {one_line(story.run_id)} is complete: this is its answer, nothing is asked again or written")
            return played_back
        team, log = _team(options, story), SqliteLog(runs_file())

        async def start(see: Listener, streaming: bool) -> TeamResult:  # noqa: ARG001 - what is resumed is not streamed
            return await team.resume(
                story.run_id, log=log, limits=limits, decisions=decisions, answers=answers, human=pause, on_event=see
            )

        return Work(team=team, start=start, log=log, code=code_of(options.team))

    return present(options.output, prepare)


def replay(options: AgainOptions) -> int:
    """Play a run back: no model and no tool is called, nothing is written, the answer is the same."""

    return present(options.output, lambda: _played_back(options, stored_run(options.run)))


def _played_back(options: AgainOptions, story: Story) -> Work:
    from phalanx.runtime.sqlite import SqliteLog

    team, log = _team(options, story), SqliteLog(runs_file())

    async def start(see: Listener, streaming: bool) -> TeamResult:  # noqa: ARG001 - there is nothing to stream
        return await team.replay(story.run_id, log=log, on_event=_ending_once(see))

    return Work(team=team, start=start, log=log, kept=False)


def _ending_once(see: Listener) -> Listener:
    """A listener without the end of a playback: the run's own end was told already, with the time that it took."""
    from phalanx.runtime.events import AnyEvent, RunFinished, RunResumed

    ended = False

    def told(event: AnyEvent) -> None:
        nonlocal ended
        if isinstance(event, RunFinished) and ended:
            return
        ended = isinstance(event, RunFinished) or (ended and not isinstance(event, RunResumed))
        see(event)

    return told


def fork(options: AgainOptions) -> int:
    """A new run that has what a stored one had done before a step, and goes on from there, with changes or without."""

    def prepare() -> Work:
        from phalanx.runtime.human import pause
        from phalanx.runtime.sqlite import SqliteLog

        limits, story = read_limits(options.limits), stored_run(options.run)
        if options.at not in story.calls:
            hint = nearest(options.at, story.calls)
            raise WrongUse(
                f"--at {options.at!r}: run {one_line(story.run_id)} has no such step{hint}; `phalanx show "
                f"{one_line(story.run_id)}` lists them"
            )
        team, log = _team(options, story), SqliteLog(runs_file())

        async def start(see: Listener, streaming: bool) -> TeamResult:  # noqa: ARG001 - what is recorded is not streamed
            return await team.fork(story.run_id, options.at, log=log, limits=limits, human=pause, on_event=see)

        return Work(team=team, start=start, log=log, code=code_of(options.team))

    return present(options.output, prepare)


def read_answers(given: Sequence[str], story: Story) -> dict[str, str]:
    """Answers from words such as "KEY=yes", each to a question that the run waits for.

    Raises WrongUse, naming the questions, when one is not.
    """
    asked = {each.key: each for each in story.questions}
    answers: dict[str, str] = {}
    for word in given:
        # A key may hold a "=" itself.
        key = max((key for key in asked if word.startswith(f"{key}=")), key=len, default=None)
        if key is None:
            waiting = ", ".join(map(one_line, asked)) or "none"
            raise WrongUse(f"--answer {word!r}: write KEY=VALUE; the questions that are open: {waiting}")
        answer, options = word[len(key) + 1 :], asked[key].options
        if options and answer not in options:
            raise WrongUse(f"--answer {word!r}: {answer!r} is not among the answers: {', '.join(options)}")
        if key in answers:
            raise WrongUse(f"--answer: {key} is answered twice")
        answers[key] = answer
    return answers


def read_decisions(given: Sequence[str], story: Story) -> dict[str, Decision]:
    """Decisions from words such as "KEY=skip", each on a step whose end is unknown.

    Raises WrongUse, naming the steps, when one is not.
    """
    open_keys = [each.key for each in story.undecided]
    decisions: dict[str, Decision] = {}
    for word in given:
        key, _, decision = word.rpartition("=")
        if key not in open_keys:
            waiting = ", ".join(map(one_line, open_keys)) or "none"
            raise WrongUse(f"--decide {word!r}: write KEY=retry or KEY=skip; the steps that are undecided: {waiting}")
        if key in decisions:
            raise WrongUse(f"--decide: {key} is decided twice")
        if decision == "retry":
            decisions[key] = "retry"
        elif decision == "skip":
            decisions[key] = "skip"
        else:
            raise WrongUse(f"--decide {word!r}: {decision!r} is no decision; it is retry or skip")
    return decisions


def _team(options: AgainOptions, story: Story) -> AgentTeam:
    """The team of a run: from --team, else from its journal. Raises WrongUse when neither has it."""
    from phalanx.teams.spec import parse_team

    if options.team is not None:
        return read_team(options.team, options.model, options.api_base)
    if story.spec is None:
        raise WrongUse(
            f"the journal of run {one_line(story.run_id)} does not hold its team, which has parts that no file can "
            "hold, such as functions; give it with --team FILE.py:NAME"
        )
    try:
        return team_like(parse_team(story.spec), options.model, options.api_base)
    except ValidationError as problem:
        raise WrongUse(
            f"the team of run {one_line(story.run_id)} cannot be made again: {problem}; use --team"
        ) from None
