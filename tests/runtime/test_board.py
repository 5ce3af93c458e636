"""Writing to a blackboard: types, policies, conflicts, batches, quotas, and writing once after a crash."""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr

from phalanx.errors import AccessDenied, BoardConflict, LogError, ReplayDivergence, ValidationError
from phalanx.runtime.board import Blackboard
from phalanx.runtime.entries import Conflict, Entry, Post
from phalanx.runtime.log import MemoryLog
from phalanx.runtime.regions import Identity, Policy, QuotaExceeded, Region


class Fact(BaseModel):
    text: str
    since: date | None = None


class Level(Enum):
    LOW = 1


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)

    since: date
    kinds: tuple[str, ...] = ()


def board_with(*regions: Region) -> Blackboard:
    return Blackboard(regions=regions, clock=lambda: 1000.0)


def entry(result: Entry | Conflict) -> Entry:
    assert isinstance(result, Entry), result
    return result


def conflict(result: Entry | Conflict | list[Entry]) -> Conflict:
    assert isinstance(result, Conflict), result
    return result


def values(entries: list[Entry]) -> list[object]:
    return [each.value for each in entries]


async def test_an_entry_says_what_was_written_by_whom_when_and_after_seeing_what() -> None:
    board = board_with(Region("facts", Fact))
    seen = entry(await board.post("facts", Fact(text="water is wet")))
    posted = entry(
        await board.post(
            "facts", Fact(text="so is rain"), key="rain", author="ada", role="researcher", round=2, causes=[seen],
            op="a/1", pinned=True, resolved=False, visibility="role:judge",
        )
    )  # fmt: skip
    assert posted == Entry(
        region="facts", key="rain", version=1, seq=2, value=Fact(text="so is rain"), author="ada", role="researcher",
        round=2, causes=(1,), tokens=posted.tokens, time=1000.0, op="a/1", visibility="role:judge", pinned=True,
        resolved=False, stale=False, retracted=False, reason="",
    )  # fmt: skip
    assert posted.tokens == len('{"text":"so is rain","since":null}') // 3 + 1
    assert posted.where == "facts/rain@1"
    assert await board.read("facts", "rain") == posted


async def test_making_a_board_reads_and_writes_nothing() -> None:
    log = MemoryLog()
    board = Blackboard(log, "board/x", [Region("facts", Fact)])
    assert await log.streams() == []
    assert board.seq == 0
    await board.post("facts", Fact(text="a"))
    assert await log.streams() == ["board/x"]


async def test_a_log_keeps_every_value_in_order() -> None:
    board = board_with(Region("notes", str))
    for text in ("one", "two", "one"):
        await board.post("notes", text, author="ada")
    assert values(await board.entries("notes")) == ["one", "two", "one"]
    assert [each.version for each in await board.entries("notes")] == [1, 2, 3]
    newest = await board.read("notes")
    assert newest is not None
    assert newest.version == 3


@pytest.mark.parametrize("policy", ["register", "map"])
async def test_a_second_writer_that_did_not_see_the_first_gets_a_conflict(policy: Policy) -> None:
    board = board_with(Region("plan", str, policy))
    first = entry(await board.post("plan", "go left", key="a", author="ada"))
    clash = conflict(await board.post("plan", "go right", key="a", author="bob"))
    assert clash == Conflict("plan", "a", None, 1, first)
    assert values(await board.history("plan")) == ["go left"]
    second = entry(await board.post("plan", "go right", key="a", author="bob", expect=first.version))
    assert (second.version, second.value) == (2, "go right")
    assert conflict(await board.post("plan", "stay", key="a", author="ada", expect=1)).current == second
    assert values(await board.entries("plan")) == ["go right"]
    assert values(await board.history("plan")) == ["go left", "go right"]


