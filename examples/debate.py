"""A debate watched live: drafts, a round of revision, and a judge who sees the candidates in both orders.

python examples/debate.py [model]
"""

import sys

import anyio

from phalanx import AgentTeam
from phalanx.runtime.events import BallotCast, Decided, RoundStarted


async def main(model: str) -> None:
    team = AgentTeam.debate(["ada", "bob", "cleo"], rounds=1, judge="judge", model=model)
    async with team.stream("Which is a prime number: A) 1,003, B) 1,001 or C) 1,009?", seed=1) as events:
        async for event in events:
            match event:
                case RoundStarted(stage=stage, round=number):
                    print(f"-- {stage} {number}")
                case BallotCast(member=member, choice=choice):
                    print(f"   {member}: {choice}")
                case Decided(explanation=explanation):
                    print(f"   {explanation}")
    print(events.result)


anyio.run(main, sys.argv[1] if len(sys.argv) > 1 else "offline/simulated")
