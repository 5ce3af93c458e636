"""The words that options of reading answers are written in."""

from __future__ import annotations

from typing import Literal

Kind = Literal["auto", "text", "number", "choice", "date", "set", "json"]
"""What an answer is expected to be."""

Explicit = Literal["json", "boxed", "marked", "said"]
"""How a reply states its answer: {"answer": …}, LaTeX's box, "Answer: …", "the answer is …"."""

Fallback = Literal["bold", "choice", "number", "line", "whole"]
"""Where to look when a reply states none: its last bold text, letter, number or line, or all of it."""

DecimalMark = Literal["auto", ".", ","]
"""Which mark separates decimals."""

Percent = Literal["hundredths", "plain"]
"""Whether 50% is 0.5, or 50."""

Policy = Literal["complete", "components", "greedy_first"]
"""How a relation that is not transitive becomes a partition."""
