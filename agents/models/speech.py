"""What a simulated member says: prose that ends in its answer, or JSON of the shape asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from phalanx.messages import estimate_tokens

from .chance import Part, dice, pick
from .knowledge import Question, canonical
from .reading import Shown
from .shapes import UNSET, Schema, Shape

# No digits, no single letters, no "the answer is": nothing here may be taken for an answer by a tolerant parser.
_SENTENCES = (
    "Going through the question step by step shows what it really asks for.",
    "Some of the options contradict the facts given, so they can be left out.",
    "What remains has to be weighed against the conditions in the question.",
    "Checking the reasoning backwards from the end leads to the same place.",
    "It helps to look at the special cases first and then at the general one.",
    "One of the usual traps here is to stop before the last condition is used.",
    "Taken together, the evidence points clearly in one direction.",
    "Nothing in the wording of the question speaks against this reading.",
    "The remaining doubt is small compared with what supports this result.",
    "Working it out in another way confirms what was found before.",
    "At first sight another reading looks tempting, but it does not hold.",
    "The definitions matter more here than the numbers that come with them.",
    "Drawing the situation makes the relation between the parts plain.",
    "Leaving out what is not needed makes the question much shorter.",
    "An estimate of the size of the result already rules out most options.",
    "The last step is the one where mistakes are made most easily.",
)
ABSTENTION = "Too little is known here about what the question needs, so no answer can be given."


def prose(who: tuple[Part, ...], last_lines: str, tokens: int | None) -> str:
    """Some reasoning and the last lines; `tokens` long by the estimate that counts offline tokens, if that is given."""
    if tokens is None:
        body = " ".join(dice(*who, "words").sample(_SENTENCES, 4))
    else:
        room = 3 * tokens - len(last_lines.encode("utf-8", "replace")) - (1 if last_lines else 0)
        parts: list[str] = []
        written = 0
        while written < room:
            parts.append(pick(_SENTENCES, *who, "words", len(parts)))
            written += len(parts[-1]) + 1
        body = " ".join(parts)[: max(0, room)].rstrip()
    return "\n".join(part for part in (body, last_lines) if part)


def answer_lines(answer: str, sure: float | None) -> str:
    """The end of a prose answer: how sure, where that is stated, and the answer line."""
    stated = "" if sure is None else f"Confidence: {sure:.0%}\n"
    return f"{stated}Answer: {answer}"


def cut(text: str, tokens: int | None, stop: Sequence[str]) -> tuple[str, bool]:
    """A text up to the first stop sequence and the most tokens allowed, and whether the tokens cut it."""
    ends = [text.find(mark) for mark in stop if mark and mark in text]
    if ends:
        text = text[: min(ends)]
    if tokens is None or estimate_tokens(text) <= tokens:
        return text, False
    return text.encode("utf-8", "replace")[: 3 * tokens].decode("utf-8", "ignore"), True


ANSWER = frozenset({"answer", "final_answer", "solution", "value"})
CHOICE = frozenset({"label", "winner", "best", "preferred", "choice"})
SURE = frozenset({"confidence", "certainty", "probability"})
ACCEPTANCE = frozenset({"accepted", "approved", "accept", "valid", "correct", "passed"})
OBJECTION = frozenset({"objection", "problem", "what_is_wrong"})
REASON = frozenset(
    {"reason", "reasons", "reasoning", "rationale", "explanation", "feedback", "comment", "justification"}
)
DONE = frozenset({"done", "complete", "finished"})
WORKER = ("worker", "member", "agent", "assignee", "name")
_UNDECIDED = frozenset({"undecided", "tie", "draw", "none", "neither", "both", "unknown", "abstain"})


def branches(schema: Schema, shape: Shape) -> Iterator[Schema]:
    """The alternatives of a schema, or the schema alone."""
    for choice in ("anyOf", "oneOf"):
        several = schema.get(choice)
        if isinstance(several, list):
            for one in several:
                yield from branches(shape.resolve(one), shape)
            return
    yield schema


def typed(answer: str | None, question: Question, schema: Schema, shape: Shape) -> object:
    """An answer as the type that a property has; null or no text for none at all; UNSET where it has no such type."""
    for branch in branches(schema, shape):
        values, kind = branch.get("enum"), branch.get("type")
        if answer is None:
            if kind == "null":
                return None
        elif isinstance(values, list):
            for value in values:
                if canonical(str(value), question) == answer:
                    return value
        elif kind == "string":
            return _fitting(answer, branch)
        elif kind in ("integer", "number"):
            try:
                number = float(answer.replace(",", ""))
            except ValueError:
                continue
            if kind == "number" or number.is_integer():
                return int(number) if number.is_integer() else number
        elif kind == "boolean" and answer.casefold() in ("yes", "true", "no", "false"):
            return answer.casefold() in ("yes", "true")
    plain = any(branch.get("type") == "string" and "enum" not in branch for branch in branches(schema, shape))
    return "" if answer is None and plain else UNSET


def text_for(text: str, schema: Schema, shape: Shape) -> object:
    """Some text where a property takes text, else UNSET."""
    for branch in branches(schema, shape):
        if branch.get("type") == "string" and "enum" not in branch:
            return _fitting(text, branch)
    return UNSET


def share(part: float, schema: Schema, shape: Shape) -> object:
    """A share from 0 to 1 on the scale of a number property (its maximum, else 1), or UNSET."""
    for branch in branches(schema, shape):
        if branch.get("type") in ("number", "integer"):
            low, high = branch.get("minimum"), branch.get("maximum")
            bottom = float(low) if isinstance(low, int | float) else 0.0
            top = float(high) if isinstance(high, int | float) else (1.0 if branch.get("type") == "number" else 100.0)
            value = bottom + part * (top - bottom)
            return round(value) if branch.get("type") == "integer" else value
    return UNSET


def label_for(chosen: Shown | None, at: int, schema: Schema, shape: Shape) -> object:
    """The name of the candidate at a place, or of none, as a property can hold it."""
    for branch in branches(schema, shape):
        values = branch.get("enum")
        if isinstance(values, list) and values:
            return _label_among([str(value) for value in values], chosen, at)
        if branch.get("type") == "null" and chosen is None:
            return None
        if branch.get("type") == "string":
            return "undecided" if chosen is None else chosen.label
        if branch.get("type") == "integer" and chosen is not None:
            low = branch.get("minimum")
            return at + (low if isinstance(low, int) else 1)
    return UNSET


def _label_among(values: list[str], chosen: Shown | None, at: int) -> object:
    undecided = [value for value in values if value.casefold() in _UNDECIDED]
    if chosen is None:
        return undecided[0] if undecided else UNSET
    label = chosen.label.casefold()
    for value in values:
        if value.casefold() == label or label.endswith(f" {value.casefold()}"):
            return value
    named = [value for value in values if value not in undecided]
    # The names say nothing about the labels: "first" and "second", or a verdict that is only "decided".
    return named[min(at, len(named) - 1)] if named else UNSET


def judged(accepted: bool, schema: Schema, shape: Shape) -> object:
    """A verifier's yes or no as a property can hold it, or UNSET."""
    for branch in branches(schema, shape):
        if branch.get("type") == "boolean":
            return accepted
        values = branch.get("enum")
        if isinstance(values, list):
            good = [value for value in values if str(value).casefold().startswith(("accept", "approve", "pass", "yes"))]
            if good:
                bad = [value for value in values if value not in good]
                return good[0] if accepted or not bad else bad[0]
    return UNSET


