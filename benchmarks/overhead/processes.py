"""What whole processes cost: importing, the first answer, the command line, and the memory of many teams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .bare import KEY
from .measure import Row, Target

NOTHING = "pass"
IMPORT = "import phalanx; from phalanx import Agent, AgentTeam"
FLOOR = "import asyncio, anyio, pydantic; type('One', (pydantic.BaseModel,), {'__annotations__': {'x': int}})"
# Where 80 ms (50) were set for ours, these took 46.
FLOOR_TARGET = Target(80 / 46, 50 / 46)
LITELLM = "import litellm"
# The most memory the process itself had, in kB; what `resource` says begins with its parent's.
PEAK = "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
STATUS = Path("/proc/self/status")
OURS_FIRST = """
import anyio
from phalanx import Agent
agent = Agent("worker", model="openai/loopback", api_base={url!r}, api_key={key!r})
print(anyio.run(agent.run, "Say something."))
"""
LITELLM_FIRST = """
import asyncio, litellm
messages = [dict(role="user", content="Say something.")]
call = litellm.acompletion(model="openai/loopback", api_base={url!r}, api_key={key!r}, messages=messages)
print(asyncio.run(call).choices[0].message.content)
"""
OPENAI_FIRST = """
import asyncio, openai
messages = [dict(role="user", content="Say something.")]
client = openai.AsyncOpenAI(base_url={url!r}, api_key={key!r})
print(asyncio.run(client.chat.completions.create(model="loopback", messages=messages)).choices[0].message.content)
"""
TEAM_FILE = """
name: one
members:
  - {{name: ada, role: worker, model: openai/loopback, api_base: "{url}"}}
formation: {{kind: pipeline}}
"""
# Peak memory of so many teams at once, in kB a team over the start; the model is loaded and has answered before.
MANY = """
import gc, json, time
import anyio
from functools import partial
from phalanx.benchmarks.overhead import litellm
from phalanx.benchmarks.overhead.workloads import W4, at_once, by_hand, by_team, maker, rehearse

def peak():
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])

async def main():
    make = maker({url!r}, "direct")
    first = W4.make(make)
    calls = await rehearse(W4, first)
    async with litellm.direct({url!r}) as way:
        async def ours(n):
            made = [W4.make(make) for _ in range(n)]
            await at_once([partial(by_team, each) for each in made])
        async def hand(n):
            await at_once([partial(by_hand, way, W4, calls)] * n)
        work = {work}
        await work(4)
        gc.collect()
        before = peak()
        began = time.perf_counter()
        await work({teams})
        wall = time.perf_counter() - began
        after = peak()
    await first.aclose()
    print(json.dumps([wall, (after - before) / {teams}]))

anyio.run(main)
"""


def measure(port: int, *, rounds: int, teams: int) -> Iterator[Row]:
    """The rows, as they are ready; processes of all kinds take turns. teams: how many work at the same time."""
    url = f"http://127.0.0.1:{port}/d0/v1"
    given = {"url": url, "key": KEY}
    with tempfile.TemporaryDirectory() as home:
        team = Path(home) / "team.yaml"
        team.write_text(TEAM_FILE.format(url=url))
        command = ["-m", "phalanx", "run", str(team), "Say something.", "--json", "--no-journal"]
        kinds = {
            "nothing": ["-c", NOTHING],
            "import": ["-c", IMPORT],
            "floor": ["-c", FLOOR],
            "litellm": ["-c", LITELLM],
            "ours": ["-c", OURS_FIRST.format(**given)],
            "acompletion": ["-c", LITELLM_FIRST.format(**given)],
            "openai": ["-c", OPENAI_FIRST.format(**given)],
            "command": command,
        }
        found: dict[str, list[float]] = {name: [] for name in kinds}
        for at in range(rounds + 1):  # the first one fills the caches of files
            for name, arguments in kinds.items():
                spent = _process(arguments, home)
                if at:
                    found[name].append(spent)
    pairs = zip(found["import"], found["nothing"], strict=True)
    over = tuple((ours - bare) * 1e3 for ours, bare in pairs)
    yield Row("import phalanx, over a bare interpreter, CPU", "ms", over, Target(80, 50))
    triples = zip(found["import"], found["floor"], found["nothing"], strict=True)
    times = tuple((ours - bare) / (floor - bare) for ours, floor, bare in triples)
    yield Row("import phalanx / anyio, asyncio and one pydantic model, x", "CPU", times, FLOOR_TARGET)
    if STATUS.exists():
        sizes = tuple(_size(IMPORT, home) - _size(NOTHING, home) for _ in range(rounds))
        yield Row("import phalanx, over a bare interpreter, peak", "MB", sizes, Target(25, 25))
    yield _times("cold start to the first answer / litellm by hand", found["ours"], found["acompletion"], (0.85, 0.75))
    yield _times("command line, whole process / import litellm", found["command"], found["litellm"], (0.65, 0.55))
    for name, used in found.items():
        yield Row(f"whole process, CPU, {name}", "ms", tuple(seconds * 1e3 for seconds in used))
    if STATUS.exists():
        yield from _memory(port, rounds, teams)


def _memory(port: int, rounds: int, teams: int) -> Iterator[Row]:
    found: dict[str, list[tuple[float, float]]] = {"ours": [], "hand": []}
    for _ in range(rounds):
        for name, taken in found.items():
            script = MANY.format(url=f"http://127.0.0.1:{port}/d50/v1", teams=teams, work=name)
            wall, size = json.loads(_output(["-c", script], None))
            taken.append((wall, size))
    pairs = list(zip(found["ours"], found["hand"], strict=True))
    yield Row(
        f"{teams} teams at once / direct path by hand", "wall", tuple(a[0] / b[0] for a, b in pairs), Target(1.6, 1.25)
    )
    yield Row(f"{teams} teams at once, peak memory a team", "kB", tuple(a[1] for a, _ in pairs), Target(60, 35))
    yield Row(f"{teams} by hand at once, peak memory a team", "kB", tuple(b[1] for _, b in pairs))


def _times(name: str, ours: list[float], base: list[float], bounds: tuple[float, float]) -> Row:
    return Row(f"{name}, x", "CPU", tuple(a / b for a, b in zip(ours, base, strict=True)), Target(*bounds))


def _size(script: str, home: str) -> float:
    """The peak memory of a script, in MB."""
    return int(_output(["-c", f"{script}\n{PEAK}"], home)) / 1024


def _process(arguments: list[str], home: str) -> float:
    """A process from start to end: seconds of CPU."""
    with subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_environment(home)
    ) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{arguments} failed: {said.decode(errors='replace')}")
    return used.ru_utime + used.ru_stime


def _output(arguments: list[str], home: str | None) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=_environment(home))
    if done.returncode:
        raise RuntimeError(f"a process failed: {done.stderr}")
    return done.stdout


def _environment(home: str | None) -> dict[str, str]:
    mine = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "OPENAI_API_KEY": KEY}
    # What is installed has its bytecode beside it: the first round may write it, whatever the caller's shell says.
    given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**given, **mine, **({} if home is None else {"PHALANX_HOME": home})}
