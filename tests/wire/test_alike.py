"""Models that are alike share what was worked out about their requests, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phalanx.settings import DEFAULT_TEMPERATURE
from tests.wire.servers import serve
from tests.wire.talk import ASK, hear, model_at
from tests.wire.test_ways import warnings_of

pytestmark = pytest.mark.wire


async def test_each_model_warns_of_what_it_does_not_take_though_another_like_it_has_said_so() -> None:
    with serve("openai") as server:
        asked = replace(ASK, temperature=DEFAULT_TEMPERATURE)
        said = [await warnings_of(model_at(server, "direct", name="openai/o3-mini"), asked) for _ in range(3)]

        assert said == [["openai/o3-mini does not take temperature=0.7, the default; it is left out"]] * 3


async def test_models_with_other_keys_or_addresses_or_options_are_not_taken_for_each_other() -> None:
    with serve("openai") as one, serve("openai") as two:
        await hear(model_at(one, "direct", api_key="sk-first"))
        await hear(model_at(two, "direct", api_key="sk-first"))
        await hear(model_at(one, "direct", api_key="sk-second"))
        await hear(model_at(one, "direct", api_key="sk-second", provider_options={"frequency_penalty": 0.5}))
        await hear(model_at(one, "direct", api_key="sk-second", extra_headers={"x-team": "blue"}))

        keys = [request.headers["authorization"] for request in one.requests]
        assert keys == ["Bearer sk-first", *["Bearer sk-second"] * 3]
        assert len(two.requests) == 1
        assert [request.body.get("frequency_penalty") for request in one.requests] == [None, None, 0.5, None]
        assert [request.headers.get("x-team") for request in one.requests] == [None, None, None, "blue"]


async def test_closing_a_model_leaves_one_that_is_like_it_usable() -> None:
    with serve("openai") as server:
        first, second = model_at(server, "direct"), model_at(server, "direct")
        await hear(first)
        await hear(second)
        await first.aclose()
        assert (await second.complete(ASK)).text == "hello"
        await second.aclose()
