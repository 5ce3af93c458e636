"""A team of which too few answered says why in as few words as there are causes."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from phalanx import Agent, AgentTeam, Limits, QuorumMissed
from phalanx.messages import Request
from phalanx.testing import FunctionModel


def failing(reasons: Sequence[str]) -> list[Agent]:
    def weak(request: Request) -> str:
        raise RuntimeError(reasons[int(request.about.member[1:])])

    return [Agent("worker", name=f"m{at}", model=FunctionModel(weak)) for at in range(len(reasons))]


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        (["down"], ("m0 failed: down",)),
        (["down"] * 2, ("m0 and m1 failed: down",)),
        (["down"] * 3, ("m0, m1 and m2 failed: down",)),
        (["down", "lost", "down"], ("m0 and m2 failed: down", "m1 failed: lost")),
        (["down"] * 9, ("m0, m1, m2, m3, m4 and 4 more failed: down",)),
    ],
)
async def test_a_cause_that_several_share_is_said_once(reasons: list[str], said: tuple[str, ...]) -> None:
    with pytest.raises(QuorumMissed) as caught:
        await AgentTeam.parallel(failing(reasons)).run("Which?")
    assert caught.value.reasons == said
    assert str(caught.value).endswith(f"{len(reasons)} are needed: {'; '.join(said)}")


async def test_who_took_too_long_is_told_apart_from_who_failed() -> None:
    slow = Agent("worker", name="slow", model=FunctionModel(_forever), limits=Limits(seconds=1))
    with pytest.raises(QuorumMissed, match="m0 failed: down; slow timed out: ") as caught:
        await AgentTeam.parallel([*failing(["down"]), slow]).run("Which?")
    assert len(caught.value.reasons) == 2


async def _forever(_: Request) -> str:
    await anyio.sleep(1000)
    return "late"
