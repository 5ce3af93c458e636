"""What a board holds, as prompts show it: each part is fenced once in a run, however many members are shown it."""

from __future__ import annotations

from collections.abc import Sequence

from phalanx.agents.prompts import fenced
from phalanx.runtime.views import Part


class Fences:
    """The fenced text of every part that was shown in a run."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}

    def around(self, parts: Sequence[Part]) -> str:
        """The `parts` of a view as labelled data, in order; or that there is nothing yet."""
        return "\n\n".join([self._fence(part.label, part.text) for part in parts]) or "(nothing yet)"

    def _fence(self, label: str, text: str) -> str:
        known = self._known.get((label, text))
        if known is None:
            known = self._known[label, text] = fenced(text, label)
        return known
