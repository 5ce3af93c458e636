"""A model whose samples are known in the order of the drawing."""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from phalanx.formations.voting import StopRule
from phalanx.messages import Request
from phalanx.testing import FunctionModel


class Drawing(FunctionModel):
    """Gives the answers of `said` in the order of the drawing: a member's first, second, ... in turn with others.

    members: how many take turns. delay: how long each sample takes, by its place.
    """

    def __init__(
        self, said: Sequence[str | Exception], members: Sequence[str] = ("solver",), delay: Sequence[float] = ()
    ) -> None:
        super().__init__(self._answer, name="offline/drawing")
        self.said, self.names, self.delay = said, list(members), delay
        self.asked: list[int] = []
        self.requests: list[Request] = []

    async def _answer(self, request: Request) -> str:
        at = request.about.attempt * len(self.names) + self.names.index(request.about.member)
        self.asked.append(at)
        self.requests.append(request)
        if self.delay:
            await anyio.sleep(self.delay[at])
        if isinstance(said := self.said[at], Exception):
            raise said
        return f"So it is.\nAnswer: {said}"


def one_by_one(said: Sequence[str], stop: StopRule, most: int) -> int:
    """How many samples are drawn when the stop rule is asked after each."""
    return next((drawn for drawn in range(1, most) if stop.reached(list(said[:drawn]))), most)
