"""What the command says about itself."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

from tests.cli.command import Done, clean, phalanx, several

COMMANDS = (
    "run", "runs", "show", "why", "resume", "replay", "fork", "export", "demo", "diagram", "doctor", "init", "bench",
)  # fmt: skip


def test_the_version_is_the_installed_one(tmp_path: Path) -> None:
    done = phalanx("--version", cwd=tmp_path)

    assert (done.code, done.out) == (0, f"phalanx {version('phalanx')}\n")


def test_the_installed_command_is_the_module_that_python_runs() -> None:
    (command,) = entry_points(group="console_scripts", name="phalanx")

    assert command.value == "phalanx.cli:main"
    assert callable(command.load())


def test_help_names_the_commands_and_the_exit_codes_and_no_command_is_a_call_for_help(tmp_path: Path) -> None:
    helped = phalanx("--help", cwd=tmp_path)
    bare = phalanx(cwd=tmp_path)

    assert helped.code == 0
    for word in (*COMMANDS, "4    stopped by a limit", "130  interrupted"):
        assert word in helped.out
    assert (bare.code, bare.out, bare.err) == (2, "", helped.out)


@pytest.fixture(scope="module")
def helps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Done]:
    """The help of each command."""
    ended = several(*((command, "-h") for command in COMMANDS), cwd=tmp_path_factory.mktemp("help"))
    return dict(zip(COMMANDS, ended, strict=True))


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_that_fits_80_columns(command: str, helps: dict[str, Done]) -> None:
    done = helps[command]

    assert done.code == 0
    assert "Exit codes:" in done.out
    assert "\x1b" not in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_a_command_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    done = phalanx("rum", cwd=tmp_path)

    assert done.code == 2
    assert "rum" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"], ["doctor", "--help"]])
def test_help_comes_without_loading_what_runs_teams(arguments: list[str], tmp_path: Path) -> None:
    script = (
        "import sys\n"
        f"sys.argv = ['phalanx', *{arguments!r}]\n"
        "from phalanx.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "heavy = {'litellm', 'openai', 'rich', 'structlog', 'asyncio', 'anyio', 'aiohttp', 'phalanx.messages'}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=clean(), capture_output=True, text=True, check=True
    )

    assert done.stderr == "LOADED []\n"


def test_the_documentation_names_every_command_option_and_exit_code(helps: dict[str, Done]) -> None:
    docs = Path(__file__).parents[2] / "docs"
    page = "\n".join(each.read_text(encoding="utf-8") for each in docs.glob("*.md"))

    for command in COMMANDS:
        helped = helps[command].out
        assert f"phalanx {command}" in page
        for option in set(re.findall(r"--[a-z][a-z-]+", helped)) - {"--help"}:
            assert option in page, f"{command} {option} is not documented"
        for code, meaning in re.findall(r"^ +(\d+)  +(\w.*)$", helped, re.M):
            assert f"| {code} | {meaning} |" in page


def test_the_list_of_commands_has_no_sentence_that_is_cut_off(tmp_path: Path) -> None:
    for done in several(("--help",), ("bench", "--help"), cwd=tmp_path):
        listed = done.out[done.out.index("Commands:") : done.out.index("Exit codes:")]
        assert len(listed.splitlines()) > 5
        assert "..." not in listed


def test_a_command_names_no_exit_code_that_it_cannot_have(helps: dict[str, Done]) -> None:
    assert "--fail-if" not in helps["run"].out
    for command in ("runs", "why", "export", "init"):
        assert re.findall(r"^ +(\d+)  ", helps[command].out, re.M) == ["0", "2"], command


def test_a_file_that_may_be_left_out_stands_in_one_pair_of_brackets(helps: dict[str, Done]) -> None:
    for command in ("init", "export"):
        usage = helps[command].out.splitlines()[0]
        assert "[FILE]" in usage
        assert "[[" not in usage


def test_bench_without_a_word_shows_its_help_and_no_error(tmp_path: Path) -> None:
    bare, helped = several(("bench",), ("bench", "--help"), cwd=tmp_path)

    assert (bare.code, bare.out, bare.err) == (2, "", helped.out)
