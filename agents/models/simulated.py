"""Simulated members: known skill, correlation and habits, so that formations can be checked against theory."""

from __future__ import annotations

import inspect
import math
from collections.abc import AsyncIterator, Sequence
from typing import Literal

import anyio

from phalanx.errors import ValidationError
from phalanx.messages import Completion, Delta, Price, Request

from .conduct import Conduct, Revise
from .knowledge import Answers, Library, Mind, Skill
from .model import FREE
from .offline import in_pieces
from .simulated_call import Call, Habits, Spread


class SimulatedModel:
    """A model that answers made-up or known questions with a known skill. It costs nothing and says so by its name.

    What it knows:
    skill: the chance that a first answer is right; or one for each member by name. options: how many options a
    question has (for a question of which nothing is known: the letters that its text offers, if it offers any), or
    which. answers: the right answers by question id or text: a mapping or function to the gold answer or to (gold,
    options), or Question objects; without, each question's right answer is invented from its text, and `invent` and
    `questions` give the same one to whoever scores. correlation: the rho of theta ~ Beta that members share question
    by question. distractor: the chance that a wrong answer is the question's popular one.

    How it takes the work of others, which it reads in the prompt's data fences:
    revise_right, revise_wrong: chances a round that a wrong answer becomes right and a right one wrong. stubbornness:
    chance to keep the last answer whatever it reads. sycophancy: chance to adopt the answer most of the group hold.
    revise: a function (own answer, peers' answers, random.Random) -> next answer, instead of these four. judge_skill:
    chance that it prefers a right answer where candidates differ, as a judge, aggregator or synthesising lead.
    position_bias: chance that it prefers the candidate shown first. verifier_sensitivity, verifier_false_positive:
    chance to accept a right and a wrong answer. In a pipeline the previous stage's answer is revised like its own.

    How it speaks:
    confidence: state a confidence, "calibrated" or "inflated" (by default none). abstain: chance to give no answer.
    unparseable: chance that an answer breaks off before its end; asking again helps. output_tokens: length of a
    prose answer, or (mean, standard deviation). latency: seconds, or (mean, standard deviation). price: what it
    pretends to cost. Lengths and delays with a deviation are log-normal.

    All chance comes from `seed`, the run's seed, question, member, round and attempt, never from the order of calls:
    equal settings give equal runs. Two members of one name are one mind; sampling options such as the temperature
    change nothing. An answer without a schema ends in "Answer: …"; with one it is JSON that fits it, where fields such
    as answer, confidence, label, accepted, done and assignments get sensible content, and an answer that does not fit
    its field's type gives way to a made-up value.

    Sources of the processes: docstrings of Mind and Conduct. Raises ValidationError for a setting out of range.
    """

    native_tools = True

    def __init__(
        self,
        skill: Skill = 0.7,
        *,
        options: int | Sequence[str] = 4,
        answers: Answers | None = None,
        correlation: float = 0.0,
        distractor: float | None = None,
        revise_right: float = 0.0,
        revise_wrong: float = 0.0,
        revise: Revise | None = None,
        stubbornness: float = 0.0,
        sycophancy: float = 0.0,
        judge_skill: float = 0.8,
        position_bias: float = 0.0,
        verifier_sensitivity: float = 0.8,
        verifier_false_positive: float = 0.2,
        confidence: Literal["calibrated", "inflated"] | None = None,
        abstain: float = 0.0,
        unparseable: float = 0.0,
        output_tokens: int | Spread | None = None,
        latency: float | Spread = 0.0,
        price: Price | None = None,
        seed: int = 0,
        name: str = "offline/simulated",
    ) -> None:
        for each in [skill] if isinstance(skill, int | float) else skill.values():
            _chance("skill", each)
        if confidence not in (None, "calibrated", "inflated"):
            raise ValidationError(f"confidence must be 'calibrated', 'inflated' or None, not {confidence!r}")
        if revise is not None and (revise_right or revise_wrong or stubbornness or sycophancy):
            raise ValidationError(
                "revise= replaces revise_right, revise_wrong, stubbornness and sycophancy; give it without them"
            )
        self.name = name
        self._habits = Habits(
            library=Library(answers, options),
            mind=Mind(
                skill if isinstance(skill, int | float) else dict(skill),
                _chance("correlation", correlation),
                None if distractor is None else _chance("distractor", distractor),
                seed,
            ),
            conduct=Conduct(
                _chance("revise_right", revise_right),
                _chance("revise_wrong", revise_wrong),
                revise,
                _chance("stubbornness", stubbornness),
                _chance("sycophancy", sycophancy),
                _chance("judge_skill", judge_skill),
                _chance("position_bias", position_bias),
                _chance("verifier_sensitivity", verifier_sensitivity),
                _chance("verifier_false_positive", verifier_false_positive),
            ),
            confidence=confidence,
            abstain=_chance("abstain", abstain),
            unparseable=_chance("unparseable", unparseable),
            output_tokens=None if output_tokens is None else _spread("output_tokens", output_tokens, least=1),
            latency=_spread("latency", latency, least=0),
            price=price,
            seed=seed,
            name=name,
        )

    @property
    def free(self) -> bool:
        """Whether it has no price."""
        return self._habits.price is None

    async def price(self) -> Price:
        """What it pretends to cost."""
        return self._habits.price or FREE

    async def complete(self, request: Request, /) -> Completion:
        call = Call(self._habits, request)
        await anyio.sleep(call.seconds)
        return call.completion()

    async def stream(self, request: Request, /) -> AsyncIterator[Delta]:
        call = Call(self._habits, request)
        completion = call.completion()
        # Half of the time is spent before the first word, the other half while speaking.
        await anyio.sleep(call.seconds / 2)
        pause = call.seconds / 2 / (completion.text.count(" ") + 1)
        async for delta in in_pieces(completion):
            if pause and delta.completion is None:
                await anyio.sleep(pause)
            yield delta

    def __repr__(self) -> str:
        # Whatever makes it answer otherwise: a comparison tells by it whether a system is the one that it knows.
        habits = self._habits
        held = {**vars(habits.mind), **vars(habits.conduct), **vars(habits)}
        said = [f"{name}={held[name]!r}" for name, usual in _usual().items() if held[name] != usual]
        return f"SimulatedModel({', '.join([repr(habits.mind.skill), *said])}, seed={habits.seed})"


def _usual() -> dict[str, object]:
    """The defaults of all settings but those that stand in every repr, or that questions decide."""
    apart = ("self", "skill", "options", "answers", "seed")
    given = inspect.signature(SimulatedModel.__init__).parameters
    return {name: each.default for name, each in given.items() if name not in apart} | {"latency": (0.0, 0.0)}


def _chance(name: str, value: float) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ValidationError(f"{name} must be a probability from 0 to 1, not {value!r}")
    return value


def _spread(name: str, value: float | Spread, *, least: float) -> Spread:
    mean, deviation = value if isinstance(value, tuple) else (value, 0.0)
    if not (math.isfinite(mean) and math.isfinite(deviation) and mean >= least and deviation >= 0):
        raise ValidationError(f"{name} must be a number from {least}, or (mean, standard deviation), not {value!r}")
    return mean, deviation
