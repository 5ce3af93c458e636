"""Benchmarks that are kept, as files for other programs and for papers."""

from __future__ import annotations

from pathlib import Path

from phalanx.benchmarks import export, summary
from phalanx.errors import ValidationError

from .bench_kept import found_name, read_kept
from .exits import COMPLETED
from .failures import WrongUse, check_writable, say
from .text import one_line


def export_bench(given: str, *, to: Path, system: str | None) -> int:
    """Write the attempts of a benchmark to a file, in the format that its ending names."""
    check_writable(to, "--to")
    comparison = read_kept(found_name(given))
    export.write(comparison, to, system=system)
    rows = [each for each in comparison.attempts if system is None or each.system == system]
    unfinished = "" if comparison.stopped is None else f"; it is not whole: {comparison.stopped}"
    say(one_line(f"{to}: {len(rows):,} attempts; questions and answers stand in it in clear text{unfinished}"))
    return COMPLETED


def plot_bench(given: str, *, to: Path, form: str) -> int:
    """Draw what there is to draw of a benchmark into a folder. Raises WrongUse when there is nothing."""
    from phalanx.benchmarks import plots

    known = [ending.removeprefix(".") for ending in plots.FORMATS]
    if form not in known:
        raise WrongUse(f"--format {form!r} is none of: {', '.join(known)}")
    if to.exists() and not to.is_dir():
        raise WrongUse(f"--to {str(to)!r} is a file; give a folder")
    made = summary.of(read_kept(found_name(given)))
    to.mkdir(parents=True, exist_ok=True)
    drawn = 0
    for plot in ("cost", "rounds"):
        path = to / f"{plot}.{form}"
        try:
            plots.save(made, path, plot=plot)
        except ValidationError as nothing:
            say(one_line(f"no {plot} plot: {nothing}"))
            continue
        drawn += 1
        say(one_line(str(path)))
    if not drawn:
        raise WrongUse("there is nothing to plot")
    return COMPLETED
