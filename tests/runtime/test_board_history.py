"""Time travel, snapshots, provenance, retraction and what it makes stale, and marks."""

from __future__ import annotations

import pytest

from phalanx.errors import ValidationError
from phalanx.runtime.board import Blackboard
from phalanx.runtime.entries import Conflict, Entry
from phalanx.runtime.log import MemoryLog
from phalanx.runtime.regions import Identity, Region

REGIONS = (Region("facts", str), Region("plan", str, "register"), Region("hits", int, "counter"))


def entry(result: Entry | Conflict) -> Entry:
    assert isinstance(result, Entry), result
    return result


def values(entries: list[Entry]) -> list[object]:
    return [each.value for each in entries]


async def test_the_board_can_be_read_as_it_was_after_each_record() -> None:
    board = Blackboard(regions=REGIONS)
    await board.post("plan", "p1")
    fact = entry(await board.post("facts", "f"))
    await board.post("hits", 2)
    await board.post("plan", "p2", expect=1, causes=[fact])
    await board.post("hits", 3)
    await board.mark(fact, pinned=True)
    await board.retract(fact, "wrong")
    pictures = [
        [(each.value, each.pinned, each.stale) for each in await (await board.at(seq)).entries()] for seq in range(8)
    ]
    assert pictures == [
        [],
        [("p1", False, False)],
        [("p1", False, False), ("f", False, False)],
        [("p1", False, False), ("f", False, False), (2, False, False)],
        [("f", False, False), (2, False, False), ("p2", False, False)],
        [("f", False, False), ("p2", False, False), (5, False, False)],
        [("f", True, False), ("p2", False, False), (5, False, False)],
        [("p2", False, True), (5, False, False)],
    ]
    assert values(await (await board.at(7)).history("facts")) == ["f"]
    assert (await (await board.at(7)).history("facts"))[0].reason == "wrong"
    assert (await (await board.at(6)).history("facts"))[0].reason == ""
    assert await (await board.at(0)).read("plan") is None
    for never in (-1, 8):
        with pytest.raises(ValidationError, match="records 0 to 7"):
            await board.at(never)


async def test_a_snapshot_stays_as_it_is_while_others_write() -> None:
    board = Blackboard(regions=REGIONS)
    first = entry(await board.post("plan", "p1"))
    snapshot = await board.snapshot()
    await board.post("plan", "p2", expect=1)
    await board.post("facts", "f", causes=[first])
    await board.retract(first, "no")
    assert values(await snapshot.entries()) == ["p1"]
    assert await snapshot.taint(first) == []
    assert (await snapshot.view(tokens=100)).included == (first,)
    assert board.seq == 4


async def test_a_snapshot_asked_for_again_under_its_op_is_the_first_one_after_a_crash_too() -> None:
    log = MemoryLog()
    board = Blackboard(log, regions=REGIONS)
    await board.post("facts", "before", author="ada")
    ada = Identity("ada", "coder")
    seen = await (await board.as_member(ada).snapshot(op="round 1")).view(tokens=100)
    await board.post("facts", "after", author="bob")
    resumed = Blackboard(log, regions=REGIONS)
    again = await (await resumed.as_member(ada).snapshot(op="round 1")).view(tokens=100)
    assert again == seen
    assert "before" in again.text
    assert "after" not in again.text
    assert "after" in (await resumed.view(tokens=100)).text


async def test_another_board_on_the_same_log_has_the_same_state_at_every_number() -> None:
    log = MemoryLog()
    board = Blackboard(log, regions=REGIONS)
    for at in range(20):
        await board.post("facts", f"f{at}", author=f"m{at % 3}", causes=[1] if at else ())
        await board.post("hits", at)
        if at % 4 == 0:
            await board.retract(board.seq - 1, "every fourth")
    replayed = Blackboard(log, regions=REGIONS)
    for seq in range(board.seq + 1):
        one, other = await board.at(seq), await replayed.at(seq)
        assert await one.history() == await other.history()
        assert await one.view(tokens=200, about="f3") == await other.view(tokens=200, about="f3")


