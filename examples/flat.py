"""Equals who speak in turn and see each other's words on a shared board; the first of them sums up.

python examples/flat.py [model]
"""

import sys

import anyio

from phalanx import AgentTeam


async def main(model: str) -> None:
    team = AgentTeam.flat(["researcher", "critic", "coder"], shared_memory=True, rounds=2, model=model)
    result = await team.run("What would make our parser twice as fast?")
    print(result)
    for outcome in result.members:
        print(f"  {outcome.member} ({outcome.stage} {outcome.round}): {outcome.usage.input_tokens} tokens read")


anyio.run(main, sys.argv[1] if len(sys.argv) > 1 else "offline/simulated")
