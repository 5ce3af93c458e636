"""A process that runs suites over a log in a file, each in a child of its own that may be killed at any moment.

    python suite_worker.py URL        jobs come as lines of JSON on stdin, answers as lines on stdout

It speaks as the worker of the crash tests does: it loads LiteLLM once and then forks.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import anyio

from phalanx import Agent, AgentTeam
from phalanx.agents.models.litellm import LiteLLM
from phalanx.benchmarks.compare import compare
from phalanx.benchmarks.tasks import TaskItem
from phalanx.messages import Message, Request

ITEMS = [TaskItem(id=f"q{at}", question=f"Is {at} odd?", gold=str(at % 2)) for at in range(6)]


def model_at(url: str) -> LiteLLM:
    """The model that the loopback server is."""
    return LiteLLM("openai/loopback", api_base=url, api_key="sk-none", timeout=20)


async def work(job: Mapping[str, str]) -> dict[str, object]:
    """Run a suite to its end, whatever was done of it before; all that it found but times."""
    model = model_at(job["url"])
    agents = [
        Agent("debater", name=name, model=model, instructions=f"Sign as {name}.") for name in ("ada", "bob", "dan")
    ]
    team = AgentTeam.debate(agents, 1, trigger="always", name="debate")
    try:
        found = await compare(
            {"debate": team, "single": agents[0]}, ITEMS, scorer="exact", log=job["log"], baselines=["calls", "tokens"],
            concurrency=4, name=job["run_id"],
        )  # fmt: skip
    finally:
        await team.aclose()
    facts = [each.model_dump(mode="json", exclude={"seconds", "run_id"}) for each in found.attempts]
    return {"systems": [each.model_dump(mode="json") for each in found.systems], "attempts": facts}


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
    finally:
        sys.stderr.flush()
        os._exit(code)


async def warm(url: str) -> None:
    """Load whatever the first call loads, with no thread and no loop left when it is done."""
    model = model_at(url)
    await model.complete(Request(messages=(Message(role="user", content="warm"),)))
    await model.aclose()


def main() -> None:
    """Do jobs until there are no more."""
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