async def test_a_conflict_can_be_raised_with_all_it_knows() -> None:
    board = board_with(Region("plan", str, "register"))
    first = entry(await board.post("plan", "a"))
    error = conflict(await board.post("plan", "b", expect=7)).error()
    assert isinstance(error, BoardConflict)
    assert (error.where, error.expected, error.current) == ("plan", 7, first)


async def test_expecting_nothing_and_expecting_what_is_not_there_are_told_apart() -> None:
    board = board_with(Region("plan", str, "register"))
    assert conflict(await board.post("plan", "a", expect=1)) == Conflict("plan", "", 1, 0, None)
    assert entry(await board.post("plan", "a", expect=0)).version == 1
    assert conflict(await board.post("plan", "b", expect=0)).version == 1


async def test_last_writer_wins_where_it_was_asked_for_and_still_honours_expect() -> None:
    board = board_with(Region("status", str, "last_writer_wins"))
    await board.post("status", "drafting", author="ada")
    await board.post("status", "done", author="bob")
    assert values(await board.entries("status")) == ["done"]
    assert conflict(await board.post("status", "late", author="ada", expect=1)).version == 2


async def test_a_log_and_a_counter_honour_expect_when_it_is_given() -> None:
    board = board_with(Region("notes", str), Region("hits", int, "counter"))
    await board.post("notes", "a")
    await board.post("hits", 1)
    assert conflict(await board.post("notes", "b", expect=0)).version == 1
    assert conflict(await board.post("hits", 1, expect=0)).version == 1
    assert entry(await board.post("notes", "b", expect=1)).version == 2
    assert entry(await board.post("hits", 1, expect=1)).value == 2


async def test_a_set_keeps_equal_values_of_one_key_once() -> None:
    board = board_with(Region("tags", dict[str, int], "set"))
    first = entry(await board.post("tags", {"a": 1, "b": 2}, author="ada"))
    again = entry(await board.post("tags", {"b": 2, "a": 1}, author="bob"))
    other_key = entry(await board.post("tags", {"a": 1, "b": 2}, key="k"))
    assert again == first
    assert other_key.seq != first.seq
    await board.retract(first, "wrong")
    back = entry(await board.post("tags", {"a": 1, "b": 2}, author="bob"))
    assert (back.version, back.author) == (2, "bob")


async def test_an_untyped_set_tells_a_number_from_its_text() -> None:
    board = board_with(Region("tags", policy="set"))
    await board.post("tags", 1)
    await board.post("tags", "1")
    assert values(await board.entries("tags")) == [1, "1"]


async def test_counters_add_up_key_by_key_whoever_counts() -> None:
    board = board_with(Region("hits", int, "counter"), Region("score", float, "counter"))
    await board.post("hits", 2, author="ada")
    third = entry(await board.post("hits", 3, author="bob"))
    await board.post("hits", 10, key="other")
    assert third.value == 5
    assert [(each.key, each.value) for each in await board.entries("hits")] == [("", 5), ("other", 10)]
    assert values(await board.history("hits/")) == [2, 5]
    await board.retract(1, "counted twice")
    assert values(await board.entries("hits/")) == [3]
    await board.post("score", 0.5)
    assert entry(await board.post("score", -0.25)).value == 0.25


