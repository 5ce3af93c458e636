"""What an answer means: a number, a date, a choice, yes or no, a list, a set, JSON, a formula, or plain text."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Literal

from .bare import LONG, bare, is_abstention
from .dates import day
from .formula import formula_key, is_formula
from .kinds import DecimalMark, Kind, Percent
from .numbers import Measure, number

ReadAs = Literal["text", "number", "choice", "boolean", "date", "list", "set", "json", "formula"]
Key = str | date | Measure | bool | tuple["Key", ...] | frozenset["Key"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer was read as. Two answers with the same kind and key mean the same."""

    kind: ReadAs
    key: Key

    @property
    def measure(self) -> Measure | None:
        """The number, if it is one."""
        return self.key if isinstance(self.key, Measure) else None


def parse(
    text: str,
    kind: Kind = "auto",
    *,
    options: Mapping[str, str] | None = None,
    decimal: DecimalMark = "auto",
    day_first: bool | None = None,
    percent: Percent = "hundredths",
) -> Reading | None:
    """What an answer means, or None when it cannot be read as `kind`, is empty, or says there is none.

    kind: "auto" takes the first that fits of yes/no, choice, number, date, JSON, list or set, formula, text. options:
    the text of each choice letter; an answer that is such a text is that choice. decimal: which mark separates
    decimals; with "auto", 1,2 alone may be one number or two, and is text unless a number is asked for. day_first: how
    3/4/2024 is read; None leaves a date that may be either unread. percent: whether 50% is 0.5, or 50.
    """
    if kind in ("auto", "number") and not options and text.isdigit() and (whole := number(text, decimal, percent)):
        return Reading("number", whole)  # what most answers are; the rest below comes to the same
    answer = bare(text)
    if not answer or is_abstention(answer):
        return None
    if kind == "json":
        return _json(answer)
    if kind == "text":
        return _text(answer)
    if kind == "set":
        return _set(answer, decimal)
    if len(answer) > LONG:
        return _text(answer) if kind == "auto" else None
    if kind == "number":
        measure = number(answer, decimal, percent)
        return None if measure is None else Reading("number", measure)
    if kind == "choice":
        return _choice(answer, options, strict=False)
    if kind == "date":
        found = day(answer, day_first)
        return None if found is None else Reading("date", found)
    return (
        _boolean(answer)
        or _choice(answer, options, strict=True)
        or _number_or_date(answer, decimal, percent, day_first)
        or (_json(answer) if answer.startswith("{") and '"' in answer else None)
        or _list(answer, decimal)
        or _formula(answer)
        or _text(answer)
    )


_NUMBER = re.compile(r"(?<![\w.,])[-−]?[$€£]?\d+(?:[.,]\d+)*(?:/\d+)?%?(?![\w])")


def number_in(sentence: str) -> str | None:
    """The number of a sentence that has only one, or of what stands behind its last equals sign, as it is written.

    For a sentence that is known to state the answer: any other would be a guess.
    """
    behind = sentence.rpartition("=")[2].strip()
    if behind != sentence and number(behind):
        return behind
    numbers = _NUMBER.findall(sentence)
    if len(numbers) != 1 or re.search(r"\d", sentence.replace(numbers[0], "", 1)):
        return None
    before, _, after = sentence.partition(numbers[0])
    return None if _DENIED.search(before) or _WRONG.match(after) else str(numbers[0])


# What is not 5, or is less than 5, is anything but 5; no more than 5 may well be.
_DENIED = re.compile(
    r"""(?:\b(?:not|cannot|never|neither|other\s+than|except)|n['’]t)\s+(?:(?:be|equal|equals|to|exactly|really)\s+)*$
    |(?<!\bno\s)(?<!\bnot\s)\b(?:more|less|fewer|greater|larger|smaller|higher|lower)\s+than\s+$
    |(?:^|[\w)]\s?)<\s?$|[\w)]\s?>\s?$""",
    re.I | re.X,
)
_WRONG = re.compile(
    r"[\s(]+(?:(?:is|was|seems|looks)\s+(?:(?:\w+ly|the)\s+)?)?(?:not|never|wrong|incorrect|false|(?:is|was)n['’]t)\b",
    re.I,
)


def _number_or_date(answer: str, decimal: DecimalMark, percent: Percent, day_first: bool | None) -> Reading | None:
    measure = number(answer, decimal, percent)
    if measure is not None:
        return _text(answer) if decimal == "auto" and _TWO.fullmatch(answer) else Reading("number", measure)
    found = day(answer, day_first)
    return None if found is None else Reading("date", found)


# One number with a decimal comma, or two numbers: 0,1 may be both roots of x² = x.
_TWO = re.compile(
    r"(?:\w*\s*=\s*)?(?:(?:about|approx\w*\.?|roughly|around|minus|negative|≈|~)\s*)*[-−–+]?(?!(?!0)\d{1,3},\d{3}$)\d+(?:,|\{,\})\d+"
)

