"""How a provider is reached: its own address, proxies, TLS; the same on both paths."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path as File

import pytest

from phalanx.agents.models.litellm import LiteLLM
from phalanx.agents.models.names import KEY_VARIABLES
from phalanx.errors import InvalidRequest, ProviderUnavailable
from tests.wire.servers import FormatName, Reply, serve
from tests.wire.talk import ASK, KEY, STREAMED, Path, hear, model_at

pytestmark = [pytest.mark.wire, pytest.mark.parametrize("path", ["direct", "general"])]

ADDRESSES = {
    "openai/gpt-4o-mini": "api.openai.com:443",
    "anthropic/claude-haiku-4-5": "api.anthropic.com:443",
    "groq/openai/gpt-oss-20b": "api.groq.com:443",
    "mistral/mistral-small-latest": "api.mistral.ai:443",
    "deepseek/deepseek-v4-flash": "api.deepseek.com:443",
    "openrouter/openai/gpt-4o-mini": "openrouter.ai:443",
}
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(("name", "address"), ADDRESSES.items(), ids=[name.partition("/")[0] for name in ADDRESSES])
async def test_a_provider_is_asked_at_its_own_address_through_the_proxy_there_is(
    monkeypatch: pytest.MonkeyPatch, path: Path, name: str, address: str
) -> None:
    with serve("openai") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.removesuffix("/v1"))
        with pytest.raises(ProviderUnavailable):
            await hear(LiteLLM(name, api_key=KEY, path=path, timeout=5))

        assert [(request.method, request.path) for request in proxy.requests] == [("CONNECT", address)]


async def test_a_plain_address_goes_through_the_proxy_unless_it_is_excepted(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    with serve("openai", "through the proxy") as proxy, serve("openai", "at once") as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/v1"))
        heard = await hear(model_at(server, path))
        monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
        excepted = await hear(model_at(server, path))

        assert heard.completion.text == "through the proxy"
        assert proxy.requests[0].path == f"{server.url}/chat/completions"
        assert excepted.completion.text == "at once"


@pytest.mark.parametrize(
    ("form", "variable"),
    [
        ("openai", "OPENAI_BASE_URL"),
        ("openai", "OPENAI_API_BASE"),
        ("vllm", "HOSTED_VLLM_API_BASE"),
        ("anthropic", "ANTHROPIC_API_BASE"),
        ("anthropic", "ANTHROPIC_BASE_URL"),
        ("ollama", "OLLAMA_API_BASE"),
        ("ollama", "OLLAMA_HOST"),
    ],
)
async def test_an_address_and_a_key_in_the_environment_are_used(
    monkeypatch: pytest.MonkeyPatch, path: Path, form: str, variable: str
) -> None:
    with serve(form) as server:  # type: ignore[arg-type]
        for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE", "OLLAMA_API_BASE", "OLLAMA_HOST"):
            monkeypatch.delenv(name, raising=False)
        for name, value in server.environment.items():
            if name.endswith("_KEY"):
                monkeypatch.setenv(name, value)
        monkeypatch.setenv(variable, server.url.removeprefix("http://") if variable == "OLLAMA_HOST" else server.url)
        heard = await hear(LiteLLM(server.model, path=path))

        assert heard.completion.text == "hello"
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("provider", "variable"),
    [
        ("openai", "OPENAI_API_KEY"),
        ("hosted_vllm", "HOSTED_VLLM_API_KEY"),
        ("anthropic", "ANTHROPIC_API_KEY"),
        ("anthropic", "ANTHROPIC_AUTH_TOKEN"),
        ("ollama", "OLLAMA_API_KEY"),
        ("groq", "GROQ_API_KEY"),
        ("mistral", "MISTRAL_API_KEY"),
        ("deepseek", "DEEPSEEK_API_KEY"),
        ("openrouter", "OPENROUTER_API_KEY"),
        ("openrouter", "OR_API_KEY"),
    ],
)
async def test_a_key_in_the_environment_is_sent_and_kept_secret(
    monkeypatch: pytest.MonkeyPatch, path: Path, provider: str, variable: str
) -> None:
    forms: dict[str, FormatName] = {"anthropic": "anthropic", "ollama": "ollama", "hosted_vllm": "vllm"}
    for names in KEY_VARIABLES.values():
        for name in names:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, KEY)
    with serve(forms.get(provider, "openai"), ["hello", Reply(status=400, error=f"what is {KEY}?")]) as server:
        model = LiteLLM(f"{provider}/loopback", api_base=server.url, path=path)
        await hear(model)
        with pytest.raises(InvalidRequest, match="what is …"):
            await hear(model)

        headers = server.requests[0].headers
        assert KEY in (headers.get("authorization", "").removeprefix("Bearer "), headers.get("x-api-key"))


@pytest.mark.parametrize("form", ["openai", "vllm", "anthropic", "ollama"])
async def test_an_address_may_end_with_a_slash(path: Path, form: FormatName) -> None:
    with serve(form) as server:
        await hear(model_at(server, path))
        await hear(model_at(server, path, api_base=f"{server.url}/"))

        assert len({request.path for request in server.requests}) == 1


async def test_a_server_of_ones_own_needs_no_key(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with serve("openai") as server:
        for streamed in STREAMED:
            heard = await hear(LiteLLM(server.model, api_base=server.url, path=path), streamed=streamed)

            assert heard.completion.text == "hello"


async def test_openai_organisation_and_project_are_named(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    with serve("openai") as server:
        await hear(model_at(server, path, organization="org-1"))

        headers = server.requests[0].headers
    assert (headers["openai-organization"], headers["openai-project"]) == ("org-1", "proj-1")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate for 127.0.0.1 that nobody vouches for, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    folder: File = tmp_path_factory.mktemp("tls")
    given, key = folder / "certificate.pem", folder / "key.pem"
    make = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(["openssl", *make.split(), "-keyout", key, "-out", given], check=True, capture_output=True)
    return str(given), str(key)


async def test_a_certificate_nobody_vouches_for_is_refused(path: Path, certificate: tuple[str, str]) -> None:
    with serve("openai", certificate=certificate) as server:
        with pytest.raises(ProviderUnavailable):
            await hear(model_at(server, path))

        assert server.requests == []


async def test_certificates_of_ones_own_are_trusted_when_named(
    monkeypatch: pytest.MonkeyPatch, path: Path, certificate: tuple[str, str]
) -> None:
    with serve("openai", certificate=certificate) as server:
        for verify in [certificate[0], False] if path == "direct" else []:  # LiteLLM's own call does not heed it
            heard = await hear(model_at(server, path, provider_options={"ssl_verify": verify}))
            assert heard.completion.text == "hello"
        monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
        heard = await hear(model_at(server, path))

        assert heard.completion.text == "hello"
        assert ASK.messages[-1].content in str(server.requests[0].body)
