"""An answer without what stands around it, and texts that say there is none."""

from __future__ import annotations

import re

_PAIRS = (
    ("**", "**"), ("__", "__"), ("~~", "~~"), ("`", "`"), ("*", "*"), ("_", "_"), ("$$", "$$"), ("$", "$"),
    ("\\(", "\\)"), ("\\[", "\\]"), ('"""', '"""'), ('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’"), ("«", "»"),
    ("<answer>", "</answer>"), ("\\text{", "}"), ("\\textbf{", "}"), ("\\mathbf{", "}"), ("\\mathrm{", "}"),
    ("\\mbox{", "}"), ("\\boxed{", "}"),
)  # fmt: skip
_PLACEHOLDER = re.compile(r"<[^<>]*>|\[(?:your|the|final|insert|no)\b[^\[\]]*\]|\.{2,}|…|_{2,}|[*#`_\"'“”]+", re.I)
_LEFTOVER = re.compile(r"^(?:[*`]+\s+|\*\*)|(?:\s+[*`]+|\s*\[/[A-Z]+\]|</?s>)$")
# 5! and n! are not 5 and n.
_ENDING = re.compile(r"(?<=[^\s\\.])[.;,]$|(?<=[^\W\d_]{2})!$")


LONG = 2000
"""What is longer than this is prose or a document: nothing stands around it, and it is no number, date or list."""


# Marks without a width say nothing of their own; those that join letters, or turn them round, stay.
_UNSEEN = dict.fromkeys((0x00AD, 0x061C, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF))


def visible(text: str) -> str:
    """A text without the marks in it that nobody sees: spaces without a width, soft hyphens, marks of direction."""
    return text if text.isascii() else text.translate(_UNSEEN)


def unfenced(text: str) -> str:
    """A text without the code fence around it."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and text.count("```") == 2 and "\n" in text:
        return text[text.index("\n") : -3].strip()
    return text


def bare(text: str) -> str:
    """An answer without the marks around it: emphasis, quotes, math delimiters, full stop; empty for a placeholder."""
    before = None
    text = unfenced(visible(text))
    # All that is taken away below begins or ends with a mark; most answers need no look at each of them.
    if len(text) > LONG or (text[:1].isalnum() and text[-1].isalnum()):
        return text
    while text != before:
        before = text
        for left, right in _PAIRS:
            inside = text[len(left) : len(text) - len(right)]
            if inside and text.startswith(left) and text.endswith(right) and left not in inside and right not in inside:
                text = inside.strip()
        text = _ENDING.sub("", _LEFTOVER.sub("", text)).strip()
        if text.count("**") == 1:
            text = text.removeprefix("**").removesuffix("**").strip()
    return "" if _PLACEHOLDER.fullmatch(text) else text


_ABSTENTIONS = frozenset({
    "null", "n/a", "i don't know", "i do not know", "don't know", "no answer", "no final answer", "abstain",
    "i abstain", "i cannot answer", "i can't answer", "unable to answer", "cannot answer", "not sure", "i am not sure",
    "i'm not sure",
})  # fmt: skip


# One sentence that declines, and nothing after it.
_REFUSAL = re.compile(
    r"(?:as an ai(?: language)?(?: model| assistant)?, )?(?:(?:i'm|i am)(?: very| so| really)? sorry,? (?:but )?)?"
    r"(?:i (?:can't|cannot|can not|won't|will not|am unable to|am not able to)|i'm (?:unable|not able) to) "
    r"(?:help|assist|answer|comply|fulfil|provide|discuss|do that|determine)\b[^.!?:\n]{0,100}"
)


def is_abstention(answer: str) -> bool:
    """Whether an answer says, in so many words, that there is none, or declines to give one."""
    told = answer.strip(" .!*").replace("’", "'").casefold()
    return told in _ABSTENTIONS or (told[:1] in ("i", "a") and _REFUSAL.fullmatch(told) is not None)
