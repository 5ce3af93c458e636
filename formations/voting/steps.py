"""Steps that say whether two texts mean the same by asking something outside: an embedding, a judge of entailment.

They stand where an equivalence takes a relation, and are asked about texts only, after everything that can be read has
been: `Equivalence(relation=ByEmbedding(embed, threshold=0.9))`. What they say of two texts need not be transitive; the
equivalence's policy makes classes of it (by default complete linkage), whatever order the answers came in.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from phalanx.errors import ConfigurationError, ValidationError

from .vectors import Vector, cosine, unit_vectors

if TYPE_CHECKING:
    from phalanx.agents.agent import Agent

Vectors = Sequence[Sequence[float]]
Embed = Callable[[list[str]], "Vectors | Awaitable[Vectors]"]
"""Gives one vector for each of some texts, in their order."""

Entails = Callable[[str, str], "bool | Awaitable[bool]"]
"""Whether whoever says the first text has also said what the second says."""

KEPT = 10_000
ROUNDING = 1e-9


@dataclass(frozen=True)
class ByEntailment:
    """Two texts mean the same when each entails the other (Farquhar et al. 2024, doi 10.1038/s41586-024-07421-0).

    judge: a function of (one, other) that says whether the first entails the second, which may be async; or an agent,
    which is told the task and asked within the run. Each two different texts are judged one way round and, when that
    holds, the other way round; both must hold. Raises ConfigurationError for a judge that is neither.
    """

    judge: Entails | Agent

    def __post_init__(self) -> None:
        if not callable(self.judge) and not hasattr(self.judge, "turn"):
            raise ConfigurationError(
                f"judge={self.judge!r} is no judge: give a function of two texts, or an Agent that says so"
            )

    def __call__(self, one: str, other: str) -> bool:
        """Whether two texts (`one`, `other`) mean the same. Raises what `over` raises."""
        return self.over((one, other))(one, other)

    def over(self, texts: Iterable[str]) -> Compared:
        """All of these `texts` compared now. Raises ConfigurationError when that would have to be waited for."""
        return _now(Compared(self, Direct(waits=False)), texts)


@dataclass(frozen=True)
class ByEmbedding:
    """Two texts mean the same when the vectors that stand for them point the same way.

    embed: a function of a list of texts that gives a vector for each, which may be async. It is called once for all
    texts that are new, and never twice for the same text. It should give the same vectors for the same texts.
    threshold: the least cosine of two that are the same, above 0 and at most 1; what is right depends on the model that
    embeds, so look at pairs of your own. unsure, judge: two whose cosine is at least `unsure`, and below the threshold,
    are put to the judge; the two go together. Raises ConfigurationError for an embed= that is no function,
    ValidationError for numbers that do not fit.
    """

    embed: Embed
    threshold: float = 0.9
    unsure: float | None = None
    judge: ByEntailment | None = None
    _known: dict[str, Vector] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not callable(self.embed):
            raise ConfigurationError(f"embed={self.embed!r} is no function of a list of texts")
        if not 0 < self.threshold <= 1:
            raise ValidationError(f"threshold={self.threshold} is no cosine to ask for; it is above 0, and at most 1")
        if (self.unsure is None) != (self.judge is None):
            raise ValidationError("unsure= and judge= go together: give both or neither")
        if self.unsure is not None and not -1 <= self.unsure < self.threshold:
            raise ValidationError(f"unsure={self.unsure} must be from -1 to below threshold={self.threshold}")
        if self.judge is not None and not isinstance(self.judge, ByEntailment):
            raise ConfigurationError(f"judge={self.judge!r} is no step; write judge=ByEntailment(…)")

    def __call__(self, one: str, other: str) -> bool:
        """Whether two texts (`one`, `other`) mean the same. Raises what `over` raises."""
        return self.over((one, other))(one, other)

    def over(self, texts: Iterable[str]) -> Compared:
        """All of these `texts` compared now.

        Raises ConfigurationError when that would have to be waited for, ValidationError for vectors that are none, and
        what the functions raise.
        """
        return _now(Compared(self, Direct(waits=False)), texts)


Step = ByEmbedding | ByEntailment


class Asks(Protocol):
    """How a step's functions are asked: straight away, or as steps of a run."""

    async def embed(self, step: ByEmbedding, texts: list[str]) -> object:
        """What the step's embedding gives for the texts."""
        ...

    async def entails(self, step: ByEntailment, pairs: Sequence[tuple[str, str]]) -> Sequence[bool | None]:
        """Whether the first of each pair entails the second; None where nobody could say."""
        ...

    def unknown(self, one: str, other: str) -> None:
        """Say, or raise, that two texts were never compared and count as different."""
        ...


