"""The providers that LiteLLM knows, their keys and a sensible model of each: tables, so that nothing is loaded."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from phalanx.errors import ConfigurationError
from phalanx.settings import nearest

KEY_VARIABLES: dict[str, tuple[str, ...]] = {
    "openai": ("OPENAI_API_KEY",),
    "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "mistral": ("MISTRAL_API_KEY",),
    "groq": ("GROQ_API_KEY",),
    "deepseek": ("DEEPSEEK_API_KEY",),
    "openrouter": ("OPENROUTER_API_KEY", "OR_API_KEY"),
    "xai": ("XAI_API_KEY",),
    "cohere": ("COHERE_API_KEY", "CO_API_KEY"),
    "cohere_chat": ("COHERE_API_KEY", "CO_API_KEY"),
    "together_ai": ("TOGETHERAI_API_KEY", "TOGETHER_API_KEY", "TOGETHER_AI_API_KEY", "TOGETHER_AI_TOKEN"),
    "fireworks_ai": ("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY", "FIREWORKSAI_API_KEY", "FIREWORKS_AI_TOKEN"),
    "perplexity": ("PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY"),
    "cerebras": ("CEREBRAS_API_KEY",),
    "deepinfra": ("DEEPINFRA_API_KEY",),
    "sambanova": ("SAMBANOVA_API_KEY",),
    "moonshot": ("MOONSHOT_API_KEY",),
    "dashscope": ("DASHSCOPE_API_KEY",),
    "zai": ("ZAI_API_KEY",),
    "nebius": ("NEBIUS_API_KEY",),
    "novita": ("NOVITA_API_KEY",),
    "nvidia_nim": ("NVIDIA_NIM_API_KEY",),
}
"""The environment variables a provider's key may stand in, any one of them, for those that cannot do without a key."""

DEFAULT_MODELS: dict[str, str] = {
    "openai": "gpt-4o-mini",
    "anthropic": "claude-haiku-4-5",
    "gemini": "gemini-3.5-flash",
    "mistral": "mistral-small-latest",
    "groq": "openai/gpt-oss-20b",
    "deepseek": "deepseek-v4-flash",
    "openrouter": "openai/gpt-4o-mini",
    "xai": "grok-4.3",
    "cohere": "command-a-03-2025",
    "together_ai": "openai/gpt-oss-120b",
    "fireworks_ai": "accounts/fireworks/models/gpt-oss-20b",
    "perplexity": "sonar",
    "cerebras": "gpt-oss-120b",
    "deepinfra": "openai/gpt-oss-120b",
    "sambanova": "gpt-oss-120b",
    "moonshot": "kimi-k2.6",
    "dashscope": "qwen-plus",
    "zai": "glm-4.7",
    "nebius": "Qwen/Qwen3-32B",
    "novita": "openai/gpt-oss-20b",
    "ollama": "llama3.2",
}
"""The model that is meant when only the provider is named: a cheap one that takes tools, where there is one."""

_TABLE = """
    a2a a2a_agent abliteration ai21 ai21_chat aiand aiml aiohttp_openai amazon_nova anthropic anthropic_text
    apertis assemblyai auto_router aws_polly aws_textract azure azure_ai azure_speech azure_text baseten bedrock
    bedrock_mantle bespoke bigmodel black_forest_labs bytez cerebras charity_engine chatgpt chutes clarifai
    clf_ai_gateway cloudflare codestral cognition cohere cohere_chat cometapi compactifai coralbricks cortecs
    cursor custom custom_openai darkbloom dashscope databricks databricks_agent datarobot deepgram deepinfra
    deepseek docker_model_runner dotprompt edenai elevenlabs empower eu_jev fal_ai featherless_ai fireworks_ai
    friendliai galadriel gdc gemini gigachat github github_copilot gradient_ai groq helicone heroku hosted_vllm
    hostinger_router huggingface humanloop hyperbolic inception inferenceapis infinity jina_ai kyma lambda_ai
    langflow langfuse langgraph laya lemonade libertai litellm_agent litellm_proxy llamafile lm_studio manus
    maritalk meta meta_llama microsoft_365_copilot milvus minimax mistral modelscope mongodb moonshot morph nace
    nadir nano-gpt nebius neosantara nlp_cloud novita nscale nvidia_nim nvidia_riva oci ollama ollama_chat
    oobabooga openai openai_like opencode_go openinfer openrouter opensearch ovhcloud parasail perplexity petals
    pg_vector pinstripes poe predibase prism publicai qwen_ai_platform qwencloud ragflow recraft reducto
    refuseless reka replicate runwayml s3_vectors sagemaker sagemaker_chat sagemaker_nova sail sambanova sap
    scaledown scaleway scx-ai snowflake soniox stability strands_decider streamlake synthetic tencent tensormesh
    text-completion-codestral text-completion-inception text-completion-openai together_ai topaz transcribe triton
    typesafe v0 valkey vercel_ai_gateway vertex_ai vertex_ai_beta vllm volcengine voyage wandb watsonx
    watsonx_text xai xiaomi_mimo xinference zai zerogpu
"""

PROVIDERS: tuple[str, ...] = tuple(_TABLE.split())
"""What LiteLLM 1.102 to 1.109 call their providers."""


def is_provider(name: str) -> bool:
    """Whether LiteLLM knows a provider of this name: by the table, or by what is installed or was registered in it."""
    return name in _KNOWN or _is_registered(name) or _is_installed(name)


def check_provider(name: str) -> None:
    """Raise ConfigurationError, which names the nearest one, when LiteLLM knows no provider of this name."""
    if not is_provider(name):
        raise ConfigurationError(
            f"unknown provider {name!r}{nearest(name, PROVIDERS)}; write the model as 'provider/model', for example "
            "'openai/gpt-4o-mini', 'anthropic/claude-haiku-4-5' or 'ollama/llama3.2'"
        )


_KNOWN = frozenset(PROVIDERS)


def _is_registered(name: str) -> bool:
    """Whether the user added it to LiteLLM's custom_provider_map; only a loaded LiteLLM can have one."""
    handlers = getattr(sys.modules.get("litellm"), "custom_provider_map", None) or ()
    return any(handler.get("provider") == name for handler in handlers)


def _is_installed(name: str) -> bool:
    """Whether an installed LiteLLM, newer than the table, has it; its files are looked at and not imported."""
    spec = find_spec("litellm") if name.replace("_", "").replace("-", "").isalnum() else None
    if spec is None or spec.origin is None:
        return False
    rooms = Path(spec.origin).parent / "llms"
    if (rooms / name / "__init__.py").exists() or (rooms / name / "chat").is_dir():
        return True
    listed = rooms / "openai_like" / "providers.json"
    return listed.exists() and f'"{name}": {{' in listed.read_text(encoding="utf-8")
