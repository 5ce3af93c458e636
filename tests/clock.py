"""An asyncio loop in which nothing waits: when all tasks sleep, its clock jumps to the next one that wakes.

For tests that start their own loop: `anyio.run(main, backend_options=dict(loop_factory=VirtualLoop))`, and for trio
`anyio.run(main, backend="trio", backend_options=dict(clock=MockClock(autojump_threshold=0)))`.

Virtual time and real waiting do not mix: work in threads, files and sockets may lose against a timeout that is a day
away, because the day passes at once. Such tests need a real clock: mark them `wire`.
"""

from __future__ import annotations

import asyncio
import selectors

from trio.testing import MockClock

Ready = list[tuple[selectors.SelectorKey, int]]
Backend = tuple[str, dict[str, object]]


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose clock starts at 0 and moves only when every task waits, and then at once."""

    def __init__(self) -> None:
        self._waiter = _Jump()
        super().__init__(self._waiter)

    def time(self) -> float:
        return self._waiter.now


class _Jump(selectors.DefaultSelector):
    """Looks for files that are ready and, when there are none, moves its clock on by the timeout."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Ready:
        if timeout is None:
            return super().select(None)
        ready = super().select(0)
        if not ready and timeout > 0:
            self.now += timeout
        return ready


def backend(name: str) -> Backend:
    """What anyio needs to run something under `name`: virtual asyncio, virtual trio, or asyncio as it is.

    name: "asyncio", "trio" or "real-asyncio". Gives a fresh clock at each call.
    """
    if name == "asyncio":
        return "asyncio", {"loop_factory": VirtualLoop}
    if name == "trio":
        return "trio", {"clock": MockClock(autojump_threshold=0)}
    if name == "real-asyncio":
        return "asyncio", {}
    raise ValueError(f"no test backend {name!r}; there are: asyncio, trio, real-asyncio")
