"""Two things in LiteLLM that break when several event loops run in one process, mended from outside."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any


def log_only_what_is_heard(module: Any, heard: Callable[[], str | None]) -> None:
    """Keep LiteLLM from queueing a log of each call where nobody listens to its callbacks.

    One worker writes these logs for all event loops and belongs to the last one: with loops in several threads
    its tasks are destroyed, or run in the wrong one.
    """
    home: Any = getattr(module.litellm_core_utils, "logging_worker", None)
    worker = getattr(home, "GLOBAL_LOGGING_WORKER", None)
    if hasattr(worker, "ensure_initialized_and_enqueue") and not isinstance(worker, _Listened):
        home.GLOBAL_LOGGING_WORKER = _Listened(worker, heard)


def one_client_a_loop(module: Any) -> None:
    """Give each event loop a client of its own where LiteLLM has one for all, which the last loop takes over.

    With it, what streams from Anthropic or Gemini in one thread breaks off when another thread asks.
    """
    make = getattr(module.llms.custom_httpx.http_handler, "get_async_httpx_client", None)
    if make is not None and "module_level_aclient" not in vars(module):
        module.module_level_aclient = _LoopsClient(make)


class _LoopsClient:
    """The running loop's HTTP client of LiteLLM, which keeps one a loop by this name."""

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __getattr__(self, name: str) -> Any:
        return getattr(self._make(llm_provider="phalanx"), name)


class _Listened:
    """LiteLLM's worker that writes logs, idle while nobody listens."""

    def __init__(self, worker: Any, heard: Callable[[], str | None]) -> None:
        self._worker, self._heard = worker, heard

    def ensure_initialized_and_enqueue(self, async_coroutine: Coroutine[Any, Any, Any]) -> None:
        if self._heard() is None:
            async_coroutine.close()
        else:
            self._worker.ensure_initialized_and_enqueue(async_coroutine=async_coroutine)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._worker, name)
