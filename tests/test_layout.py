"""The house stands as it is drawn: links, list of packages, direction of imports, light imports."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from phalanx.formations.kinds import KINDS
from phalanx.runtime import events
from phalanx.runtime.events import AnyEvent, Event

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("runtime", "agents", "formations", "teams", "benchmarks")
GROUND = ("errors", "messages", "settings")
# What each room may import besides itself and the ground.
BELOW = {room: set(ROOMS[:at]) for at, room in enumerate(ROOMS)}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SOURCES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
DOOR = [path for path in sorted((ROOT / "phalanx").rglob("*.py")) if not path.is_symlink()]


def test_each_room_is_linked_into_the_package() -> None:
    for room in ROOMS:
        link = ROOT / "phalanx" / room
        assert link.is_symlink(), f"phalanx/{room} is no link"
        assert link.resolve() == ROOT / room


def test_the_list_of_packages_is_what_is_on_disk() -> None:
    on_disk = {"phalanx"} | {
        ".".join(("phalanx", *init.parent.relative_to(ROOT).parts)) for room in ROOMS
        for init in (ROOT / room).rglob("__init__.py")
    }  # fmt: skip
    on_disk |= {
        ".".join(init.parent.relative_to(ROOT).parts)
        for init in (ROOT / "phalanx").glob("*/__init__.py")
        if not init.parent.is_symlink()
    }
    setuptools = PROJECT["tool"]["setuptools"]
    assert set(setuptools["packages"]) == on_disk
    assert set(setuptools["package-dir"]) == on_disk
    for package, folder in setuptools["package-dir"].items():
        assert (ROOT / folder / "__init__.py").is_file(), f"{package} is said to be in {folder}"


def imports(path: Path) -> list[tuple[str, int]]:
    """Every module a file imports by an absolute name, with its line."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [f"phalanx.{alias.name}" for alias in node.names] if node.module == "phalanx" else [node.module]
            found += [(name, node.lineno) for name in names]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    for module, line in imports(path):
        head, *rest = module.split(".")
        assert head not in ROOMS, f"{path}:{line} imports {module}: say phalanx.{module}"
        if head != "phalanx":
            continue
        place = rest[0] if rest else ""
        allowed = {room, *GROUND, *BELOW[room]}
        assert place in allowed, f"{path}:{line}: {room} must not import {module}"


@pytest.mark.parametrize("path", SOURCES + DOOR, ids=lambda path: str(path.relative_to(ROOT)))
def test_litellm_is_imported_in_one_file_and_late(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    at_top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        for name in names:
            if name.split(".")[0] == "litellm":
                assert path.name == "litellm.py", f"{path} imports litellm"
                assert id(node) not in at_top, f"{path} imports litellm when it is itself imported"


EVENTS = {event.__name__ for event in get_args(AnyEvent)}
# A piece of an answer, what a slow listener missed, that a run goes on, and how a step is said to have ended on resume.
MADE_ALONE = {
    ("runtime/run.py", "Token"), ("runtime/stream.py", "Missed"), ("runtime/forking.py", "RunResumed"),
    ("runtime/playback.py", "StepFinished"),
}  # fmt: skip


def test_every_room_emits_through_one_place() -> None:
    alone = set()
    for path in SOURCES + DOOR:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        # Other things may have the name of an event; an event comes from where events are.
        known = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[-1] == "events"
            for alias in node.names
            if alias.name in EVENTS
        }
        made = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        alone |= {
            (str(path.relative_to(ROOT)), func.id) for func in made if isinstance(func, ast.Name) and func.id in known
        }
    assert alone == MADE_ALONE


def test_the_events_are_a_closed_union_of_frozen_values_that_say_where_they_belong() -> None:
    named = [each for each in vars(events).values() if isinstance(each, type) and issubclass(each, Event)]
    assert {Event, *get_args(AnyEvent)} == set(named)
    for event in get_args(AnyEvent):
        assert [each.name for each in fields(event)][:5] == ["run_id", "seq", "path", "time", "parent"]
        assert event.__dataclass_params__.frozen


def run(code: str, *, cwd: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


BUILD = """
import os, socket, sys
before = dict(os.environ)
def refuse(*_): raise AssertionError("a socket was opened")
socket.socket.connect = refuse
import phalanx
from phalanx import Agent, AgentTeam
team = AgentTeam.debate([Agent("coder", name="a", model="openai/gpt-4o-mini"), Agent("critic", model="ollama/llama3")])
team.diagram()
assert dict(os.environ) == before, "the environment was changed"
heavy = set("litellm openai rich aiohttp httpx structlog tenacity typer jsonschema yaml".split()) & set(sys.modules)
assert not heavy, f"loaded: {heavy}"
"""


def test_building_a_team_loads_nothing_heavy_and_touches_nothing(tmp_path: Path) -> None:
    run(BUILD, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


LOADED = """
import sys
from phalanx import AgentTeam
def show(): print(*(name.rpartition(".")[2] for name in sys.modules if name.startswith("phalanx.formations.")))
show()
AgentTeam.pipeline(["a", "b"], model="offline/simulated")
show()
"""


def test_importing_a_team_loads_no_formation_that_it_is_not_built_of(tmp_path: Path) -> None:
    imported, built = (set(line.split()) for line in run(LOADED, cwd=tmp_path).splitlines())
    assert imported & set(KINDS) == set()
    assert built & set(KINDS) == {"pipeline"}


def test_importing_costs_less_than_a_tenth_of_a_second() -> None:
    code = "import time; t = time.process_time(); {}; print(time.process_time() - t)"
    times = sorted(float(run(code.format("import phalanx"), cwd=ROOT)) for _ in range(5))
    assert times[0] < 0.1


def test_every_public_name_can_be_imported_and_says_what_it_is() -> None:
    import phalanx

    for name in phalanx.__all__:
        assert getattr(phalanx, name).__doc__, f"phalanx.{name} has no docstring"
    assert set(phalanx.__all__) <= set(dir(phalanx))
    assert phalanx.__version__ == PROJECT["project"]["version"]
    with pytest.raises(AttributeError, match="Nonsense"):
        phalanx.Nonsense  # noqa: B018
