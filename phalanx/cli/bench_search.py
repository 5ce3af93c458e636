"""`phalanx bench search SPEC.yaml`: which formation, if any, is worth its cost for these tasks and members."""

from __future__ import annotations

import re
import sys
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from phalanx.benchmarks import search_table
from phalanx.benchmarks.search import search
from phalanx.benchmarks.search_course import DEVELOPMENT
from phalanx.benchmarks.search_record import Search
from phalanx.benchmarks.search_spec import SearchFile, load_search

from . import logs, show
from .bench_kept import fresh_name, kept_log, names
from .bench_run import merged, scorer_of
from .bench_view import BenchView, view_for
from .bench_work import Asked, watched
from .exits import COMPLETED, STOPPED, UNDECIDED
from .failures import WrongUse, say
from .options import read_limits
from .text import advised, json_line, one_line

if TYPE_CHECKING:
    from phalanx.runtime.limits import Limits
    from phalanx.runtime.log import Log


def run_search(order: Asked) -> int:
    """Search; the table, or one JSON object, goes to stdout, all else to stderr.

    Gives 0 when a formation or the single agent won, 3 when nothing can be told, 4 when that is for want of budget.
    """
    given = read_limits(order.limits)
    logs.configure(order.debug)
    file = load_search(order.spec, skip_bad=order.skip_bad, simulate=order.offline)
    limits = merged(file.spec.limits, given)
    order.check()
    log = kept_log() if order.keep else None
    name = _name(file.name, order, log)
    if not order.quiet:
        _announce(file, limits)
    view = view_for(show.console(sys.stderr), quiet=order.quiet or order.json)
    found = _run(file, name, limits, order, log, view)
    if order.json:
        sys.stdout.write(json_line(found.model_dump(mode="json") | {"simulated": file.made_up}) + "\n")
        sys.stdout.flush()
    else:
        search_table.show(found, file=sys.stdout)
    if found.outcome != "undecided":
        return COMPLETED
    if found.stopped is None:
        return UNDECIDED
    say(advised(one_line(found.stopped)))
    return STOPPED


def _run(
    file: SearchFile, name: str, limits: Limits | None, order: Asked, log: Log | None, view: BenchView
) -> Search:  # fmt: skip
    spec = file.spec
    scorer = scorer_of(spec.scorer, file.tasks, allow_code=order.allow_code)

    def work() -> Awaitable[Search]:
        return search(
            file.tasks, file.members, model=file.model, formations=file.formations, budget=limits, scorer=scorer,
            held_out=spec.held_out, reserve=spec.reserve, repeats=spec.repeats, seed=spec.seed, margin=spec.margin,
            alpha=spec.alpha, engine=order.engine, concurrency=order.concurrency or spec.concurrency, log=log,
            name=name, on_progress=view.told,
        )  # fmt: skip

    again = order.again("phalanx bench search") if order.keep else None
    return watched(work, view, log=log, closing=(*file.members, file.model, scorer), again=again)


def _announce(file: SearchFile, limits: Limits | None) -> None:
    """What it will do, and whether anybody is really asked."""
    members = ", ".join(each.name for each in file.members)
    say(one_line(f"{file.name}: {members} alone, and in {len(file.formations)} formations, on {file.tasks}"))
    for bad in file.tasks.skipped[:3]:
        say(f"left out: {one_line(str(bad))}")
    say(f"{file.spec.held_out:.0%} of the tasks are held out for one confirmation of what is left")
    if file.made_up:
        say("SIMULATED: members without a model of their own make their answers up; no model is asked for them")
    elif limits is None:
        say("nothing limits what this may cost; --limit usd=N does")


def _name(name: str, order: Asked, log: Log | None) -> str:
    """The name it is kept under: with --resume that of the last one, else one that nothing is kept under yet."""
    if log is None:
        return name
    pattern = re.compile(rf"{re.escape(name)}(?:-(\d+))? \({DEVELOPMENT}\)")
    numbers = [int(match[1] or 1) for each in names() if (match := pattern.fullmatch(each))]
    if order.resume and not numbers:
        raise WrongUse(f"there is no search {name!r} to go on with; leave --resume out")
    if not order.resume:
        return fresh_name(name, f" ({DEVELOPMENT})")
    number = max(numbers)
    return name if number == 1 else f"{name}-{number}"