class Compared:
    """What a step says of the texts it was asked about, as a relation.

    step: the step. asks: how its functions are asked. key: what is the same for texts that are one to whoever reads
    them, so that only one of them is asked about.
    """

    def __init__(self, step: Step, asks: Asks, key: Callable[[str], object] = str) -> None:
        self.step, self.asks, self.key = step, asks, key
        self.texts: dict[object, str] = {}
        self.vectors: dict[str, Vector] = {}
        self.judged: dict[tuple[str, str], bool] = {}
        self._nears: dict[tuple[str, str], float] = {}

    def __call__(self, one: str, other: str) -> bool:
        """Whether two texts mean the same, by what is known; those never asked about differ, and `asks` is told."""
        here, there = self.texts.get(self.key(one)), self.texts.get(self.key(other))
        if here is None or there is None:
            self.asks.unknown(one, other)
            return False
        if here == there:
            return True
        pair = (here, there) if here < there else (there, here)
        if isinstance(self.step, ByEntailment):
            return self.judged[pair]
        return self._near(pair) >= self.step.threshold - ROUNDING or self.judged.get(pair, False)

    async def learn(self, texts: Iterable[str]) -> None:
        """Compare some texts (`texts`) with each other and with all that came before; raises what the asking raises."""
        fresh: dict[object, str] = {}
        for text in sorted(texts):
            key = self.key(text)
            if key not in self.texts:
                fresh.setdefault(key, text)
        if not fresh:
            return
        everything = sorted([*self.texts.values(), *fresh.values()])
        if len(everything) == 1:
            # There is nothing to compare it with as yet; it is asked about when there is.
            self.texts |= fresh
            return
        step, new = self.step, frozenset(fresh.values())
        if isinstance(step, ByEmbedding):
            length = next((len(each) for each in self.vectors.values()), None)
            names = [text for text in everything if text not in self.vectors]
            vectors = unit_vectors(await self.asks.embed(step, names), names, length)
            self.vectors.update(zip(names, vectors, strict=True))
        pairs = [pair for pair in itertools.combinations(everything, 2) if not new.isdisjoint(pair)]
        if isinstance(step, ByEmbedding):
            pairs = [pair for pair in pairs if self._is_unsure(step, pair)]
        judge = step if isinstance(step, ByEntailment) else step.judge
        if judge is not None and pairs:
            await self._judge(judge, pairs)
        self.texts |= fresh

    def _is_unsure(self, step: ByEmbedding, pair: tuple[str, str]) -> bool:
        if step.unsure is None:
            return False
        return step.unsure - ROUNDING <= self._near(pair) < step.threshold - ROUNDING

    def _near(self, pair: tuple[str, str]) -> float:
        # A count compares the same two many times, and vectors are long.
        if (near := self._nears.get(pair)) is None:
            near = self._nears[pair] = cosine(self.vectors[pair[0]], self.vectors[pair[1]])
        return near

    async def _judge(self, judge: ByEntailment, pairs: Sequence[tuple[str, str]]) -> None:
        said = await self.asks.entails(judge, pairs)
        # The second way round is paid for only where it can matter.
        left = [pair for pair, holds in zip(pairs, said, strict=True) if holds]
        back = await self.asks.entails(judge, [(other, one) for one, other in left]) if left else ()
        both = dict(zip(left, back, strict=True))
        self.judged |= {pair: bool(both.get(pair)) for pair in pairs}


class Direct:
    """A step's functions, called straight away.

    waits: whether what they give may be awaited; without it an async function is an error that says what to do.
    """

    def __init__(self, *, waits: bool) -> None:
        self.waits = waits

    async def embed(self, step: ByEmbedding, texts: list[str]) -> object:
        """What the step's embedding gives for `texts`, of which only those are asked for that it has not given yet."""
        known = step._known
        fresh = [text for text in texts if text not in known]
        if len(known) + len(fresh) > KEPT:
            known, fresh = {}, texts
        if fresh:
            length = next((len(each) for each in known.values()), None)
            given = unit_vectors(await self._given(step.embed(list(fresh)), "embed"), fresh, length)
            known.update(zip(fresh, given, strict=True))
        return [known[text] for text in texts]

    async def entails(self, step: ByEntailment, pairs: Sequence[tuple[str, str]]) -> list[bool | None]:
        """What the step's judge says of `pairs`."""
        if not callable(step.judge):
            raise ConfigurationError("a judge that is an agent is asked within a run: give the equivalence to a team")
        return [as_verdict(await self._given(step.judge(one, other), "judge")) for one, other in pairs]

    def unknown(self, one: str, other: str) -> None:
        """Raise ValidationError: whoever prepares an equivalence names all answers that it is to compare."""
        raise ValidationError(
            f"{one[:40]!r} and {other[:40]!r} were not compared; prepare the equivalence with all answers"
        )

    async def _given(self, given: object, what: str) -> object:
        if not inspect.isawaitable(given):
            return given
        if not self.waits:
            if inspect.iscoroutine(given):
                given.close()
            raise ConfigurationError(
                f"{what}= is async, and nobody can wait for it here: await equivalence.prepared(answers) first, "
                "or give the equivalence to a team"
            )
        return await given


def as_verdict(given: object) -> bool:
    """What a judge gave (`given`), when it is yes or no. Raises ValidationError when it is neither."""
    if isinstance(given, bool):
        return given
    raise ValidationError(f"judge= gave {given!r}; it must give True or False")


def _now(compared: Compared, texts: Iterable[str]) -> Compared:
    work = compared.learn(texts)
    try:
        work.send(None)
    except StopIteration:
        return compared
    work.close()
    raise AssertionError("functions that are called straight away are not waited for")
