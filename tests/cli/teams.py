"""Team files that the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

DEBATE = """\
name: panel
members:
  - {name: ada, role: debater}
  - {name: bob, role: debater}
  - {name: cleo, role: debater}
formation: {kind: debate, rounds: 1}
"""

PIPELINE = """\
name: line
members: [{name: ada, role: planner}, {name: bob, role: coder}]
formation: pipeline
"""

LONE = """\
name: lone
members: [{name: ada, role: worker}]
formation: pipeline
"""


def write(folder: Path, text: str, name: str = "team.yaml") -> Path:
    """A team file in a folder."""
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file