async def test_values_are_validated_when_written_and_come_back_as_their_type() -> None:
    board = board_with(
        Region("facts", Fact), Region("strict", Strict), Region("n", int), Region("kind", Literal["a", "b"])
    )
    from_dict = entry(await board.post("facts", {"text": "x", "since": "2020-01-02"}))
    assert from_dict.value == Fact(text="x", since=date(2020, 1, 2))
    strict = Strict(since=date(2020, 1, 2), kinds=("k",))
    assert entry(await board.post("strict", strict)).value == strict
    with pytest.raises(ValidationError, match=r"'facts' holds Fact: text: Field required"):
        await board.post("facts", {"since": None})
    with pytest.raises(ValidationError, match="'n' holds int"):
        await board.post("n", "three")
    with pytest.raises(ValidationError, match="'kind' holds"):
        await board.post("kind", "c")
    assert values(await board.entries("facts")) == [from_dict.value]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (object, object()),
        (object, (1, 2)),
        (object, {1: "a"}),
        (object, Fact(text="x")),
        (object, float("nan")),
        (float, float("inf")),
        (object, {"deep": [float("inf")]}),
        (SecretStr, SecretStr("hunter2")),
        (bytes, b"\xff"),
        (str, "half a pair: \ud800"),
        (object, {"key": "\ud800"}),
    ],
)
async def test_a_value_that_would_not_come_back_equal_is_refused(kind: object, value: object) -> None:
    board = board_with(Region("r", kind))
    with pytest.raises(ValidationError, match="region 'r'"):
        await board.post("r", value)
    assert await board.history("r") == []


async def test_a_subclass_whose_fields_would_be_lost_is_refused() -> None:
    class Sourced(Fact):
        source: str

    board = board_with(Region("facts", Fact))
    with pytest.raises(ValidationError, match="does not come back equal"):
        await board.post("facts", Sourced(text="a", source="b"))


async def test_changing_what_was_posted_or_read_changes_nothing_on_the_board() -> None:
    board = board_with(Region("lists", list[dict[str, object]]), Region("any"))
    mine: list[dict[str, object]] = [{"a": [1]}]
    await board.post("lists", mine)
    await board.post("any", {"deep": mine})
    mine[0]["a"] = "changed"
    for region in ("lists", "any"):
        got = await board.read(region)
        assert got is not None
        shown = repr(got.value)
        assert "[1]" in shown
        assert isinstance(got.value, list | dict)
        got.value.clear()
        again = await board.read(region)
        assert again is not None
        assert repr(again.value) == shown


async def test_a_region_nobody_declared_is_an_error_that_names_the_nearest() -> None:
    board = board_with(Region("facts", str))
    with pytest.raises(ValidationError, match="did you mean 'facts'"):
        await board.post("fact", "x")
    with pytest.raises(ValidationError, match="did you mean 'facts'"):
        await board.read("fact")
    with pytest.raises(ValidationError, match="no region"):
        await board.entries("fact")
    board.declare(Region("fact", str))
    board.declare(Region("fact", str))
    assert await board.entries("fact") == []
    with pytest.raises(ValidationError, match="already declared"):
        board.declare(Region("fact", int))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Region("a/b"),
        lambda: Region(""),
        lambda: Region("a*"),
        lambda: Region("a", policy="registre"),  # type: ignore[arg-type]
        lambda: Region("a", str, "counter"),
        lambda: Region("a", reads=("judge",)),
        lambda: Region("a", writes=("role:",)),
        lambda: Region("a", max_tokens=-1),
        lambda: Identity(""),
        lambda: Identity("two\nlines"),
    ],
)
def test_a_region_or_identity_that_cannot_be_is_refused_when_it_is_made(make: object) -> None:
    assert callable(make)
    with pytest.raises(ValidationError):
        make()


async def test_what_a_policy_cannot_do_is_refused_and_never_ignored() -> None:
    board = board_with(
        Region("map", str, "map"),
        Region("set", str, "set"),
        Region("votes", str, "ballots"),
        Region("n", int, "counter"),
    )
    with pytest.raises(ValidationError, match="say which key"):
        await board.post("map", "a")
    with pytest.raises(ValidationError, match="takes no expect"):
        await board.post("set", "a", expect=0)
    with pytest.raises(ValidationError, match="takes no expect"):
        await board.post("votes", "a", author="ada", expect=0)
    with pytest.raises(ValidationError, match="needs an author"):
        await board.post("votes", "a")
    with pytest.raises(ValidationError, match="takes no visibility"):
        await board.post("n", 1, visibility="member:ada")
    with pytest.raises(ValidationError, match="must be 'public'"):
        await board.post("set", "a", visibility="sealed")
    with pytest.raises(ValidationError, match="must be a version"):
        await board.post("map", "a", key="k", expect=-1)
    with pytest.raises(ValidationError, match="one line"):
        await board.post("map", "a", key="k\n[#1 facts, by lead]")
    with pytest.raises(ValidationError, match="needs a name"):
        await board.post("set", "a", role="judge")
    with pytest.raises(ValidationError, match="only ballots"):
        await board.close("set")
    assert board.seq == 0