async def test_why_tells_what_an_author_was_shown_back_to_the_first() -> None:
    board = Blackboard(regions=REGIONS)
    fact = entry(await board.post("facts", "sky is blue", author="ada"))
    other = entry(await board.post("facts", "grass is green", author="bob"))
    guess = entry(await board.post("facts", "colours exist", author="eve", causes=[other, fact]))
    plan = entry(await board.post("plan", "paint", author="dan", causes=[fact, guess]))
    why = await board.why(plan)
    assert why.entry == plan
    assert [cause.entry for cause in why.causes] == [fact, guess]
    assert [cause.entry for cause in why.causes[1].causes] == [fact, other]
    assert why.causes[1].causes[0] is why.causes[0]
    assert str(why) == (
        "#4 plan@1, by dan\n  #1 facts@1, by ada\n  #3 facts@3, by eve\n    #1 facts@1, by ada\n    #2 facts@2, by bob"
    )
    assert (await board.why(4)).entry == plan
    with pytest.raises(ValidationError, match="number 9"):
        await board.why(9)
    other_board = Blackboard(regions=[Region("x", str)])
    await other_board.post("x", "y")
    with pytest.raises(ValidationError, match="not an entry of this board"):
        await other_board.why(fact)


async def test_why_of_a_long_and_wide_past_is_told_once_and_without_recursion() -> None:
    board = Blackboard(regions=[Region("facts", str)])
    await board.post("facts", "0")
    await board.post("facts", "1", causes=[1])
    for at in range(2, 3000):
        await board.post("facts", str(at), causes=[at - 1, at])
    why = await board.why(3000)
    assert str(why).count("\n") < 6001
    assert str(why).count("(see above)") == 2997
    assert len(await board.taint(1)) == 2999


async def test_retracting_leaves_the_entry_in_the_history_and_makes_all_that_rests_on_it_stale() -> None:
    board = Blackboard(regions=REGIONS)
    wrong = entry(await board.post("facts", "the earth is flat", author="ada"))
    right = entry(await board.post("facts", "water is wet"))
    first = entry(await board.post("facts", "ships fall off", causes=[wrong, right]))
    second = entry(await board.post("plan", "stay home", causes=[first]))
    aside = entry(await board.post("facts", "rain is wet", causes=[right]))
    assert await board.taint(wrong) == [first, second]
    gone = await board.retract(wrong, "measured", author="bob", role="verifier")
    assert (gone.retracted, gone.reason, gone.stale) == (True, "measured", False)
    assert [each.seq for each in await board.entries() if each.stale] == [first.seq, second.seq]
    assert wrong.seq not in [each.seq for each in await board.entries()]
    assert (await board.history("facts"))[0] == gone
    assert [each.seq for each in await board.taint(wrong)] == [first.seq, second.seq]
    assert (await board.read("facts")) == aside
    late = entry(await board.post("facts", "maps end", causes=[wrong]))
    later = entry(await board.post("facts", "buy maps", causes=[second]))
    assert (late.stale, later.stale) == (True, True)
    assert "retracted: measured" in str(await board.why(late))
    assert await board.retract(wrong, "again") == gone
    with pytest.raises(ValidationError, match="needs a reason"):
        await board.retract(right, "  ")


async def test_a_retracted_value_of_a_register_leaves_it_empty_and_its_versions_go_on() -> None:
    board = Blackboard(regions=REGIONS)
    await board.post("plan", "p1")
    second = entry(await board.post("plan", "p2", expect=1))
    await board.retract(second, "no")
    assert await board.read("plan") is None
    assert await board.entries("plan") == []
    assert isinstance(await board.post("plan", "p3", expect=2), Conflict)
    third = entry(await board.post("plan", "p3"))
    assert third.version == 3
    await board.retract(1, "it was bad all along")
    assert await board.read("plan") == third


async def test_marks_pin_settle_and_open_an_entry_without_touching_it() -> None:
    board = Blackboard(regions=REGIONS)
    question = entry(await board.post("facts", "why?", resolved=False))
    settled = await board.mark(question, resolved=True)
    assert (settled.resolved, settled.pinned, settled.version) == (True, False, 1)
    assert await board.mark(question, resolved=True) == settled
    assert board.seq == 2
    pinned = await board.mark(question.seq, pinned=True)
    assert (pinned.resolved, pinned.pinned) == (True, True)
    with pytest.raises(ValidationError, match="pinned= or resolved="):
        await board.mark(question)
    await board.retract(question, "never mind")
    with pytest.raises(ValidationError, match="was retracted"):
        await board.mark(question, pinned=False)
