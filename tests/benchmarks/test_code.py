from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from phalanx.benchmarks.code import Code, program_in
from phalanx.benchmarks.scoring import score
from phalanx.benchmarks.tasks import TaskItem
from phalanx.errors import ConfigurationError, ValidationError

pytestmark = pytest.mark.wire

CODE = Code(allow_code=True, seconds=2)
ITEM = TaskItem(
    id="double", question="?", gold=("assert double(2) == 4", "assert double(0) == 0", "assert double(-1) == -2")
)


async def test_a_program_that_passes_all_tests_is_right() -> None:
    answer = "Sure!\n```python\ndef double(n):\n    return 2 * n\n```\nThat is all."
    found = await score(CODE, answer, ITEM)
    assert (found.value, found.why) == (1, "3 of 3 tests passed")
    assert found.read == "def double(n):\n    return 2 * n\n"


async def test_a_program_that_fails_a_test_is_wrong_or_gets_its_share() -> None:
    answer = "def double(n):\n    return 2 * abs(n)"
    found = await score(CODE, answer, ITEM)
    assert found.value == 0
    assert found.why == "2 of 3 tests passed; first failure: AssertionError: "
    partial = await score(Code(allow_code=True, partial=True), answer, ITEM)
    assert partial.value == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("import sys; sys.exit(0)", "the program failed: SystemExit"),
        ("x = 1/0", "the program failed: ZeroDivisionError"),
        ("import os; os._exit(0)", "it left on its own"),
        ("import socket", "not allowed here: importing _socket"),
        ("open('/etc/passwd').read()", "not allowed here: opening '/etc/passwd'"),
        ("open('out.txt', 'w')", "not allowed here: opening 'out.txt'"),
        ("import subprocess; subprocess.run(['true'])", "not allowed here"),
        ("import os; os.fork()", "not allowed here: os.fork"),
        ("import os; os.system('true')", "not allowed here: os.system"),
        ("import ctypes", "not allowed here: importing ctypes"),
        ("x = bytearray(1 << 30)", "the program failed: MemoryError"),
    ],
)
async def test_what_a_program_may_not_do_fails_it(body: str, why: str) -> None:
    found = await score(CODE, f"```python\n{body}\ndef double(n):\n    return 2 * n\n```", ITEM)
    assert found.value == 0
    assert why in found.why


async def test_a_program_that_never_ends_is_stopped_and_keeps_the_tests_it_passed() -> None:
    answer = "def double(n):\n    while n < 0: pass\n    return 2 * n"
    found = await score(Code(allow_code=True, seconds=1, partial=True), answer, ITEM)
    assert found.value == pytest.approx(2 / 3)
    assert "stopped: over 1 s" in found.why


async def test_a_program_that_only_waits_is_stopped_too() -> None:
    found = await score(Code(allow_code=True, seconds=1), "import time\ntime.sleep(60)\ndef double(n): ...", ITEM)
    assert found.value == 0
    assert "stopped" in found.why


async def test_what_a_program_prints_is_no_result() -> None:
    answer = (
        'import sys\nprint(\'["isolated"]\')\nsys.stdout.write(\'\\n""\\n""\\n""\\n\')\ndef double(n):\n    return 5'
    )
    assert (await score(CODE, answer, ITEM)).value == 0


async def test_a_program_that_writes_results_itself_and_leaves_has_none() -> None:
    answer = """
import os
for channel in range(3, 32):
    try:
        os.write(channel, b'""\\n' * 4)
    except OSError:
        pass
os._exit(0)
"""
    found = await score(CODE, answer, ITEM)
    assert found.value == 0
    assert "left on its own" in found.why


async def test_isolation_is_had_where_the_system_gives_it_and_missed_aloud_where_it_does_not() -> None:
    unshare = shutil.which("unshare")
    given = unshare is not None and (await anyio.run_process([unshare, "-rn", "true"], check=False)).returncode == 0
    strict = Code(allow_code=True, need_isolation=True)
    if given:
        assert (await score(strict, "def double(n): return 2 * n", ITEM)).value == 1
    else:
        with pytest.raises(ConfigurationError, match="need_isolation"):
            await score(strict, "def double(n): return 2 * n", ITEM)


async def test_a_program_sees_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "hidden")
    item = TaskItem(id="env", question="?", gold="assert look() == []")
    answer = "import os\ndef look():\n    return [name for name in os.environ if 'SECRET' in name]"
    assert (await score(CODE, answer, item)).value == 1


async def test_a_program_cannot_reach_a_server_on_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        answer = f"""
import sys
def double(n):
    for name in ("socket", "_socket"):
        try:
            module = __import__(name)
            module.socket().connect(("127.0.0.1", {port}))
        except BaseException:
            continue
        raise SystemExit("reached")
    return 2 * n
"""
        server.settimeout(0.2)
        assert (await score(CODE, answer, ITEM)).value == 1
        with pytest.raises(TimeoutError):
            server.accept()


async def test_cancelling_ends_the_process() -> None:
    before = children()
    async with anyio.create_task_group() as group:
        group.start_soon(score, Code(allow_code=True, seconds=30), "import time\ntime.sleep(60)", ITEM)
        with anyio.fail_after(20):
            await until(lambda: bool(children() - before))
        group.cancel_scope.cancel()
    with anyio.fail_after(20):
        await until(lambda: not children() - before)


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - another process sets no event here
        await anyio.sleep(0.01)


def children() -> set[int]:
    """The processes that this one started and that still run."""
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
        except (OSError, ValueError):
            continue
        if entry.name.isdigit() and int(parent) == os.getpid() and state != "Z":
            found.add(int(entry.name))
    return found


def test_programs_are_scored_on_trio_too() -> None:
    async def main() -> float:
        return (await score(CODE, "def double(n):\n    return n + n", ITEM)).value

    assert anyio.run(main, backend="trio") == 1


async def test_an_answer_without_a_program_is_an_abstention() -> None:
    found = await score(CODE, "I would rather not write any code today.", ITEM)
    assert (found.value, found.read) == (0, None)


def test_models_programs_run_only_when_that_is_allowed() -> None:
    with pytest.raises(ConfigurationError, match="allow_code=True"):
        Code()
    with pytest.raises(ValidationError, match="seconds=0"):
        Code(allow_code=True, seconds=0)


@pytest.mark.parametrize(
    ("answer", "program"),
    [
        ("```python\nx = 1\n```", "x = 1\n"),
        ("```py\ndef f(): pass\n```\nUse it:\n```python\nprint(f())\n```", "def f(): pass\n"),
        ("```python\ndef f(): return 1\n```\nBetter:\n```python\ndef f(): return 2\n```", "def f(): return 2\n"),
        ("<think>```python\nx = 0\n```</think>\n```\nx = 1\n```", "x = 1\n"),
        ("```python\ndef f():\n    return 1\n", "def f():\n    return 1\n"),
        ("def f(): return 1", "def f(): return 1"),
        ("Let me see.", None),
        ("", None),
    ],
)
def test_the_program_is_found_in_the_answer(answer: str, program: str | None) -> None:
    assert program_in(answer) == program
