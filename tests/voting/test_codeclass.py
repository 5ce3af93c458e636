"""Programs compared by what they do, in a process of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from phalanx.formations.voting import CodeTests, Equivalence

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits are set by POSIX calls")

DOUBLE = CodeTests(calls=("f(2)", "f(5)"), seconds=1)


def test_programs_that_do_the_same_are_one_class() -> None:
    programs = [
        "def f(x): return 2 * x",
        "Here you are:\n```python\ndef f(x):\n    return x + x\n```\nIt doubles.",
        "def f(x): return x ** 2",
        "f = lambda x: x << 1",
        None,
    ]
    partition = Equivalence(kind="code", tests=DOUBLE, allow_code=True).classes(programs)
    assert [each.members for each in partition.classes] == [(0, 1, 3), (2,)]
    assert partition.unread == (4,)


def test_an_error_is_an_outcome_but_a_program_that_only_fails_abstains() -> None:
    assert DOUBLE.outcomes("def f(x): return 6 // (x - 2)") == ("! ZeroDivisionError", "= 2")
    half = "def f(x): return 6 // (x - 2)"
    reader = Equivalence(kind="code", tests=DOUBLE, allow_code=True)
    assert reader.read(half) == half
    assert reader.read("def g(x): return x") is None
    assert reader.read("def f(x: broken") is None
    assert reader.read("") is None


def test_a_program_that_does_not_end_is_stopped() -> None:
    assert DOUBLE.outcomes("while True: pass") is None
    assert DOUBLE.outcomes("import time\ntime.sleep(60)\ndef f(x): return x") is None


def test_a_program_that_wants_too_much_memory_fails_alone() -> None:
    assert CodeTests(calls=("len(f())",), megabytes=128).outcomes("def f(): return bytearray(10**9)") == (
        "! MemoryError",
    )


@pytest.mark.parametrize(
    "act",
    [
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.system('true')",
        "import os; os.fork()",
        "open('left-behind.txt', 'w')",
        "import os; os.open('left-behind.txt', os.O_CREAT | os.O_WRONLY)",
        "import os; os.remove(__file__)",
        "import ctypes",
    ],
)
def test_a_program_cannot_reach_out(act: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert DOUBLE.outcomes(f"def f(x):\n    if x == 2:\n        {act}\n    return x") != ("= 2", "= 5")
    assert list(tmp_path.iterdir()) == []


def test_a_program_sees_neither_input_nor_environment_nor_printed_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "sesame")
    program = "import os, sys\nprint('noise'); sys.stderr.write('more')\ndef f(x): return sorted(os.environ)"
    outcomes = DOUBLE.outcomes(program)
    assert outcomes is not None
    assert "SECRET_KEY" not in outcomes[0]
    assert DOUBLE.outcomes("def f(x): return input()") == ("! ValueError", "! ValueError")


def test_programs_run_only_when_allowed() -> None:
    with pytest.raises(ValueError, match="allow_code=True"):
        Equivalence(kind="code", tests=DOUBLE)
