"""A score and where it comes from."""

from __future__ import annotations

from pydantic import Field

from phalanx.messages import Data


class Score(Data):
    """What an answer is worth, 0 to 1.

    read: what was taken for the final answer; None when none could be read, which counts as an abstention. why: what
    speaks for the value, in words.
    """

    value: float = Field(ge=0, le=1, allow_inf_nan=False)
    read: str | None = None
    why: str = ""
