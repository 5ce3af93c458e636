"""One call of a simulated model: who asks what, what it shows, and what the member says to it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from phalanx.messages import (
    Completion,
    FinishReason,
    Price,
    Request,
    ToolCall,
    Usage,
    estimate_request,
    estimate_tokens,
)

from . import speech
from .chance import Part, bits, dice, uniform
from .conduct import Conduct
from .knowledge import Library, Mind, believed
from .reading import Seen, Shown, answer_in, read
from .shapes import UNSET, Schema, Shape

CHOOSING = frozenset({"aggregate", "synthesis", "judge"})
REVISING = frozenset({"revise", "exchange", "rework"})
Spread = tuple[float, float]


@dataclass(frozen=True)
class Habits:
    """What a simulated model knows, how it treats others' work, and how it speaks."""

    library: Library
    mind: Mind
    conduct: Conduct
    confidence: Literal["calibrated", "inflated"] | None
    abstain: float
    unparseable: float
    output_tokens: Spread | None
    latency: Spread
    price: Price | None
    seed: int
    name: str


class Call:
    """One call. Each part of it is worked out when it is needed."""

    def __init__(self, habits: Habits, request: Request) -> None:
        self.habits, self.request, self.about = habits, request, request.about
        key = self.about.question or next((each.content for each in request.messages if each.role == "user"), "")
        self.question = habits.library.question(key)
        # The stage is no part of this key, so that asking for a repair asks for the same answer in another form.
        about = self.about
        self.who: tuple[Part, ...] = (
            habits.seed, about.seed, self.question.key, about.member, about.round, about.attempt,
        )  # fmt: skip
        spoken = sum(message.role == "assistant" for message in request.messages)
        self.this_call: tuple[Part, ...] = (*self.who, about.stage, spoken)

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return _drawn(self.habits.latency, *self.this_call, "latency")

    @cached_property
    def seen(self) -> Seen:
        """The work of others, and its own last answer."""
        return read(self.request, self.question, history=self.about.stage in REVISING or self.about.round > 0)

    @cached_property
    def answer(self) -> str | None:
        """The member's answer to the question; None when it abstains."""
        habits, seen, who = self.habits, self.seen, self.who
        if uniform(*who, "abstain") < habits.abstain:
            return None
        own, peers = seen.own, seen.answers
        if own is None and self.about.stage == "stage" and peers:
            own, peers = peers[-1], ()
        if own is not None:
            return habits.conduct.revised(habits.mind, self.question, own, peers, who)
        if self.about.stage in CHOOSING and self.preferred is not None:
            return self.preferred.answer
        draft = habits.mind.draft(self.question, self.about.member, who)
        return habits.conduct.swayed(draft, peers, who) or draft

    @cached_property
    def preferred(self) -> Shown | None:
        """The candidate it prefers, as a judge."""
        # No round and no attempt: a judge that is shown the same candidates twice, in either order, thinks the same.
        opinion = (self.habits.seed, self.about.seed, self.question.key, self.about.member)
        return self.habits.conduct.preferred(self.question, self.seen.others, opinion)

    @cached_property
    def accepted(self) -> bool:
        """Whether it accepts the answer it is shown, as a verifier."""
        shown = [each for each in self.seen.others if each.answer is not None]
        if shown:
            return self.habits.conduct.accepts(self.question, shown[-1].answer, shown[-1].text, self.who)
        text = next((each.content for each in reversed(self.request.messages) if each.role == "user"), "")
        return self.habits.conduct.accepts(self.question, answer_in(text, self.question), text, self.who)

    @cached_property
    def sure(self) -> float | None:
        """The confidence it states; None when it states none."""
        if self.habits.confidence is None or self.answer is None:
            return None
        theta = self.habits.mind.theta(self.question, self.about.member)
        right = self.answer == self.question.gold
        return believed(theta, right, self.who, inflated=self.habits.confidence == "inflated")

    def completion(self) -> Completion:
        """What comes of it."""
        request = self.request
        if (tool_call := self._tool_call()) is not None:
            return self._completed("", calls=(tool_call,))
        broken = uniform(*self.this_call, "unparseable") < self.habits.unparseable
        text = self._prose(broken) if request.output is None else self._json(request.output.schema_, broken)
        text, was_cut = speech.cut(text, request.max_tokens, request.stop)
        return self._completed(text, finish="length" if was_cut else "stop")

    def _completed(self, text: str, *, finish: FinishReason = "stop", calls: tuple[ToolCall, ...] = ()) -> Completion:
        spoken = text + "".join(json.dumps(call.parameters) for call in calls)
        usage = Usage(1, estimate_request(self.request), estimate_tokens(spoken), estimated=True)
        if self.habits.price is not None:
            usage = usage.priced(self.habits.price)
        finish = "tool_calls" if calls else finish
        return Completion(text=text, tool_calls=calls, usage=usage, finish_reason=finish, model=self.habits.name)

    def _tool_call(self) -> ToolCall | None:
        """The call that `tool_choice` demands; of its own accord it never calls a tool."""
        choice = self.request.tool_choice
        for tool in self.request.tools:
            if choice in ("required", tool.name):
                made = Shape(tool.parameters, self._hint).value()
                number = f"call-{bits(*self.this_call):016x}"
                return ToolCall(id=number, tool_name=tool.name, parameters=made if isinstance(made, dict) else {})
        return None

    def _prose(self, broken: bool) -> str:
        stage = self.about.stage
        if stage == "verify":
            lines = f"Verdict: {'accepted' if self.accepted else 'rejected'}"
        elif stage == "judge":
            chosen = self.preferred
            lines = "Verdict: undecided"
            if chosen is not None:
                lines = f"Verdict: {chosen.label}\n{speech.answer_lines(chosen.answer or '', self.sure)}"
        elif self.answer is None:
            return speech.ABSTENTION
        else:
            lines = speech.answer_lines(self.answer, self.sure)
        tokens = self.habits.output_tokens
        length = None if tokens is None else max(1, round(_drawn(tokens, *self.this_call, "tokens")))
        if not broken:
            return speech.prose(self.this_call, lines, length)
        whole = speech.prose(self.this_call, "", length)
        return whole[:-9] or whole

    def _json(self, schema: Schema, broken: bool) -> str:
        shape = Shape(schema, self._hint)
        made = shape.value()
        asked = shape.resolve(schema).get("properties")
        if self._abstains_from(asked, shape):
            return speech.ABSTENTION
        text = json.dumps(made, ensure_ascii=False)
        return text[: max(1, len(text) * 2 // 3)] if broken else text

    def _abstains_from(self, asked: object, shape: Shape) -> bool:
        """Whether it has no answer and the schema leaves no way to say so."""
        if not isinstance(asked, dict) or self.about.stage in ("verify", "judge", "plan", "review"):
            return False
        wanted = [shape.resolve(part) for name, part in asked.items() if name in speech.ANSWER]
        return bool(wanted) and self.answer is None and self._typed(wanted[0], shape) is UNSET

    def _typed(self, schema: Schema, shape: Shape) -> object:
        answer = self.answer
        if self.about.stage == "judge":
            answer = None if self.preferred is None else self.preferred.answer
        return speech.typed(answer, self.question, schema, shape)

    def _hint(self, name: str, schema: Schema, shape: Shape) -> object:
        """What a field of this name should hold, or UNSET."""
        if name in speech.ANSWER:
            return self._typed(schema, shape)
        if name in speech.SURE:
            return UNSET if self.sure is None else speech.share(self.sure, schema, shape)
        if name in speech.CHOICE or name in ("verdict", "ranking"):
            return self._judgement(name, schema, shape)
        if name in speech.ACCEPTANCE:
            return speech.judged(self.accepted, schema, shape)
        if name in speech.DONE:
            # Done is what has a result: a review of nothing yet sends nobody home.
            finished = self.about.stage == "review" or bool(self.seen.answers)
            return speech.judged(finished, schema, shape)
        if name == "assignments":
            return [] if self.about.stage == "review" else speech.assignments(schema, shape)
        if name in speech.OBJECTION:
            return speech.text_for("" if self.accepted else speech.prose(self.who, "", None), schema, shape)
        if name in speech.REASON:
            return speech.text_for(speech.prose(self.this_call, "", None), schema, shape)
        if name == "quote" and self.preferred is not None:
            return speech.text_for(self.preferred.text.partition("\n")[0], schema, shape)
        return UNSET

    def _judgement(self, name: str, schema: Schema, shape: Shape) -> object:
        others, chosen = self.seen.others, self.preferred
        if name == "verdict" and (verdict := speech.judged(self.accepted, schema, shape)) is not UNSET:
            return verdict
        if not others and name == "choice":
            return self._typed(schema, shape)
        if name == "ranking":
            rest = sorted((each for each in others if each is not chosen), key=lambda each: bits(*self.who, each.text))
            order = [each for each in (chosen, *rest) if each is not None]
            items = shape.resolve(schema.get("items"))
            return [speech.label_for(each, others.index(each), items, shape) for each in order] or UNSET
        at = 0 if chosen is None else others.index(chosen)
        return speech.label_for(chosen, at, schema, shape)


def _drawn(spread: Spread, *key: Part) -> float:
    """A log-normal number with this mean and standard deviation; the mean itself without deviation."""
    mean, deviation = spread
    if not mean or not deviation:
        return mean
    variance = math.log1p((deviation / mean) ** 2)
    return dice(*key).lognormvariate(math.log(mean) - variance / 2, math.sqrt(variance))
