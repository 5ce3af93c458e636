"""Programs compared by what they do: each is run on the same tests, in a process of its own with narrow limits.

The limits stop accidents, not attackers: whoever runs models' programs on a machine that matters should do so in a
container or a virtual machine.
"""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

from pydantic import Field

from phalanx.errors import ConfigurationError
from phalanx.messages import Data

if TYPE_CHECKING:
    from .parse import Reading

# Runs in the child: narrow itself, run the program, evaluate each test, print the outcomes as JSON.
_CHILD = r"""
import json, os, resource, sys
order = json.load(sys.stdin)
sys.stdin.close()
for what, limit in (("RLIMIT_CPU", order["seconds"]), ("RLIMIT_AS", order["bytes"]), ("RLIMIT_FSIZE", 0),
                    ("RLIMIT_NOFILE", 16), ("RLIMIT_CORE", 0)):
    resource.setrlimit(getattr(resource, what), (limit, limit))
REFUSED = ("socket", "subprocess", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.kill",
           "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.chmod", "os.link", "os.symlink", "os.truncate",
           "shutil", "ctypes", "pty", "signal", "webbrowser", "urllib", "http", "ftplib", "smtplib")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
def guard(event, arguments):
    if event.startswith(REFUSED):
        raise PermissionError("not allowed in a test: " + event)
    if event == "open" and arguments[2] & WRITING:
        raise PermissionError("not allowed in a test: writing a file")
    if event == "import" and arguments[0] in ("ctypes", "_ctypes", "_posixsubprocess"):
        raise PermissionError("not allowed in a test: importing " + arguments[0])
out = sys.stdout
class Quiet:
    def write(self, text): return len(text)
    def flush(self): pass
outcomes, scope = [], {"__name__": "program"}
sys.stdout = sys.stderr = Quiet()
sys.addaudithook(guard)
try:
    exec(compile(order["program"], "program", "exec"), scope)
except BaseException as error:
    outcomes = None
else:
    for test in order["tests"]:
        try:
            outcomes.append("= " + repr(eval(test, scope))[:10000])
        except BaseException as error:
            outcomes.append("! " + type(error).__name__)
out.write("\n" + json.dumps(outcomes))
out.flush()
os._exit(0)
"""


class CodeTests(Data):
    """What programs are compared by.

    calls: Python expressions evaluated after the program, such as "solve(3)"; two programs are the same when every
    call gives the same value (by its repr), or the same kind of error. seconds: of computing, for the whole program;
    it may take half as long again, and a second to start. megabytes: of memory.
    """

    calls: tuple[str, ...] = Field(min_length=1)
    seconds: int = Field(default=5, ge=1, le=600)
    megabytes: int = Field(default=512, ge=64)

    def read(self, reply: str) -> tuple[str, Reading] | None:
        """The program in a reply and what it does; None when there is none or it does not run."""
        from .parse import Reading

        program = _program(reply)
        if not program.strip():
            return None
        outcomes = self.outcomes(program)
        if outcomes is None or all(outcome.startswith("!") for outcome in outcomes):
            return None
        return program, Reading("json", ("outcomes", *outcomes))

    def outcomes(self, program: str) -> tuple[str, ...] | None:
        """What each call comes to: "= value" or "! error"; None when the program itself fails or takes too long.

        The program runs in a new process without this one's environment, with its input closed, in an empty folder,
        unable to write files, to start processes or to open connections.
        """
        import os
        import signal
        import subprocess
        import tempfile

        if os.name != "posix":
            raise ConfigurationError("programs are run under limits that only POSIX systems have; use another kind=")
        order = {
            "program": program, "tests": list(self.calls), "seconds": self.seconds, "bytes": self.megabytes * 2**20,
        }  # fmt: skip
        with tempfile.TemporaryDirectory(prefix="phalanx-code-") as folder:
            child = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", "-c", _CHILD],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=folder,
                env={"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "PATH": ""},
                start_new_session=True,
            )
            try:
                printed, _ = child.communicate(json.dumps(order).encode(), timeout=1.5 * self.seconds + 1)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.communicate()
                return None
        lines = printed.decode("utf-8", "replace").splitlines()
        try:
            outcomes = json.loads(lines[-1]) if lines else None
        except ValueError:
            return None
        return None if outcomes is None else tuple(str(outcome) for outcome in outcomes)


_FENCE = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)```", re.S | re.I)


def _program(reply: str) -> str:
    """The last fenced block of a reply, or all of it when nothing is fenced."""
    blocks = _FENCE.findall(reply)
    return blocks[-1] if blocks else reply
