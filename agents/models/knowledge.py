"""What a simulated model knows: questions with one right answer, and who gets them right how often."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from phalanx.errors import ValidationError
from phalanx.settings import nearest

from .chance import Part, beta_quantile, dice, pick, uniform

Known = str | tuple[str, Sequence[str]]
Lookup = Callable[[str], Known | None]
Skill = float | Mapping[str, float]


@dataclass(frozen=True)
class Question:
    """A question with a known answer.

    text: the question. gold: the right answer. options: all answers there are, the right one among them. id: what a
    run calls it (its text, unless its task has a name or an id). Raises ValidationError when the options are fewer
    than two, or the right answer is none of them.
    """

    text: str
    gold: str
    options: tuple[str, ...]
    id: str = ""

    def __post_init__(self) -> None:
        if self.gold not in self.options or len(set(self.options)) < max(2, len(self.options)):
            raise ValidationError(
                f"question {self.text[:60]!r} needs two or more different options, and its gold {self.gold!r} among "
                f"them; it has {self.options!r}"
            )

    @property
    def key(self) -> str:
        """What it is found by: its id, or else its text."""
        return self.id or self.text

    @property
    def wrong(self) -> tuple[str, ...]:
        """The options that are not right, in order."""
        return tuple(option for option in self.options if option != self.gold)


Answers = Mapping[str, Known] | Lookup | Iterable[Question]


def invent(text: str, options: int | Sequence[str] = 4) -> Question:
    """The question that a simulated model takes `text` for when nobody told it the answer.

    Its right answer is one of the options, drawn from the text alone: any scorer finds the same one. When only their
    number is given they are letters: those that the text itself offers, as in "A) yes, B) no", else so many.
    """
    choices = options_of(options)
    if isinstance(options, int):
        choices = _offered(text) or choices
    return Question(text, pick(choices, "gold", text), choices)


def questions(count: int, *, options: int | Sequence[str] = 4, series: int = 0) -> list[Question]:
    """Made-up questions, all different, with the right answers that `SimulatedModel(options=…)` holds for right.

    count: how many. options: the answers to choose from, or their number. series: another number gives others; the
    same one gives the same. Raises ValidationError when there are fewer than two options.
    """
    choices = ", ".join(options_of(options))
    return [invent(f"Question {at} of series {series}: which is right, {choices}?", options) for at in range(count)]


def options_of(options: int | Sequence[str]) -> tuple[str, ...]:
    """Options given by their number or by name. Raises ValidationError when there are fewer than two different."""
    if isinstance(options, int):
        names = tuple(chr(65 + at) if options <= 26 else str(at + 1) for at in range(options))
    else:
        names = tuple(options)
    if len(names) < 2 or len(set(names)) < len(names) or isinstance(options, str):
        raise ValidationError(f"options must be two or more different answers, or their number; not {options!r}")
    return names


_LETTER = re.compile(r"(?:(?<!\w)\(|(?<![\w'(]))([A-Z])\)\s|^\s*([A-Z])[.:]\s", re.MULTILINE)


def _offered(text: str) -> tuple[str, ...]:
    """The letters that a text offers to choose from: A, B, … in order, each once; none when it does not."""
    letters = tuple(first or second for first, second in _LETTER.findall(text))
    in_order = tuple(chr(65 + at) for at in range(len(letters)))
    return letters if len(letters) > 1 and letters == in_order else ()


class Library:
    """The right answers: those it was given; invented ones where it was given none, or its function gives None."""

    def __init__(self, answers: Answers | None, options: int | Sequence[str]) -> None:
        self.options, self._given = options_of(options), options
        self._lookup: Lookup | None = answers if callable(answers) else None
        self._known: dict[str, Known | Question] | None = None
        if isinstance(answers, Mapping):
            self._known = dict(answers)
        elif answers is not None and not callable(answers):
            self._known = {question.key: question for question in answers}

    def question(self, key: str) -> Question:
        """The question with this id or text. Raises ValidationError when answers were given, but none for it."""
        if self._lookup is not None:
            known: Known | Question | None = self._lookup(key)
        elif self._known is not None:
            if key not in self._known:
                raise ValidationError(f"answers= has none for the question {key[:200]!r}{nearest(key, self._known)}")
            known = self._known[key]
        else:
            known = None
        if known is None:
            return invent(key, self._given)
        if isinstance(known, Question):
            return known
        if not isinstance(known, str):
            gold, choices = known
            return Question(key, gold, tuple(choices))
        return Question(key, known, self.options if known in self.options else around(known, len(self.options)))


def around(gold: str, count: int) -> tuple[str, ...]:
    """An open answer with `count` - 1 wrong ones like it: the next numbers, or named alternatives."""
    try:
        number = Decimal(gold)
        wrong = [str(number + step) for step in range(1, count)]
    except InvalidOperation:
        wrong = [f"not {gold}" if at == 1 else f"not {gold} but alternative {at}" for at in range(1, count)]
    return (gold, *wrong)


@dataclass(frozen=True)
class Mind:
    """How often a member is right, and what it says when it is wrong.

    Each question has a chance of being answered right, theta: the skill, or with correlation rho > 0 a draw from
    Beta(p s, (1-p) s), s = 1/rho - 1, at a quantile that all members share, whatever their skill. A wrong answer is
    with probability `distractor` the question's one popular wrong option, else any of the others (None: all wrong
    options are equally likely). Answers of one question are independent given theta, so that the number of right ones
    is beta-binomial (Berg, Condorcet's jury theorem, dependency among jurors, 1993).
    """

    skill: Skill
    correlation: float
    distractor: float | None
    seed: int

    def theta(self, question: Question, member: str) -> float:
        """The chance that this member answers this question right, before it hears from anybody."""
        if isinstance(self.skill, Mapping):
            if member not in self.skill:
                raise ValidationError(f"skill= has no member {member!r}{nearest(member, self.skill)}")
            skill = self.skill[member]
        else:
            skill = self.skill
        if self.correlation == 0 or skill in (0, 1):
            return skill
        difficulty = uniform(self.seed, "difficulty", question.key)
        if self.correlation == 1:
            return 1.0 if difficulty >= 1 - skill else 0.0
        spread = 1 / self.correlation - 1
        return beta_quantile(difficulty, skill * spread, (1 - skill) * spread)

    def draft(self, question: Question, member: str, who: tuple[Part, ...]) -> str:
        """What a member answers by itself; `who` is the key of this one answer."""
        if uniform(*who, "right") < self.theta(question, member):
            return question.gold
        return self.mistake(question, who)

    def mistake(self, question: Question, who: tuple[Part, ...]) -> str:
        """A wrong answer."""
        wrong = question.wrong
        if self.distractor is None or len(wrong) == 1:
            return pick(wrong, *who, "mistake")
        popular = pick(wrong, self.seed, "popular", question.key)
        if uniform(*who, "distracted") < self.distractor:
            return popular
        return pick([option for option in wrong if option != popular], *who, "mistake")


def believed(theta: float, right: bool, who: tuple[Part, ...], *, inflated: bool) -> float:
    """How sure a member says it is of an answer, 0 to 1.

    Calibrated: first answers given with confidence q are right in a share q of cases, because each is drawn as if it
    had its own chance q of being right, q ~ Beta with mean theta and s = 4 (here taken after the fact, from the
    conjugate posterior, so that stating it changes no answer). Inflated: two thirds of the doubt are left out. An
    answer that came of revising or adopting is as sure as a first answer that is as right.
    """
    if theta in (0, 1):
        sure = float(theta)
    else:
        sure = dice(*who, "confidence").betavariate(4 * theta + right, 4 * (1 - theta) + (not right))
    return 1 - (1 - sure) / 3 if inflated else sure


def canonical(answer: str, question: Question) -> str:
    """An answer as one of the question's options when it is one but for case, brackets and marks; else as it is."""
    plain = _plain(answer)
    for option in question.options:
        if _plain(option) == plain:
            return option
    return answer.strip()


_MARKS = re.compile(r"^[\s*_`'\"(\[$]+|[\s*_`'\".)\]$]+$")


def _plain(text: str) -> str:
    return _MARKS.sub("", text).casefold()
