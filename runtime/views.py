"""The text of a board that fits into a prompt: what matters most first, within a budget, and what was left out."""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from phalanx.errors import ValidationError
from phalanx.messages import estimate_tokens

from .entries import Entry


@dataclass(frozen=True, slots=True)
class Part:
    """One entry in a view. `label` says what it is and whose, in words of ours; `text` is its author's, and only data.

    own: the reader wrote it. others: entries with the same text in the same region, shown through this one.
    """

    label: str
    text: str
    entry: Entry
    own: bool
    others: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Dropped:
    """An entry that a view does not show: it did not fit ("budget"), or its text stands there already ("duplicate")."""

    entry: Entry
    reason: Literal["budget", "duplicate"]


@dataclass(frozen=True, slots=True)
class View:
    """What one member sees of a board at number `seq`.

    text: the parts one after another, each under its label, every line of an author's text behind "| ", so that no
    text can pass for a label. tokens: the estimate of `text`, never more than was asked for. parts: the same, for
    those who fence them otherwise. dropped: what was left out, and why.
    """

    text: str
    parts: tuple[Part, ...]
    dropped: tuple[Dropped, ...]
    tokens: int
    seq: int

    @property
    def included(self) -> tuple[Entry, ...]:
        """The entries shown, in the order of the text, those shown through another's equal text last: an author's
        `causes`."""
        return (*(part.entry for part in self.parts), *(other for part in self.parts for other in part.others))


def build_view(
    entries: Sequence[tuple[Entry, str]],
    *,
    reader: str,
    tokens: int,
    about: str = "",
    anonymous: bool = False,
    seq: int,
) -> View:
    """A view of entries, each with its text, that depends on nothing else: equal arguments give equal views.

    Order: pinned, then open questions (resolved is False), then those whose text has words of `about`, best match
    first, then the rest; newest first among equals, and whatever is stale after all that is not. Entries with the
    same text in one region are shown as one. Each that still fits is taken, whole.
    reader: whose own entries are labelled "you". tokens: the budget of the text, by `estimate_tokens`.
    anonymous: labels name no author and no role. Raises ValidationError when `tokens` is negative.
    """
    if tokens < 0:
        raise ValidationError(f"a view needs a budget of tokens that is not negative, not {tokens}")
    scores = _relevance([text for _, text in entries], about)
    ranked = sorted(range(len(entries)), key=lambda at: (*_rank(entries[at][0], scores[at]), -entries[at][0].seq))
    groups: dict[tuple[str, str], list[int]] = {}
    for at in ranked:
        entry, text = entries[at]
        groups.setdefault((entry.region, " ".join(text.split())), []).append(at)
    room = tokens * 3  # a token is estimated as three bytes
    parts: list[Part] = []
    lines: list[str] = []
    dropped: list[Dropped] = []
    for places in groups.values():
        entry, text = entries[places[0]]
        others = tuple(entries[at][0] for at in places[1:])
        duplicates = [Dropped(other, "duplicate") for other in others]
        if len(text) > room:
            dropped += [Dropped(entry, "budget"), *duplicates]
            continue
        label = _label(entry, others, reader, anonymous)
        block = _block(label, text, first=not lines)
        size = len(block.encode("utf-8", "replace"))
        if size > room:
            dropped += [Dropped(entry, "budget"), *duplicates]
            continue
        room -= size
        lines.append(block)
        parts.append(Part(label, text, entry, bool(reader) and entry.author == reader, others))
        dropped += duplicates
    missing = sum(1 for drop in dropped if drop.reason == "budget")
    if missing and lines:
        note = f"\n[{missing} more left out for length]"
        lines += [note] if len(note) <= room else []
    text = "".join(lines)
    return View(text, tuple(parts), tuple(dropped), estimate_tokens(text), seq)


def _rank(entry: Entry, score: float) -> tuple[bool, int, float]:
    if entry.pinned:
        rank = 0
    elif entry.resolved is False:
        rank = 1
    else:
        rank = 2 if score > 0 else 3
    return entry.stale, rank, -score if rank == 2 else 0.0


def _relevance(texts: Sequence[str], about: str) -> list[float]:
    """How well each text matches the words of `about`: Okapi BM25 (Robertson and Zaragoza 2009), k1 = 1.2, b = 0.75."""
    wanted = set(_words(about))
    if not wanted:
        return [0.0] * len(texts)
    counts = [_remembered(text) if len(text) <= _SHORT else Counter(_words(text)) for text in texts]
    lengths = [sum(count.values()) for count in counts]
    usual = sum(lengths) / len(lengths) if any(lengths) else 1.0
    scores = [0.0] * len(texts)
    for word in sorted(wanted):
        having = sum(1 for count in counts if word in count)
        if having:
            weight = math.log(1 + (len(texts) - having + 0.5) / (having + 0.5))
            for at, count in enumerate(counts):
                if often := count[word]:
                    scores[at] += weight * often * 2.2 / (often + 1.2 * (0.25 + 0.75 * lengths[at] / usual))
    return scores


@functools.lru_cache(128)
def _remembered(text: str) -> Counter[str]:
    # What stands on a board is looked at again by everybody who comes later. Only read, never changed.
    return Counter(_words(text))


_SHORT = 4000
"""Texts up to so many characters have their words remembered: some megabytes in all at most."""


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _label(entry: Entry, others: Sequence[Entry], reader: str, anonymous: bool) -> str:
    where = f"{entry.region}/{_plain(entry.key)}" if entry.key else entry.region
    said = [f"#{entry.seq} {where}", _authors([entry, *others], reader, anonymous)]
    if entry.round is not None:
        said.append(f"round {entry.round}")
    said += [word for word, holds in (("pinned", entry.pinned), ("open", entry.resolved is False)) if holds]
    if entry.resolved:
        said.append("settled")
    if entry.stale:
        said.append("stale: based on something that was taken back")
    return ", ".join(word for word in said if word)


def _authors(entries: Sequence[Entry], reader: str, anonymous: bool) -> str:
    names: dict[str, None] = {}
    unnamed: set[str] = set()
    for entry in entries:
        if reader and entry.author == reader:
            names["you"] = None
        elif entry.author and anonymous:
            unnamed.add(entry.author)
        elif entry.author:
            names[f"{_plain(entry.author)} ({_plain(entry.role)})" if entry.role else _plain(entry.author)] = None
    shown = list(names)
    if unnamed:
        shown.append("a member" if len(unnamed) == 1 else f"{len(unnamed)} members")
    return f"by {' and '.join(shown)}" if shown else ""


def _plain(name: str) -> str:
    """A name as it is when it cannot be mistaken for more of the label, else in quotes."""
    return name if re.fullmatch(r"[\w./:#@+-]+", name) else '"' + name.replace('"', "'") + '"'


def _block(label: str, text: str, *, first: bool) -> str:
    body = "\n".join(f"| {line}" for line in text.splitlines()) or "| "
    return f"{'' if first else chr(10)}[{label}]\n{body}"
