"""Blind answers, counted; without agreement the members see each other's solutions and try again.

python examples/consensus.py [model]
"""

import sys

import anyio

from phalanx import AgentTeam


async def main(model: str) -> None:
    team = AgentTeam.consensus(["ada", "bob", "cleo"], min_agreement=2, model=model)
    result = await team.run("Which is larger: A) 9.11 or B) 9.9?")
    print(result.status, "|", result.votes)
    print(result.why())


anyio.run(main, sys.argv[1] if len(sys.argv) > 1 else "offline/simulated")