async def test_posting_again_under_the_same_op_gives_the_first_entry_and_writes_nothing() -> None:
    log = MemoryLog()
    regions = [Region("notes", str), Region("plan", str, "register")]
    board = Blackboard(log, regions=regions)
    first = entry(await board.post("notes", "a", author="ada", op="run/1"))
    plan = entry(await board.post("plan", "p", op="run/2"))
    await board.post("plan", "q", expect=1)
    resumed = Blackboard(log, regions=regions)
    assert await resumed.post("notes", "a", author="ada", op="run/1") == first
    assert await resumed.post("notes", "said otherwise now", author="ada", op="run/1") == first
    assert await resumed.post("plan", "p", op="run/2") == plan
    assert len(await log.read("board")) == 3


async def test_an_op_used_for_another_write_is_an_error() -> None:
    board = board_with(Region("notes", str), Region("plan", str, "register"))
    await board.post("notes", "a", author="ada", op="x")
    for region, author, key, field in (
        ("plan", "ada", "", "region"),
        ("notes", "eve", "", "author"),
        ("notes", "ada", "k", "key"),
    ):
        with pytest.raises(ReplayDivergence) as raised:
            await board.post(region, "a", author=author, key=key, op="x")
        assert raised.value.field == field
    with pytest.raises(ReplayDivergence):
        await board.claim("task", 10, author="ada", op="x")
    with pytest.raises(ReplayDivergence):
        await board.snapshot(op="x")


async def test_a_batch_is_written_whole_or_not_at_all() -> None:
    board = board_with(Region("plan", str, "register"), Region("notes", str), Region("n", int, "counter"))
    plan = entry(await board.post("plan", "p1", author="ada"))
    clash = await board.post_all([Post("notes", "about p2"), Post("n", 1), Post("plan", "p2")])
    assert conflict(clash).current == plan
    assert board.seq == 1
    posted = await board.post_all([Post("notes", "about p2"), Post("n", 1), Post("plan", "p2", expect=1)])
    assert not isinstance(posted, Conflict)
    assert [each.seq for each in posted] == [2, 3, 4]
    with pytest.raises(ValidationError, match="holds int"):
        await board.post_all([Post("notes", "x"), Post("n", "y")])
    assert board.seq == 4


async def test_a_batch_is_checked_as_if_its_posts_came_one_after_another() -> None:
    board = board_with(
        Region("tags", str, "set"), Region("votes", str, "ballots"), Region("few", str, max_entries_each=2),
        Region("small", str, max_tokens=4), Region("cell", str, "register"),
    )  # fmt: skip
    same = await board.post_all([Post("tags", "a"), Post("tags", "b"), Post("tags", "a")])
    assert not isinstance(same, Conflict)
    assert [each.seq for each in same] == [1, 2, 1]
    with pytest.raises(Exception, match="already cast"):
        await board.post_all([Post("votes", "a", author="ada"), Post("votes", "b", author="ada")])
    with pytest.raises(QuotaExceeded):
        await board.post_all([Post("few", "a", author="ada")] * 3)
    with pytest.raises(QuotaExceeded):
        await board.post_all([Post("small", "123456"), Post("small", "123456789")])
    with pytest.raises(ValidationError, match="two posts of one batch"):
        await board.post_all([Post("cell", "a"), Post("cell", "b")])
    with pytest.raises(ValidationError, match="two posts of one batch"):
        await board.post_all([Post("tags", "x", op="o"), Post("tags", "y", op="o")])
    assert board.seq == 2


