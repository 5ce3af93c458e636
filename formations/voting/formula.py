"""Formulas: what looks like one, and the ways of writing it evened out."""

from __future__ import annotations

import re

_FORMULA = re.compile(r"\\[a-zA-Z]+|[\^=√π∞≤≥<>]|\d[a-zA-Z(]|[a-zA-Z)]\d")


def is_formula(answer: str) -> bool:
    """Whether an answer looks like a formula: LaTeX, an interval, or operators between numbers and short names."""
    if re.fullmatch(r"[(\[][^()\[\]]+,[^()\[\]]+[)\]]", answer):
        return True
    marked = bool(_FORMULA.search(answer))
    if marked and "\\" in answer:
        return True
    if any(len(word) > 2 for word in re.findall(r"[a-zA-Z]+", re.sub(r"\\[a-zA-Z]+", "", answer))):
        return False
    plain = re.fullmatch(r"[\w\s.+\-*/^()=,×÷−]+", answer)
    return marked or bool(plain and re.search(r"[\w)]\s*[-+*/^×÷−]\s*[\w(]", answer))


_EVENED = (
    (r"\\(?:left|right|displaystyle|,|!|;|:|quad|qquad)(?![a-zA-Z])", ""),
    (r"\\[dt]frac", r"\\frac"),
    (r"\\(?:text|mathrm|mbox|textbf|mathbf|textrm|operatorname)\s*\{([^{}]*)\}", r"\1"),
    (r"\\(?:times|cdot)(?![a-zA-Z])|[×·]", "*"),
    (r"\\div(?![a-zA-Z])|÷", "/"),
    (r"√", r"\\sqrt"),
    (r"π", r"\\pi"),
    (r"[−–]", "-"),
    (r"\\([%$&#_{}])", r"\1"),
    (r"\^\s*\{?\\circ\}?", "°"),
    (r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}"),
    (r"\\frac\s*(\d)\s*\{", r"\\frac{\1}{"),
    (r"\\sqrt\s*(\w)", r"\\sqrt{\1}"),
    (r"([\^_])\{(\w)\}", r"\1\2"),
    (r"(?<=\d)\s+(?=\d)", "*"),
    (r"\\\s|[\s$]", ""),
)


def formula_key(answer: str) -> str:
    """A formula with the ways of writing it evened out."""
    for pattern, plain in _EVENED:
        answer = re.sub(pattern, plain, answer)
    return answer.rstrip(".")
