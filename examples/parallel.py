"""All at once, each alone; one that fails does not take the others with it.

python examples/parallel.py [model]
"""

import sys

import anyio

from phalanx import Agent, AgentTeam
from phalanx.messages import Completion, Request
from phalanx.testing import FunctionModel


def broken(request: Request) -> Completion:
    raise ConnectionError(f"{request.about.member}'s provider is down")


async def main(model: str) -> None:
    members = [Agent("worker", name="ada"), Agent("worker", name="bob"), Agent("worker", name="eve")]
    lost = Agent("worker", name="lost", model=FunctionModel(broken))
    team = AgentTeam.parallel([*members, lost], aggregation="majority_vote", quorum=0.5, model=model)
    result = await team.run("What is 17 * 23? End with a line 'Answer: <number>'.")
    print(result.status, "|", result.decision.explanation if result.decision else "")
    for outcome in result.members:
        print(f"  {outcome.member:5} {outcome.status:7} {outcome.error or outcome.text.splitlines()[-1]}")


anyio.run(main, sys.argv[1] if len(sys.argv) > 1 else "offline/simulated")
