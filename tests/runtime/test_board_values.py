"""What readers are given of a value that can change, and of one that cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict

from phalanx.errors import ValidationError
from phalanx.messages import Data
from phalanx.runtime.board import Blackboard
from phalanx.runtime.entries import Entry
from phalanx.runtime.regions import Region
from phalanx.runtime.values import Known


class Point(Data):
    name: str
    at: float | None = None


class Path(Data):
    points: tuple[Point, ...] = ()
    mode: Literal["on foot", "by train"] = "on foot"


class Basket(Data):
    """Frozen, and yet what it holds can change."""

    fruits: list[str] = []


class Shelf(Data):
    baskets: tuple[Basket, ...] = ()


class Loose(BaseModel):
    name: str


class Open(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


async def written(value: object) -> tuple[Blackboard, Entry]:
    board = Blackboard(regions=[Region("things", type(value))])
    entry = await board.post("things", value, author="ada")
    assert isinstance(entry, Entry)
    return board, entry


async def test_a_value_that_cannot_change_comes_back_equal() -> None:
    path = Path(points=(Point(name="a", at=0.5), Point(name="b")), mode="by train")
    board, entry = await written(path)

    assert entry.value == path
    assert [each.value for each in await board.entries()] == [path]


@pytest.mark.parametrize(
    ("value", "change"),
    [
        (Basket(fruits=["fig"]), lambda value: value.fruits.append("pear")),
        (Shelf(baskets=(Basket(fruits=["fig"]),)), lambda value: value.baskets[0].fruits.append("pear")),
        (Loose(name="a"), lambda value: setattr(value, "name", "b")),
        (Open(tags=["fig"]), lambda value: value.tags.append("pear")),  # type: ignore[call-arg]
    ],
)
async def test_a_reader_that_changes_what_it_was_given_changes_nothing_on_the_board(value: object, change) -> None:  # type: ignore[no-untyped-def]
    original = type(value).model_validate(value.model_dump())  # type: ignore[attr-defined]
    board, entry = await written(value)

    change(entry.value)
    change((await board.entries())[0].value)
    change(value)

    found = await board.read("things")
    assert found is not None
    assert found.value == original


async def test_a_value_that_does_not_fit_its_own_type_is_refused_however_it_was_made() -> None:
    with pytest.raises(ValidationError, match="things"):
        await written(Path.model_construct(mode="by boat"))
    with pytest.raises(ValidationError, match="things"):
        await written(Point(name="far", at=float("inf")))


async def test_a_value_with_its_json_known_is_written_as_if_it_had_been_made_here() -> None:
    path = Path(points=(Point(name="a", at=0.5),))
    plain, entry = await written(path)
    board = Blackboard(regions=[Region("things", Path)])
    known = await board.post("things", Known(path, path.model_dump(mode="json"), path.model_dump_json()), author="ada")

    assert isinstance(known, Entry)
    assert replace(known, time=0.0) == replace(entry, time=0.0)
    assert [each.value for each in await board.entries()] == [each.value for each in await plain.entries()]


@pytest.mark.parametrize(("kind", "value"), [(Path, Point(name="a")), (Basket, Basket())])
async def test_a_known_value_of_another_type_or_one_that_can_change_is_refused(kind: type, value: Data) -> None:
    board = Blackboard(regions=[Region("things", kind)])

    with pytest.raises(ValidationError, match="things"):
        await board.post("things", Known(value, value.model_dump(mode="json"), value.model_dump_json()), author="ada")
    assert await board.entries() == []


async def test_an_entry_is_as_it_stood_at_each_number_in_whatever_order_it_is_read() -> None:
    board = Blackboard(regions=[Region("things", str)])
    base = await board.post("things", "base", author="ada")
    assert isinstance(base, Entry)
    rests = await board.post("things", "rests on it", author="bob", causes=[base])
    assert isinstance(rests, Entry)
    await board.mark(rests, resolved=False)
    await board.mark(rests, resolved=True, pinned=True)
    await board.retract(base, "wrong")
    await board.mark(rests, resolved=False)
    await board.retract(rests, "so it is")

    def facts(entry: Entry) -> tuple[object, ...]:
        return entry.resolved, entry.pinned, entry.stale, entry.retracted, entry.reason

    stood = {
        2: (None, False, False, False, ""),
        3: (False, False, False, False, ""),
        4: (True, True, False, False, ""),
        5: (True, True, True, False, ""),
        6: (False, True, True, False, ""),
        7: (False, True, True, True, "so it is"),
    }
    for at in [7, 2, 6, 3, 5, 4, 4, 7, 5, 2, 3, 6]:
        then = await (await board.at(at)).history("things")
        assert facts(then[-1]) == stood[at], at
