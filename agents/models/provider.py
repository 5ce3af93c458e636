"""Providers of one's own: a class to write, and what its methods may give back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from phalanx.messages import Data, ToolCall, Usage


class AgentResponse(Data):
    """What a provider's `chat` may return besides text.

    content: the answer. tokens_used: input and output together, as far as the provider says (None: it does not).
    tool_calls: the tools it wants to use. model: who answered, in the provider's words.
    """

    content: str = ""
    tokens_used: int | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    model: str = ""


class StreamChunk(Data):
    """A piece of a streamed answer; the last one is empty and says `is_final`.

    content: the text of the piece. Of the last one, usage: what the answer took; tool_calls: the tools that were
    called, or that it wants to call; model: who answered.
    """

    content: str = ""
    is_final: bool = False
    usage: Usage | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    model: str = ""


class BaseProvider(ABC):
    """A provider of one's own: write `chat`, and give it as `provider=` or with `register_provider(name, cls)`.

    model: the model's name, where the class was registered and asked for as "name/model"; "" without one.

    Any object with these methods does as well; nothing asks whether it inherits from here.
    """

    def __init__(self, model: str = "") -> None:
        self.model = model

    @abstractmethod
    def chat(self, *args: Any, **options: Any) -> Any:
        """Answer; sync or async.

        args: the messages, as mappings with role and content; or all of it as one text, when its first argument is
        named `prompt` or typed `str`. options: `temperature`, `max_tokens`, `top_p`, `seed`, `stop`, `tools` and
        `tool_choice` by these names, in the OpenAI form, as far as it has such arguments or `**options`; a setting
        that was given and that it has no argument for is an error.

        Returns text, an AgentResponse, a mapping or an object with `content` (and `tokens_used`, `tool_calls`), or an
        answer in the OpenAI form. May raise TimeoutError and ConnectionError, after which the call is made again.
        """

    def stream_chat(self, *args: Any, **options: Any) -> Any:
        """Answer in pieces (text, StreamChunks, or objects with `content`), sync or async; takes what `chat` takes.

        A class that does not write it is not streamed: its answers come whole. What stands here is never called, and
        raises NotImplementedError.
        """
        raise NotImplementedError(f"{type(self).__name__} does not stream")

    def supports_tools(self) -> bool:
        """Whether `chat` takes `tools`; if not, tools are described to the model in words."""
        return False

    @property
    def name(self) -> str:
        """What it is called in events and errors."""
        return f"custom/{type(self).__name__}"
