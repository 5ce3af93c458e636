"""The real command in a process of its own, with an environment that holds no keys and no settings."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

SECONDS = 60.0

# A process that a background shell starts ignores SIGINT; whoever sits at a terminal does not.
_SEVERAL = """
import contextlib, io, json, sys
from phalanx.cli import main
ends = []
for words in json.load(sys.stdin):
    sys.argv, code = ["phalanx", *words], None
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    ends.append((code, out.getvalue(), err.getvalue()))
print(json.dumps(ends))
"""

_START = (
    "import fcntl, os, signal, sys, termios\n"
    "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
    "if os.isatty(0): fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])\n"
)


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit code and what it wrote."""

    code: int
    out: str
    err: str


def phalanx(
    *arguments: object,
    cwd: Path,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    out: str | None = None,
    err: str | None = None,
) -> Done:
    """Run the command to its end, without a terminal. out, err: files that stdout and stderr go to."""
    with ExitStack() as files:
        done = subprocess.run(
            _words(arguments), cwd=cwd, env=clean(environment), input=stdin.encode("utf-8", "surrogateescape"),
            stdout=files.enter_context(Path(out).open("wb")) if out else subprocess.PIPE,
            stderr=files.enter_context(Path(err).open("wb")) if err else subprocess.PIPE,
            timeout=SECONDS, check=False,
        )  # fmt: skip
    return Done(done.returncode, (done.stdout or b"").decode(), (done.stderr or b"").decode())


def several(
    *commands: Sequence[object], cwd: Path, environment: Mapping[str, str] | None = None, seconds: float = SECONDS
) -> list[Done]:
    """Run commands one after the other in one process, which loads what they need only once; how each ended."""
    words = json.dumps([[str(word) for word in command] for command in commands])
    done = subprocess.run(
        [sys.executable, "-c", _SEVERAL], cwd=cwd, env=clean(environment), input=words.encode(), capture_output=True,
        timeout=seconds, check=True,
    )  # fmt: skip
    return [Done(*each) for each in json.loads(done.stdout)]


@contextmanager
def started(
    *arguments: object, cwd: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """The command at work, without a terminal; killed at the end of the block if it still works."""
    process = subprocess.Popen(
        [sys.executable, "-c", _START, *_words(arguments)[1:]], cwd=cwd, env=clean(environment), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@dataclass
class Terminal:
    """A command that runs on a terminal of its own: `shown` is all that it wrote to it so far."""

    process: subprocess.Popen[bytes]
    master: int
    raw: bytearray = field(default_factory=bytearray)

    @property
    def shown(self) -> str:
        """What it wrote, escape sequences included."""
        return self.raw.decode("utf-8", "replace")

    @property
    def text(self) -> str:
        """What it wrote, without escape sequences."""
        return ESCAPES.sub("", self.shown)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self.master, keys.encode())

    def wait_for(self, text: str) -> None:
        """Read until a text has been shown. Raises AssertionError when it is not shown in time."""
        self.read_until(lambda: text in self.text)

    def read_until(self, condition: Callable[[], bool], seconds: float = SECONDS) -> None:
        """Read, as a terminal does all the time, until something is true. Raises AssertionError when it is never."""
        end = time.monotonic() + seconds
        while not condition():
            left = end - time.monotonic()
            if left <= 0 or (not self._read(min(left, 0.1)) and self.process.poll() is not None):
                raise AssertionError(f"it never came true; shown was:\n{self.text}")

    def wait(self, seconds: float = SECONDS) -> int:
        """Read to the end; gives the exit code."""
        end = time.monotonic() + seconds
        while self._read(end - time.monotonic()):
            pass
        return self.process.wait(max(0.1, end - time.monotonic()))

    def _read(self, seconds: float) -> bool:
        """Read what there is, waiting for it; False at the end, or when nothing came in time."""
        if not select.select([self.master], [], [], max(0.0, seconds))[0]:
            return False
        try:
            piece = os.read(self.master, 65536)
        except OSError:  # the terminal's other side is closed
            return False
        self.raw += piece
        return bool(piece)


ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


@contextmanager
def on_terminal(
    *arguments: object, cwd: Path, columns: int = 80, rows: int = 30, environment: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """The command at work on a terminal of this size; killed at the end of the block if it still works."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    env = clean({"TERM": "xterm-256color", **(environment or {})})
    process = subprocess.Popen(
        [sys.executable, "-c", _START, *_words(arguments)[1:]], cwd=cwd, env=env, stdin=slave, stdout=slave,
        stderr=slave, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def clean(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment in which no provider has a key, no Ollama is found and runs are kept where the command works."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH", "TMPDIR") if name in os.environ}
    return {"PYTHONUTF8": "1", "OLLAMA_HOST": "127.0.0.1:9", "PHALANX_HOME": ".phalanx", **kept, **(more or {})}


def interrupt(process: subprocess.Popen[str], number: int = signal.SIGINT) -> Done:
    """Send a signal and wait for the end."""
    process.send_signal(number)
    out, err = process.communicate(timeout=SECONDS)
    return Done(process.returncode, out, err)


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether a condition came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def _words(arguments: tuple[object, ...]) -> list[str]:
    return [sys.executable, "-m", "phalanx", *map(str, arguments)]
