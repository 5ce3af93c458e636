"""`phalanx run`: a team from a file does a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from . import logs
from .journal import new_journal
from .options import code_of, read_context, read_limits, read_task, read_team
from .present import Output, Work, present

if TYPE_CHECKING:
    from phalanx.runtime.execution import Listener
    from phalanx.teams.result import TeamResult


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What `phalanx run` was told, as it was typed."""

    team: Path
    task: str
    model: str | None = None
    api_base: str | None = None
    limits: Sequence[str] = ()
    seed: int = 0
    context: str | None = None
    journal: bool = True
    output: Output = field(default_factory=Output)


def run(options: RunOptions) -> int:
    """Let the team do the task, show it, and give the exit code; raises whatever leaves it without an answer.

    The run is kept in the file of runs, unless `journal` is False; then people are not asked anything either, since
    nobody could go on with the answer.
    """
    from phalanx.agents.task import Task
    from phalanx.runtime.human import pause
    from phalanx.runtime.run import new_run_id
    from phalanx.teams.running import perform

    def prepare() -> Work:
        limits, context = read_limits(options.limits), read_context(options.context)
        team = read_team(options.team, options.model, options.api_base)
        job = Task.of(read_task(options.task), context)
        logs.configure(options.output.debug)
        log = new_journal() if options.journal else None

        async def start(see: Listener, streaming: bool) -> TeamResult:
            return await perform(
                team, job, limits, options.seed, new_run_id(), log, (see,), streaming=streaming,
                human=None if log is None else pause,
            )  # fmt: skip

        return Work(team=team, start=start, log=log, kept=log is not None, code=code_of(options.team))

    return present(options.output, prepare)
