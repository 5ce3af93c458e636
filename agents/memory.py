"""What a conversation keeps when it grows too long."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from phalanx.messages import Message, estimate_tokens


class AgentMemory(ABC):
    """Decides what of a history is sent; subclass it and give `manage_history`."""

    @abstractmethod
    def manage_history(self, history: list[Message]) -> list[Message]:
        """The messages to send, in order.

        history: all there are, the oldest first; the list is a copy and may be changed.
        """


class SimpleAgentMemory(AgentMemory):
    """Keeps the newest messages within a token budget.

    It never drops a system message, the first user message (the task), or one half of a tool call and its results.
    Tokens are upper estimates; what must be kept is kept even when it alone is over the budget.

    max_history_tokens: the budget. Raises ValueError when it is not positive.
    """

    def __init__(self, max_history_tokens: int = 8000) -> None:
        if max_history_tokens <= 0:
            raise ValueError(f"max_history_tokens must be positive, not {max_history_tokens}")
        self.max_history_tokens = max_history_tokens

    def manage_history(self, history: list[Message]) -> list[Message]:
        costs = [_cost(message) for message in history]
        if sum(costs) <= self.max_history_tokens:
            return history
        first_user = next((at for at, message in enumerate(history) if message.role == "user"), -1)
        kept = {at for at, message in enumerate(history) if message.role == "system" or at == first_user}
        room = self.max_history_tokens - sum(costs[at] for at in kept)
        for group in reversed(_groups(history)):
            if kept.issuperset(group):
                continue
            price = sum(costs[at] for at in group if at not in kept)
            if price > room:
                break
            room -= price
            kept.update(group)
        if len(kept) < len(history) and history and len(history) - 1 not in kept:
            kept.update(_groups(history)[-1])
        return [message for at, message in enumerate(history) if at in kept]

    def __repr__(self) -> str:
        return f"SimpleAgentMemory({self.max_history_tokens})"


def _cost(message: Message) -> int:
    return 8 + estimate_tokens(message.content) + sum(estimate_tokens(str(call)) for call in message.tool_calls)


def _groups(history: Sequence[Message]) -> list[list[int]]:
    """Places that stay or go together: a message, or an assistant's tool calls with all their results."""
    groups: list[list[int]] = []
    for at, message in enumerate(history):
        if message.role == "tool" and groups:
            groups[-1].append(at)
        else:
            groups.append([at])
    return groups
