"""What simulated members choose among: the right answer to each item, and wrong ones that suggest themselves."""

from __future__ import annotations

from collections.abc import Sequence

from phalanx.errors import ValidationError

from .tasks import TaskSet


def simulated_answers(tasks: TaskSet) -> dict[str, tuple[str, tuple[str, ...]]]:
    """What simulated members choose among, by item: the right answer and three that suggest themselves.

    Raises ValidationError for an item whose right answer cannot be said in a word: several, tests, or none.
    """
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for item in tasks:
        gold = item.gold
        if gold is None or isinstance(gold, tuple) or item.scorer == "code":
            raise ValidationError(f"item {item.id!r} cannot be answered by simulated members: it has no single answer")
        found[item.id] = (str(gold), (str(gold), *_others(gold, item.choices)))
    return found


def _others(gold: str | int | float | bool, choices: Sequence[str]) -> list[str]:
    if choices:
        letters = [chr(ord("A") + at) for at in range(len(choices))]
        known = letters if str(gold) in letters else list(choices)
        return [each for each in known if each != str(gold)]
    if isinstance(gold, bool):
        return [str(not gold)]
    if isinstance(gold, int | float):
        return [str(gold + 1), str(gold - 1), str(gold + 10)]
    return [f"not {gold}", f"{gold} or so", "something else"]
