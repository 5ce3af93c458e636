"""A model of LiteLLM before its first call: cheap, checked, discreet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from phalanx.agents.models.litellm import LiteLLM
from phalanx.agents.models.model import FREE, Model, is_free
from phalanx.errors import AuthenticationFailed, ConfigurationError
from phalanx.messages import Message, Price, Request

ASK = Request(messages=(Message(role="user", content="hi"),))


def test_it_is_a_model_with_the_name_it_was_given() -> None:
    model = LiteLLM("ollama/llama3.2")

    assert isinstance(model, Model)
    assert (model.name, model.transport, model.native_tools) == ("ollama/llama3.2", None, None)


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("gpt-4o", "write 'provider/gpt-4o'"),
        ("openai/", "does not say whose it is"),
        ("opnai/gpt-4o", "did you mean 'openai'"),
    ],
)
def test_a_name_that_cannot_be_is_refused_at_once(model: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        LiteLLM(model)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"api_base": "localhost:8000"}, "begins with http"),
        ({"timeout": 0}, "timeout=0"),
        ({"timeout": float("inf")}, "timeout=inf"),
        ({"timeout": True}, "timeout=True"),
        ({"path": "straight"}, "must be one of auto, direct, general"),
        ({"provider_options": {"api_key": "x"}}, "use api_key="),
        ({"provider_options": {"num_retries": 2}}, "use retry="),
        ({"provider_options": {"n": 2}}, "one answer is read"),
        ({"provider_options": {"ssl_verify": 3}}, "ssl_verify=3"),
    ],
)
def test_an_option_that_cannot_work_is_refused_at_once(options: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        LiteLLM("openai/gpt-4o-mini", **options)  # type: ignore[arg-type]


def test_it_shows_its_name_and_address_and_nothing_secret() -> None:
    model = LiteLLM(
        "openai/gpt-4o-mini",
        api_base="https://me:hidden-password@host/v1?key=hidden-too",
        api_key="hidden-key",
        extra_headers={"Authorization": "hidden-header"},
        provider_options={"aws_secret_access_key": "hidden-option"},
    )

    assert repr(model) == "LiteLLM('openai/gpt-4o-mini', api_base='https://host/v1')"
    assert "hidden" not in repr(model._connection).replace("hidden-password", "").replace("hidden-too", "")


async def test_a_price_that_was_given_is_known_without_asking_anybody() -> None:
    assert await LiteLLM("openai/x", price=Price(1, 2)).price() == Price(1, 2)
    assert is_free(LiteLLM("openai/x", price=FREE))
    assert not is_free(LiteLLM("openai/x"))


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("openai/gpt-4o-mini", "OPENAI_API_KEY"),
        ("anthropic/claude-haiku-4-5", "ANTHROPIC_API_KEY"),
        ("gemini/gemini-2.5-flash", "GEMINI_API_KEY"),
        ("groq/x", "GROQ_API_KEY"),
    ],
)
def test_a_missing_key_is_an_error_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, model: str, variable: str
) -> None:
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_AUTH_TOKEN", "_BASE_URL", "_API_BASE")):
            monkeypatch.delenv(name)

    with pytest.raises(AuthenticationFailed, match=f"set {variable} in the environment or give api_key="):
        anyio.run(LiteLLM(model).complete, ASK)


def test_under_trio_a_call_says_that_it_needs_asyncio() -> None:
    with pytest.raises(ConfigurationError, match="runs on asyncio only"):
        anyio.run(LiteLLM("openai/x", api_key="sk-x").complete, ASK, backend="trio")


def python(code: str, folder: Path, **variables: str) -> str:
    """What a fresh interpreter prints for some code, in a folder, with these variables and no other of LiteLLM's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LITELLM")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=kept | variables, capture_output=True, text=True, timeout=100
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout.strip()