async def test_a_batch_that_rests_on_entries_is_refused_once_one_of_them_changed() -> None:
    board = board_with(Region("plan", str, "register"), Region("facts", str), Region("out", str))
    plan = entry(await board.post("plan", "p1"))
    fact = entry(await board.post("facts", "f"))
    based = entry(await board.post("facts", "g", causes=[fact]))
    assert not isinstance(await board.post_all([Post("out", "ok")], unchanged=[plan, fact, based]), Conflict)
    changed = entry(await board.post("plan", "p2", expect=1))
    assert conflict(await board.post_all([Post("out", "no")], unchanged=[fact, plan])).current == changed
    await board.retract(fact, "wrong")
    assert conflict(await board.post_all([Post("out", "no")], unchanged=[fact])).key == ""
    assert conflict(await board.post_all([Post("out", "no")], unchanged=[based])).expected == 2
    assert values(await board.entries("out")) == ["ok"]


async def test_a_batch_repeated_after_a_crash_gives_what_it_wrote_even_if_it_changed_what_it_rested_on() -> None:
    log = MemoryLog()
    regions = [Region("plan", str, "register"), Region("n", int, "counter")]
    board = Blackboard(log, regions=regions)
    plan = entry(await board.post("plan", "p1"))
    batch = [Post("plan", "p2", expect=1, op="1"), Post("n", 1, op="2")]
    first = await board.post_all(batch, unchanged=[plan])
    assert not isinstance(first, Conflict)
    assert await Blackboard(log, regions=regions).post_all(batch, unchanged=[plan]) == first
    assert len(await log.read("board")) == 3
    with pytest.raises(ValidationError, match="some have none"):
        await board.post_all([Post("n", 1, op="3"), Post("n", 1)])
    assert isinstance(await board.post_all([], unchanged=[plan]), Conflict)


async def test_quotas_hold_for_the_entry_the_author_and_the_region() -> None:
    board = board_with(
        Region("short", str, max_entry_tokens=2),
        Region("few", str, max_entries_each=2),
        Region("small", str, max_tokens=4),
        Region("cell", str, "register", max_tokens=4),
    )
    with pytest.raises(QuotaExceeded, match="max_entry_tokens=2") as raised:
        await board.post("short", "1234567")
    assert (raised.value.what, raised.value.limit, raised.value.asked) == ("max_entry_tokens", 2, 3)
    await board.post("short", "123456")
    for text in ("a", "b"):
        await board.retract(entry(await board.post("few", text, author="ada")), "no")
    with pytest.raises(QuotaExceeded, match="max_entries_each"):
        await board.post("few", "c", author="ada")
    await board.post("few", "c", author="bob")
    first = entry(await board.post("small", "123456"))
    await board.post("small", "123456")
    with pytest.raises(QuotaExceeded, match="max_tokens"):
        await board.post("small", "1")
    await board.retract(first, "made room")
    await board.post("small", "123456")
    await board.post("cell", "123456789012")
    await board.post("cell", "abcdefghijkl", expect=1)
    third = entry(await board.post("cell", "ABCDEFGHIJKL", expect=2))
    with pytest.raises(QuotaExceeded):
        await board.post("cell", "abcdefghijklm", expect=3)
    await board.retract(third, "made room")
    await board.post("cell", "123456", key="a")
    await board.post("cell", "123456", key="b")
    with pytest.raises(QuotaExceeded):
        await board.post("cell", "1", key="c")


async def test_causes_must_be_entries_of_this_board() -> None:
    board = board_with(Region("facts", str))
    fact = entry(await board.post("facts", "a"))
    other = board_with(Region("facts", str), Region("x", str))
    await other.post("x", "b")
    with pytest.raises(ValidationError, match="not an entry of this board"):
        await other.post("facts", "c", causes=[fact])
    with pytest.raises(ValidationError, match="not an entry of this board"):
        await board.post("facts", "c", causes=[2])
    assert entry(await board.post("facts", "c", causes=[1, fact])).causes == (1,)


