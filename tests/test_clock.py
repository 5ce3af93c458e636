"""The tests' own clock: a day passes at once, in order, and real input still arrives."""

from __future__ import annotations

import time

import anyio
import anyio.to_thread
import pytest
import sniffio
from anyio.lowlevel import checkpoint

from tests.clock import VirtualLoop, backend


async def test_a_day_passes_at_once() -> None:
    real, virtual = time.monotonic(), anyio.current_time()
    await anyio.sleep(86_400 * 3)
    assert anyio.current_time() - virtual == pytest.approx(86_400 * 3, abs=1e-6)
    assert time.monotonic() - real < 5


async def test_sleepers_wake_in_the_order_of_their_times() -> None:
    woken: list[tuple[int, float]] = []
    start = anyio.current_time()

    async def sleep(seconds: int) -> None:
        await anyio.sleep(seconds)
        woken.append((seconds, round(anyio.current_time() - start, 6)))

    async with anyio.create_task_group() as group:
        for seconds in (30, 10, 20):
            group.start_soon(sleep, seconds)
    assert woken == [(10, 10.0), (20, 20.0), (30, 30.0)]


async def test_time_stands_still_while_a_task_works() -> None:
    start = anyio.current_time()
    for _ in range(100):
        await checkpoint()
    assert anyio.current_time() - start == pytest.approx(0, abs=1e-6)


async def test_a_deadline_falls_at_its_exact_moment() -> None:
    start = anyio.current_time()
    with pytest.raises(TimeoutError), anyio.fail_after(3600):
        await anyio.sleep_forever()
    assert anyio.current_time() - start == pytest.approx(3600, abs=1e-6)


async def test_work_in_a_thread_is_waited_for() -> None:
    assert await anyio.to_thread.run_sync(lambda: 7) == 7


async def test_both_backends_are_there(anyio_backend_name: str) -> None:
    assert sniffio.current_async_library() == anyio_backend_name


@pytest.mark.wire
async def test_a_wire_test_has_a_real_clock_on_asyncio(anyio_backend_name: str) -> None:
    assert anyio_backend_name == "asyncio"
    assert anyio.current_time() == pytest.approx(time.monotonic(), abs=5)


def test_a_loop_of_ones_own_starts_at_zero() -> None:
    async def main() -> float:
        await anyio.sleep(5)
        return anyio.current_time()

    assert anyio.run(main, backend_options={"loop_factory": VirtualLoop}) == pytest.approx(5)
    name, options = backend("trio")
    begun = time.monotonic()
    assert anyio.run(main, backend=name, backend_options=options) >= 5
    assert time.monotonic() - begun < 4
