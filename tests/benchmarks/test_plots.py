"""Plots for papers: the right points, the right formats, signed with where they come from."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from phalanx.benchmarks import plots, summary
from phalanx.errors import ConfigurationError, ValidationError
from tests.benchmarks.comparisons import comparison, debate

matplotlib = pytest.importorskip("matplotlib")
np = pytest.importorskip("numpy")

FIRST = [1.0] * 60 + [0.0] * 40
LATER = [1.0] * 80 + [0.0] * 20
ROWS = [[[True, False, False], [True, True, False]], [[True, True, False], [False, True, True]]] * 5


def two() -> summary.Summary:
    return summary.of(comparison({"cheap": FIRST, "d$e$ar": LATER}, calls={"d$e$ar": 20}))


def words(figure: object) -> str:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    assert isinstance(figure, Figure)
    return " ".join(each.get_text() for each in figure.findobj(Text) if isinstance(each, Text))


def test_every_system_stands_at_its_cost_and_accuracy() -> None:
    figure = plots.cost_plot(two())
    (axes,) = figure.axes
    points = [np.asarray(line.get_xydata()).tolist() for line in axes.lines]
    places = {tuple(point[0]) for point in points if len(point) == 1}
    assert {(100.0, 60.0), (2000.0, 80.0)} <= places
    assert axes.get_xscale() == "log"
    assert "tokens an item" in words(figure)


def test_a_plot_says_where_its_numbers_come_from() -> None:
    said = words(plots.cost_plot(two()))
    assert "100 items, 1 repeat, seed 7, Phalanx 1.2.3, commit abc1234; 95% intervals" in said


@pytest.mark.parametrize(("ending", "begins"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_it_is_written_in_each_format_and_the_same_each_time(tmp_path: Path, ending: str, begins: bytes) -> None:
    first, again = tmp_path / f"a{ending}", tmp_path / f"b{ending}"
    plots.save(two(), first)
    plots.save(two(), again)
    assert first.read_bytes().startswith(begins)
    assert first.read_bytes() == again.read_bytes()


def test_a_dollar_in_a_name_is_no_formula(tmp_path: Path) -> None:
    plots.save(two(), tmp_path / "plot.svg")
    assert "d$e$ar" in (tmp_path / "plot.svg").read_text(encoding="utf-8")


def test_the_three_accuracies_of_a_debate_are_drawn() -> None:
    figure = plots.rounds_plot(summary.of(debate(ROWS)))
    for part in ("one draft", "vote of the drafts", "final answer", "debate"):
        assert part in words(figure)
    with pytest.raises(ValidationError, match="no system of 'quiz' has rounds"):
        plots.rounds_plot(two())


def test_nothing_to_plot_and_what_cannot_be_written_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"end it in \.png, \.svg, \.pdf"):
        plots.save(two(), tmp_path / "plot.gif")
    with pytest.raises(ValidationError, match="plot='pie' is none of cost, rounds"):
        plots.save(two(), tmp_path / "plot.png", plot="pie")
    empty = comparison({"a": [1.0]}).model_copy(update={"attempts": ()})
    with pytest.raises(ValidationError, match="nothing to plot"):
        plots.cost_plot(summary.of(empty))


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'phalanx\[plots\]'"):
        plots.cost_plot(two())