async def test_the_run_is_told_of_each_entry_once_it_is_written_and_when_it_is_retracted() -> None:
    told: list[tuple[str, int, bool]] = []
    board = Blackboard(
        regions=[Region("notes", str), Region("plan", str, "register")],
        written=lambda each: told.append((each.region, each.version, each.retracted)),
    )
    note = entry(await board.post("notes", "a", op="1"))
    await board.post("notes", "a", op="1")
    await board.post("plan", "p")
    await board.post("plan", "q")
    await board.retract(note, "wrong")
    await board.retract(note, "wrong")
    assert told == [("notes", 1, False), ("plan", 1, False), ("notes", 1, True)]


async def test_a_board_declared_differently_from_its_log_says_so() -> None:
    log = MemoryLog()
    await Blackboard(log, regions=[Region("facts", str)]).post("facts", "a")
    as_register = Blackboard(log, regions=[Region("facts", str, "register")])
    with pytest.raises(ValidationError, match=r"policy 'register'.*'log'"):
        await as_register.post("facts", "b")
    with pytest.raises(ValidationError, match=r"policy 'register'.*'log'"):
        await as_register.read("facts")
    with pytest.raises(ValidationError, match="'facts' holds int"):
        await Blackboard(log, regions=[Region("facts", int)]).entries()


async def test_a_board_with_no_regions_declared_reads_what_its_log_holds_as_json() -> None:
    log = MemoryLog()
    await Blackboard(log, regions=[Region("facts", Fact)]).post("facts", Fact(text="a"))
    bare = Blackboard(log)
    assert values(await bare.entries()) == [{"text": "a", "since": None}]
    with pytest.raises(ValidationError, match="no region 'facts'"):
        await bare.post("facts", {"text": "b"})


async def test_a_region_declared_after_it_was_read_has_its_type_from_then_on() -> None:
    log = MemoryLog()
    await Blackboard(log, regions=[Region("levels", Level)]).post("levels", Level.LOW)
    board = Blackboard(log)
    assert values(await board.entries("levels")) == [1]
    board.declare(Region("levels", Level))
    assert values(await board.entries("levels")) == [Level.LOW]


async def test_a_stream_that_holds_something_else_is_an_error_each_time() -> None:
    log = MemoryLog()
    await log.append("board", ["not a record of a board"])
    board = Blackboard(log, regions=[Region("facts", str)])
    for _ in range(2):
        with pytest.raises(LogError, match="kind 'str'"):
            await board.post("facts", "a")


async def test_a_log_that_lost_a_record_is_an_error() -> None:
    class Lossy(MemoryLog):
        async def read(self, stream: str, after: int = 0) -> list[tuple[int, object]]:
            return [found for found in await super().read(stream, after) if found[0] != 2]

    log = MemoryLog()
    lossy = Lossy()
    for kept in (log, lossy):
        board = Blackboard(kept, regions=[Region("notes", str)])
        for text in ("a", "b", "c"):
            await board.post("notes", text)
    assert len(await Blackboard(log, regions=[Region("notes", str)]).entries()) == 3
    with pytest.raises(LogError, match="gap"):
        await Blackboard(lossy, regions=[Region("notes", str)]).entries()


async def test_a_member_cannot_write_in_the_name_of_another() -> None:
    board = board_with(Region("facts", str))
    ada = board.as_member(Identity("ada", "coder"))
    posted = await ada.post_all([Post("facts", "a"), Post("facts", "b", author="ada", role="coder")])
    assert not isinstance(posted, Conflict)
    assert {(each.author, each.role) for each in posted} == {("ada", "coder")}
    with pytest.raises(AccessDenied, match="in the name of 'lead'"):
        await ada.post_all([Post("facts", "a", author="lead")])
