"""A suite over recorded answers looks at all of them once, and not for each attempt."""

from __future__ import annotations

from pathlib import Path

from phalanx import Agent, AgentTeam
from phalanx.agents.models.recorded import RecordedModel, Recording
from phalanx.benchmarks.compare import compare


class Looked(str):
    """A text that counts how often somebody looks at it whole."""

    times = 0

    def __repr__(self) -> str:
        Looked.times += 1
        return super().__repr__()


async def test_what_a_model_has_recorded_is_read_once_for_all_journals_of_a_suite(tmp_path: Path) -> None:
    recordings = [Recording(f"q{at}", "ada", Looked("Answer: 4"), 0, sample) for at in range(10) for sample in range(3)]
    team = AgentTeam.vote(Agent("solver", name="ada", model=RecordedModel(recordings)), samples=3)
    items = [{"id": f"q{at}", "question": f"What is {at} + 1?", "gold": 4} for at in range(10)]
    Looked.times = 0
    found = await compare({"vote": team}, items, baselines=False, log=tmp_path / "bench.db")
    assert len(found.attempts) == 10
    assert Looked.times == len(recordings)
