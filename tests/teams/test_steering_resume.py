"""Repairs, circles, failures and new plans go on from any cut to the same result, whatever time replies take."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import anyio
import pytest

from phalanx import AgentTeam, TeamResult
from phalanx.messages import Request
from phalanx.runtime.log import MemoryLog
from phalanx.testing import FunctionModel

RUN = "the-run"


class Trouble:
    """A model whose members name who is not there, go round in circles, fail and repeat themselves."""

    def __init__(self, speed: int = 0) -> None:
        self.speed, self.calls = speed, 0
        self.model = FunctionModel(self.answer, name="offline/trouble")

    async def answer(self, request: Request) -> str:
        about = request.about
        self.calls += 1
        digest = hashlib.sha256(f"{self.speed}/{about.path}".encode()).digest()
        await anyio.sleep(digest[0] % 13)
        if about.stage == "route":
            names = ["zoe", "bob"] if about.attempt == 0 else ["bobb", "cy"]
            return json.dumps({"routes": [{"member": name} for name in names]})
        if about.stage == "handoff" and request.output is not None:
            if about.member == "cy":
                raise ConnectionError("down")
            to = {"ada": "zoe" if about.attempt == 0 else "bob", "bob": "cy"}[about.member]
            return json.dumps({"value": {"to": to, "reason": "the same"}})
        if about.stage in ("map", "draft") and about.member == "bob":
            raise ConnectionError("down")
        if about.stage == "ledger":
            return json.dumps({"given": [f"fact {about.round}"]})
        if about.stage == "progress":
            name = "zoe" if about.round == 0 and about.attempt == 0 else "bob"
            step = {"done": about.round == 6, "looping": False, "progressing": True, "next": name}
            return json.dumps({**step, "instruction": "the same"})
        return f"{about.member} on {about.stage}"


BUILDS: dict[str, Callable[[object], AgentTeam]] = {
    "router": lambda model: AgentTeam.router("ruth", ["ada", "bob", "cy"], top=2, quorum=1, model=model),
    "router, falling back": lambda model: AgentTeam.router(
        "ruth", ["ada", "bob", "cy"], top=2, quorum=2, fallback="fay", model=model
    ),
    "handoff": lambda model: AgentTeam.handoff(["ada", "bob", "cy"], model=model),
    "map_reduce": lambda model: AgentTeam.map_reduce(
        ["ada", "bob"], "red", split=lambda _: list("abcdefg"), concurrency=3, fan_in=2, model=model
    ),
    "ledger": lambda model: AgentTeam.ledger("ada", ["bob", "cy"], max_stalls=1, model=model),
}


def facts(result: TeamResult) -> object:
    """All of a result but how long it took."""
    whole = result.to_dict()
    whole.pop("duration")
    for entry in whole["board"]:
        entry.pop("time")
        entry.pop("id", None)
    return whole


@pytest.mark.parametrize("name", BUILDS)
async def test_what_was_mended_on_the_way_is_mended_the_same_after_any_cut_and_in_any_order_of_replies(
    name: str,
) -> None:
    build, world, log = BUILDS[name], Trouble(), MemoryLog()
    whole = await build(world.model).run("Go.", seed=5, run_id=RUN, log=log)
    for speed in range(1, 4):
        other = await build(Trouble(speed).model).run("Go.", seed=5, run_id=RUN, log=MemoryLog())
        assert facts(other) == facts(whole)
    records = [record for _, record in await log.read(f"run/{RUN}")]
    for cut in range(1, len(records)):
        part, again = MemoryLog(), Trouble(speed=7)
        await part.append(f"run/{RUN}", records[:cut])
        assert facts(await build(again.model).resume(RUN, log=part)) == facts(whole), f"cut after {cut}"
        assert again.calls <= world.calls
    silent = Trouble()
    assert facts(await build(silent.model).replay(RUN, log=log)) == facts(whole)
    assert not silent.calls


async def test_the_trouble_is_really_there() -> None:
    ended = {name: await build(Trouble().model).run("Go.") for name, build in BUILDS.items()}
    stages = {name: [(each.member, each.stage) for each in result.members] for name, result in ended.items()}
    assert stages["router"].count(("ruth", "route")) == 2
    assert stages["router, falling back"][-1] == ("fay", "fallback")
    assert stages["handoff"].count(("ada", "handoff")) >= 3
    assert ended["map_reduce"].status == "partial"
    assert stages["ledger"].count(("ada", "ledger")) == 2
