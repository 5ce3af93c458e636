"""Models that are alike share what is worked out of them, for as long as it is still true."""

from __future__ import annotations

import pytest

from phalanx.agents.models.litellm import LiteLLM
from phalanx.agents.models.surroundings import environment
from phalanx.messages import Price
from tests.wire.servers import serve
from tests.wire.talk import hear, model_at

pytestmark = pytest.mark.wire


def test_the_environment_has_another_number_only_when_it_says_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    before = environment()
    again = environment()
    monkeypatch.setenv("PHALANX_TEST_VARIABLE", "1")
    changed = environment()
    monkeypatch.delenv("PHALANX_TEST_VARIABLE")

    assert again == before
    assert changed != before
    assert environment() != changed


async def test_a_key_that_is_set_later_is_sent_by_models_made_later(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve("openai") as server:
        sent = []
        for key in ("sk-first", "sk-second"):
            monkeypatch.setenv("OPENAI_API_KEY", key)
            await hear(LiteLLM(server.model, api_base=server.url, path="direct"))
            sent.append(server.requests[-1].headers["authorization"])

        assert sent == ["Bearer sk-first", "Bearer sk-second"]


async def test_models_alike_in_all_but_their_headers_each_send_their_own() -> None:
    with serve("openai") as server:
        sent = []
        for name in ("one", "two"):
            await hear(model_at(server, "direct", extra_headers={"x-who": name}))
            sent.append(server.requests[-1].headers["x-who"])

        assert sent == ["one", "two"]


async def test_a_price_that_changes_in_the_map_is_that_of_models_made_later(monkeypatch: pytest.MonkeyPatch) -> None:
    import litellm

    def entry(price: float) -> dict[str, object]:
        cost = {"input_cost_per_token": price / 1e6, "output_cost_per_token": price / 1e6}
        return {**cost, "litellm_provider": "openai", "mode": "chat"}

    name = "openai/a-model-of-nobody"
    unknown = await LiteLLM(name).price()
    monkeypatch.setitem(litellm.model_cost, name, entry(1))
    first = await LiteLLM(name).price()
    litellm.model_cost[name]["output_cost_per_token"] = 3 / 1e6
    mended = await LiteLLM(name).price()
    monkeypatch.setitem(litellm.model_cost, name, entry(2))
    replaced = await LiteLLM(name).price()

    assert unknown is None
    assert first == Price(1, 1)
    assert mended is not None
    assert mended.output == pytest.approx(3)
    assert replaced == Price(2, 2)
