"""`phalanx doctor`: what is installed, which keys and models there are, what a tiny call would cost."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from phalanx.agents.models.model import Model, Wrapper, close
from phalanx.agents.models.names import KEY_VARIABLES
from phalanx.agents.models.ollama import address, installed
from phalanx.agents.models.resolve import NoModel, default_name
from phalanx.errors import PhalanxError
from phalanx.messages import Message, Price, Request, Usage, estimate_request
from phalanx.settings import Settings

from . import logs, show
from .exits import COMPLETED, CONFIGURATION
from .failures import code_of, describe
from .options import check_api_base, one_model
from .text import dollars, duration, many, one_line, spent

if TYPE_CHECKING:
    from rich.console import Console

LIBRARIES = ("litellm", "pydantic", "anyio", "typer", "rich")
ANSWER_TOKENS = 64
REACH = 2.0
TINY = Request(messages=(Message(role="user", content="Reply with one word: ready"),), max_tokens=ANSWER_TOKENS)

Facts = list[tuple[str, str]]


@dataclass
class Chosen:
    """The model that would be asked, and why; `model` is None when there is none, and `problem` says what to do."""

    name: str = ""
    why: str = ""
    model: Model | None = None
    problem: str = ""
    code: int = COMPLETED
    facts: Facts = field(default_factory=list)


def doctor(*, model: str | None, api_base: str | None, call: bool, debug: bool) -> int:
    """Show the facts, make the tiny call if `call`; the exit code is 0 when a model can be asked, else 5."""
    logs.configure(debug)
    check_api_base(model, api_base)
    where = show.console()
    show.show_facts(where, "installed", _installed())
    show.show_facts(where, "keys and settings", _keys() + _settings())
    return anyio.run(_examine, where, model, api_base, call)


async def _examine(where: Console, name: str | None, api_base: str | None, call: bool) -> int:
    local = await installed()
    show.show_facts(where, "within reach", await _reachable(local, api_base))
    chosen = await _choose(name, api_base, local)
    try:
        show.show_facts(where, "the model", chosen.facts)
        if chosen.model is not None and not chosen.problem and call:
            await _call(where, chosen)
    finally:
        await close(chosen.model)
    if chosen.problem:
        _say(where, f"to do: {chosen.problem}", "bold yellow")
    elif not call:
        _say(where, "nothing was asked and nothing spent; --call makes the tiny call")
    return chosen.code


def _installed() -> Facts:
    facts = [("Phalanx", f"{version('phalanx')} in {Path(__file__).parent.parent}")]
    facts.append(("Python", f"{platform.python_version()} ({sys.executable})"))
    for library in LIBRARIES:
        try:
            facts.append((library, version(library) + (_where(library) if library == "litellm" else "")))
        except PackageNotFoundError:
            facts.append((library, "not installed"))
    return facts


def _where(library: str) -> str:
    """Where a library lies; it is not loaded."""
    spec = find_spec(library)
    return f" in {Path(spec.origin).parent}" if spec is not None and spec.origin else ""


def _keys() -> Facts:
    """The names of the keys that are set, never what is in them."""
    names = dict.fromkeys(each for variables in KEY_VARIABLES.values() for each in variables)
    found = [name for name in (*names, "PHALANX_API_KEY") if os.environ.get(name)]
    return [("keys found", ", ".join(found) or "none")]


def _settings() -> Facts:
    shown = ("PHALANX_MODEL", "PHALANX_PROVIDER", "PHALANX_TEMPERATURE", "PHALANX_HOME", "PHALANX_LOG_LEVEL")
    return [(name, value) for name in shown if (value := os.environ.get(name))]


async def _reachable(local: list[str], api_base: str | None) -> Facts:
    """What answers: the Ollama of this machine, and the address that was given. Providers are not called on."""
    host, port = address()
    state = f"{many(len(local), 'model')}: {', '.join(local)}"
    if not local:
        state = "it has no models: ollama pull llama3.2" if await _listens(host, port) else "not running"
    facts = [("Ollama", f"{state} ({host}:{port})")]
    if api_base is not None:
        facts.append((api_base, "reachable" if await _answers(api_base) else "not reachable"))
    return facts


async def _answers(url: str) -> bool:
    parts = urlsplit(url)
    return await _listens(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))


async def _listens(host: str, port: int) -> bool:
    """Whether anybody takes a connection there; nothing is sent."""
    try:
        with anyio.fail_after(REACH):
            await (await anyio.connect_tcp(host, port)).aclose()
    except (OSError, TimeoutError):
        return False
    return True


async def _choose(name: str | None, api_base: str | None, local: list[str]) -> Chosen:
    """The model that a team without a model of its own would ask, and what is known about it."""
    chosen = Chosen()
    try:
        chosen.name, chosen.why = _named(name, local)
        chosen.model = one_model(chosen.name, api_base)
        chosen.name = chosen.model.name
        chosen.facts = [("name", f"{chosen.name} ({chosen.why})")]
        await _know(chosen)
        if api_base is not None and not chosen.problem and not await _answers(api_base):
            chosen.problem, chosen.code = f"nobody listens at {api_base}; start the server", CONFIGURATION
    except (PhalanxError, OSError) as failure:
        chosen.facts = chosen.facts or [("name", f"{chosen.name} ({chosen.why})" if chosen.name else "none")]
        chosen.problem, chosen.code = describe(failure), CONFIGURATION
    return chosen


def _named(name: str | None, local: list[str]) -> tuple[str, str]:
    """The name of the model, and where it comes from. Raises NoModel."""
    if name is not None:
        return name, "--model"
    settings = Settings.from_environment()
    if (found := default_name(settings)) is not None:
        if settings.model or settings.provider:
            return found, "PHALANX_MODEL" if settings.model else "PHALANX_PROVIDER"
        variables = KEY_VARIABLES[found.partition("/")[0]]
        return found, f"{next(each for each in variables if os.environ.get(each))} is set"
    if local:
        return f"ollama/{local[0]}", "the first model of the local Ollama"
    raise NoModel(
        "no model: set PHALANX_MODEL, or a provider's key such as OPENAI_API_KEY or ANTHROPIC_API_KEY, "
        "or start Ollama; --model offline/simulated and `phalanx demo` need none"
    )


async def _know(chosen: Chosen) -> None:
    """Add what LiteLLM knows about the model, which takes seconds to load, and the price of the tiny call."""
    from phalanx.agents.models.litellm import LiteLLM
    from phalanx.agents.models.litellm import describe as describe_model
    from phalanx.agents.models.model import price

    assert chosen.model is not None
    inner = chosen.model
    while isinstance(inner, Wrapper):
        inner = inner.model
    if not isinstance(inner, LiteLLM):
        chosen.facts += _prices(await price(chosen.model))
        return
    known = await describe_model(inner)
    key = known.key or ("none, and the provider wants one" if known.key_needed else "none, and none is needed")
    window = "unknown" if known.context_window is None else f"{known.context_window:,} tokens"
    tools = {True: "yes", False: "no; they are described in the prompt", None: "unknown"}[known.native_tools]
    chosen.facts += [("key", key), ("way", str(known.transport)), ("context window", window), ("native tools", tools)]
    chosen.facts += _prices(known.price)
    if known.key is None and known.key_needed:
        variable = KEY_VARIABLES[known.name.partition("/")[0]][0]
        chosen.problem, chosen.code = f"set {variable}; {known.name} cannot be asked without it", CONFIGURATION


def _prices(price: Price | None) -> Facts:
    tokens = f"{estimate_request(TINY)} tokens in, at most {ANSWER_TOKENS} out"
    if price is None:
        return [
            ("price", "unknown; a usd limit needs price: {input: …, output: …} with the member"),
            ("a tiny call", f"{tokens}: cost unknown"),
        ]
    most = price.of(Usage(1, estimate_request(TINY), ANSWER_TOKENS))
    per_million = f"{dollars(price.input)} in, {dollars(price.output)} out, for a million tokens"
    return [("price", per_million), ("a tiny call", f"{tokens}: at most {dollars(most)}")]


async def _call(where: Console, chosen: Chosen) -> None:
    assert chosen.model is not None
    started = anyio.current_time()
    try:
        completion = await chosen.model.complete(TINY)
    except PhalanxError as failure:
        chosen.problem, chosen.code = describe(failure), code_of(failure)
        return
    took = duration(anyio.current_time() - started)
    said = one_line(completion.text, 100) or "(no text)"
    show.show_facts(where, "the call", [("answer", said), ("cost", f"{spent(completion.usage)}, {took}")])


def _say(where: Console, line: str, style: str = "") -> None:
    from rich.text import Text

    where.print(Text(one_line(line), style), soft_wrap=not where.is_terminal)
