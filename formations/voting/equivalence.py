"""Which answers mean the same: read them, compare what was read, and make classes of them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, Self

from pydantic import ConfigDict, Field, field_serializer, model_validator

from phalanx.errors import ConfigurationError, ValidationError
from phalanx.messages import Data

from .codeclass import CodeTests
from .exact import Quantity, exact
from .kinds import DecimalMark, Fallback, Kind, Percent, Policy
from .meaning import KEPT, NUMERIC, WHOLE, are_whole, lookup, read_answer, reader
from .merging import ROUNDING, Comparing, Node, Relation, key_of
from .partition import AnswerClass, Partition, grouped, medoid
from .steps import Compared, Direct, Step

if TYPE_CHECKING:
    from .parse import Reading
    from .steps import Asks


class Equivalence(Data):
    """How answers are read and when two of them mean the same.

    kind: what answers are. "auto" reads each as what it looks like, and merges two only when both were read as the
    same kind of thing with the same value; the others expect one kind, and what cannot be read as it abstains. "code"
    compares programs by what they do in `tests`, and runs them, which `allow_code` must allow.
    fallbacks: where to look when a reply states no answer explicitly: "whole" takes all of it; "line", "bold",
    "choice", "number" guess, and are for replies that end in their answer. options: the choice letters ("ABCD"), or the
    text of each.
    tolerance, absolute_tolerance: how far numbers may be apart, as a share of the larger one or in itself; a tolerance
    of up to 1e-9 is about rounding, and two different whole numbers are then never the same. x = 2 is the same as 2,
    but not as y = 2. units: "compatible" lets 18 and $18 be the same but not 5 km and 5 m, "strict" also asks for the
    same unit, "ignore" looks at numbers as they are written. percent: 50% is 0.5 ("hundredths") or 50 ("plain").
    decimal, day_first: how 1,234 and 3/4/2024 are read; with "auto", 1,2 may be two numbers and is not 1.2 unless
    kind="number" says it is one.
    relation: asked for two texts that differ as written: a function of both, or a step that asks something outside
    (`ByEmbedding`, `ByEntailment`). policy: how classes are made when the relation is not transitive (see
    `partition.grouped`); by default every two texts of a class are related.
    """

    model_config = ConfigDict(validate_default=True)

    kind: Kind | Literal["code"] = "auto"
    fallbacks: tuple[Fallback, ...] = ("whole",)
    options: dict[str, str] | str | None = None
    tolerance: Quantity = ROUNDING
    absolute_tolerance: Quantity = 0
    units: Literal["compatible", "strict", "ignore"] = "compatible"
    percent: Percent = "hundredths"
    decimal: DecimalMark = "auto"
    day_first: bool | None = None
    relation: Relation | None = Field(default=None, repr=False)
    policy: Policy = "complete"
    tests: CodeTests | None = None
    allow_code: bool = False

    @model_validator(mode="after")
    def _options_fit(self) -> Self:
        if (self.kind == "code") != (self.tests is not None):
            raise ValidationError("kind='code' and tests=CodeTests(…) go together")
        if self.kind == "code" and not self.allow_code:
            raise ConfigurationError(
                "kind='code' runs what models wrote on this machine; allow it with allow_code=True"
            )
        return self

    @field_serializer("relation", when_used="unless-none")
    def _relation_is_code(self, relation: Relation) -> str:
        raise ValidationError(f"the relation {relation!r} is a function and cannot be written to a file")

    def __hash__(self) -> int:
        plain = self.model_copy(update={"relation": None})
        return hash((type(self), plain.model_dump_json(), self.relation))

    def read(self, reply: str | None) -> str | None:
        """The final answer in a reply, as it was written; None when there is none to read: an abstention.

        Never a guess that `fallbacks` does not allow, and never evaluated.
        """
        if reply is None:
            return None
        if self.kind in NUMERIC and self.options is None:
            # What a whole number means does not have to be known before it is compared with anything.
            word = reader()[3](reply)
            if word is not None and are_whole((word,)):
                return word
        found = self._meaning(reply, self.fallbacks)
        return None if found is None else found[0]

    def same(self, one: str, other: str) -> bool:
        """Whether two answers are the same; one that cannot be read is the same as none."""
        made = self.classes([one, other])
        return len(made.classes) == 1 and not made.unread

    def classes(self, answers: Sequence[str | None], relation: Relation | None = None) -> Partition:
        """Answers sorted into classes.

        answers: as `read` gives them, None for an abstention; a whole reply that states its answer explicitly will do
        too. relation: used instead of the own one. Raises what the relation raises.
        """
        choices = self._merged(answers, relation)
        members: dict[str, list[int]] = {}
        for at, choice in enumerate(choices):
            if choice is not None:
                members.setdefault(choice, []).append(at)
        made = [AnswerClass(label=label, members=tuple(places)) for label, places in members.items()]
        made.sort(key=lambda each: (-len(each.members), each.label))
        return Partition(classes=tuple(made), choices=choices)

    async def prepared(self, answers: Sequence[str | None]) -> Equivalence:
        """The same equivalence with its step's work done for these answers: it asks nothing any more.

        For a step whose functions are async, where no team awaits them. answers: all that it is to compare, as
        `classes` takes them; to compare another is a ValidationError. Raises what the step's functions raise,
        ValidationError for vectors that are none.
        """
        if not isinstance(self.relation, Step):
            return self
        compared = self.compared(Direct(waits=True))
        await compared.learn(self.texts(answers))
        return self.model_copy(update={"relation": compared})

    def compared(self, asks: Asks) -> Compared:
        """What is known of texts by this equivalence's step, and as yet nothing is; `asks` says how it asks."""
        assert isinstance(self.relation, Step)
        return Compared(self.relation, asks, self._reading)

    def texts(self, answers: Sequence[str | None]) -> list[str]:
        """Those of some `answers` that only a relation can tell the meaning of, each way of writing once, in order."""
        found = [self._meaning(answer) for answer in dict.fromkeys(answers) if answer is not None]
        return sorted({name for name, reading in filter(None, found) if reading.kind == "text"})

    def _reading(self, text: str) -> Reading | None:
        meaning = self._meaning(text)
        return None if meaning is None else meaning[1]

    def choices(self, answers: Sequence[str | None]) -> tuple[str | None, ...]:
        """What `answers` are counted as: the `choices` of their `classes`, without the rest of it."""
        return self._merged(answers, None)

    def _merged(self, answers: Sequence[str | None], relation: Relation | None) -> tuple[str | None, ...]:
        """The label of each answer's class."""
        if relation is None and self._is_exact and are_whole(answers):
            return tuple(answers)
        # Each text is read once and looked up once, however many gave it.
        counts: dict[str, int] = {}
        for answer in answers:
            if answer is not None:
                counts[answer] = counts.get(answer, 0) + 1
        nodes: dict[object, Node] = {}
        node_of: dict[str | None, Node] = {}
        for answer, times in counts.items():
            if (meaning := self._meaning(answer)) is not None:
                text, reading = meaning
                key = key_of(reading)
                if (node := nodes.get(key)) is None:
                    node = nodes[key] = Node(reading)
                node_of[answer] = node
                node.add(text, times)
        relation = relation or self.relation
        if len(nodes) > 1 and not self._are_apart(nodes, relation):
            if isinstance(relation, Step):
                relation = relation.over(node.name for node in nodes.values() if node.reading.kind == "text")
            self._join(list(nodes.values()), relation)
        label_of = {answer: node.label or node.name for answer, node in node_of.items()}
        return tuple([label_of.get(answer) for answer in answers])

    @property
    def _is_exact(self) -> bool:
        """Whether whole numbers that are written the same way are the same, and no others are."""
        return (
            self.kind in NUMERIC and self.relation is None and self.options is None and not self.absolute_tolerance
            and (self.tolerance is ROUNDING or exact(self.tolerance) <= ROUNDING)
        )  # fmt: skip

    def _are_apart(self, nodes: Mapping[object, Node], relation: Relation | None) -> bool:
        """Whether no two of some different readings can be the same by tolerance or relation."""
        if relation is not None:
            return False
        # Whole numbers that are not said to be of anything are equal or they are not.
        is_exact = not self.absolute_tolerance and (self.tolerance is ROUNDING or exact(self.tolerance) <= ROUNDING)
        measures = [(node.reading.kind, key) for key, node in nodes.items() if node.reading.measure is not None]
        if len(measures) < 2:
            return True
        kind = measures[0][0]
        return is_exact and all(
            each == kind and type(key) is tuple and key[1] == key[2] and key[3] == 1 for each, key in measures
        )

    def _join(self, nodes: list[Node], relation: Relation | None) -> None:
        """Give the nodes that make a class their label."""
        nodes.sort(key=lambda node: (-node.weight, node.name))
        judge = Comparing(self, relation, nodes)
        for group in grouped(len(nodes), judge.related, self.policy):
            if len(group) > 1:
                inside = [nodes[at] for at in group]
                at = medoid([node.name for node in inside], [node.weight for node in inside], judge.likeness(group))
                for node in inside:
                    node.label = inside[at].name

    def firm(self, answers: Sequence[str | None]) -> tuple[bool, ...]:
        """Which answers are sure to stay together, and apart from those of other classes, whatever answers follow.

        Where equality is not transitive (7 is 7 km, and 7 m), an answer that comes later can move one from its class
        to another. Of each class those are firm that mean what most in it mean; none are where two classes could yet
        become one. answers: as in `classes`. Raises what the relation raises.
        """
        meanings = [None if answer is None else self._meaning(answer) for answer in answers]
        readings = [None if meaning is None else meaning[1] for meaning in meanings]
        choices = self.choices(answers)
        inside: dict[str, Counter[Reading]] = {}
        for choice, reading in zip(choices, readings, strict=True):
            if choice is not None and reading is not None:
                inside.setdefault(choice, Counter())[reading] += 1
        heads = {choice: found.most_common(1)[0][0] for choice, found in inside.items()}
        if self.policy != "complete":
            # Later answers may join any two classes.
            alike = len({*readings} - {None}) == 1
            return tuple(alike and reading is not None for reading in readings)
        if any(len(found) > 1 for found in inside.values()):
            texts = [meanings[readings.index(head)] for head in heads.values()]
            names = [text[0] for text in texts if text is not None]
            if any(self.same(one, other) for one, other in itertools.combinations(names, 2)):
                return (False,) * len(answers)
        return tuple(
            choice is not None and reading == heads[choice] for choice, reading in zip(choices, readings, strict=True)
        )

    def undecided(self, answers: Sequence[str | None]) -> list[tuple[str, str]]:
        """The pairs of texts that only a relation could merge: what a judge would have to be asked, in sorted order.

        Ask it, in both orders, and hand the verdicts to `classes` as a relation.
        """
        found = [each for each in (self._meaning(answer) for answer in answers if answer is not None) if each]
        texts: dict[Reading, str] = {}
        for name, reading in sorted(found, key=lambda each: each[0]):
            texts.setdefault(reading, name)
        names = sorted(name for reading, name in texts.items() if reading.kind == "text")
        return [(one, other) for at, one in enumerate(names) for other in names[at + 1 :]]

    def _meaning(self, answer: str, fallbacks: Sequence[Fallback] = WHOLE) -> tuple[str, Reading] | None:
        """An answer as it was written, and what it means.

        Where any answer will do only the last statement counts; where one kind is expected, the last of that kind.
        """
        if self.kind == "code":
            assert self.tests is not None
            return self.tests.read(answer)
        options = tuple(self.options.items()) if isinstance(self.options, dict) else self.options
        if answer.isalnum() and fallbacks == WHOLE:
            # Nothing stands around letters and digits alone: it is what was found in a reply, and is looked up again.
            found = lookup(answer)(answer, self.kind, options, self.decimal, self.day_first, self.percent)
            return None if found is None else (answer, found)
        read = read_answer if len(answer) <= KEPT else read_answer.__wrapped__
        return read(answer, tuple(fallbacks), self.kind, options, self.decimal, self.day_first, self.percent)


EQUIVALENCE = Equivalence.model_construct(set(), absolute_tolerance=Fraction(0))
"""`Equivalence()`, without building a validator when formations are imported."""