_BOOLEAN = re.compile(r"(yes|no|true|false)(?:\s*[.!]?$|\s*[,;:–—]\s.*|\.\s+[A-Z].*)", re.I | re.S)


# "Yes, no" and "No. Actually yes." say both, and so neither; "Yes, no doubt" says one.
_BUT = r"(?:\W|\b(?:or|and|but|nor|wait|actually|rather|maybe|perhaps|possibly|sorry|well|then|I mean|otherwise)\b)*"
_BOTH = re.compile(
    rf"(?:(?:yes|true)\b{_BUT}\b(?:no|false)|(?:no|false)\b{_BUT}\b(?:yes|true))(?=\W*$|\s*[.,;:!?])"
    r"|.*\b(?:otherwise|else)\W+(?:yes|no|true|false)\W*$",
    re.I | re.S,
)


def _boolean(answer: str) -> Reading | None:
    found = _BOOLEAN.fullmatch(answer)
    if found is None or (len(found[1]) < len(answer) and _BOTH.match(answer)):
        return None
    return Reading("boolean", found[1].lower() in ("yes", "true"))


_CHOICE = re.compile(
    r"(?P<word>option|choice|answer|letter)?\s*[(\[{]?(?P<letter>[A-Za-z])(?P<close>[)\]}]?)(?P<mark>[.:]?)"
    r"(?P<rest>[\s,;].*)?",
    re.I | re.S,
)


# (B) and (C), or a word in brackets that is no letter: more than one choice, or none.
_ANOTHER = re.compile(r"(?:^|,|;|\b(?:and|or|nor)\b)\s*(?:(?:and|or)\s+)?(?:\(?[A-Z]|\([a-z])\)")
# "option A or B" is no choice of A, and "(A) is wrong" is none either; "(A) and a half" is one, and so is "(B) False".
_HEDGED = re.compile(
    r"""\W*(?:(?:and|or|nor|maybe|perhaps|possibly|probably|versus|vs|also|both|[&/|])[.,]?\s*)+
        (?:(?:option|choice|answer|letter)\s+(?-i:[A-Z]|[a-z](?=\W*$))\b|\([a-z]\)|(?-i:[A-HJ-Z])(?![\w'’])|[a-z]\W*$)
    |(?:(?:is|was|seems|looks|appears)\s+(?:(?:to\s+be|also|just|the|an|\w+ly)\s+)*
        (?:not|wrong|incorrect|false|untrue|impossible|excluded|eliminated|ruled\s+out)
    |(?:isn|wasn|can|couldn)['’]t|cannot|could\s+not)\b""",
    re.I | re.X,
)


def _choice(answer: str, options: Mapping[str, str] | None, *, strict: bool) -> Reading | None:
    """A choice letter. Strict: only what cannot well be anything else: "B", "(b)", "B)", "option B", "B: Paris"."""
    letters = {letter.upper() for letter in options} if options else None
    found = _CHOICE.fullmatch(answer if answer.isascii() else unicodedata.normalize("NFKC", answer))
    if found is not None:
        letter, rest = found["letter"].upper(), (found["rest"] or "").strip(" ,;\n")
        marked = bool(found["word"] or found["close"] or found["mark"] == ":")
        allowed = letter in letters if letters else (not strict or letter <= "J")
        clear = marked or not rest
        if not strict or letters:
            clear = clear or found["mark"] == "." or rest[0] in "-–—"
        elif not marked:
            clear = clear and found["letter"].isupper()
        if allowed and clear and not (rest and (_ANOTHER.search(rest) or _HEDGED.match(rest))):
            return Reading("choice", letter)
    if options and (wanted := text_key(answer)):
        for letter, text in options.items():
            if text_key(text) == wanted:
                return Reading("choice", letter.upper())
    return None


def _json(answer: str) -> Reading | None:
    try:
        return Reading("json", _json_key(json.loads(answer)))
    except (ValueError, RecursionError):
        return None


def _json_key(value: object) -> Key:
    """JSON with keys in order, and numbers by value: 1, 1.0 and 1e0 are the same."""
    if isinstance(value, dict):
        return ("object", *((key, _json_key(each)) for key, each in sorted(value.items())))
    if isinstance(value, list):
        return ("array", *(_json_key(each) for each in value))
    if isinstance(value, bool) or value is None:
        return ("constant", json.dumps(value))
    if isinstance(value, (int, float)):
        exact = Fraction(value) if isinstance(value, int) else Fraction(repr(value))
        return Measure(exact, "", exact)
    return ("string", str(value))


MOST_MEMBERS = 2000
_BRACKETS = {"{": "}", "[": "]", "(": ")", "\\{": "\\}"}


