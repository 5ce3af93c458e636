"""Logic grids: who has what, from clues that allow exactly one answer."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations, product

from phalanx.benchmarks.tasks import TaskItem, TaskSet

from .draw import draw, item

SIZES = {1: (3, 1), 2: (3, 2), 3: (4, 1), 4: (5, 1), 5: (4, 2)}
NAMES = ["Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana", "Ivo", "Jana"]
SEATS = ["first", "second", "third", "fourth", "fifth"]
KINDS = {
    "keeps the": ["cat", "dog", "owl", "fox", "newt", "hare"],
    "drinks": ["tea", "milk", "cocoa", "water", "juice", "cider"],
    "owns the": ["saw", "hammer", "drill", "rake", "axe", "file"],
    "wears": ["red", "blue", "green", "black", "white", "pink"],
}
RULES: dict[str, Callable[[int, int], bool]] = {
    "is": lambda one, other: one == other,
    "is not": lambda one, other: one != other,
    "sits somewhere left of": lambda one, other: one < other,
    "sits next to": lambda one, other: abs(one - other) == 1,
}

# What a clue speaks of: (0, seat), (1, name), (2 and on, value of an attribute), all by number.
Slot = tuple[int, int]
Clue = tuple[str, Slot, Slot]
# For the names and each attribute, what stands in each seat.
World = tuple[tuple[int, ...], ...]


def logic_grids(n: int, *, seed: int = 0, difficulty: int | None = None) -> TaskSet:
    """People in a row with attributes, and just enough clues; harder grids have more of both and fewer plain clues.

    Every puzzle has one solution, found by trying all, and no clue can be spared. The answer is a name.
    """
    return draw("logic-grids", _grid, n, seed=seed, difficulty=difficulty)


def _grid(rng: random.Random, difficulty: int) -> TaskItem:
    people, attributes = SIZES[difficulty]
    space = _space(people, attributes)
    solution = rng.randrange(len(space.worlds))
    clues = _enough(rng, space, solution, plain_last=difficulty > 2)
    verbs = rng.sample(list(KINDS), attributes)
    words = [SEATS[:people], rng.sample(NAMES, people), *(rng.sample(KINDS[verb], people) for verb in verbs)]
    asked = (rng.randrange(2, attributes + 2), rng.randrange(people))
    world = space.worlds[solution]
    seat = world[asked[0] - 1].index(asked[1])
    lines = [f"{people} people sit in a row of {people} seats, from left to right: {_listed(words[1])}, in some order."]
    for verb, values in zip(verbs, words[2:], strict=True):
        lines.append(f"Each {verb.removesuffix(' the')} one of these, all different: {_listed(values)}.")
    lines += [f"- {_sentence(clue, words, verbs)}" for clue in clues]
    lines.append(f"Who {verbs[asked[0] - 2]} {words[asked[0]][asked[1]]}? Answer with the name.")
    facts = {"people": sorted(words[1]), "clues": len(clues)}
    return item("\n".join(lines), words[1][world[0][seat]], "exact", meta=facts)


def _sentence(clue: Clue, words: list[list[str]], verbs: list[str]) -> str:
    rule, one, other = clue
    if rule == "is" and other[0] > 1:
        text = f"{_called(one, words, verbs)} {verbs[other[0] - 2]} {words[other[0]][other[1]]}."
    else:
        text = f"{_called(one, words, verbs)} {rule} {_called(other, words, verbs)}."
    return text[0].upper() + text[1:]


def _called(slot: Slot, words: list[list[str]], verbs: list[str]) -> str:
    attribute, value = slot
    word = words[attribute][value]
    if attribute == 1:
        return word
    return f"the person in the {word} seat" if attribute == 0 else f"the person who {verbs[attribute - 2]} {word}"


@dataclass(frozen=True)
class Space:
    """All assignments of a size, and of each clue the assignments that it allows, as a bit mask."""

    worlds: list[World]
    clues: dict[Clue, int]


@lru_cache(maxsize=8)
def _space(people: int, attributes: int) -> Space:
    worlds = list(product(permutations(range(people)), repeat=attributes + 1))
    slots = [(attribute, value) for attribute in range(attributes + 2) for value in range(people)]
    where = {(slot, seat): _mask(worlds, slot, seat) for slot in slots for seat in range(people)}
    clues: dict[Clue, int] = {}
    for (rule, holds), one, other in product(RULES.items(), slots, slots):
        ordered = one < other if rule != "sits somewhere left of" else one != other
        sitting = rule.startswith("sits")
        if not ordered or (sitting and one[0] * other[0] == 0) or (not sitting and one[0] == other[0]):
            continue
        mask = 0
        for first, second in product(range(people), repeat=2):
            if holds(first, second):
                mask |= where[one, first] & where[other, second]
        clues[rule, one, other] = mask
    return Space(worlds, clues)


def _mask(worlds: list[World], slot: Slot, seat: int) -> int:
    attribute, value = slot
    if attribute == 0:
        return (1 << len(worlds)) - 1 if seat == value else 0
    bits = "".join("1" if world[attribute - 1][seat] == value else "0" for world in worlds)
    return int(bits[::-1], 2)


def _enough(rng: random.Random, space: Space, solution: int, *, plain_last: bool) -> list[Clue]:
    """True clues that leave only the solution, none of which can be spared."""
    everything, wanted = (1 << len(space.worlds)) - 1, 1 << solution
    true = [clue for clue, mask in space.clues.items() if mask & wanted]
    rng.shuffle(true)
    if plain_last:
        true.sort(key=lambda clue: clue[0] == "is")
    left, chosen = everything, list[Clue]()
    for clue in true:
        if left & space.clues[clue] != left:
            left &= space.clues[clue]
            chosen.append(clue)
        if left == wanted:
            break
    for clue in list(chosen):
        rest = everything
        for other in chosen:
            rest &= space.clues[other] if other != clue else everything
        if rest == wanted:
            chosen.remove(clue)
    rng.shuffle(chosen)
    return chosen


def _listed(words: list[str]) -> str:
    return ", ".join(sorted(words))
