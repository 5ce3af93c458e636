"""Where an entry comes from: the entries its author was shown, and theirs, back to the first."""

from __future__ import annotations

from dataclasses import dataclass

from .entries import Entry


@dataclass(frozen=True, slots=True, eq=False)
class Why:
    """An entry and, in turn, what its author was shown when writing it.

    seq: its number. entry: None when the reader may not see it, and `hidden` says why. causes: in order of number;
    an entry that was shown to several authors is the same object in each place. As text it is an indented tree.
    """

    seq: int
    entry: Entry | None
    hidden: str
    causes: tuple[Why, ...]

    def __str__(self) -> str:
        lines: list[str] = []
        told: set[int] = set()
        ahead: list[tuple[int, Why]] = [(0, self)]
        while ahead:
            depth, why = ahead.pop()
            again = why.seq in told and bool(why.causes)
            lines.append(f"{'  ' * depth}{why.line()}{' (see above)' if again else ''}")
            if not again:
                told.add(why.seq)
                ahead.extend((depth + 1, cause) for cause in reversed(why.causes))
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Why {self.line()}, {len(self.causes)} causes>"

    def line(self) -> str:
        """This entry alone, in one line."""
        if self.entry is None:
            return f"#{self.seq} ({self.hidden})"
        entry = self.entry
        facts = [f"#{entry.seq} {entry.where}", f"by {entry.author}" if entry.author else ""]
        facts += [
            f"retracted: {' '.join(entry.reason.split())}" if entry.retracted else "",
            "stale" if entry.stale else "",
        ]
        return ", ".join(fact for fact in facts if fact)
