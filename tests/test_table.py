"""The table of formations is made from the code, so that no page can say anything else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from phalanx.formations.kinds import KINDS
from phalanx.teams.table import BEGIN, END, markdown, rows, with_table

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(("page", "pages"), [("README.md", "docs/formations"), ("docs/formations.md", "formations")])
def test_a_page_holds_the_table_as_it_is_made(page: str, pages: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert with_table(text, pages) == text, "make it anew: python -m phalanx.teams.table"
    assert text.count(BEGIN) == 1


def test_every_formation_has_a_row_and_a_page() -> None:
    table = markdown("docs/formations")
    for kind, (constructor, summary, calls) in zip(KINDS, rows(), strict=True):
        assert f"`{constructor}`" in table
        assert summary
        assert calls
        assert (ROOT / "docs" / "formations" / f"{kind}.md").is_file()


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_has_an_example_a_drawing_what_it_costs_when_it_helps_and_every_option(kind: str) -> None:
    page = (ROOT / "docs" / "formations" / f"{kind}.md").read_text(encoding="utf-8")
    for part in (
        "```python\n",
        "```mermaid\n",
        "**Cost.**",
        "**When it helps.**",
        "**When it does not.**",
        "## Sources",
    ):
        assert part in page, part
    # The function of a router has the router's place.
    options = set(KINDS[kind].model_fields) - {"kind", "choose"}
    assert {option for option in options if not re.search(rf"`{option}\b|\b{option}=", page)} == set()


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="here it does 0 times"):
        with_table("# A page", "x")
    assert with_table(f"a {BEGIN} old {END} b", "x") == f"a {markdown('x')} b"
