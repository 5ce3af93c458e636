"""What the crash tests share: a server that counts calls, a process whose children are killed, journals to check."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import anyio

from phalanx.messages import Request, ToolCall
from phalanx.runtime.events import Event, StepFinished, StepStarted
from phalanx.runtime.sqlite import SqliteLog
from tests.recording import DONE, plan
from tests.teams.any_team import filled
from tests.wire.servers import Received, Reply, Server, Use, serve

Call = str
WORKER = Path(__file__).with_name("worker.py")


def reply(request: Received) -> Reply:
    """An answer that depends on what was asked and on nothing else, after a time that does too."""
    call = call_of(request)
    chance = hashlib.sha256(call.encode()).digest()
    return said(request, chance, delay=chance[1] % 20 / 1000)


def said(request: Received, chance: bytes, *, delay: float) -> Reply:
    messages = request.body["messages"]
    assert isinstance(messages, list)
    system, last = str(messages[0]["content"]), messages[-1]
    if '"accepted"' in system:
        return Reply(text=json.dumps({"accepted": True}), delay=delay)
    if '"verdict"' in system:
        return Reply(text=json.dumps({"verdict": "Candidate 1"}), delay=delay)
    if '"done"' in system:
        return Reply(text=json.dumps(DONE), delay=delay)
    if '"assignments"' in system:
        parts = plan(("1", "bob", "first", []), ("2", "cy", "second", []), ("3", "bob", "third", ["1", "2"]))
        return Reply(text=json.dumps(parts), delay=delay)
    if (shape := re.search(r"fits this JSON schema[^\n]*\n(?=\{)", system)) is not None:
        schema = json.JSONDecoder().raw_decode(system, shape.end())[0]
        return Reply(text=json.dumps(filled(schema, schema.get("$defs", {}), chance.hex())), delay=delay)
    found = re.search(r"Sign as (\w+)\.", system)
    name = found[1] if found else "nobody"
    tools = request.body.get("tools")
    if isinstance(tools, list) and tools and last["role"] == "user":
        used = tools[0]["function"]["name"]
        return Reply(
            uses=(Use(used, {"to": f"{name}-{chance.hex()[:8]}"}, id=f"call_{chance.hex()[:8]}"),), delay=delay
        )
    changed = name == "dan" and len(messages) == 2 and "Answer:" not in str(last["content"])
    return Reply(text=f"{name} thinks so.\nAnswer: {0 if changed else 1}", delay=delay)


def call_of(request: Received | Request) -> Call:
    """What a request asks, as one text: the same for what came over the wire and for what the journal holds."""
    if isinstance(request, Request):
        said = [[each.role, each.content or "", each.tool_call_id or ""] for each in request.messages]
    else:
        raw = request.body["messages"]
        assert isinstance(raw, list)
        said = [[each["role"], each.get("content") or "", each.get("tool_call_id") or ""] for each in raw]
    return json.dumps(said, ensure_ascii=False)


class Office:
    """A running worker and the server that its children call."""

    def __init__(self, server: Server, worker: subprocess.Popen[str], folder: Path) -> None:
        self.server, self._worker, self.folder = server, worker, folder
        self._count = 0

    def calls(self) -> Counter[Call]:
        """How often each call came in."""
        return Counter(call_of(request) for request in list(self.server.requests))

    def start(self, formation: str, log: Path, run_id: str, **options: str) -> Child:
        """Begin a run, or go on with it, in a process of its own."""
        self._count += 1
        out = self.folder / f"out-{self._count}.json"
        job = {
            "do": "start", "formation": formation, "log": str(log), "run_id": run_id, "url": self.server.url,
            "effects": str(self.effects(log)), "out": str(out), **options,
        }  # fmt: skip
        return Child(self, int(str(self.ask(job)["pid"])), out)

    def effects(self, log: Path) -> Path:
        """Where the tools of the runs in a log write what they did."""
        return log.with_suffix(".effects")

    def ask(self, job: Mapping[str, object]) -> dict[str, object]:
        assert self._worker.stdin is not None
        assert self._worker.stdout is not None
        self._worker.stdin.write(json.dumps(job) + "\n")
        self._worker.stdin.flush()
        line = self._worker.stdout.readline()
        assert line, f"the worker is gone: {(self.folder / 'errors').read_text()[-3000:]}"
        return json.loads(line)  # type: ignore[no-any-return]


class Child:
    """One process that works on a run."""

    def __init__(self, office: Office, pid: int, out: Path) -> None:
        self._office, self.pid, self._out = office, pid, out

    def kill(self) -> bool:
        """Kill it, as the kernel does; whether it had not ended yet."""
        os.kill(self.pid, signal.SIGKILL)
        return self._wait() == -signal.SIGKILL

    def outcome(self) -> dict[str, object]:
        """What it gave, at its end."""
        code = self._wait()
        assert code == 0, f"it ended with {code}: {(self._office.folder / 'errors').read_text()[-3000:]}"
        return json.loads(self._out.read_text(encoding="utf-8"))  # type: ignore[no-any-return]

    def _wait(self) -> int:
        return int(str(self._office.ask({"do": "wait", "pid": self.pid})["code"]))


@contextlib.contextmanager
def office(folder: Path) -> Iterator[Office]:
    """A server and a worker, until the block ends."""
    with serve("openai", reply) as server, (folder / "errors").open("w") as errors, _worker(server, errors) as worker:
        try:
            made = Office(server, worker, folder)
            assert worker.stdout is not None
            assert worker.stdout.readline(), (folder / "errors").read_text()
            yield made
        finally:
            assert worker.stdin is not None
            worker.stdin.close()
            worker.wait()


def _worker(server: Server, errors: IO[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(WORKER), server.url],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
    )  # fmt: skip


class Journal:
    """What a log's file says of a run; the file itself is sound."""

    def __init__(self, records: list[object]) -> None:
        self.records = records
        self.started = {each.key: each for each in records if isinstance(each, StepStarted)}
        self.finished = {each.key: each for each in records if isinstance(each, StepFinished)}

    @classmethod
    def read(cls, log: Path, run_id: str) -> Journal:
        """Read a run's journal, after looking for damage in the whole file."""

        async def read() -> list[object]:
            async with SqliteLog(log) as opened:
                assert await opened.check() == []
                return [record for _, record in await opened.read(f"run/{run_id}")]

        journal = cls(anyio.run(read))
        seqs = [each.seq for each in journal.records if isinstance(each, Event)]
        assert seqs == list(range(1, len(seqs) + 1))
        return journal

    def calls(self) -> Counter[Call]:
        """What was asked of models, by the steps that were ever started."""
        return Counter(call_of(each.request) for each in self.started.values() if isinstance(each.request, Request))

    def paid(self) -> Counter[Call]:
        """What was asked of models, by the steps whose end is known."""
        return Counter(
            call_of(each.request)
            for key, each in self.started.items()
            if isinstance(each.request, Request) and key in self.finished and self.finished[key].status == "ok"
        )

    def used(self) -> set[str]:
        """What tools did, by the steps whose end is known."""
        return {
            f"{each.request.tool_name} {each.request.parameters['to']}"
            for key, each in self.started.items()
            if isinstance(each.request, ToolCall) and key in self.finished and self.finished[key].status == "ok"
        }
