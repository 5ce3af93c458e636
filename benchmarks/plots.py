"""Plots for papers, with matplotlib: `pip install 'phalanx[plots]'`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from phalanx.errors import ConfigurationError, ValidationError

from .naming import as_shown
from .summary import Summary
from .svg import is_wide, spots, ticks
from .wording import AN_ITEM

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")
INK, SOFT, HAIR, ACCENT = "#1d1c1a", "#67635b", "#e4dfd4", "#b23a1b"


def cost_plot(summary: Summary, *, width: float = 6.0, height: float = 3.8) -> Figure:
    """Accuracy against cost, with intervals and the Pareto front, as a matplotlib figure.

    summary: of what. width, height: in inches. Raises ValidationError when no system has both an accuracy and a known
    cost, and ConfigurationError without matplotlib.
    """
    summary = as_shown(summary)
    found = spots(summary)
    if not found:
        raise ValidationError(f"no system of {summary.name!r} has both an accuracy and a known cost; nothing to plot")
    figure = _figure(width, height)
    axes = figure.subplots()
    for spot in found:
        colour = ACCENT if spot.on_front else SOFT
        low, high = (spot.y if end is None else end for end in (spot.low, spot.high))
        reach = [[100 * (spot.y - low)], [100 * (high - spot.y)]]
        face = ACCENT if spot.on_front else "white"
        axes.errorbar(spot.x, 100 * spot.y, yerr=reach, fmt="o", ms=5, lw=1, color=colour, mfc=face, mec=colour)
        axes.annotate(
            _name(spot.name),
            (spot.x, 100 * spot.y),
            xytext=(6, 3),
            textcoords="offset points",
            fontsize=7.5,
            color=INK,
            bbox={"facecolor": "white", "linewidth": 0, "pad": 0.4},
        )
    front = [spot for spot in found if spot.on_front]
    xs = [spot.x for spot in front] + [max(spot.x for spot in found)]
    ys = [100 * spot.y for spot in front] + [100 * front[-1].y]
    axes.step(xs, ys, where="post", color=ACCENT, lw=1, alpha=0.5)
    if is_wide([spot.x for spot in found]):
        axes.set_xscale("log")
        marks = ticks([spot.x for spot in found], summary.unit)
        axes.set_xticks([at for at, _ in marks], [label.replace("$", r"\$") for _, label in marks])
        axes.set_xticks([], minor=True)
    else:
        axes.set_xlim(left=0, right=1.25 * max(spot.x for spot in found) or 1)
    axes.set_xlabel(AN_ITEM[summary.unit])
    axes.set_ylabel("accuracy, %")
    _quiet(axes)
    return _signed(figure, summary)


def rounds_plot(summary: Summary, *, width: float = 6.0, height: float | None = None) -> Figure:
    """One draft, the vote of the drafts and the final answer of every system that talked, with intervals.

    summary: of what. width, height: in inches; by default as high as its systems need. Raises ValidationError when no
    system talked in rounds, and ConfigurationError without matplotlib.
    """
    summary = as_shown(summary)
    talked = [each for each in summary.diagnoses if each.rounds]
    if not talked:
        raise ValidationError(f"no system of {summary.name!r} has rounds after its drafts; nothing to plot")
    figure = _figure(width, 1.2 + 0.7 * len(talked) if height is None else height)
    axes = figure.subplots()
    looks = (("one draft", SOFT, "white"), ("vote of the drafts", INK, "white"), ("final answer", ACCENT, ACCENT))
    for at, (label, colour, face) in enumerate(looks):
        for place, diagnosis in enumerate(talked):
            found = (diagnosis.draft, diagnosis.vote, diagnosis.final)[at]
            low, high = (found.value if end is None else end for end in (found.low, found.high))
            reach = [[100 * (found.value - low)], [100 * (high - found.value)]]
            axes.errorbar(
                100 * found.value, place + 0.22 * (at - 1), xerr=reach, fmt="o", ms=5, lw=1,
                color=colour, mfc=face, mec=colour, label=label if place == 0 else None,
            )  # fmt: skip
    axes.set_yticks(range(len(talked)), [_name(each.system) for each in talked])
    axes.set_ylim(len(talked) - 0.5, -0.5)
    axes.set_xlabel("accuracy, %")
    axes.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    _quiet(axes)
    return _signed(figure, summary)


PLOTS: dict[str, Callable[[Summary], Figure]] = {"cost": cost_plot, "rounds": rounds_plot}


def save(summary: Summary, path: Path, *, plot: str = "cost", dpi: int = 200) -> None:
    """Write a plot to a file; the same summary gives the same bytes.

    summary: of what. path: a .png, .svg or .pdf. plot: "cost" (`cost_plot`) or "rounds" (`rounds_plot`). dpi: dots
    per inch of a PNG. Raises ValidationError for another format or plot, ConfigurationError without matplotlib, and
    OSError when the file cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise ValidationError(f"{path.name!r} is no format for plots; end it in {', '.join(FORMATS)}")
    if plot not in PLOTS:
        raise ValidationError(f"plot={plot!r} is none of {', '.join(PLOTS)}")
    figure = PLOTS[plot](summary)
    import matplotlib

    # No date and no random ids: whoever makes it again gets the same file.
    dated: dict[str, dict[str, str | None]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {}}
    with matplotlib.rc_context({"svg.hashsalt": "phalanx", "svg.fonttype": "none"}):
        figure.savefig(path, dpi=dpi, metadata=dated[path.suffix.lower()])


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigurationError("plots need matplotlib; install it with: pip install 'phalanx[plots]'") from None
    # Not through pyplot: no window, no global state, nothing to close.
    return Figure(figsize=(width, height), layout="constrained")


def _quiet(axes: object) -> None:
    from matplotlib.axes import Axes

    if isinstance(axes, Axes):
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(SOFT)
        axes.grid(axis="y", color=HAIR, lw=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(colors=SOFT, labelsize=8, length=0)
        axes.xaxis.label.set(color=INK, size=9)
        axes.yaxis.label.set(color=INK, size=9)


def _signed(figure: Figure, summary: Summary) -> Figure:
    """With n, interval, seed and commit under it: a figure travels without its text."""
    words = f"{summary.origin}; {100 * summary.level:g}% intervals"
    figure.text(0.995, 0.005, _name(words, 160), ha="right", va="bottom", fontsize=6, color=SOFT)
    figure.get_layout_engine().set(rect=(0, 0.04, 1, 0.96))  # type: ignore[union-attr, call-arg]
    return figure


def _name(text: str, most: int = 40) -> str:
    """A name as plain text: a dollar would begin a formula."""
    line = " ".join(text.split())
    return (line if len(line) <= most else line[: most - 1] + "…").replace("$", r"\$")
