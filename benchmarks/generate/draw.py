"""How generated sets are drawn: item i of a seed is always the same item, whatever size is asked for."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

from phalanx.benchmarks.tasks import TaskItem, TaskSet
from phalanx.errors import ValidationError

LEVELS = (1, 2, 3, 4, 5)
TRIES = 200

Drafting = Callable[[random.Random, int], TaskItem]
Document = TypeVar("Document")


def draw(kind: str, drafting: Drafting, n: int, *, seed: int, difficulty: int | None) -> TaskSet:
    """n different questions from `drafting(rng, difficulty)`, whose items need no id.

    difficulty: 1 (easiest) to 5 for all items; None goes through all five in turn. A longer set begins with a shorter
    one of the same seed. Raises ValidationError for a size below 1, an unknown difficulty, or when a level has not
    as many different questions.
    """
    return _draw(kind, lambda _: drafting, n, seed, difficulty)


def draw_about(
    kind: str,
    document: Callable[[random.Random, int], Document],
    asking: Callable[[random.Random, Document], TaskItem],
    n: int,
    *,
    each: int,
    seed: int,
    difficulty: int | None,
) -> TaskSet:
    """As `draw`, with `each` questions about the same document, whose label is their cluster."""

    def about(turn: int) -> Drafting:
        def drafting(rng: random.Random, level: int) -> TaskItem:
            label = f"{kind}-s{seed}-d{level}-doc{turn // each:04d}"
            asked = asking(rng, document(random.Random(label), level))
            return asked.model_copy(update={"cluster": label})

        return drafting

    return _draw(kind, about, n, seed, difficulty)


def item(question: str, gold: str | int | float | bool | tuple[str, ...], scorer: str, **more: object) -> TaskItem:
    """An item whose id is still to be given."""
    return TaskItem.model_validate({"id": "new", "question": question, "gold": gold, "scorer": scorer, **more})


def _draw(kind: str, of: Callable[[int], Drafting], n: int, seed: int, difficulty: int | None) -> TaskSet:
    if n < 1:
        raise ValidationError(f"n={n} must be at least 1")
    if difficulty is not None and difficulty not in LEVELS:
        raise ValidationError(f"difficulty={difficulty!r} must be 1 (easiest) to 5, or None for all in turn")
    items: list[TaskItem] = []
    asked: set[str] = set()
    for place in range(n):
        level = LEVELS[place % len(LEVELS)] if difficulty is None else difficulty
        turn = place // len(LEVELS) if difficulty is None else place
        name = f"{kind}-s{seed}-d{level}-{turn:05d}"
        found = _fresh(of(turn), asked, name, level)
        if found is None:
            raise ValidationError(
                f"{kind} has hardly more than {turn} different questions at difficulty {level}; ask for fewer or harder"
            )
        items.append(found)
    title = f"{kind} (seed {seed})" if difficulty is None else f"{kind} (seed {seed}, difficulty {difficulty})"
    return TaskSet(title, tuple(items))


def _fresh(drafting: Drafting, asked: set[str], name: str, level: int) -> TaskItem | None:
    for attempt in range(TRIES):
        drafted = drafting(random.Random(f"{name}:{attempt}"), level)
        if drafted.text not in asked:
            asked.add(drafted.text)
            return drafted.model_copy(update={"id": name, "difficulty": float(level)})
    return None
