"""A team as a member of a team, under one limit; and a formation of one's own, which is just a function.

python examples/nested.py [model]
"""

import sys

import anyio

from phalanx import AgentTeam, Answer, Limits, Task, TeamRun


async def best_of_two(run: TeamRun, task: Task) -> Answer:
    """Both try; the longer answer wins."""
    outcomes = await run.ask_all(run.text(task), stage="try")
    return Answer(max((each.text for each in run.require(outcomes)), key=len))


async def main(model: str) -> None:
    inner = AgentTeam(["ada", "bob"], formation=best_of_two, name="writers")
    team = AgentTeam.pipeline([inner, "critic"], model=model)
    print(team.diagram())
    result = await team.run("Write a haiku about tests.", limits=Limits(calls=5, tokens=100_000, depth=1))
    print(result)


anyio.run(main, sys.argv[1] if len(sys.argv) > 1 else "offline/simulated")
