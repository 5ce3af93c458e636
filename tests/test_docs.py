"""What the documents say is true: their programs run, their outputs, drawings, files, links and commands are real.

Python blocks of a page run one after the other in one namespace, without a key and without a network; `await` may
stand at the top, as in a notebook. A block marked `python no-run` needs a provider and is only compiled. A `text`
block right after a Python block is what it prints (… stands for anything). A `mermaid` block is the diagram of the
page's latest `team`. A `yaml` block is a team file.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import json
import os
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import anyio
import jsonschema
import pytest
import yaml

from phalanx.settings import Settings
from phalanx.teams.spec import parse_team
from phalanx.testing import forbid_real_calls

ROOT = Path(__file__).resolve().parent.parent
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *DOCS]
SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "teams" / "team.schema.json").read_text(encoding="utf-8")))
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)


@dataclass(frozen=True)
class Block:
    """A fenced block: what stands after its fence, its text, its first line, and whether it follows another one."""

    page: Path
    info: str
    text: str
    line: int
    follows: bool

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found: list[Block] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    at, ended = 0, -2
    while at < len(lines):
        if (fence := re.fullmatch(r"```(.*)", lines[at])) is None:
            at += 1
            continue
        end = next((later for later in range(at + 1, len(lines)) if lines[later] == "```"), None)
        assert end is not None, f"{page.name}:{at + 1}: the block is not ended"
        follows = not "".join(lines[ended + 1 : at]).strip() and ended >= 0
        found.append(Block(page, fence[1].strip(), "\n".join(lines[at + 1 : end]), at + 2, follows))
        at, ended = end + 1, end
    return found


def run(block: Block, scope: dict[str, object]) -> str:
    """Run a block and give what it prints."""
    # Blank lines before it, so that a traceback shows the page's own line.
    source = "\n" * (block.line - 1) + block.text
    code = compile(source, str(block.page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        if code.co_flags & inspect.CO_COROUTINE:
            anyio.run(types.FunctionType(code, scope))
        else:
            exec(code, scope)
    return printed.getvalue()


def matches(expected: str, printed: str) -> bool:
    """Whether a text is what was expected, in which … stands for anything."""
    plain = [re.escape(part) for part in expected.strip().split("…")]
    lines = "\n".join(line.rstrip() for line in printed.strip().split("\n"))
    return re.fullmatch(".*?".join(plain), lines, re.DOTALL) is not None


@pytest.fixture
def nothing_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An empty folder, no keys, no settings, no real calls."""
    for name in list(os.environ):
        if name.startswith("PHALANX_") or name.endswith(("_API_KEY", "_AUTH_TOKEN")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    monkeypatch.chdir(tmp_path)
    with forbid_real_calls():
        yield tmp_path


@each_page
def test_every_program_of_a_page_runs_and_prints_what_the_page_says(page: Path, nothing_around: Path) -> None:
    scope: dict[str, object] = {"__name__": "docs"}
    printed: str | None = None
    for block in blocks(page):
        if block.info == "python":
            printed = run(block, scope)
        elif block.info == "python no-run":
            compile(block.text, block.where, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
            printed = None
        elif block.info == "text" and block.follows and printed is not None:
            assert matches(block.text, printed), f"{block.where} is not what is printed:\n{printed}"
            printed = None
        elif block.info == "mermaid":
            assert "team" in scope, f"{block.where}: there is no `team` that it could show"
            diagram = scope["team"].diagram()  # type: ignore[attr-defined]
            assert block.text == diagram.rstrip("\n"), f"{block.where} is not the diagram:\n{diagram}"
        elif block.info == "yaml":
            spec = yaml.safe_load(block.text)
            problems = [f"{each.json_path}: {each.message}" for each in SCHEMA.iter_errors(spec)]
            assert not problems, f"{block.where}: {problems}"
            parse_team(block.text, file=block.where)
        else:
            assert block.info in ("", "text", "sh"), f"{block.where}: what is a block of {block.info!r}?"


def test_few_programs_need_a_provider() -> None:
    every = [block for page in PAGES for block in blocks(page) if block.info.startswith("python")]
    idle = [block for block in every if block.info != "python"]
    assert len(idle) <= len(every) // 10, [block.where for block in idle]


def test_a_page_that_says_something_else_than_is_printed_is_found(tmp_path: Path) -> None:
    assert matches("a\nb … d", "a \nb c d\n")
    assert not matches("a", "b")
    assert not matches("a…", "b a")


# -- links ---------------------------------------------------------------------------------------------------------


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


@each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name} links to {target}, which there is not"
        if anchor:
            assert anchor in anchors(there), f"{page.name} links to {target}; the headings are {sorted(anchors(there))}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, ahead = {ROOT / "README.md"}, [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        for target in re.findall(r"\]\(([^)\s#]+\.md)", prose(page)):
            there = (page.parent / target).resolve()
            if there not in reached:
                reached.add(there)
                ahead.append(there)
    assert set(DOCS) <= reached, f"nothing leads to {sorted(page.name for page in set(DOCS) - reached)}"


# -- commands, settings, files -------------------------------------------------------------------------------------


def commands(page: Path) -> list[str]:
    """The lines that a page shows for a shell, and the commands in its text."""
    shown = [line for block in blocks(page) if block.info in ("", "sh") for line in block.text.splitlines()]
    parts = [part.strip() for line in shown for part in re.split(r"&&|\||;", line.partition("  #")[0])]
    return parts + re.findall(r"`(phalanx [^`]+)`", prose(page))


@each_page
def test_every_command_and_option_exists(page: Path) -> None:
    import typer

    from phalanx.cli.app import app

    known: dict[str, object] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for line in commands(page):
        words = line.split()
        if not words or words[0].rpartition("/")[2] != "phalanx" or len(words) < 2:
            continue
        if words[1].startswith("-"):
            continue
        assert words[1] in known, f"{page.name}: there is no command in {line!r}; there are: {', '.join(known)}"
        options = {opt for each in known[words[1]].params for opt in (*each.opts, *each.secondary_opts)}  # type: ignore[attr-defined]
        for option in (word.partition("=")[0] for word in words[2:] if re.match(r"--?[a-z]", word)):
            assert option in options | {"--help", "-h"}, f"{page.name}: {words[1]} has no option {option} ({line!r})"


@each_page
def test_every_setting_that_is_named_exists(page: Path) -> None:
    known = {f"PHALANX_{name.upper()}" for name in Settings.__dataclass_fields__} | {"PHALANX_TORTURE"}
    named = set(re.findall(r"PHALANX_[A-Z_]+", page.read_text(encoding="utf-8")))
    assert named <= known, f"{page.name} names {sorted(named - known)}"


def test_every_setting_that_is_read_stands_on_the_page_of_the_command_line() -> None:
    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    for name in set(Settings.__dataclass_fields__) - {"home"}:  # nothing reads that one
        assert f"`PHALANX_{name.upper()}`" in page


@each_page
def test_every_file_of_ours_that_is_named_exists(page: Path) -> None:
    for name in re.findall(
        r"`((?:runtime|agents|formations|teams|benchmarks|phalanx|tests|examples)/[\w/.]+)`", prose(page)
    ):
        assert (ROOT / name).exists(), f"{page.name} names {name}, which there is not"
