"""Search for the formation that is worth its cost: successive halving on one part of the tasks, proof on the other."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from phalanx.errors import ValidationError
from phalanx.runtime.blocking import run_blocking
from phalanx.runtime.limits import Limits, as_limits
from phalanx.runtime.log import Log, MemoryLog

from . import summary
from .compare import Tasks
from .search_course import Course
from .search_funds import Funds
from .search_grid import Given, choices
from .search_record import Search
from .search_words import told
from .tasks import TaskSet

if TYPE_CHECKING:
    from phalanx.teams.members import Who

    from .engines.engine import Engine
    from .progress import Told
    from .scoring import Scorer


async def search(
    tasks: Tasks,
    members: Sequence[Who],
    *,
    model: object = None,
    formations: Given | None = None,
    budget: Limits | Mapping[str, float] | None = None,
    scorer: Scorer | str | None = None,
    held_out: float = 0.4,
    reserve: float = 0.4,
    repeats: int = 1,
    seed: int = 0,
    margin: float = 0.02,
    alpha: float = 0.05,
    engine: Engine | str | None = None,
    concurrency: int | None = None,
    log: Log | str | os.PathLike[str] | None = None,
    name: str = "search",
    on_progress: Told | None = None,
) -> Search:
    """Find out which formation, if any, these members should be in for these tasks.

    Successive halving (Karnin, Koren and Somekh 2013; Jamieson and Talwalkar 2016, arXiv:1502.07943) on the
    development questions: all that are left do the same questions, then the worse half of the formations is dropped,
    and the others do twice as many. At each look those shown to be worse than another are dropped too, by an e-value
    (Ville's inequality), so that the best one is ever dropped as worse with a chance of `alpha` at most, however many
    looks there are; and those that surely are within the margin of the single agent and dearer. The single agent is
    always in it. What is left is confirmed once, on held-out questions that nobody has seen, against the single agent
    and against a vote at the same calls.

    tasks: a TaskSet, or what `TaskSet.of` takes. members: agents, roles or names. model: of members that have none of
    their own. formations: what is tried: formations, or by name formations and whole teams (default: `grid`, those
    that so many members can be in). budget: calls, tokens, usd, seconds and concurrency of all of it, reserved before
    each call; seconds are those of this call. scorer: what an answer is worth, or the name of a scorer (default: as
    each item asks). held_out: the part of the tasks that is kept for the confirmation; clusters stay whole. reserve:
    the part of the budget that is. repeats: how often each item is done. seed: of all chance. margin: the smallest
    difference that matters. alpha: of what is dropped and of the verdict. engine, concurrency: as `compare` has them.
    log: where results and runs are kept; with one, a call with the same name goes on, and pays for nothing twice. name:
    the two comparisons are kept as "NAME (development)" and "NAME (held out)". on_progress: called after each attempt.

    Returns what became of each choice, the verdict, and what it means in words; "undecided" where nothing can be told.

    Raises ValidationError and ConfigurationError before anything is spent, also where the budget pays for no question;
    ConfigurationError when the held-out questions of this name have confirmed something else before, for a second look
    would confirm nothing; and what `compare` raises.
    """
    items = tasks if isinstance(tasks, TaskSet) else TaskSet.of(name, tasks)
    for what, value in (("held_out", held_out), ("reserve", reserve)):
        if not 0 < value < 1:
            raise ValidationError(f"{what}={value!r} must be between 0 and 1")
    if not 0 < alpha <= 0.5 or not 0 < margin < 1:
        raise ValidationError(f"alpha={alpha!r} must be in 0..0.5 and margin={margin!r} between 0 and 1")
    funds = Funds(as_limits(budget), reserve, repeats)
    options: dict[str, Any] = {
        "scorer": scorer, "repeats": repeats, "seed": seed, "margin": margin, "engine": engine,
        "concurrency": concurrency, "log": MemoryLog() if log is None else log, "on_progress": on_progress,
    }  # fmt: skip
    course = Course(await choices(members, model, formations), items, held_out, funds, alpha, name, options)
    await course.narrow()
    proof = await course.confirm()
    proven = None if proof is None else summary.of(proof, level=1 - alpha)
    meaning = told(course.finalist, course.single, course.vote, proven, course.stopped)
    return Search(
        name=name, tasks=str(items), seed=seed, margin=margin, alpha=alpha, budget=as_limits(budget),
        spent=funds.spent, tried=tuple(course.report()), looks=tuple(course.looks), finalist=course.finalist,
        against=course.single, confirmation=proven, verdict=meaning.verdict, outcome=meaning.outcome,
        winner=meaning.winner, stopped=course.stopped, text=meaning.text,
    )  # fmt: skip


def search_sync(tasks: Tasks, members: Sequence[Who], **options: object) -> Search:
    """`search` for code that is not async; works inside a running event loop too, so in notebooks.

    tasks, members: as `search` has them. options: its keywords. It raises what `search` does.
    """

    async def work() -> Search:
        return await search(tasks, members, **options)  # type: ignore[arg-type]

    return run_blocking(work)
