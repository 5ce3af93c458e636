"""Stages in a row, with a check between them that sends bad work back once.

python examples/pipeline.py [model]
"""

import sys

import anyio

from phalanx import Agent, AgentResult, AgentTeam


def long_enough(result: AgentResult) -> str | None:
    return None if len(result) >= 20 else "too short: give at least a sentence"


async def main(model: str) -> None:
    team = AgentTeam.pipeline(
        [Agent("planner", name="outline"), Agent("worker", name="draft"), Agent("critic", name="polish")],
        validators={"draft": long_enough},
        model=model,
    )
    result = await team.run("Explain why the sky is blue, in three sentences.")
    print(result)
    print("the last stage was sent:", result.member("polish").messages[-2].content[:200])


anyio.run(main, sys.argv[1] if len(sys.argv) > 1 else "offline/simulated")
