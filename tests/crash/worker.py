"""A process that runs teams over a log in a file, each in a child of its own that may be killed at any moment.

    python worker.py URL        jobs come as lines of JSON on stdin, answers as lines on stdout

It loads LiteLLM once and then forks, so a child that is killed costs milliseconds and not seconds. Jobs:
{"do": "start", …} answers with the child's pid, {"do": "wait", "pid": …} with how it ended.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

import anyio

from phalanx import Agent, AgentTeam, TeamResult, tool
from phalanx.agents.models.litellm import LiteLLM
from phalanx.agents.tools.box import ToolSet
from phalanx.agents.tools.tool import FunctionTool
from phalanx.errors import PhalanxError, UncertainStep
from phalanx.messages import Message, Request
from phalanx.runtime.sqlite import SqliteLog

Json = dict[str, object]

KEY = "sk-crash-0815"
SECRET = "hidden-config-4711"


def model_at(url: str) -> LiteLLM:
    return LiteLLM("openai/loopback", api_base=url, api_key=KEY, timeout=20)


class Desk:
    """Tools with an effect that can be counted: each writes a line to a file."""

    def __init__(self, effects: str) -> None:
        self.effects = effects

    async def act(self, what: str, to: str) -> str:
        await anyio.sleep(0.004)
        with open(self.effects, "a", encoding="utf-8") as file:  # noqa: ASYNC230 - one short line
            file.write(f"{what} {to}\n")
        await anyio.sleep(0.004)
        return f"{what} {to}: done"

    @property
    def look(self) -> FunctionTool:
        @tool(idempotent=True)
        async def look(to: str) -> str:
            """Look something up."""
            return await self.act("look", to)

        return look

    @property
    def send(self) -> ToolSet:
        @tool
        async def send(to: str, token: str) -> str:
            """Send a message. It cannot be taken back."""
            assert token == SECRET
            return await self.act("send", to)

        return ToolSet(name="mail", description="Messages.", tools=[send], config={"token": SECRET})


def agent(name: str, *tools: object) -> Agent:
    return Agent("worker", name=name, instructions=f"Sign as {name}.", tools=list(tools))


Build = Callable[[LiteLLM, Desk], AgentTeam]
BUILDS: Mapping[str, Build] = {
    "hierarchical": lambda m, d: AgentTeam.hierarchical(agent("ada"), staff(d), verifier=agent("vic"), model=m),
    "flat": lambda m, d: AgentTeam.flat(staff(d), rounds=2, model=m),
    "pipeline": lambda m, d: AgentTeam.pipeline(staff(d), model=m),
    "parallel": lambda m, d: AgentTeam.parallel(staff(d), aggregation="majority_vote", model=m),
    "consensus": lambda m, d: AgentTeam.consensus(staff(d), 3, rounds=2, model=m),
    "debate": lambda m, d: AgentTeam.debate(staff(d), 2, judge=agent("jude"), trigger="always", model=m),
    "nested": lambda m, d: AgentTeam.pipeline(
        [AgentTeam.debate(staff(d), 1, trigger="always", name="inner"), agent("last", d.look)], model=m, name="outer"
    ),
    "vote": lambda m, d: AgentTeam.vote(staff(d), 3, early=False, model=m),
    "mixture": lambda m, d: AgentTeam.mixture(staff(d), agent("agg"), layers=3, model=m),
    "reflect": lambda m, d: AgentTeam.reflect(agent("bob", d.send), agent("vic"), model=m),
    "router": lambda m, d: AgentTeam.router(agent("ria"), staff(d), top=2, model=m),
    "handoff": lambda m, d: AgentTeam.handoff(staff(d), max_handoffs=3, model=m),
    "map_reduce": lambda m, d: AgentTeam.map_reduce(staff(d), agent("red"), max_pieces=3, model=m),
    "ledger": lambda m, d: AgentTeam.ledger(agent("ada"), staff(d), max_steps=4, model=m),
    "blackboard": lambda m, d: AgentTeam.blackboard(staff(d), decider=agent("dee"), max_turns=4, model=m),
    "market": lambda m, d: AgentTeam.market(staff(d), model=m),
    "adaptive": lambda m, d: AgentTeam.adaptive(staff(d), 3, stop="esc(3)", model=m),
    "panel": lambda m, d: AgentTeam.panel(
        [agent("bob"), agent("cy", d.look)], candidates={"a": "1", "b": "2"}, model=m
    ),
}


def staff(desk: Desk) -> list[Agent]:
    return [agent("bob", desk.send), agent("cy", desk.look), agent("dan")]


def facts(result: TeamResult) -> Json:
    """All of a result but what differs from run to run: its id, how long it took, when things were written."""
    whole = result.to_dict()
    whole.pop("duration")
    for entry in whole["board"]:
        entry.pop("time")
    return json.loads(json.dumps(whole).replace(str(result.run_id), "the-run"))  # type: ignore[no-any-return]


async def work(job: Mapping[str, str]) -> Json:
    """Begin a run or go on with it, to its end."""
    model = model_at(job["url"])
    team = BUILDS[job["formation"]](model, Desk(job["effects"]))
    run_id = job["run_id"]
    limit = int(job["max_bytes"]) if job.get("max_bytes") else None
    async with SqliteLog(job["log"], max_bytes=limit) as log, team:
        try:
            if job.get("replay"):
                result = await team.replay(run_id, log=log)
            elif await log.read(f"run/{run_id}"):
                decisions = json.loads(job.get("decisions") or "{}")
                result = await team.resume(run_id, log=log, decisions=decisions)
            else:
                result = await team.run("Is it so?", seed=7, run_id=run_id, log=log)
        except UncertainStep as doubt:
            return {"uncertain": doubt.key}
        except PhalanxError as failure:
            return {"error": type(failure).__name__, "text": str(failure)}
        return {"result": facts(result)}


def start(job: Mapping[str, str]) -> int:
    """Do a job in a child; its outcome is written to job["out"]."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        outcome = anyio.run(work, job)
        part = Path(f"{job['out']}.part")
        part.write_text(json.dumps(outcome), encoding="utf-8")
        part.rename(job["out"])
        code = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        sys.stderr.flush()
        os._exit(code)


async def warm(url: str) -> None:
    """Load whatever the first call loads, with no thread and no loop left when it is done."""
    model = model_at(url)
    await model.complete(Request(messages=(Message(role="user", content="warm"),)))
    await model.aclose()


def main() -> None:
    anyio.run(warm, sys.argv[1])
    print(json.dumps({"ready": True}), flush=True)  # noqa: T201 - the answer to whoever started it
    for line in sys.stdin:
        job = json.loads(line)
        if job["do"] == "wait":
            answer = {"code": os.waitstatus_to_exitcode(os.waitpid(job["pid"], 0)[1])}
        else:
            answer = {"pid": start(job)}
        print(json.dumps(answer), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
