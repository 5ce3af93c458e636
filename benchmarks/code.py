"""The scorer of programs: run what a model wrote against an item's tests, in a process of its own."""

from __future__ import annotations

import ast
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from phalanx.errors import ConfigurationError, ValidationError

from .matching import golds_of
from .score import Score
from .tasks import TaskItem

TRIAL = Path(__file__).with_name("trial.py")


@dataclass(frozen=True)
class Code:
    """Right when the program in the answer passes all tests; `gold` holds them, each a piece of Python that may raise.

    allow_code: must be said, because what models wrote is run on this machine. Each program gets a process of its own
    with limits: `seconds` of CPU and of waiting, `megabytes` of memory, no files but Python's own, no processes, no
    environment, and no network: a network namespace with nothing in it where the system gives one (Linux), and an
    audit hook everywhere. `need_isolation` refuses to score without the namespace. All this stops accidents and
    simple tricks, not a determined attacker, who may also fake results: for that, run the benchmark in a container.

    partial: a share of the tests gives that share of the score.
    """

    allow_code: bool = False
    seconds: int = 5
    megabytes: int = 512
    partial: bool = False
    need_isolation: bool = False

    def __post_init__(self) -> None:
        if not self.allow_code:
            raise ConfigurationError(
                "the code scorer runs what models wrote on this machine; allow it with allow_code=True"
            )
        if sys.platform == "win32":
            raise ConfigurationError("the code scorer needs the process limits of Linux or macOS")
        if self.seconds < 1 or self.megabytes < 64:
            raise ValidationError(f"seconds={self.seconds} must be at least 1, megabytes={self.megabytes} at least 64")

    async def __call__(self, answer: str, item: TaskItem) -> Score:
        from anyio import to_thread

        tests = [str(test) for test in golds_of(item)]
        source = program_in(answer)
        if source is None:
            return Score(value=0.0, why="no program in the answer")
        trial = Trial(source, tests, seconds=self.seconds, megabytes=self.megabytes)
        try:
            outcomes = await to_thread.run_sync(trial.run, abandon_on_cancel=True)
        finally:
            trial.stop()
        return self._judged(source, tests, outcomes, trial.timed_out)

    def _judged(self, source: str, tests: list[str], outcomes: list[str], timed_out: bool) -> Score:
        if not outcomes:
            why = f"ran longer than {self.seconds} s" if timed_out else "the program's process could not start"
            if not timed_out:
                raise ConfigurationError(f"{why}; is {sys.executable} usable, with {self.megabytes} MB of memory?")
            return Score(value=0.0, read=source, why=why)
        isolated, *results = outcomes
        if self.need_isolation and isolated != "isolated":
            raise ConfigurationError(
                "this system gives a process no network namespace; need_isolation=False does without"
            )
        cut = f"stopped: over {self.seconds} s of time or {self.megabytes} MB of memory, or it left on its own"
        if not results:
            return Score(value=0.0, read=source, why=cut)
        loading, *rest = results
        if loading:
            return Score(value=0.0, read=source, why=f"the program failed: {loading}")
        passed = sum(not each for each in rest)
        first = next((each for each in rest if each), cut if len(rest) < len(tests) else "")
        why = f"{passed} of {len(tests)} tests passed" + (f"; first failure: {first}" if first else "")
        full = passed == len(tests)
        return Score(value=passed / len(tests) if self.partial else float(full), read=source, why=why)


class Trial:
    """One program on its tests. `run` blocks and may be called once; `stop` ends it from any thread."""

    def __init__(self, source: str, tests: list[str], *, seconds: int, megabytes: int) -> None:
        self.seconds, self.timed_out = seconds, False
        self.mark = secrets.token_hex(8)
        order = {"program": source, "tests": tests, "seconds": seconds, "bytes": megabytes << 20, "mark": self.mark}
        self.order = json.dumps(order).encode()
        self.process: subprocess.Popen[bytes] | None = None
        self.stopped, self.lock = False, threading.Lock()

    def run(self) -> list[str]:
        """What the process told: how it is isolated, how the program loaded, the outcome of each test it reached."""
        with tempfile.TemporaryDirectory(prefix="phalanx-trial-") as folder:
            with self.lock:
                if self.stopped:
                    return []
                self.process = subprocess.Popen(
                    [sys.executable, "-I", "-B", "-X", "utf8", str(TRIAL)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    cwd=folder,
                    env={"PYTHONHASHSEED": "0"},
                    start_new_session=True,
                )
            try:
                told, _ = self.process.communicate(self.order, timeout=self.seconds + 1)
            except subprocess.TimeoutExpired:
                self.timed_out = True
                self.stop()
                told, _ = self.process.communicate()
        lines = told.decode("utf-8", "replace").splitlines()
        return [json.loads(line.removeprefix(self.mark)) for line in lines if line.startswith(self.mark)]

    def stop(self) -> None:
        """Kill the process and whatever it started, if it still runs."""
        with self.lock:
            self.stopped = True
            if self.process is not None and self.process.poll() is None:
                try:
                    os.killpg(self.process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass  # it ended by itself in the meantime


def program_in(answer: str) -> str | None:
    """The program in an answer: its last fenced block that defines something, else its last block, else all of it.

    None when there is no block and the whole is not Python either.
    """
    shown = re.split(r"</think(?:ing)?>", answer, flags=re.I)[-1]
    blocks = re.findall(
        r"^[ \t]*```[ \t]*(?:python|py|python3)?[ \t]*\n(.*?)(?:^[ \t]*```|\Z)", shown, re.S | re.M | re.I
    )
    for block in reversed(blocks):
        if re.search(r"^\s*(?:async\s+def|def|class)\s", block, re.M):
            return str(block)
    if blocks:
        return str(blocks[-1])
    try:
        return shown if ast.parse(shown).body else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
