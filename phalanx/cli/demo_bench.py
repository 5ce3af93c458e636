"""How the demo ends: a small benchmark of a debate against one member, and against a vote at its own calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from phalanx.agents.agent import Agent
from phalanx.benchmarks import summary
from phalanx.benchmarks.compare import compare
from phalanx.benchmarks.generate.catalogue import generate
from phalanx.benchmarks.made_up import simulated_answers
from phalanx.benchmarks.summary import Summary
from phalanx.benchmarks.wording import percent, percents
from phalanx.teams.team import AgentTeam

if TYPE_CHECKING:
    from phalanx.agents.models.model import Model

QUESTIONS = 150
MARGIN = 0.05
TEAM = "debate"


def benchmark(seed: int) -> Summary:
    """A debate of three simulated members on made-up arithmetic, with what it has to beat."""
    tasks = generate("arithmetic", QUESTIONS, seed=seed)

    async def work() -> Summary:
        team = AgentTeam.debate([Agent("debater", name=each) for each in ("ada", "bob", "cleo")], 1, name=TEAM,
                                model=members(simulated_answers(tasks)))  # fmt: skip
        return summary.of(await compare({TEAM: team}, tasks, seed=seed, baselines=["single", "calls"], margin=MARGIN))

    return anyio.run(work)


def members(answers: dict[str, tuple[str, tuple[str, ...]]]) -> Model:
    """Members that are right six times in ten, and change a wrong answer as often as a right one."""
    from phalanx.agents.models.simulated import SimulatedModel

    return SimulatedModel(0.6, answers=answers, distractor=0.5, revise_right=0.2, revise_wrong=0.2)


def rows(found: Summary) -> list[tuple[str, str, str, str]]:
    """Each system with its accuracy, its interval and its calls a question."""
    made = []
    for each in found.grouped:
        if each.accuracy is not None:
            calls = f"{each.calls / max(1, each.items):.1f}"
            made.append((plain(each.system.name), percent(each.accuracy.value), percents(each.accuracy), calls))
    return made


def verdicts(found: Summary) -> list[str]:
    """What the numbers say of the debate and each thing it has to beat."""
    return [plain(each.text) for each in found.findings]


def plain(text: str) -> str:
    """A text in which the debate's baselines go without its name: there is no other team that they could be of."""
    return text.replace(f"{TEAM}: ", "")
