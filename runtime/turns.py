"""Who goes on when many runs begin, or many answers come, at once: few in each pass of the event loop, in their order.

All tasks that are ready run in one pass of asyncio's loop before anything that they have begun goes on, and what
aiohttp sends leaves in the pass after (before Python 3.12). So if a thousand answers come at once, all thousand are
worked on before the first of the next requests leaves, and the next thousand answers come at once again: every stage
takes as long as all of them. With few in each pass, requests leave while other answers are still worked on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from weakref import WeakKeyDictionary

FEW = 16
"""How many go on in one pass of the loop: some twenty milliseconds of work."""


class Turns:
    """The turns of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._call_soon, self._new = loop.call_soon, loop.create_future
        self._left = FEW
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._called = False

    async def take(self) -> None:
        """Wait until it is one's turn; not at all where no more than a few go on."""
        if not self._called:
            self._called = True
            self._call_soon(self._next_pass)
        if self._left:
            self._left -= 1
            return
        turn = self._new()
        self._waiting.append(turn)
        await turn

    def _next_pass(self) -> None:
        self._left = FEW
        while self._left and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # else whoever waited was cancelled
                turn.set_result(None)
                self._left -= 1
        self._called = bool(self._waiting)
        if self._called:
            self._call_soon(self._next_pass)


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = WeakKeyDictionary()


async def take_turn() -> None:
    """Wait for one's turn in the running loop of asyncio; in another kind of loop nobody waits."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    turns = _turns.get(loop)
    if turns is None:
        turns = _turns[loop] = Turns(loop)
    await turns.take()
