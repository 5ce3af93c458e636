"""`phalanx bench SPEC.yaml`: read it, say what it can show, run it, say what it showed."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phalanx.benchmarks import summary, table
from phalanx.benchmarks.compare import compare
from phalanx.benchmarks.gate import Gate, Judged
from phalanx.benchmarks.job import SUITE
from phalanx.benchmarks.judge_spec import JudgeSpec
from phalanx.benchmarks.notes import left_behind
from phalanx.benchmarks.progress import Progress
from phalanx.benchmarks.record import Comparison, Judging
from phalanx.benchmarks.scoring import ByItem, Scorer, scorer_named
from phalanx.benchmarks.spec import Bench, load_bench
from phalanx.benchmarks.statistics.power import plan
from phalanx.benchmarks.summary import Summary
from phalanx.benchmarks.tasks import TaskSet
from phalanx.runtime.limits import Limits

from . import logs, show
from .bench_kept import fresh_name, kept_log, latest
from .bench_view import BenchView, view_for
from .bench_work import Asked, watched
from .exits import COMPLETED, GATE, STOPPED
from .failures import WrongUse, say
from .options import read_limits
from .text import advised, json_line, one_line

if TYPE_CHECKING:
    from phalanx.runtime.log import Log

COMMAND = "phalanx bench"
DISCORDANCE = 0.3
"""On which share of the items two systems are taken to differ, before anything is known."""


@dataclass(frozen=True, kw_only=True)
class Order(Asked):
    """What was typed."""

    fail_if: Sequence[str] = ()
    baselines: bool = True


def run_bench(order: Order) -> int:
    """Run a benchmark; the table, or one JSON object, goes to stdout, all else to stderr.

    Gives 7 when a condition of --fail-if holds, 4 when a limit ended it early, else 0.
    """
    gates = [Gate.read(text) for text in order.fail_if]
    given = read_limits(order.limits)
    logs.configure(order.debug)
    bench = load_bench(order.spec, skip_bad=order.skip_bad, simulate=order.offline)
    for gate in gates:
        gate.check_before(tuple(bench.systems), baselines=order.baselines and bool(bench.spec.baselines))
    scorer = scorer_of(bench.spec.scorer, bench.tasks, allow_code=order.allow_code)
    limits = merged(bench.spec.limits, given)
    order.check()
    log = kept_log() if order.keep else None
    name = _name(bench.name, order, log)
    if not order.quiet:
        _announce(bench, limits)
    view = view_for(show.console(sys.stderr), quiet=order.quiet or order.json)
    found = _run(bench, name, scorer, limits, order, log, view)
    names = tuple(each.name for each in found.systems)
    judged = [gate.judge(found) for gate in gates if gate.fits(names)]
    _show(summary.of(found), found.judging, judged, bench, order)
    # After the report: what was paid for is shown, whatever is wrong with a condition.
    for gate in gates:
        gate.check(names)
    if any(each.held == "yes" for each in judged):
        return GATE
    if found.stopped is not None:
        if order.keep:
            say(one_line(f"to go on: {_with_more(order, found.stopped)}"))
        return STOPPED
    return COMPLETED


def _run(
    bench: Bench, name: str, scorer: Scorer, limits: Limits | None, order: Order, log: Log | None, view: BenchView
) -> Comparison:  # fmt: skip
    said: set[str] = set()

    def told(progress: Progress) -> None:
        for system, many in progress.left_behind.items():
            if system not in said and not order.quiet:
                say(one_line(left_behind(system, many)))
            said.add(system)
        for words in progress.beside:
            if words not in said and not order.quiet:
                say(one_line(words))
            said.add(words)
        view.told(progress)

    def work() -> Awaitable[Comparison]:
        return compare(
            bench.systems, bench.tasks, scorer=scorer, limits=limits, limits_each=bench.spec.limits_each,
            limits_attempt=bench.spec.limits_attempt, repeats=bench.spec.repeats, seed=bench.spec.seed,
            engine=order.engine, concurrency=order.concurrency or bench.spec.concurrency, log=log,
            baselines=bench.spec.baselines if order.baselines else False, margin=bench.spec.margin,
            name=name, on_progress=told,
        )  # fmt: skip

    again = order.again(COMMAND) if order.keep else None
    return watched(work, view, log=log, closing=(*bench.systems.values(), scorer), again=again)


def _announce(bench: Bench, limits: Limits | None) -> None:
    """What it will do, what it can show at best, and whether anybody is really asked."""
    spec, n = bench.spec, len(bench.tasks)
    repeats = "" if spec.repeats == 1 else f", each {spec.repeats} times"
    many = "1 system" if len(bench.systems) == 1 else f"{len(bench.systems)} systems"
    say(f"{one_line(bench.name)}: {many} on {one_line(str(bench.tasks))}{repeats}")
    for bad in bench.tasks.skipped[:3]:
        say(f"left out: {one_line(str(bad))}")
    wanted = spec.margin if spec.margin <= DISCORDANCE else None
    say(str(plan(n, discordance=DISCORDANCE, wanted=wanted)))
    if bench.made_up:
        say("SIMULATED: members without a model of their own make their answers up; no model is asked for them")
    elif limits is None:
        say("nothing limits what this may cost; --limit usd=N does")


def _show(
    found: Summary, judging: Judging | None, judged: Sequence[Judged], bench: Bench, order: Order
) -> None:  # fmt: skip
    if order.json:
        facts = found.model_dump(mode="json") | {
            "simulated": bench.made_up,
            "judging": None if judging is None else judging.model_dump(mode="json"),
            "fail_if": [{"condition": each.gate.text, "held": each.held} for each in judged],
        }
        sys.stdout.write(json_line(facts) + "\n")
        sys.stdout.flush()
    else:
        table.print(found)
    if judging is not None:
        say(one_line(str(judging)))
    if found.stopped is not None:
        say(advised(one_line(found.stopped)))
    for each in judged:
        say(one_line(f"--fail-if {each}"))
    if order.keep and not order.quiet:
        page = f"phalanx bench report {shlex.quote(found.name)} --html report.html"
        say(one_line(f"kept as {found.name}; as a page with every item, prompt and answer: {page}"))


def _with_more(order: Order, stopped: str) -> str:
    """The command that goes on with what a limit ended, and gives it more of what it ran out of.

    A limit that the file sets for single systems is not lifted by `--limit`: it stands in the file.
    """
    again = order.again(COMMAND)
    limit = r"reached its limit of \S+ (calls|tokens|US dollars|seconds)\b"
    names = [{"US dollars": "usd"}.get(each, each) for each in re.findall(limit, stopped)]
    if names and stopped.startswith(f"{SUITE} "):
        return f"{again} --limit {names[0]}=N"
    if names:
        return f"allow more {' and '.join(dict.fromkeys(names))} under limits_each: in {order.spec}, then {again}"
    return again


def scorer_of(name: str | JudgeSpec | None, tasks: TaskSet, *, allow_code: bool) -> Scorer:
    """The scorer of a name, the judge that is asked for, or else the one that scores as each task asks."""
    if isinstance(name, JudgeSpec):
        judge = name.build()
        judge.check(tasks.items)
        return judge
    if name is None:
        by_item = ByItem(allow_code=allow_code)
        by_item.check(tasks.items)
        return by_item
    return scorer_named(name, allow_code=allow_code)


def merged(spec: Limits | None, given: Limits | None) -> Limits | None:
    """The limits of the file, those of the command line before them."""
    if spec is None or given is None:
        return given if spec is None else spec
    return spec.model_copy(update=given.model_dump(exclude_none=True))


def _name(name: str, order: Order, log: Log | None) -> str:
    """The name it is kept under: with --resume that of the last one, else one that nothing is kept under yet."""
    if log is None:
        return name
    if not order.resume:
        return fresh_name(name)
    found = latest(name)
    if found is None:
        raise WrongUse(f"there is no benchmark {name!r} to go on with; leave --resume out")
    return found
