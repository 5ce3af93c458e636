"""The table of all formations, made from what each says of itself.

`python -m phalanx.teams.table` prints it as Markdown; the README and docs/formations.md hold it between two marks.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator

from phalanx.formations.base import FormationModel
from phalanx.formations.kinds import KINDS

from .team import AgentTeam

BEGIN, END = "<!-- formations: made by python -m phalanx.teams.table -->", "<!-- end of formations -->"


def rows() -> Iterator[tuple[str, str, str]]:
    """Of each formation: its constructor, what happens, and how many model calls it makes at most."""
    for kind, formation in KINDS.items():
        yield f"AgentTeam.{kind}({', '.join(_first(kind))})", formation.summary, calls_text(formation)


def calls_text(formation: type[FormationModel]) -> str:
    """A formation's number of calls for people: with n members without a special seat, and its options by name."""
    return formation.calls.replace("*", "·")


def markdown(pages: str) -> str:
    """The table as Markdown.

    pages: where the pages of formations are, relative to the file that will hold it.
    """
    lines = [BEGIN, "| constructor | what happens | model calls at most |", "|---|---|---|"]
    for kind, (constructor, summary, calls) in zip(KINDS, rows(), strict=True):
        lines.append(f"| [`{constructor}`]({pages}/{kind}.md) | {summary} | {calls} |")
    return "\n".join([*lines, END])


def with_table(text: str, pages: str) -> str:
    """A Markdown text with the table in place of what stands between its marks.

    text: of the file. pages: as in `markdown`. Raises ValueError when the marks are not there.
    """
    found = re.subn(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: markdown(pages), text, flags=re.DOTALL)
    if found[1] != 1:
        raise ValueError(f"the table stands between {BEGIN!r} and {END!r}, once; here it does {found[1]} times")
    return found[0]


def _first(kind: str) -> Iterator[str]:
    """The names of a constructor's arguments that may stand without their name."""
    for name, parameter in inspect.signature(getattr(AgentTeam, kind)).parameters.items():
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            yield name


if __name__ == "__main__":
    sys.stdout.write(markdown(sys.argv[1] if len(sys.argv) > 1 else "docs/formations") + "\n")