def assignments(schema: Schema, shape: Shape) -> object:
    """One assignment for each member that the items' schema knows, in its order; UNSET where it knows none."""
    for branch in branches(schema, shape):
        items = shape.resolve(branch.get("items"))
        properties = items.get("properties")
        if not isinstance(properties, Mapping):
            continue
        for name in WORKER:
            members = shape.resolve(properties.get(name)).get("enum")
            if isinstance(members, list) and members:
                most = branch.get("maxItems")
                shown = members[:most] if isinstance(most, int) else members
                return [_assignment(properties, shape, name, member, at) for at, member in enumerate(shown, 1)]
    return UNSET


def _assignment(
    properties: Mapping[str, object], shape: Shape, worker: str, member: object, at: int
) -> dict[str, object]:
    known: dict[str, Callable[[], object]] = {
        "id": lambda: f"a{at}",
        worker: lambda: member,
        "task": lambda: "Work on the whole task and report what you find.",
        "depends_on": list,
    }
    return {name: known[name]() if name in known else shape.fill(part) for name, part in properties.items()}


def _fitting(text: str, schema: Schema) -> str:
    least, most = schema.get("minLength"), schema.get("maxLength")
    if isinstance(least, int):
        text = text.ljust(least, ".")
    return text[:most] if isinstance(most, int) else text