def _split(answer: str) -> tuple[str, list[str]] | None:
    """The bracket around a list ("" for none) and its parts at the top level; None when there is only one part."""
    answer = re.sub(r"\\(?:left|right)(?![a-zA-Z])", "", answer).strip()
    bracket = next((left for left in ("\\{", "{", "[", "(") if answer.startswith(left)), "")
    inner = answer
    if bracket:
        if not answer.endswith(_BRACKETS[bracket]):
            return None
        inner = answer[len(bracket) : len(answer) - len(_BRACKETS[bracket])]
    parts, depth, start = [], 0, 0
    for at, letter in enumerate(inner):
        depth += (letter in "([{") - (letter in ")]}")
        if depth < 0:
            return None
        thousands = letter == "," and inner[at + 1 : at + 2].isdigit() and inner[at - 1 : at].isdigit() and not bracket
        if letter in ",;" and not depth and not thousands:
            parts.append(inner[start:at])
            start = at + 1
    parts.append(inner[start:])
    if len(parts) > 1 or not bracket:
        last = re.split(r"^\s*and\s+|\s+and\s+", parts[-1])
        parts[-1:] = last if len(parts) > 1 or len(last) == 2 else parts[-1:]
    parts = [part.strip() for part in parts if part.strip()]
    return (bracket, parts) if len(parts) > 1 or bracket else None


def _list(answer: str, decimal: DecimalMark) -> Reading | None:
    """A list or, in braces, a set, when all its parts are numbers or a few words; anything longer is prose."""
    if (split := _split(answer)) is None:
        return None
    bracket, parts = split
    if bracket == "(" and len(parts) < 2:
        return None
    members = [_member(part, decimal) for part in parts]
    if not members or any(len(part.split()) > 4 for part in parts) or None in members:
        return None
    keys = [key for key in members if key is not None]
    if bracket in ("{", "\\{"):
        return Reading("set", frozenset(keys))
    return Reading("list", (bracket or "[", *keys))


def _set(answer: str, decimal: DecimalMark) -> Reading | None:
    """A set, however it is written: the order and repetitions do not count."""
    lines = [" ".join(line.split()) for line in answer.splitlines() if line.strip()]
    lines = [re.sub(r"^(?:[-*•]|\d+[.)]) ", "", line) for line in lines]
    split = _split(lines[0]) if len(lines) < 2 else ("", lines)
    parts = lines if split is None else split[1]
    if len(parts) > MOST_MEMBERS:
        return None
    members = {_member(part, decimal) for part in parts}
    return Reading("set", frozenset(key for key in members if key is not None)) if None not in members else None


def _member(part: str, decimal: DecimalMark) -> Key | None:
    read = parse(part, "auto", decimal=decimal)
    return None if read is None else (read.kind, read.key)


def _formula(answer: str) -> Reading | None:
    key = formula_key(answer) if is_formula(answer) else ""
    return Reading("formula", key) if key else None


def _text(answer: str) -> Reading | None:
    key = text_key(answer)
    return Reading("text", key) if key else None


_JOINED = re.compile(r"(?<=[^\W\d_]{2})[-‐‑](?=[^\W\d_]{2})")
_DOTTED = re.compile(r"\b(?:[a-z]\.){2,9}(?=\W|$)|\b(?:[a-z]\.){1,9}[a-z]\b")
_PUNCTUATION = re.compile(
    r"(?<=[^\W\d_])['’](?=[^\W\d_])|(?<=[^\W\d_]{2})!|[?¡¿…\"“”„«»`´]|[.,;:](?=\s|$)|(?:^|(?<=\s))[*•–—-](?=\s)|\*\*"
)


_SYMBOL = re.compile(r"(?<=\d)(\s*(?:[A-Za-z]|[mM](?!m)[A-Za-z]|[kKgGtT][bB]))(?![^\W\d_])")


# The A of "A or B" is no article.
_ARTICLE = re.compile(r"^(?:the|an|a(?! (?:or|and|nor|is|was|&|\w(?!\w))(?!\w))) (?=\S)")


def text_key(answer: str) -> str:
    """Text with case, punctuation, spaces, hyphens and a leading article evened out.

    What may change the meaning stays: signs (-x, C++, C#), decimal points, digits, brackets inside, an article inside
    (vitamin A).
    """
    text = unicodedata.normalize("NFKC", answer)
    if len(text) > 1:  # x and X, b and B are often two things, and so are the units of 5 b and 5 B
        text = "".join(part if at % 2 else part.casefold() for at, part in enumerate(_SYMBOL.split(text)))
    text = _DOTTED.sub(lambda found: found[0].replace(".", ""), text)
    text = _PUNCTUATION.sub("", _JOINED.sub(" ", text))
    if re.fullmatch(r"\([^()]*\)|\[[^\[\]]*\]", text.strip()):
        text = text.strip()[1:-1]
    text = " ".join(text.split())
    return _ARTICLE.sub("", text)
