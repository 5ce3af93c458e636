"""Runs in a process of its own: a program, then its tests, each outcome a line on the standard output.

Started as a script with nothing of Phalanx imported. The order comes as JSON on the standard input: program, tests,
seconds of CPU time, bytes of memory, mark (what each line begins with). The first line says "isolated" or "guarded":
whether the system gave it a network of its own with nothing in it, or only the audit hook refuses connections.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Final

REFUSED: Final = (
    "socket.",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "os.kill",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.truncate",
    "os.chmod",
    "os.chown",
    "os.link",
    "os.symlink",
    "os.putenv",
    "pty.",
    "ctypes.",
    "signal.",
    "webbrowser.",
    "resource.setrlimit",
)
NO_IMPORT: Final = ("ctypes", "_ctypes", "_posixsubprocess", "_socket")
NEW_USER_AND_NET: Final = 0x10000000 | 0x40000000


def isolate() -> bool:
    """Leave the network, where the system lets an ordinary process do so (Linux)."""
    try:
        import ctypes

        return bool(ctypes.CDLL(None).unshare(NEW_USER_AND_NET) == 0)
    except (ImportError, OSError, AttributeError):
        return False


def restrain(seconds: int, memory: int) -> None:
    """Narrow limits on CPU time, memory, files; nothing left behind by a crash."""
    import resource

    for kind, limit in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (limit, limit))


def guard(readable: tuple[str, ...]) -> None:
    """Refuse connections, processes, and files other than those of Python itself."""

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            writing = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            if isinstance(path, int):
                return
            place = os.path.realpath(os.fsdecode(path)) if isinstance(path, (str, bytes)) else ""
            if writing or not place.startswith(readable):
                raise PermissionError(f"not allowed here: opening {path!r} (mode {mode})")
        elif event == "import":
            if arguments[0] in NO_IMPORT:
                raise ImportError(f"not allowed here: importing {arguments[0]}")
        elif event.startswith(REFUSED):
            raise PermissionError(f"not allowed here: {event}")

    sys.addaudithook(watch)


def tell(channel: int, mark: str, what: str) -> None:
    """One line for the parent."""
    os.write(channel, (mark + json.dumps(what[:300]) + "\n").encode())


def attempt(source: str, scope: dict[str, object], name: str) -> str:
    """Run a piece of source; how it went: nothing, or its error in a line."""
    try:
        exec(compile(source, name, "exec"), scope)  # noqa: S102 - running it is what this process is for
    except BaseException as error:  # noqa: BLE001 - the program may raise anything, also SystemExit
        return f"{type(error).__name__}: {error}"
    return ""


def main() -> None:
    """Read the order, narrow this process, run the program and each test, tell how each went."""
    order = json.loads(sys.stdin.buffer.read())
    channel = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    isolated = isolate()
    for name in [name for name in sys.modules if name.partition(".")[0] in NO_IMPORT]:
        del sys.modules[name]
    places = {sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.__file__), "/usr/share/zoneinfo"}
    roots = tuple(os.path.join(os.path.realpath(place), "") for place in places)
    restrain(order["seconds"], order["bytes"])
    guard((*roots, os.path.realpath(os.devnull), "/dev/urandom"))
    tell(channel, order["mark"], "isolated" if isolated else "guarded")
    scope: dict[str, object] = {"__name__": "program"}
    outcome = attempt(order["program"], scope, "program")
    tell(channel, order["mark"], outcome)
    for place, test in enumerate([] if outcome else order["tests"], start=1):
        tell(channel, order["mark"], attempt(test, scope, f"test {place}"))
    os._exit(0)


if __name__ == "__main__":
    main()
