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
    for entry in result.board:
        print(f"  on the board: {entry.author} in round {entry.round}: {str(entry.value)[:60]!r}")


anyio.run(main, sys.argv[1] if len(sys.argv) > 1 else "offline/simulated")
