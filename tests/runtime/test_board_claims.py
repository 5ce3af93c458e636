"""Leases on work: one holder at a time, and no late write by one who lost it."""

from __future__ import annotations

from functools import partial

import pytest

from phalanx.errors import AccessDenied, ReplayDivergence, ValidationError
from phalanx.runtime.board import Blackboard
from phalanx.runtime.claims import Lease, LeaseLost
from phalanx.runtime.entries import Conflict, Entry
from phalanx.runtime.log import MemoryLog
from phalanx.runtime.regions import Identity, Region


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def boards(clock: Clock, count: int = 2) -> list[Blackboard]:
    """Boards of several processes on one log."""
    log = MemoryLog()
    return [
        Blackboard(log, regions=[Region("results", str, "map"), Region("tasks", str)], clock=clock)
        for _ in range(count)
    ]


def held(lease: Lease | None) -> Lease:
    assert lease is not None
    return lease


async def test_a_key_is_claimed_by_one_at_a_time_and_by_the_next_when_the_lease_ran_out() -> None:
    clock = Clock()
    one, two = boards(clock)
    lease = held(await one.claim("tasks/1", 10, author="ada"))
    assert lease == Lease("tasks/1", "ada", 1, 110.0)
    assert await two.claim("tasks/1", 10, author="bob") is None
    assert await one.claim("tasks/1", 10, author="ada") is None
    assert await two.holder("tasks/1") == lease
    assert held(await two.claim("tasks/2", 10, author="bob")).token == 2
    clock.now = 109.999
    assert await two.claim("tasks/1", 10, author="bob") is None
    clock.now = 110.0
    assert await two.holder("tasks/1") is None
    assert held(await two.claim("tasks/1", 10, author="bob")).token == 3
    assert await one.claim("tasks/1", 10, author="ada") is None


async def test_a_worker_that_comes_back_too_late_cannot_write_under_its_lease() -> None:
    clock = Clock()
    one, two = boards(clock)
    dead = held(await one.claim("task", 10, author="ada"))
    assert isinstance(await one.post("results", "half", key="a", author="ada", lease=dead), Entry)
    clock.now = 111.0
    with pytest.raises(LeaseLost, match="ran out 1 s ago"):
        await one.post("results", "late", key="b", author="ada", lease=dead)
    alive = held(await two.claim("task", 10, author="bob"))
    assert alive.token > dead.token
    with pytest.raises(LeaseLost, match="taken over by 'bob'") as lost:
        await one.post("results", "late", key="b", author="ada", lease=dead)
    assert (lost.value.lease, lost.value.current) == (dead, alive)
    await two.post("results", "done", key="b", author="bob", lease=alive)
    assert [each.value for each in await one.entries("results")] == ["half", "done"]


async def test_a_write_under_somebody_elses_lease_is_refused() -> None:
    clock = Clock()
    one, _ = boards(clock)
    lease = held(await one.claim("task", 10, author="ada"))
    with pytest.raises(ValidationError, match="belongs to 'ada'"):
        await one.post("results", "x", key="a", author="bob", lease=lease)
    bob = one.as_member(Identity("bob"))
    for act in (
        partial(bob.renew, lease, 5),
        partial(bob.release, lease),
        partial(bob.post, "results", "x", key="a", lease=lease),
    ):
        with pytest.raises(ValidationError, match="belongs to 'ada'"):
            await act()


async def test_a_lease_is_renewed_until_somebody_else_has_taken_over() -> None:
    clock = Clock()
    one, two = boards(clock)
    lease = held(await one.claim("task", 10, author="ada"))
    clock.now = 115.0
    renewed = await one.renew(lease, 10)
    assert renewed == Lease("task", "ada", lease.token, 125.0)
    assert isinstance(await one.post("results", "x", key="a", author="ada", lease=lease), Entry)
    assert await two.claim("task", 10, author="bob") is None
    clock.now = 125.0
    held(await two.claim("task", 10, author="bob"))
    with pytest.raises(LeaseLost):
        await one.renew(renewed, 10)


async def test_a_released_key_is_free_and_its_lease_worthless() -> None:
    clock = Clock()
    one, two = boards(clock)
    lease = held(await one.claim("task", 10, author="ada"))
    assert await one.release(lease) is True
    assert await one.release(lease) is False
    with pytest.raises(LeaseLost, match="released"):
        await one.post("results", "x", key="a", author="ada", lease=lease)
    with pytest.raises(LeaseLost):
        await one.renew(lease, 10)
    second = held(await two.claim("task", 10, author="bob"))
    assert await one.release(lease) is False
    assert await two.holder("task") == second


async def test_a_claim_repeated_after_a_crash_gives_the_lease_it_got_before() -> None:
    clock = Clock()
    one, two = boards(clock)
    lease = held(await one.claim("task", 10, author="ada", op="run/claim"))
    assert await two.claim("task", 10, author="ada", op="run/claim") == lease
    assert two.seq == 1
    with pytest.raises(ReplayDivergence):
        await two.claim("task", 10, author="bob", op="run/claim")
    with pytest.raises(ReplayDivergence):
        await two.post("results", "x", key="a", op="run/claim")
    clock.now = 110.0
    held(await two.claim("task", 10, author="bob"))
    assert await one.claim("task", 10, author="ada", op="run/claim") is None


async def test_a_written_result_is_found_again_even_when_its_lease_is_gone() -> None:
    clock = Clock()
    one, two = boards(clock)
    lease = held(await one.claim("task", 10, author="ada"))
    done = await one.post("results", "x", key="a", author="ada", lease=lease, op="o")
    clock.now = 200.0
    assert await two.post("results", "x", key="a", author="ada", lease=lease, op="o") == done


async def test_claiming_in_a_region_needs_the_right_to_write_there() -> None:
    one, _ = boards(Clock())
    reader = one.as_member(Identity("ada", "critic", writes=("results",)))
    with pytest.raises(AccessDenied, match="write region 'tasks'"):
        await reader.claim("tasks/1", 10)
    assert held(await reader.claim("elsewhere/1", 10)).holder == "ada"


@pytest.mark.parametrize("ttl", [0, -1, float("inf"), float("nan")])
async def test_a_lease_lasts_a_finite_time(ttl: float) -> None:
    one, _ = boards(Clock())
    with pytest.raises(ValidationError, match="positive number of seconds"):
        await one.claim("task", ttl, author="ada")


async def test_a_claim_needs_a_key_and_a_holder() -> None:
    one, _ = boards(Clock())
    with pytest.raises(ValidationError, match="needs a key"):
        await one.claim("", 10, author="ada")
    with pytest.raises(ValidationError, match="needs author="):
        await one.claim("task", 10, author="")
    with pytest.raises(ValidationError, match="one line"):
        await one.claim("two\nlines", 10, author="ada")


async def test_a_register_conflict_under_a_good_lease_is_still_a_conflict() -> None:
    one, _ = boards(Clock())
    lease = held(await one.claim("task", 10, author="ada"))
    await one.post("results", "x", key="a", author="bob")
    assert isinstance(await one.post("results", "y", key="a", author="ada", lease=lease), Conflict)
