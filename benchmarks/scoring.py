"""What an answer is worth: any function of (answer, item), and what all scorers share."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable, Sequence

from phalanx.errors import ConfigurationError, ValidationError
from phalanx.messages import Data
from phalanx.settings import nearest

from .code import Code
from .matching import Choice, Exact, Numeric, Regex, SetOf
from .score import Score
from .tasks import TaskItem

Worth = Score | float
Scorer = Callable[[str, TaskItem], Worth | Awaitable[Worth]]
"""A function of an answer and its item that gives a Score, a number in 0..1, or whether it is right; sync or async."""

PLAIN: dict[str, Scorer] = {
    "choice": Choice(),
    "exact": Exact(),
    "numeric": Numeric(),
    "regex": Regex(),
    "set": SetOf(),
}


async def score(scorer: Scorer, answer: str | None, item: TaskItem) -> Score:
    """What an answer to an item is worth. No answer (None) is worth 0, and the scorer is not asked.

    Raises whatever the scorer raises, with a note that names the item: a scorer that fails is no wrong answer.
    Raises ValidationError when it gives something that is no score.
    """
    if answer is None:
        return Score(value=0.0, why="no answer")
    try:
        worth = scorer(answer, item)
        if isinstance(worth, Score):
            return worth
        if inspect.isawaitable(worth):
            worth = await worth
    except Exception as failure:
        failure.add_note(f"while scoring item {item.id!r}")
        raise
    if isinstance(worth, Score):
        return worth
    if not isinstance(worth, (int, float)) or not math.isfinite(worth) or not 0 <= worth <= 1:
        raise ValidationError(
            f"the scorer gave {worth!r} for item {item.id!r}; it must give a number in 0..1 or a Score"
        )
    return Score(value=float(worth), read=answer)


async def score_tied(scorer: Scorer, answers: Sequence[str], item: TaskItem) -> Score:
    """What a tie between answers is worth: the expected score of drawing one of them, so no luck is in it.

    Give one answer for each tied class; with k of them and one right it is 1/k. No answers are worth 0.
    """
    if not answers:
        return await score(scorer, None, item)
    found = [await score(scorer, answer, item) for answer in answers]
    if len(found) == 1:
        return found[0]
    reads = [each.read for each in found if each.read is not None]
    return Score(
        value=math.fsum(each.value for each in found) / len(found),
        read=" | ".join(reads) or None,
        why=f"expected score of a tie of {len(found)}",
    )


def compares(scorer: Scorer, items: Sequence[TaskItem]) -> bool:
    """Whether a scorer only compares texts, so that nothing is waited for.

    scorer: which; a function of the user's may wait. items: what it is to score.
    """
    if isinstance(scorer, ByItem):
        return all(usual_scorer(item) != "code" for item in items)
    return type(scorer) in {type(each) for each in PLAIN.values()}


def scorer_named(name: str, *, allow_code: bool = False) -> Scorer:
    """A scorer with its defaults: choice, code, exact, numeric, regex or set.

    Raises ValidationError for another name, and ConfigurationError for "code" without `allow_code`, because it runs
    what models wrote on this machine.
    """
    return Code(allow_code=allow_code) if named(name) == "code" else PLAIN[name]


def named(name: str) -> str:
    """The name itself, if it is that of a scorer. Raises ValidationError, naming the nearest, if it is none."""
    names = sorted([*PLAIN, "code"])
    if name not in names:
        judge = "; a judge is {kind: judge, model: provider/name}" if name == "judge" else ""
        raise ValidationError(f"no scorer {name!r}{nearest(name, names)}; there are: {', '.join(names)}{judge}")
    return name


class ByItem(Data):
    """Each item by the scorer that it names; else choice if it has choices, numeric for a number, exact for text.

    allow_code: whether items may name "code". Raises as `scorer_named` does, and ValidationError for an item without
    a right answer, which only a judge can score.
    """

    allow_code: bool = False

    def __call__(self, answer: str, item: TaskItem) -> Worth | Awaitable[Worth]:
        name = usual_scorer(item)
        return (PLAIN.get(name) or scorer_named(name, allow_code=self.allow_code))(answer, item)

    def check(self, items: Sequence[TaskItem]) -> None:
        """Raise now what would be raised in the middle of a run: an unknown scorer, code that is not allowed."""
        for item in items:
            try:
                scorer_named(usual_scorer(item), allow_code=self.allow_code)
            except (ConfigurationError, ValidationError) as problem:
                problem.add_note(f"item {item.id!r} asks for it")
                raise


def usual_scorer(item: TaskItem) -> str:
    """The name of the scorer an item asks for, or of the one that fits its right answer."""
    if item.scorer is not None:
        return item.scorer
    if item.gold is None:
        raise ValidationError(f"item {item.id!r} has no right answer; score it with a judge or a function of your own")
    if item.choices:
        return "choice"
    numbers = isinstance(item.gold, (int, float)) and not isinstance(item.gold, bool)
    return "numeric" if numbers else "exact"
