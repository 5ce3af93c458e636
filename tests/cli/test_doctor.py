"""`phalanx doctor`, with and without keys, servers and models."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.cli.command import phalanx
from tests.wire.servers import Reply, refused_url, serve

KEY = "sk-very-secret-0123456789"


@contextmanager
def ollama(*models: str) -> Iterator[str]:
    """An Ollama that has these models, for as long as the block lasts: gives OLLAMA_HOST."""

    class Tags(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"models": [{"name": name} for name in models]}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Tags)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_without_any_model_it_says_what_is_installed_and_what_to_do(tmp_path: Path) -> None:
    done = phalanx("doctor", cwd=tmp_path)

    assert done.code == 5
    assert re.search(rf"Phalanx +{re.escape(version('phalanx'))} in ", done.out)
    assert re.search(rf"litellm +{re.escape(version('litellm'))} in /", done.out)
    assert re.search(r"keys found +none", done.out)
    assert re.search(r"Ollama +not running", done.out)
    assert "to do: no model: set PHALANX_MODEL" in done.out


def test_keys_are_named_and_never_shown(tmp_path: Path) -> None:
    keys = {"OPENAI_API_KEY": KEY, "GROQ_API_KEY": KEY, "PHALANX_API_KEY": KEY}

    done = phalanx("doctor", "--debug", cwd=tmp_path, environment=keys)

    assert re.search(r"keys found +OPENAI_API_KEY, GROQ_API_KEY, PHALANX_API_KEY", done.out)
    assert KEY not in done.out + done.err


def test_the_price_of_the_tiny_call_is_told_before_it_is_made_and_it_is_not_made(tmp_path: Path) -> None:
    with serve("openai") as server:
        done = phalanx("doctor", "--api-base", server.url, cwd=tmp_path, environment={"OPENAI_API_KEY": KEY})

    assert done.code == 0, done.out + done.err
    assert "openai/gpt-4o-mini (OPENAI_API_KEY is set)" in done.out
    assert re.search(r"price +\$0\.1500 in, \$0\.6000 out, for a million tokens", done.out)
    assert re.search(r"a tiny call +\d+ tokens in, at most 64 out: at most \$0\.0000\d+", done.out)
    assert re.search(rf"{re.escape(server.url)} +reachable", done.out)
    assert "--call makes the tiny call" in done.out
    assert server.requests == []


@pytest.mark.wire
def test_call_makes_the_tiny_call_once_and_shows_what_it_cost(tmp_path: Path) -> None:
    with serve("openai", Reply(text="ready", input_tokens=1_000_000, output_tokens=0)) as server:
        done = phalanx("doctor", "-m", "openai/gpt-4o-mini", "--api-base", server.url, "--call", cwd=tmp_path)

    assert done.code == 0, done.out + done.err
    assert len(server.requests) == 1
    assert re.search(r"answer +ready", done.out)
    assert re.search(r"cost +1 call, 1,000,000 tokens, \$0\.1500", done.out)


@pytest.mark.wire
def test_a_call_that_fails_says_why_with_its_exit_code(tmp_path: Path) -> None:
    with serve("openai", Reply(status=401, error=f"bad key {KEY}")) as server:
        done = phalanx("doctor", "--api-base", server.url, "--call", cwd=tmp_path, environment={"OPENAI_API_KEY": KEY})

    assert done.code == 5
    assert "401" in done.out
    assert KEY not in done.out + done.err
    assert "Traceback" not in done.err


def test_a_server_that_does_not_listen_is_found_out_without_a_call(tmp_path: Path) -> None:
    url = refused_url("openai")

    done = phalanx("doctor", "-m", "openai/x", "--api-base", url, cwd=tmp_path)

    assert done.code == 5
    assert re.search(rf"{re.escape(url)} +not reachable", done.out)
    assert f"nobody listens at {url}" in done.out
    assert re.search(r"price +unknown; a usd limit needs price: \{input: …, output: …\}", done.out)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    done = phalanx("doctor", cwd=tmp_path, environment={"PHALANX_MODEL": "anthropic/claude-haiku-4-5"})

    assert done.code == 5
    assert "anthropic/claude-haiku-4-5 (PHALANX_MODEL)" in done.out
    assert "to do: set ANTHROPIC_API_KEY" in done.out


def test_a_local_ollama_and_its_models_are_found(tmp_path: Path) -> None:
    with ollama("llama3.2:latest", "qwen3:8b") as host:
        done = phalanx("doctor", cwd=tmp_path, environment={"OLLAMA_HOST": host})
    with ollama() as host:
        empty = phalanx("doctor", cwd=tmp_path, environment={"OLLAMA_HOST": host})

    assert done.code == 0, done.out + done.err
    assert re.search(r"Ollama +2 models: llama3\.2:latest, qwen3:8b", done.out)
    assert "ollama/llama3.2:latest (the first model of the local Ollama)" in done.out
    assert "ollama pull" in empty.out
    assert empty.code == 5


def test_a_simulated_model_costs_nothing_and_can_be_called(tmp_path: Path) -> None:
    done = phalanx("doctor", "--model", "offline/simulated", "--call", cwd=tmp_path)

    assert done.code == 0, done.out + done.err
    assert re.search(r"a tiny call .*at most \$0\b", done.out)
    assert re.search(r"cost +1 call, about \d+ tokens, \$0\b", done.out)


def test_an_unknown_provider_is_refused_with_the_nearest(tmp_path: Path) -> None:
    done = phalanx("doctor", "--model", "opnai/gpt", cwd=tmp_path)

    assert done.code == 5
    assert "did you mean 'openai'?" in done.out
