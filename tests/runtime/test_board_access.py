"""Who may read and write what: rights of members, scopes of regions and entries, and ballots nobody sees early."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing

import anyio
import pytest

from phalanx.errors import AccessDenied, PhalanxError, SealedError, ValidationError
from phalanx.runtime.board import Blackboard, MemberBoard
from phalanx.runtime.entries import Conflict, Entry, Post
from phalanx.runtime.reading import Reader
from phalanx.runtime.regions import Identity, Region

ADA = Identity("ada", "coder")
BOB = Identity("bob", "coder")
JUDGE = Identity("eve", "judge")
SECRET = "the ballot says 42"


def entry(result: Entry | Conflict) -> Entry:
    assert isinstance(result, Entry), result
    return result


async def test_a_role_reads_and_writes_only_the_regions_it_was_given() -> None:
    board = Blackboard(regions=[Region("facts", str), Region("facts.private", str), Region("plan", str, "register")])
    await board.post("plan", "p")
    ada = board.as_member(Identity("ada", "coder", reads=("facts*",), writes=("facts",)))
    await ada.post("facts", "a")
    assert [each.value for each in await ada.entries("facts")] == ["a"]
    for attempt in (
        lambda: ada.read("plan"),
        lambda: ada.entries("plan"),
        lambda: ada.history("plan/x"),
        lambda: anext(ada.watch("plan")),
        lambda: ada.why(1),
        lambda: ada.taint(1),
    ):
        with pytest.raises(AccessDenied) as denied:
            await attempt()
        assert denied.value.role == "coder"
        assert denied.value.right.startswith("read")
    with pytest.raises(AccessDenied) as denied:
        await ada.post("facts.private", "a")
    assert denied.value.right == "write region 'facts.private'"
    assert "coder" in str(denied.value)
    with pytest.raises(AccessDenied):
        await ada.retract(1, "I do not like it")
    with pytest.raises(AccessDenied):
        await ada.mark(1, pinned=True)
    assert board.seq == 2


async def test_a_member_that_only_reads_a_region_cannot_take_back_or_mark_what_is_there() -> None:
    board = Blackboard(regions=[Region("facts", str)])
    await board.post("facts", "a", author="bob")
    critic = board.as_member(Identity("eve", "critic", writes=()))
    assert [each.value for each in await critic.entries()] == ["a"]
    for attempt in (critic.retract(1, "I do not like it"), critic.mark(1, pinned=True)):
        with pytest.raises(AccessDenied, match="role 'critic' may not write region 'facts'"):
            await attempt
    cleaner = board.as_member(Identity("cat", "cleaner", writes=("facts",)))
    assert (await cleaner.retract(1, "out of date")).reason == "out of date"


async def test_what_a_member_may_not_read_is_in_no_list_of_its() -> None:
    board = Blackboard(regions=[Region("facts", str), Region("plan", str, "register")])
    await board.post("plan", "hidden plan")
    await board.post("facts", "shown fact")
    ada = board.as_member(Identity("ada", reads=("facts",)))
    assert [each.value for each in await ada.entries()] == ["shown fact"]
    assert [each.value for each in await ada.history("*")] == ["shown fact"]
    assert "hidden" not in (await ada.view(tokens=1000)).text
    assert "hidden" not in (await board.view(ada.member, tokens=1000)).text
    assert (await (await ada.at(2)).entries())[0].value == "shown fact"
    async with aclosing(ada.watch()) as watched:
        assert (await anext(watched)).value == "shown fact"


async def test_a_region_may_be_kept_to_roles_and_members() -> None:
    board = Blackboard(regions=[Region("verdicts", str, reads=("role:judge", "member:ada"), writes=("role:judge",))])
    judge = board.as_member(JUDGE)
    await judge.post("verdicts", "guilty")
    assert await board.as_member(ADA).read("verdicts") == await judge.read("verdicts")
    with pytest.raises(AccessDenied, match="role 'coder' may not read region 'verdicts'; the region has reads="):
        await board.as_member(BOB).read("verdicts")
    with pytest.raises(AccessDenied, match="may not write region 'verdicts'; the region has writes="):
        await board.as_member(ADA).post("verdicts", "innocent")
    with pytest.raises(AccessDenied):  # what the run posts in somebody's name needs that somebody's right
        await board.post("verdicts", "innocent", author="ada", role="coder")
    assert entry(await board.post("verdicts", "the run may write anywhere")).author == ""


async def test_a_role_without_a_name_matches_no_scope() -> None:
    board = Blackboard(regions=[Region("r", str, reads=("role:judge",))])
    with pytest.raises(AccessDenied):
        await board.as_member(Identity("nobody")).read("r")
    with pytest.raises(ValidationError):
        Region("r", str, reads=("role:",))


async def test_a_member_named_like_a_role_is_not_taken_for_it() -> None:
    board = Blackboard(regions=[Region("r", str, reads=("role:judge",)), Region("s", str, reads=("member:judge",))])
    named, is_one = board.as_member(Identity("judge", "coder")), board.as_member(Identity("eve", "judge"))
    assert await named.entries("s") == await is_one.entries("r") == []
    for reader, region in ((named, "r"), (is_one, "s")):
        with pytest.raises(AccessDenied):
            await reader.entries(region)


async def test_an_entry_for_one_role_or_member_is_seen_by_them_and_its_author_only() -> None:
    board = Blackboard(regions=[Region("notes", str), Region("cell", str, "register")])
    ada, bob, judge = (board.as_member(who) for who in (ADA, BOB, JUDGE))
    for_judge = entry(await ada.post("notes", "to the judge", visibility="role:judge"))
    for_bob = entry(await judge.post("notes", "to bob", visibility="member:bob"))
    assert [each.value for each in await ada.entries("notes")] == ["to the judge"]
    assert [each.value for each in await bob.entries("notes")] == ["to bob"]
    assert [each.value for each in await judge.entries("notes")] == ["to the judge", "to bob"]
    assert [each.value for each in await board.entries("notes")] == ["to the judge", "to bob"]
    newest = await ada.read("notes")
    assert newest is not None
    assert newest.value == "to the judge"
    for attempt in (lambda: bob.why(for_judge), lambda: ada.taint(for_bob), lambda: ada.retract(for_bob.seq, "why")):
        with pytest.raises(AccessDenied):
            await attempt()
    with pytest.raises(AccessDenied, match="cite entry"):
        await ada.post("notes", "as eve told bob", causes=[for_bob])
    with pytest.raises(AccessDenied, match="cite entry"):
        await board.post("notes", "as eve told bob", author="ada", role="coder", causes=[for_bob])
    await bob.post("notes", "as eve told me", causes=[for_bob])


async def test_a_conflict_shows_no_entry_its_writer_may_not_read() -> None:
    board = Blackboard(regions=[Region("cell", str, "register")])
    await board.as_member(JUDGE).post("cell", "secret", visibility="member:eve")
    ada = board.as_member(ADA)
    assert await ada.post("cell", "mine") == Conflict("cell", "", None, 1, None)
    with pytest.raises(AccessDenied):
        await ada.read("cell")
    assert await ada.entries("cell") == []
    write_only = board.as_member(Identity("bob", "coder", reads=()))
    assert await write_only.post("cell", "mine") == Conflict("cell", "", None, 1, None)


async def test_an_equal_value_in_a_set_is_not_told_to_those_who_may_not_see_it() -> None:
    board = Blackboard(regions=[Region("suspects", str, "set")])
    hidden = entry(await board.as_member(JUDGE).post("suspects", "the butler", visibility="member:eve"))
    mine = entry(await board.as_member(ADA).post("suspects", "the butler"))
    assert mine.seq != hidden.seq
    assert mine.author == "ada"
    own = entry(await board.as_member(ADA).post("suspects", "the butler", visibility="member:eve"))
    assert own.author == "ada"
    blind = board.as_member(Identity("bob", reads=(), writes=("suspects",)))
    assert entry(await blind.post("suspects", "the butler")).author == "bob"


async def test_a_member_sees_the_board_as_itself_only() -> None:
    board = Blackboard(regions=[Region("notes", str)])
    with pytest.raises(AccessDenied, match="see the board as 'eve'"):
        await board.as_member(ADA).view(JUDGE, tokens=10)


VOTES = Region("votes", str, "ballots")


async def open_vote() -> tuple[Blackboard, Entry, Entry]:
    """A board on which ada has voted, and has then written a note that cites her own vote."""
    board = Blackboard(regions=[VOTES, Region("notes", str)])
    ballot = entry(await board.post("votes", SECRET, author="ada", role="coder", key="q1", op="ballot"))
    note = entry(await board.as_member(ADA).post("notes", "I have voted", causes=[ballot]))
    return board, ballot, note


async def everything_seen(reader: Reader, ballot: Entry, note: Entry) -> str:
    """What a reader gets by every way there is to read; the refusals are part of it."""
    ways: list[Callable[[], Awaitable[object]]] = [
        lambda: reader.read("votes", "q1"),
        lambda: reader.entries("votes"),
        lambda: reader.entries("votes/q1"),
        lambda: reader.entries("v*"),
        lambda: reader.entries(),
        lambda: reader.history("votes"),
        lambda: reader.history("votes/q*"),
        lambda: reader.history(),
        lambda: reader.why(ballot.seq),
        lambda: reader.why(note),
        lambda: reader.taint(ballot.seq),
        lambda: reader.view(tokens=10_000),
        lambda: reader.view(tokens=10_000, patterns=["votes", "votes/q1"], about=SECRET),
    ]
    if isinstance(reader, Blackboard | MemberBoard):
        ways += [
            lambda: reader.post_all([Post("notes", "x")], unchanged=[ballot]),
            lambda: reader.retract(ballot.seq, "let me see it"),
            lambda: reader.mark(ballot.seq, pinned=True),
            lambda: reader.post("votes", "mine", key="q1", op="ballot"),
        ]
    if isinstance(reader, Blackboard):
        ways += [lambda: reader.post("votes", SECRET, key="q1", author="bob", role="coder", op="ballot")]
    seen: list[str] = []
    for way in ways:
        try:
            got = await way()
            seen.append(f"{got!r} {got}")
        except PhalanxError as refusal:
            seen.append(f"{refusal!r} {refusal} {refusal.__dict__}")
    return "\n".join(seen)


@pytest.mark.parametrize("name", ["the run", "bob", "eve", "the past", "bob's past"])
async def test_a_ballot_is_read_by_nobody_but_its_author_before_it_is_closed(name: str) -> None:
    board, ballot, note = await open_vote()
    readers: dict[str, Reader] = {
        "the run": board,
        "bob": board.as_member(BOB),
        "eve": board.as_member(JUDGE),
        "the past": await board.at(2),
        "bob's past": await board.as_member(BOB).snapshot(),
    }
    assert SECRET not in await everything_seen(readers[name], ballot, note)
    for attempt in (readers[name].read("votes", "q1"), readers[name].entries("votes"), readers[name].why(ballot)):
        with pytest.raises(SealedError):
            await attempt
    told = await readers[name].why(note)
    assert (told.causes[0].entry, told.causes[0].hidden) == (None, "sealed")


async def test_an_author_reads_its_own_ballot_and_it_alone() -> None:
    board, ballot, _ = await open_vote()
    await board.post("votes", "bob's secret", author="bob", role="coder", key="q1")
    ada = board.as_member(ADA)
    assert await ada.read("votes", "q1") == ballot
    assert await ada.entries("votes") == [ballot]
    assert await ada.history("votes/q1") == [ballot]
    assert ballot.visibility == "sealed"
    view = await ada.view(tokens=1000)
    assert SECRET in view.text
    assert "bob's secret" not in view.text


async def test_closing_opens_the_ballots_of_a_key_to_all_and_takes_no_more() -> None:
    board, ballot, _ = await open_vote()
    await board.post("votes", "b", author="bob", key="q1")
    later = entry(await board.post("votes", "c", author="ada", key="q2"))
    opened = await board.close("votes", "q1")
    assert [(each.author, each.value, each.visibility) for each in opened] == [
        ("ada", SECRET, "public"),
        ("bob", "b", "public"),
    ]
    assert await board.as_member(BOB).entries("votes/q1") == opened
    assert await board.close("votes", "q1") == opened
    assert board.seq == 5
    with pytest.raises(SealedError, match="came too late"):
        await board.post("votes", "d", author="eve", key="q1")
    with pytest.raises(SealedError):  # the other question is still open
        await board.read("votes", "q2")
    with pytest.raises(SealedError):
        await board.entries("votes")
    assert await board.entries("v*") == opened
    assert [each.seq for each in await board.close("votes")] == [ballot.seq, 3, later.seq]
    with pytest.raises(SealedError, match="came too late"):
        await board.post("votes", "a", author="ada", key="q3")
    assert await board.read("votes", "q3") is None


async def test_a_closed_vote_is_still_sealed_in_the_past() -> None:
    board, ballot, _ = await open_vote()
    await board.close("votes")
    assert [each.value for each in await board.entries("votes")] == [SECRET]
    before = await board.at(2)
    with pytest.raises(SealedError):
        await before.entries("votes")
    assert SECRET not in repr(await before.view(tokens=1000))
    assert (await before.why(2)).causes[0].hidden == "sealed"
    after = await board.at(3)
    assert (await after.read("votes", "q1")) == (await board.read("votes", "q1"))
    assert ballot.seq == 1


async def test_each_member_votes_once_a_key_even_after_taking_its_ballot_back() -> None:
    board, _, _ = await open_vote()
    ada = board.as_member(ADA)
    with pytest.raises(SealedError, match="already cast"):
        await ada.post("votes", "another", key="q1")
    await ada.post("votes", "another question", key="q2")
    await ada.retract(1, "I abstain")
    with pytest.raises(SealedError, match="already cast"):
        await ada.post("votes", "again", key="q1")
    assert [each.key for each in await board.close("votes")] == ["q2"]
    with pytest.raises(SealedError, match="can no longer be taken back"):
        await ada.retract(3, "oh no")


async def test_closing_before_anybody_voted_ends_the_vote() -> None:
    board = Blackboard(regions=[VOTES])
    with pytest.raises(SealedError):
        await board.entries("votes")
    with pytest.raises(SealedError):
        await board.read("votes")
    assert await board.close("votes", "q1") == []
    assert await board.entries("votes/q1") == []
    with pytest.raises(SealedError, match="came too late"):
        await board.post("votes", "a", author="ada", key="q1")


async def test_a_watcher_gets_ballots_when_they_are_closed_and_its_own_at_once() -> None:
    board = Blackboard(regions=[VOTES, Region("notes", str)])
    seen: dict[str, list[tuple[object, str]]] = {"run": [], "ada": [], "bob": []}
    ada = board.as_member(ADA)
    watchers = {"run": board.watch(), "ada": ada.watch("votes"), "bob": board.as_member(BOB).watch("votes/q1")}

    async def follow(name: str) -> None:
        async with aclosing(watchers[name]) as entries:
            async for each in entries:
                seen[name].append((each.value, each.visibility))

    async with anyio.create_task_group() as group:
        for name in watchers:
            group.start_soon(follow, name)
        await ada.post("votes", "a", key="q1")
        await board.post("votes", "b", author="bob", role="coder", key="q1")
        await board.post("votes", "other", author="eve", key="q2")
        await board.post("notes", "n")
        await anyio.sleep(1)
        assert seen == {"run": [("n", "public")], "ada": [("a", "sealed")], "bob": [("b", "sealed")]}
        await board.close("votes", "q1")
        await anyio.sleep(1)
        group.cancel_scope.cancel()
    assert seen["run"] == [("n", "public"), ("a", "public"), ("b", "public")]
    assert seen["ada"] == [("a", "sealed"), ("b", "public")]
    assert seen["bob"] == [("b", "sealed"), ("a", "public")]


async def test_what_the_run_is_told_when_a_ballot_is_cast_does_not_hold_its_value() -> None:
    told: list[Entry] = []
    board = Blackboard(regions=[VOTES], written=told.append)
    posted = entry(await board.post("votes", SECRET, author="ada"))
    assert posted.value == SECRET
    assert [(each.author, each.value, each.visibility) for each in told] == [("ada", None, "sealed")]
    assert SECRET not in repr(told)
    assert SECRET not in repr(board)
