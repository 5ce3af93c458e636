"""The command line: `phalanx`, or `python -m phalanx`."""

from __future__ import annotations


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    from .app import main as run

    run()
