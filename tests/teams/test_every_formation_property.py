"""Any run of any formation, however its replies are scheduled, whoever fails: it plays back, and goes on, as it was."""

from __future__ import annotations

import os
from dataclasses import dataclass

import anyio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phalanx.runtime.log import MemoryLog
from tests.clock import backend
from tests.teams.any_team import EXAMPLES, AnyModel
from tests.teams.test_every_formation import FAULTS, RUN, came_to, facts

TORTURE = bool(os.environ.get("PHALANX_TORTURE"))


@dataclass(frozen=True)
class Scene:
    """A formation, the delays of its replies, who is unwell and how, and how much of the journal a crash leaves."""

    kind: str
    speed: int
    sick: int | None
    fault: str
    left: int
    loop: str

    def world(self, speed: int) -> AnyModel:
        """Members that say the same whatever their `speed`."""
        names = sorted(member.name for member in EXAMPLES[self.kind]("offline/simulated").members)
        unwell = None if self.sick is None else names[self.sick % len(names)]
        return AnyModel(speed=speed, unwell=unwell, fault=FAULTS[self.fault])


SCENES = st.builds(
    Scene,
    kind=st.sampled_from(sorted(EXAMPLES)),
    speed=st.integers(0, 10_000),
    sick=st.none() | st.integers(0, 5),
    fault=st.sampled_from(sorted(FAULTS)),
    left=st.integers(1, 10_000),
    loop=st.sampled_from(("asyncio", "trio")),
)


@settings(
    max_examples=1_000 if TORTURE else 120, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
@given(SCENES)
def test_it_plays_back_without_a_model_and_goes_on_from_anywhere_to_an_equal_result(scene: Scene) -> None:
    async def main() -> None:
        log = MemoryLog()
        team = EXAMPLES[scene.kind](scene.world(scene.speed).model)
        whole = await came_to(team.run("Which?", seed=5, run_id=RUN, log=log))
        silent = scene.world(scene.speed)
        assert facts(await came_to(EXAMPLES[scene.kind](silent.model).replay(RUN, log=log))) == facts(whole)
        assert not silent.calls
        records = [record for _, record in await log.read(f"run/{RUN}")]
        part = MemoryLog()
        await part.append(f"run/{RUN}", records[: 1 + scene.left % (len(records) - 1)])
        again = EXAMPLES[scene.kind](scene.world(scene.speed + 1).model)
        assert facts(await came_to(again.resume(RUN, log=part))) == facts(whole)

    name, options = backend(scene.loop)
    anyio.run(main, backend=name, backend_options=options)
