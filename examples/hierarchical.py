"""A lead splits a task, two workers do the parts, a verifier has a veto.

python examples/hierarchical.py                          # simulated members, no key needed
python examples/hierarchical.py openai/gpt-4o-mini       # a real model
"""

import sys

import anyio

from phalanx import Agent, AgentTeam, Limits


async def main(model: str) -> None:
    team = AgentTeam.hierarchical(
        lead="lead",
        subagents=[
            Agent("researcher", name="ada", skills=["history", "sources"]),
            Agent("coder", name="bob", instructions="Write small functions."),
        ],
        verifier="verifier",
        model=model,
    )
    print("at most:", team.estimate("Write a function that dates an event by its source."))
    result = await team.run("Write a function that dates an event by its source.", limits=Limits(calls=20))
    print(result)
    print(result.why())
    for outcome in result.members:
        print(f"  {outcome.member:10} {outcome.stage:10} {outcome.status:6} {outcome.usage.tokens} tokens")


anyio.run(main, sys.argv[1] if len(sys.argv) > 1 else "offline/simulated")
