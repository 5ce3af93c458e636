"""What an agent with `verbose=True` says to the log: what it asks its model, what comes back, what its tools gave."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

import anyio

from phalanx.errors import ConfigurationError
from phalanx.messages import Completion, Delta, Message, Request
from phalanx.runtime.events import AnyEvent, Retried, RunFinished, RunStarted, Warned
from phalanx.runtime.execution import Listener
from phalanx.settings import Settings, nearest

from .models.model import Model, Wrapper, close, stream

LEVELS = {"TRACE": 5, "DEBUG": 10, "INFO": 20, "SUCCESS": 25, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
SHOWN = 500
"""Characters of a text that are logged below DEBUG."""


class Verbose(Wrapper):
    """A model that logs, through structlog and as the program has configured that, what an agent does with it.

    agent: who asks. Calls and answers are logged at INFO, failures at WARNING, and at DEBUG whole messages instead of
    their beginnings. PHALANX_LOG_LEVEL says from which level on anything is logged (default INFO).

    Raises ConfigurationError when PHALANX_LOG_LEVEL is no level.
    """

    def __init__(self, model: Model, agent: str) -> None:
        super().__init__(model)
        self.agent, self.level = agent, log_level()

    async def complete(self, request: Request, /) -> Completion:
        answered = self._asks(request)
        try:
            completion = await self.model.complete(request)
        except Exception as failure:
            self._failed(failure)
            raise
        answered(completion)
        return completion

    async def stream(self, request: Request, /) -> AsyncGenerator[Delta, None]:
        answered = self._asks(request)
        pieces = stream(self.model, request)
        try:
            async for delta in pieces:
                if delta.completion is not None:
                    answered(delta.completion)
                yield delta
        except Exception as failure:
            self._failed(failure)
            raise
        finally:
            await close(pieces)

    def _asks(self, request: Request) -> Callable[[Completion], None]:
        """Log a call and what led to it; gives what logs the answer."""
        for message in _since_last_answer(request):
            self._log("INFO", "agent was given a tool's result", tool=message.name, result=self._shown(message.content))
        self._log("INFO", "agent asks its model", model=self.name, messages=len(request.messages))
        for message in request.messages:
            self._log("DEBUG", "message sent", role=message.role, content=message.content)
        started = anyio.current_time()

        def answered(completion: Completion) -> None:
            usage, seconds = completion.usage, round(anyio.current_time() - started, 3)
            facts: dict[str, object] = {"tokens": usage.tokens, "cost": usage.cost, "seconds": seconds}
            if completion.tool_calls:
                facts["tool_calls"] = [call.tool_name for call in completion.tool_calls]
            self._log("INFO", "model answered", model=self.name, text=self._shown(completion.text), **facts)

        return answered

    def _failed(self, failure: Exception) -> None:
        self._log("WARNING", "model failed", model=self.name, error=f"{type(failure).__name__}: {failure}")

    def _log(self, level: str, event: str, **facts: object) -> None:
        log(self.level, level, event, agent=self.agent, **facts)

    def _shown(self, text: str) -> str:
        return text if len(text) <= SHOWN or self.level <= LEVELS["DEBUG"] else f"{text[:SHOWN]}…"


def listener(agent: str) -> Listener:
    """What logs the beginning, the end and the warnings of a run of this agent's own."""
    least = log_level()

    def listen(event: AnyEvent) -> None:
        match event:
            case RunStarted():
                log(least, "INFO", "agent begins", agent=agent, task=event.task[:SHOWN], run=event.run_id)
            case RunFinished():
                log(least, "INFO", "agent is done", agent=agent, status=event.status, calls=event.usage.calls)
            case Warned():
                log(least, "WARNING", "agent is warned", agent=agent, warning=event.text)
            case Retried():
                log(least, "WARNING", "model is asked again", agent=agent, wait=event.wait, error=event.error)
            case _:
                pass

    return listen


def log(least: int, level: str, event: str, **facts: object) -> None:
    """Log what happened, unless it is below the level that is asked for."""
    if LEVELS[level] >= least:
        import structlog

        getattr(structlog.get_logger("phalanx"), level.lower())(event, **facts)


def log_level() -> int:
    """From which level on verbose agents log. Raises ConfigurationError when PHALANX_LOG_LEVEL is none."""
    name = (Settings.from_environment().log_level or "INFO").upper()
    if name not in LEVELS:
        raise ConfigurationError(
            f"PHALANX_LOG_LEVEL={name!r} is no level{nearest(name, LEVELS)}; the levels are {', '.join(LEVELS)}"
        )
    return LEVELS[name]


def _since_last_answer(request: Request) -> list[Message]:
    """The tool results that are news to the model."""
    news: list[Message] = []
    for message in reversed(request.messages):
        if message.role != "tool":
            break
        news.append(message)
    return news[::-1]
