"""Whether an Ollama runs on this machine, and what it has: the last place a default model is looked for."""

from __future__ import annotations

import json
import os

import anyio


def address() -> tuple[str, int]:
    """Where Ollama listens: OLLAMA_HOST, or 127.0.0.1:11434."""
    host = os.environ.get("OLLAMA_HOST", "").removeprefix("http://").rstrip("/") or "127.0.0.1:11434"
    name, _, port = host.partition(":")
    return ("127.0.0.1" if name in ("", "0.0.0.0") else name), int(port) if port.isdigit() else 11434


async def installed(seconds: float = 1.0) -> list[str]:
    """The names of the models a reachable Ollama has; an empty list when none is reachable within `seconds`."""
    host, port = address()
    answer = b""
    try:
        with anyio.fail_after(seconds):
            async with await anyio.connect_tcp(host, port) as stream:
                await stream.send(f"GET /api/tags HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
                async for piece in stream:
                    answer += piece
        body = json.loads(answer.partition(b"\r\n\r\n")[2])
        return [str(model["name"]) for model in body["models"]]
    except (OSError, TimeoutError, ValueError, KeyError, TypeError):
        return []
