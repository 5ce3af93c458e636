"""Several askings at the same time, or in the order in which they depend on each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import anyio
from anyio.abc import TaskGroup

from phalanx.errors import ConfigurationError
from phalanx.runtime.human import RunPaused
from phalanx.runtime.run import Run

from .base import Member, Outcome
from .begun import Begun
from .one_asking import OneAsking, check_text

Until = Callable[[Sequence[Outcome]], bool]
Say = str | Mapping[str, str] | Callable[[Member], str]


class Job(NamedTuple):
    """One asking among several: of whom, with what prompt, after which others (by id)."""

    id: str
    member: Member
    prompt: str | Callable[[Mapping[str, Outcome]], str]
    after: tuple[str, ...] = ()
    attempt: int = 0


async def side_by_side(
    jobs: Sequence[Job],
    askings: Sequence[OneAsking],
    place: Run,
    ended: dict[str, Outcome],
    *,
    deadline: float | None,
    until: Until | None,
) -> None:
    """Ask for all `jobs`, each by its one of the `askings`, and put how they ended into `ended`, by job, as they end.

    place: the branch of the run that they are asked in. deadline, until: as `TeamRun.ask_all` takes them. Raises what
    is no member's own failure, once no other is asked any more.
    """
    awaited = {earlier: anyio.Event() for job in jobs for earlier in job.after}
    timed: anyio.CancelScope | None = None
    group: TaskGroup | None = None
    enough = False
    fatal: list[Exception | RunPaused] = []

    async def one(at: int) -> None:
        nonlocal enough
        job, asking = jobs[at], askings[at]
        try:
            for earlier in job.after:
                if not awaited[earlier].is_set():
                    await awaited[earlier].wait()
            prompt = job.prompt if isinstance(job.prompt, str) else job.prompt(ended)
            ended[job.id] = await asking.outcome(prompt)
        except (Exception, RunPaused) as broken:  # noqa: BLE001 - raised again below
            fatal.append(broken)
            end()
            return
        except BaseException as stop:
            # Only a scope with a time can pass it: that of a group is cancelled too when all around it are.
            late = timed is not None and timed.cancel_called and not enough and not fatal
            ended[job.id] = asking.ended("timed_out" if late else "cancelled", stop)
            raise
        if job.id in awaited:
            awaited[job.id].set()
        if until is not None and not enough and until([ended[each.id] for each in jobs if each.id in ended]):
            enough = True
            end()

    def end() -> None:
        if (scope := timed or (group and group.cancel_scope)) is not None:
            scope.cancel()

    async def all_of_them() -> None:
        nonlocal group
        async with anyio.create_task_group() as group:
            begin = group.start_soon
            left = iter(range(len(jobs)))

            def the_others() -> None:
                for at in left:
                    begin(one, at)

            for at in left:
                await Begun(one(at), the_others)

    # Where no time is set the group itself can be cancelled; where one is alone, there is nobody to cancel.
    if deadline is not None and jobs:
        with place.deadline(deadline) as timed:
            await all_of_them()
    elif len(jobs) > 1:
        await all_of_them()
    elif jobs:
        await one(0)
    if fatal:
        raise fatal[0]


def prompt_for(prompts: Say, member: Member) -> str:
    """What a `member` is told, by the `prompts` of an asking of several.

    Raises ConfigurationError when there is none for it, TypeError when they are no prompts.
    """
    if isinstance(prompts, str):
        return prompts
    if type(prompts) is dict or isinstance(prompts, Mapping):
        if member.name not in prompts:
            raise ConfigurationError(f"there is no prompt for {member.name!r}; give one, or members= without it")
        prompt = prompts[member.name]
    elif callable(prompts):
        prompt = prompts(member)
    else:
        raise TypeError(
            f"prompts are text, texts by member name, or a function of the member, not {type(prompts).__name__}"
        )
    check_text(prompt, member)
    return prompt
