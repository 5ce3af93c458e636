"""The text of a board that fits into a prompt: what matters most first, within a budget, and what was left out."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from phalanx.errors import ValidationError

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
    return Arranged(entries, about).view(reader=reader, tokens=tokens, anonymous=anonymous, seq=seq)


class Arranged:
    """Entries in the order in which `build_view` shows them, which is the same for all who may read them.

    entries, about: as `build_view` takes them.
    """

    __slots__ = ("_groups",)

    def __init__(self, entries: Sequence[tuple[Entry, str]], about: str) -> None:
        looks = [_remembered(text) if len(text) <= _SHORT else _Look(text) for _, text in entries]
        scores = _relevance(looks, about)
        keys = [(*_rank(entry, score), -entry.seq) for (entry, _), score in zip(entries, scores, strict=True)]
        groups: dict[tuple[str, str], tuple[Entry, _Look, list[Entry]]] = {}
        for at in sorted(range(len(entries)), key=keys.__getitem__):
            entry, look = entries[at][0], looks[at]
            if (group := groups.get((entry.region, look.plain))) is None:
                groups[entry.region, look.plain] = entry, look, []
            else:
                group[2].append(entry)
        self._groups = [(entry, look, tuple(others)) for entry, look, others in groups.values()]

    def view(self, *, reader: str, tokens: int, anonymous: bool = False, seq: int) -> View:
        """One reader's view of them; takes, gives and raises what `build_view` does.

        reader, tokens, anonymous, seq: as there.
        """
        if tokens < 0:
            raise ValidationError(f"a view needs a budget of tokens that is not negative, not {tokens}")
        room = most = tokens * 3  # a token is estimated as three bytes
        parts: list[Part] = []
        lines: list[str] = []
        dropped: list[Dropped] = []
        missing = 0
        for entry, look, others in self._groups:
            text, fits = look.text, False
            if len(text) <= room:
                label = _label(entry, others, reader, anonymous)
                body, size = look.block
                size += _size(label) + (4 if lines else 3)  # brackets and line ends
                fits = size <= room
            if fits:
                room -= size
                lines.append(f"{chr(10) if lines else ''}[{label}]\n{body}")
                parts.append(Part(label, text, entry, bool(reader) and entry.author == reader, others))
            else:
                dropped.append(Dropped(entry, "budget"))
                missing += 1
            if others:
                dropped += [Dropped(other, "duplicate") for other in others]
        if missing and lines:
            note = f"\n[{missing} more left out for length]"
            if len(note) <= room:
                lines.append(note)
                room -= len(note)
        return View("".join(lines), tuple(parts), tuple(dropped), (most - room + 2) // 3, seq)


def _rank(entry: Entry, score: float) -> tuple[bool, int, float]:
    if entry.pinned:
        return entry.stale, 0, 0.0
    if entry.resolved is False:
        return entry.stale, 1, 0.0
    return (entry.stale, 2, -score) if score > 0 else (entry.stale, 3, 0.0)


class _Look:
    """A text as views need it. Only read, never changed: a text is looked at by everybody who comes later."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.plain = " ".join(text.split())
        self._found: tuple[frozenset[str], tuple[tuple[str, int], ...]] = (frozenset(), ())

    def of(self, wanted: frozenset[str]) -> tuple[tuple[str, int], ...]:
        """Those of the `wanted` words that stand in it, and how often; remembered for the words last asked for."""
        if self._found[0] is not wanted:
            often: dict[str, int] = {}
            for word in self.words:
                if word in wanted:
                    often[word] = often.get(word, 0) + 1
            self._found = wanted, tuple(often.items())
        return self._found[1]

    @functools.cached_property
    def words(self) -> Sequence[str]:
        """Its words, in order."""
        return _words(self.text)

    @functools.cached_property
    def block(self) -> tuple[str, int]:
        """Every line of it behind "| ", and the size of that in bytes."""
        body = "\n".join([f"| {line}" for line in self.text.splitlines()]) or "| "
        return body, _size(body)


def _relevance(looks: Sequence[_Look], about: str) -> list[float]:
    """How well each text matches the words of `about`: Okapi BM25 (Robertson and Zaragoza 2009), k1 = 1.2, b = 0.75."""
    scores = [0.0] * len(looks)
    wanted = _wanted(about)
    if not wanted:
        return scores
    found: dict[str, list[tuple[int, int]]] = {}
    for at, look in enumerate(looks):
        for word, often in look.of(wanted):
            found.setdefault(word, []).append((at, often))
    if not found:
        return scores
    lengths = [len(look.words) for look in looks]
    usual = sum(lengths) / len(lengths)
    damping = [1.2 * (0.25 + 0.75 * length / usual) for length in lengths]
    # In the order of the words, so that sums are rounded the same however many texts there are.
    for word in sorted(found):
        places = found[word]
        weight = math.log(1 + (len(looks) - len(places) + 0.5) / (len(places) + 0.5))
        for at, often in places:
            scores[at] += weight * often * 2.2 / (often + damping[at])
    return scores


@functools.lru_cache(16)
def _wanted(about: str) -> frozenset[str]:
    return frozenset(_words(about))


@functools.lru_cache(128)
def _remembered(text: str) -> _Look:
    return _Look(text)


_SHORT = 4000
"""Texts of up to so many characters are remembered as they were looked at: some megabytes in all at most."""


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _label(entry: Entry, others: Sequence[Entry], reader: str, anonymous: bool) -> str:
    if not others and not anonymous and entry.author != reader:
        authors = _by(entry.author, entry.role)
    else:
        authors = _authors((entry, *others), reader, anonymous)
    return _labelled(
        entry.seq, entry.region, entry.key, authors, entry.round, entry.pinned, entry.resolved, entry.stale
    )  # fmt: skip


@functools.lru_cache(256)
def _labelled(
    seq: int, region: str, key: str, authors: str, round: int | None, pinned: bool, resolved: bool | None, stale: bool
) -> str:
    label = f"#{seq} {region}"
    if key:
        label += f"/{_plain(key)}"
    if authors:
        label += f", {authors}"
    if round is not None:
        label += f", round {round}"
    if pinned:
        label += ", pinned"
    if resolved is not None:
        label += ", settled" if resolved else ", open"
    return f"{label}, stale: based on something that was taken back" if stale else label


@functools.lru_cache(256)
def _by(author: str, role: str) -> str:
    name = f"{_plain(author)} ({_plain(role)})" if role else _plain(author)
    return f"by {name}" if author else ""


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


@functools.lru_cache(256)
def _plain(name: str) -> str:
    """A name as it is when it cannot be mistaken for more of the label, else in quotes."""
    return name if re.fullmatch(r"[\w./:#@+-]+", name) else '"' + name.replace('"', "'") + '"'


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
