"""Event loops come and go, one after the other and in threads: nothing is left open, and nobody disturbs the others."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import anyio
import pytest

from tests.wire.servers import FormatName, Reply, serve
from tests.wire.talk import ASK, KEY, STREAMED, WAYS, Path, hear, model_at, until

pytestmark = pytest.mark.wire

each_way = pytest.mark.parametrize(("form", "path"), WAYS)

SCRIPT = """
import asyncio, sys, threading
from phalanx.agents.models.litellm import LiteLLM
from phalanx.messages import Message, Request

path, calls = sys.argv[1], [each.split("=", 1) for each in sys.argv[2:]]
request = Request(messages=(Message(role="user", content="hi"),))

async def main():
    models = [LiteLLM(name, api_base=base, api_key="sk-x", path=path) for name, base in calls]
    for model in models:
        await model.complete(request)
        async for _ in model.stream(request):
            pass
        left = model.stream(request)
        await anext(left)
    # and no aclose

for _ in range(2):
    asyncio.run(main())
threads = [threading.Thread(target=asyncio.run, args=(main(),)) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("done")
"""


@pytest.mark.parametrize("path", ["direct", "general"])
def test_a_program_that_closes_nothing_leaves_nothing_open_and_prints_nothing(path: Path) -> None:
    forms: list[FormatName] = ["openai", "anthropic", "ollama"]
    if path == "general":
        forms.append("gemini")
    servers = [serve(form, Reply(text="one two three")) for form in forms]
    running = [server.__enter__() for server in servers]
    try:
        program = [sys.executable, "-X", "dev", "-W", "error::ResourceWarning", "-c", SCRIPT, path]
        given = [f"{server.model}={server.url}" for server in running]
        done = subprocess.run([*program, *given], capture_output=True, text=True, timeout=100, check=False)
    finally:
        for server in servers:
            server.__exit__(None, None, None)
    told = [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]  # a slow loop, in dev mode

    assert (done.stdout, told, done.returncode) == ("done\n", [], 0)


@each_way
def test_one_model_serves_one_loop_after_the_other(form: FormatName, path: Path) -> None:
    with serve(form, "again") as server:
        model = model_at(server, path)

        async def main() -> list[str]:
            return [(await hear(model, streamed=streamed)).completion.text for streamed in STREAMED]

        assert asyncio.run(main()) == anyio.run(main) == asyncio.run(main()) == ["again", "again"]
        assert len(server.requests) == 6


@each_way
def test_a_stream_in_one_thread_is_not_cut_by_calls_in_others(form: FormatName, path: Path) -> None:
    texts: list[str] = []
    with serve(form, Reply(text="one two three four five", pause=0.02)) as server:
        model = model_at(server, path)

        def talk() -> None:
            async def main() -> str:
                return "".join([delta.text async for delta in model.stream(ASK)])

            texts.append(asyncio.run(main()))

        threads = [threading.Thread(target=talk) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert texts == ["one two three four five"] * 6


@each_way
async def test_closing_a_model_hangs_up(form: FormatName, path: Path) -> None:
    with serve(form) as server:
        model = model_at(server, path)
        await model.complete(ASK)
        await model.aclose()

        assert await until(lambda: server.connections == 0)
        await model.complete(ASK)  # and it can be used again
        await model.aclose()
        await model.aclose()


@pytest.mark.parametrize("path", ["direct", "general"])
async def test_closing_one_model_leaves_the_others_their_connections(path: Path) -> None:
    with serve("openai", Reply(text="one two three four", pause=0.05)) as server:
        first, second = model_at(server, path), model_at(server, path)
        stream = second.stream(ASK)
        seen = [await anext(stream)]
        await hear(first)
        seen += [delta async for delta in stream]

        assert "".join(delta.text for delta in seen) == "one two three four"
        await second.aclose()


async def test_calls_of_one_loop_share_its_connections() -> None:
    with serve("openai") as server:
        models = [model_at(server, "direct") for _ in range(4)]
        for model in models * 3:
            await model.complete(ASK)

        assert server.connections == 1
        for model in models:
            await model.aclose()


async def test_many_calls_at_once_all_go_out_at_once() -> None:
    with serve("openai", Reply(text="x", delay=0.5)) as server:
        model = model_at(server, "direct")
        started = anyio.current_time()
        async with anyio.create_task_group() as group:
            for _ in range(60):
                group.start_soon(model.complete, ASK)

        assert len(server.requests) == 60
        assert anyio.current_time() - started < 10  # 60 x 0.5 s one after the other would be 30
        await model.aclose()


def test_under_trio_a_call_says_that_it_needs_asyncio() -> None:
    from phalanx.errors import ConfigurationError

    with serve("openai") as server:
        model = model_at(server, "direct", api_key=KEY)
        with pytest.raises(ConfigurationError, match="asyncio"):
            anyio.run(model.complete, ASK, backend="trio")
        anyio.run(model.aclose, backend="trio")

        assert server.requests == []