def test_making_one_and_failing_to_ask_it_loads_nothing_heavy(tmp_path: Path) -> None:
    code = """
import anyio, os, sys
from phalanx.agents.models.litellm import LiteLLM
from phalanx.errors import AuthenticationFailed
from phalanx.messages import Message, Request
os.environ.pop("OPENAI_API_KEY", None)
model = LiteLLM("openai/gpt-4o-mini")
try:
    anyio.run(model.complete, Request(messages=(Message(role="user", content="hi"),)))
except AuthenticationFailed:
    print(sorted({"litellm", "openai", "aiohttp", "httpx", "rich"} & set(sys.modules)))
"""
    assert python(code, tmp_path) == "[]"


@pytest.mark.wire
def test_loading_reads_no_dotenv_reaches_for_no_network_and_leaves_the_collector_as_it_was(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PHALANX_TEST_DOTENV=loaded\n")
    code = """
import gc, os, socket, sys, threading
reached = []
plain = socket.getaddrinfo
socket.getaddrinfo = lambda *a, **k: (reached.append(a[0]), plain(*a, **k))[1]
import anyio
from phalanx.agents.models.litellm import LiteLLM, loaded
models = [LiteLLM(name) for name in ("openai/gpt-4o-mini", "anthropic/claude-haiku-4-5")]
prices = []
def ask(model):
    prices.append(anyio.run(model.price))
threads = [threading.Thread(target=ask, args=(model,)) for model in models * 3]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(prices), None in prices, reached, os.environ.get("PHALANX_TEST_DOTENV"))
print(gc.isenabled(), gc.get_freeze_count() > 0)
print(os.environ["LITELLM_MODE"], os.environ["LITELLM_LOCAL_MODEL_COST_MAP"], anyio.run(loaded) is anyio.run(loaded))
"""
    assert python(code, tmp_path, LITELLM_MODE="DEV").splitlines() == [
        "6 False [] loaded",  # DEV is the user's word, and means that .env is read
        "True True",
        "DEV True True",
    ]
    assert python(code, tmp_path).splitlines() == ["6 False [] None", "True True", "PRODUCTION True True"]


def test_who_is_cancelled_while_it_is_still_loading_has_called_nobody(tmp_path: Path) -> None:
    (tmp_path / "gate.py").write_text("import threading\nbegun, go = threading.Event(), threading.Event()\n")
    (tmp_path / "litellm.py").write_text("import gate\ngate.begun.set()\ngate.go.wait()\n")
    code = """
import anyio, gate
from phalanx import Agent
events = []
async def main():
    agent = Agent("worker", model="openai/gpt-4o-mini", api_key="none")
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: agent.run("Go.", on_event=events.append))
        await anyio.to_thread.run_sync(gate.begun.wait)
        group.cancel_scope.cancel()
    gate.go.set()
anyio.run(main)
end = events[-1]
print(end.status, end.usage.calls, end.usage.tokens, end.usage.cost)
"""
    assert python(code, tmp_path) == "cancelled 0 0 0.0"


@pytest.mark.parametrize(("version", "broken"), [("1.106.0", True), ("1.106.2", True), ("1.106.3", False)])
def test_a_release_that_cannot_work_is_refused_with_the_way_out(tmp_path: Path, version: str, broken: bool) -> None:
    code = f"""
import importlib.metadata, importlib.util
from phalanx.errors import ConfigurationError
from phalanx.agents.models import litellm
plain = importlib.metadata.version
importlib.metadata.version = lambda name: {version!r} if name == "litellm" else plain(name)
importlib.util.find_spec = lambda name, package=None: None
try:
    print(litellm._checked_version())
except ConfigurationError as problem:
    print(problem)
"""
    said = python(code, tmp_path)

    assert ("pip install 'mcp" in said) is broken
    assert version in said


def test_a_missing_litellm_says_how_to_get_it(tmp_path: Path) -> None:
    code = """
import anyio, importlib.metadata
from phalanx.agents.models.litellm import LiteLLM
from phalanx.errors import ConfigurationError
def version(name):
    raise importlib.metadata.PackageNotFoundError(name)
importlib.metadata.version = version
try:
    anyio.run(LiteLLM("openai/x").price)
except ConfigurationError as problem:
    print(problem)
"""
    assert python(code, tmp_path) == "LiteLLM is not installed; run: pip install litellm"
