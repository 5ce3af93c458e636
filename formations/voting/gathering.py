"""What was said, each once, with the places of those who said it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import cast

from phalanx.errors import ValidationError

from .ballots import Ballot, Content, RawBallot, Scores, content_of

Said = dict[Content, list[int]]


def gathered(
    ballots: Sequence[RawBallot], signed: dict[int, Ballot], problems: dict[int, str]
) -> tuple[Said, set[str] | None]:
    """What was said, each once, with the places of those who said it; and who is named, where that is known by now.

    signed: the ballots that are a Ballot, by place; problems: why ballots are invalid, by place; both are added to.
    Plain ballots are put together first and then looked at all at once, which makes a thousand of them cheap; where
    that finds a fault, each is looked at by itself.
    """
    plain: dict[object, list[int]] = {}
    scores: dict[int, dict[str, object]] = {}
    said: Said = {}
    for seat, raw in enumerate(ballots):
        if raw is None:
            continue
        kind = type(raw)
        try:
            if kind is str:
                plain.setdefault(raw, []).append(seat)
            elif kind is list:
                plain.setdefault(tuple(raw), []).append(seat)
            elif kind is set:
                plain.setdefault(frozenset(raw), []).append(seat)
            elif kind is dict:
                scores[seat] = cast("dict[str, object]", raw)
            else:
                if isinstance(raw, Ballot):
                    signed[seat] = raw
                    content = raw.content
                else:
                    content = content_of(raw)
                if content is not None:
                    said.setdefault(content, []).append(seat)
        except ValidationError as problem:
            problems[seat] = str(problem)
        except TypeError:
            problems[seat] = f"{raw!r} holds something that is no candidate; candidates are texts that are not blank"
    named = _sound(plain) if plain else None
    if plain:
        said = merged(said, _one_by_one(plain.items(), problems) if named is None else cast("Said", plain))
    if scores:
        whole = _whole_scores(scores)
        lone = [(raw, [seat]) for seat, raw in scores.items()] if whole is None else []
        said = merged(said, _one_by_one(lone, problems) if whole is None else whole)
    return said, named if said is plain else None


def merged(said: Said, more: Said) -> Said:
    """What was said here or there; the places of each stay in order."""
    if not said:
        return more
    for content, seats in more.items():
        said[content] = sorted(said[content] + seats) if content in said else seats
    return said


def names_in(said: Collection[Content]) -> set[str]:
    """The candidates that are named."""
    kinds = set(map(type, said))
    if kinds == {str}:
        return set(cast("Collection[str]", said))
    if kinds <= {tuple, frozenset}:
        return set[str]().union(*cast("Collection[tuple[str, ...]]", said))
    orders = {content.names if isinstance(content, Scores) else content for content in said}
    return set[str]().union(*((order,) if isinstance(order, str) else order for order in orders))


def _sound(plain: Collection[object]) -> set[str] | None:
    """Who is named, when all of these are sure to be choices, or rankings, or approvals; None when one may not be."""
    kinds = set(map(type, plain))
    if kinds == {tuple}:
        rankings = cast("Collection[tuple[object, ...]]", plain)
        if () in rankings or sum(map(len, map(set, rankings))) < sum(map(len, rankings)):
            return None  # somebody abstains, or is ranked twice
    elif kinds != {str} and kinds != {frozenset}:
        return None
    named = names_in(cast("Collection[Content]", plain))
    return named if _are_names(named) else None


def _one_by_one(given: Iterable[tuple[object, list[int]]], problems: dict[int, str]) -> Said:
    said: Said = {}
    for raw, seats in given:
        try:
            content = content_of(raw)
        except ValidationError as problem:
            problems |= dict.fromkeys(seats, str(problem))
            continue
        if content is not None:
            said[content] = sorted(said[content] + seats) if content in said else seats
    return said


def _whole_scores(given: Mapping[int, dict[str, object]]) -> Said | None:
    """Scores that are all whole numbers; None when one of them is something else."""
    orders: dict[tuple[str, ...], tuple[tuple[str, ...], Callable[[dict[str, object]], tuple[int, ...]]]] = {}
    rows: list[tuple[int, tuple[str, ...], tuple[int, ...]]] = []
    fit: set[str] = set()
    for seat, scores in given.items():
        order = tuple(scores)
        found = orders.get(order)
        if found is None:
            if not (fit.issuperset(order) or _are_names(order)):
                return None
            fit.update(order)
            found = orders[order] = _in_order(tuple(sorted(order)))
        names, scores_in_order = found
        rows.append((seat, names, scores_in_order(scores)))
    # Before equal ones are put together: True is no score, though it equals 1.
    if not set(map(type, chain.from_iterable([values for _, _, values in rows]))) <= {int}:
        return None
    said: Said = {}
    for seat, names, values in rows:
        if names:
            said.setdefault(Scores(names, values), []).append(seat)
    return said


def _in_order(names: tuple[str, ...]) -> tuple[tuple[str, ...], Callable[[dict[str, object]], tuple[int, ...]]]:
    """These names, and how their scores are taken from a ballot."""
    if len(names) > 1:
        return names, cast("Callable[[dict[str, object]], tuple[int, ...]]", itemgetter(*names))
    return names, lambda scores: tuple(cast("Iterable[int]", scores.values()))


def _are_names(names: Iterable[object]) -> bool:
    return all(type(name) is str and name and not name.isspace() for name in names)
