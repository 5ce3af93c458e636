"""Task sets: questions with known answers, whatever they come from."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import overload

from pydantic import Field, JsonValue, field_validator

from phalanx.errors import ValidationError
from phalanx.messages import Data

Gold = str | int | float | bool | tuple[str | int | float | bool, ...]


class TaskItem(Data):
    """One question with what a right answer is.

    id: stable, so that results of different runs meet. gold: the right answer; several for a set; tests for code;
    None when only a judge can tell. cluster: what it shares with other items (a document, a template), for errors
    that are honest about it; None when it stands alone. choices: of a multiple choice question. difficulty: 1 is
    easiest; None when not known. scorer: the name of the scorer its answers need, if the set mixes kinds. meta:
    anything else; never shown to a model.
    """

    id: str
    question: str
    gold: Gold | None = None
    cluster: str | None = None
    choices: tuple[str, ...] = ()
    difficulty: float | None = None
    scorer: str | None = None
    meta: dict[str, JsonValue] = Field(default_factory=dict)

    @field_validator("id", "question")
    @classmethod
    def _not_blank(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("must not be blank")
        return text

    @property
    def text(self) -> str:
        """The question as it is asked, with lettered choices below it if it has any."""
        lines = [f"{letter(place)}) {choice}" for place, choice in enumerate(self.choices)]
        return "\n".join([self.question, *lines])


class BadRow(Data):
    """A row that was left out: where it stands and what is wrong with it."""

    line: int
    problem: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.problem}"


@dataclass(frozen=True)
class TaskSet(Sequence[TaskItem]):
    """Items under a name. `skipped` lists the rows its reader left out, for reports to count.

    Raises ValidationError when there are no items or two have the same id.
    """

    name: str
    items: tuple[TaskItem, ...]
    skipped: tuple[BadRow, ...] = ()

    def __post_init__(self) -> None:
        if not self.items:
            raise ValidationError(f"task set {self.name!r} has no items")
        twice = [name for name, times in Counter(item.id for item in self.items).items() if times > 1]
        if twice:
            raise ValidationError(f"task set {self.name!r} has more than one item with id {twice[0]!r}")

    @classmethod
    def of(cls, name: str, items: Iterable[TaskItem | tuple[str, Gold] | Mapping[str, object]]) -> TaskSet:
        """A set from Python: TaskItems, (question, gold) pairs, or mappings with the fields of a TaskItem.

        Items without an id get one from their content. Raises ValidationError naming the first item that is wrong.
        """
        found = []
        for place, item in enumerate(items):
            try:
                found.append(_item(item))
            except (TypeError, ValueError) as problem:
                raise ValidationError(f"item {place} of {name!r}: {problem_of(problem)}") from None
        return cls(name, tuple(found))

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, place: int) -> TaskItem: ...
    @overload
    def __getitem__(self, place: slice) -> TaskSet: ...
    def __getitem__(self, place: int | slice) -> TaskItem | TaskSet:
        return replace(self, items=self.items[place]) if isinstance(place, slice) else self.items[place]

    def __iter__(self) -> Iterator[TaskItem]:
        return iter(self.items)

    def __str__(self) -> str:
        groups = len(set(self.clusters or ()))
        counts = [(len(self), "item", ""), (groups, "cluster", ""), (len(self.skipped), "row", " skipped")]
        parts = [
            f"{many} {noun}{'' if many == 1 else 's'}{what}" for many, noun, what in counts if many or noun == "item"
        ]
        return f"{self.name}: {', '.join(parts)}"

    @property
    def clusters(self) -> list[str] | None:
        """One label an item, for the statistics; None when every item stands alone."""
        if all(item.cluster is None for item in self.items):
            return None
        return [_group(item) for item in self.items]

    @property
    def fingerprint(self) -> str:
        """A hash of all items, whatever the set is called and whatever their order."""
        dumps = sorted(item.model_dump_json(exclude_defaults=True) for item in self.items)
        return hashlib.sha256("\n".join(dumps).encode()).hexdigest()[:16]

    def sample(self, n: int, *, seed: int = 0) -> TaskSet:
        """At most n items, drawn by seed, in their original order. Clusters may be cut."""
        if n < 1:
            raise ValidationError(f"n={n} must be at least 1")
        ranks = sorted(self.items, key=lambda item: _rank(seed, item.id))
        chosen = {item.id for item in ranks[:n]}
        return replace(self, items=tuple(item for item in self.items if item.id in chosen))

    def split(self, held_out: float = 0.3, *, seed: int = 0) -> tuple[TaskSet, TaskSet]:
        """A development set and a held-out set with at least that share of the items; clusters stay whole.

        Which cluster goes where depends on the seed and its label alone, not on the order of the items. Raises
        ValidationError when one of the two would be empty.
        """
        if not 0 < held_out < 1:
            raise ValidationError(f"held_out={held_out!r} must be between 0 and 1")
        sizes = Counter(map(_group, self.items))
        chosen: set[str] = set()
        left = held_out * len(self)
        for group in sorted(sizes, key=lambda group: _rank(seed, group)):
            # 0.07 of 100 is 7.000000000000001, and yet 7 items.
            if left <= 1e-9:
                break
            chosen.add(group)
            left -= sizes[group]
        parts = ([item for item in self.items if (_group(item) in chosen) == kept] for kept in (False, True))
        development, test = (tuple(part) for part in parts)
        if not development:
            raise ValidationError(
                f"{self.name!r} has {len(sizes)} clusters, too few to hold {held_out:g} of the items out whole"
            )
        return (
            TaskSet(f"{self.name} (development)", development),
            TaskSet(f"{self.name} (held out)", test),
        )


def content_id(question: str, choices: Sequence[str] = ()) -> str:
    """The id of an item that has none: the same question has the same id in any file, at any place."""
    text = json.dumps([" ".join(question.split()), *choices], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def letter(place: int) -> str:
    """A, B, …, Z, AA, AB, … for 0, 1, …"""
    name = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def problem_of(error: Exception) -> str:
    """What a failed TaskItem says about itself, in one line."""
    from pydantic import ValidationError as Invalid

    if isinstance(error, Invalid):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][:1])
        return f"{where}: {first['msg']}" if where else first["msg"]
    return str(error)


def _item(item: TaskItem | tuple[str, Gold] | Mapping[str, object]) -> TaskItem:
    if isinstance(item, TaskItem):
        return item
    if isinstance(item, Mapping):
        fields = dict(item)
    elif isinstance(item, tuple) and len(item) == 2:
        fields = {"question": item[0], "gold": item[1]}
    else:
        raise TypeError(f"must be a TaskItem, a (question, gold) pair or a mapping, not {type(item).__name__}")
    if "id" not in fields and isinstance(fields.get("question"), str):
        choices = fields.get("choices") or ()
        texts = [str(each) for each in choices] if isinstance(choices, (list, tuple)) else []
        fields["id"] = content_id(str(fields["question"]), texts)
    return TaskItem.model_validate(fields)


def _group(item: TaskItem) -> str:
    return f"item {item.id}" if item.cluster is None else item.cluster


def _rank(seed: int, label: str) -> bytes:
    return hashlib.sha256(f"{seed}:{label}".encode("utf-8", "surrogatepass")).digest()
