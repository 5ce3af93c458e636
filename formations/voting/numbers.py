"""Numbers as people and models write them: signs, separators, fractions, percent, powers of ten, money, units."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from fractions import Fraction

from .kinds import DecimalMark, Percent

MAX_CHARS = 200
MAX_POWER = 300


@dataclass(frozen=True, slots=True)
class Measure:
    """A number with what it counts.

    value: the number as written, a percentage as its hundredth. unit: the base unit, in which it is `base` ("" for
    none, "$" and the like for money): 5 km has value 5, unit "m", base 5000. variable: what it was said to be the
    value of: "x" in x = 2, "" when nothing was said.
    """

    value: Fraction
    unit: str = ""
    base: Fraction = Fraction(0)
    variable: str = ""


def number(text: str, decimal: DecimalMark = "auto", percent: Percent = "hundredths") -> Measure | None:
    """The number a text stands for, or None when it is not a number and nothing else.

    decimal: which mark separates decimals. "auto" goes by the text: 1,234 has thousands, 3,5 and 0,123 decimals,
    1.234,5 and 1,234.5 both; a single point is always a decimal point. percent: whether 50% is 0.5, or 50.
    """
    if len(text) > MAX_CHARS:
        return None
    if text.isascii() and text.isdigit():  # what most numbers are; the rest below comes to the same
        whole = Fraction(int(text))
        return Measure(whole, "", whole)
    plain = _plain(text)
    found = re.match(r"([A-Za-z]\w{0,2})? ?= ?", plain)
    if found is None:
        return _amount(plain, decimal, percent)
    measure = _amount(plain[found.end() :], decimal, percent)
    return None if measure is None else replace(measure, variable=found[1] or "")


def _amount(plain: str, decimal: DecimalMark, percent: Percent) -> Measure | None:
    plain = re.sub(r"^(?:about|approximately|approx\.?|roughly|around|≈|~) ?", "", plain, flags=re.I)
    sign = -1 if re.match(r"(?:minus |negative |-)(?!-)", plain, re.I) else 1
    plain = re.sub(r"^(?:minus |negative |[-+])", "", plain, flags=re.I).strip()
    money = ""
    if found := _MONEY_BEFORE.match(plain):
        money, plain = _MONEY[found[1].upper()], plain[found.end() :]
        if plain.startswith("-"):
            sign, plain = -sign, plain[1:]
    magnitude = _magnitude(plain, decimal)
    if magnitude is None:
        return None
    value, rest = magnitude
    value *= sign
    if found := re.match(r" ?(thousand|million|billion|trillion)\b", rest, re.I):
        value *= _SCALES[found[1].lower()]
        rest = rest[found.end() :]
    spaced, rest = rest.startswith(" "), rest.strip()
    if re.fullmatch(r"(?:%|per ?cent|percent|pct)", rest, re.I):
        value = value / 100 if percent == "hundredths" else value
        return None if money else Measure(value, "", value)
    return _measured(value, rest, money, spaced=spaced)


_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_MONEY = {
    "$": "$", "US$": "$", "USD": "$", "DOLLAR": "$", "DOLLARS": "$", "€": "€", "EUR": "€", "EURO": "€", "EUROS": "€",
    "£": "£", "GBP": "£", "POUNDS STERLING": "£", "¥": "¥", "JPY": "¥", "YEN": "¥", "₹": "₹", "INR": "₹", "RS": "₹",
    "RUPEE": "₹", "RUPEES": "₹", "CHF": "CHF", "CNY": "CNY", "RMB": "CNY",
}  # fmt: skip
_MONEY_BEFORE = re.compile(r"(US\$|USD|EUR|GBP|JPY|INR|CHF|CNY|RMB|Rs(?=[. ])|[$€£¥₹])\.? ?(?=[-\d.\\])", re.I)
_WORDS = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
]  # fmt: skip

_TEX = (
    (re.compile(r"\\(?:left|right|displaystyle|bigg?|,|!|;|:|quad|qquad|\s)(?![a-zA-Z])"), " "),
    (re.compile(r"\\(?:text|mathrm|mbox|textbf|mathbf|textrm|operatorname)\s*\{([^{}]*)\}"), r" \1"),
    (re.compile(r"\\[dt]frac"), r"\\frac"),
    (re.compile(r"\\([%$&#_])"), r"\1"),
    (re.compile(r"\^\s*\{?\\circ\}?"), "°"),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\(?:times|cdot)(?![a-zA-Z])|[×·]"), "*"),
    (re.compile(r"~"), " "),
)  # fmt: skip


def _plain(text: str) -> str:
    """A text in ASCII as far as numbers go: digits of all scripts, minus signs, vulgar fractions, LaTeX marks."""
    text = text.strip()
    if not text.startswith("~"):
        for pattern, plain in _TEX:
            text = pattern.sub(plain, text)
    text = _SUPERSCRIPT.sub(lambda found: "^" + unicodedata.normalize("NFKC", found[0]), text)
    text = unicodedata.normalize("NFKC", _VULGAR.sub(r" \g<0>", text))
    text = "".join(str(unicodedata.decimal(letter)) if letter.isdecimal() else letter for letter in text)
    return re.sub(r"\s+", " ", text.translate(_MARKS)).strip()


_SUPERSCRIPT = re.compile("[²³¹⁰⁴-⁹⁻]+")
_VULGAR = re.compile("[¼-¾⅐-⅞↉]")
_MARKS = str.maketrans({
    "−": "-", "–": "-", "‒": "-", "﹣": "-", "⁻": "-", "٫": ".", "٬": ",", "’": "'", "⁄": "/",
})  # fmt: skip


_TEX_FRACTION = re.compile(r"(?:(\d+) ?)?\\frac ?(?:\{ ?(-?\d+) ?\}|(\d)) ?(?:\{ ?(\d+) ?\}|(\d))")
_MIXED = re.compile(r"(\d+) (\d+) ?/ ?(\d+)(?![\d/])")
_RATIO = re.compile(r"(\d+(?:\.\d+)?) ?/ ?(-?\d+(?:\.\d+)?)(?![\d/.])")
_DIGITS = re.compile(r"\d(?:[\d_]|[.,' ](?=\d))*\.?|\.\d+")
_POWER = re.compile(r" ?\* ?10 ?(?:\^|\*\*) ?(?:\{ ?([-+]?\d+) ?\}|([-+]?\d+))|[eE]([-+]?\d+)(?![\w.])")
_TEN = re.compile(r"10 ?(?:\^|\*\*) ?(?:\{ ?([-+]?\d+) ?\}|([-+]?\d+))")


def _magnitude(plain: str, decimal: DecimalMark) -> tuple[Fraction, str] | None:
    """The unsigned number a text begins with, and what follows it."""
    if plain.lower() in _WORDS:
        return Fraction(_WORDS.index(plain.lower())), ""
    if found := _TEX_FRACTION.match(plain):
        whole, top, bottom = int(found[1] or 0), int(found[2] or found[3]), int(found[4] or found[5])
        if not bottom or (found[1] and top < 0):
            return None
        return whole + Fraction(top, bottom), plain[found.end() :]
    if found := _MIXED.match(plain):
        return (int(found[1]) + Fraction(int(found[2]), int(found[3])), plain[found.end() :]) if int(found[3]) else None
    if found := _RATIO.match(plain):
        below = Fraction(found[2])
        return (Fraction(found[1]) / below, plain[found.end() :]) if below else None
    if found := _TEN.match(plain):
        power = int(found[1] or found[2])
        return (Fraction(10) ** power, plain[found.end() :]) if abs(power) <= MAX_POWER else None
    if not (found := _DIGITS.match(plain)):
        return None
    value, rest = separated(found[0].strip(), decimal), plain[found.end() :]
    if value is None:
        return None
    if found := _POWER.match(rest):
        power = int(next(group for group in found.groups() if group is not None))
        if abs(power) > MAX_POWER:
            return None
        value, rest = value * Fraction(10) ** power, rest[found.end() :]
    return value, rest


_GROUPED = {
    ",": re.compile(r"\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})+,\d{3}"),
    ".": re.compile(r"\d{1,3}(?:\.\d{3})+"),
    "'": re.compile(r"\d{1,3}(?:'\d{3})+"),
    " ": re.compile(r"\d{1,3}(?: \d{3})+"),
}


def separated(digits: str, decimal: DecimalMark = "auto") -> Fraction | None:
    """Digits with separators as a number; None when the separators make no sense (12.34.56, 1,2,3)."""
    digits = digits.replace("_", "").rstrip(".")
    marks = [letter for letter in digits if letter in ".,"]
    mark = _decimal_mark(digits, marks, decimal)
    whole, _, part = digits.partition(mark) if mark else (digits, "", "")
    if part and not part.isdigit():
        return None
    if whole and not whole.isdigit():
        used = {letter for letter in whole if not letter.isdigit()}
        group = used.pop()
        if used or group == mark or not _GROUPED[group].fullmatch(whole) or whole.startswith("0"):
            return None
        whole = whole.replace(group, "")
    return Fraction(f"{whole or 0}.{part or 0}")


def _decimal_mark(digits: str, marks: list[str], decimal: DecimalMark) -> str:
    """Which mark, if any, separates the decimals."""
    if decimal != "auto":
        return decimal
    if len(set(marks)) == 2:
        return marks[-1] if marks.count(marks[-1]) == 1 else ""
    if marks == ["."]:
        return "."
    if marks == [","]:
        return "" if _GROUPED[","].fullmatch(digits) and not digits.startswith("0") else ","
    return ""


_UNITS: dict[str, tuple[str, Fraction]] = {}


def _define(base: str, factor: Fraction | int | str, names: str) -> None:
    for name in names.split():
        _UNITS[name] = (base, Fraction(factor))


_define("m", 1, "m meter meters metre metres")
_define("m", "0.001", "mm millimeter millimeters millimetre millimetres")
_define("m", "0.01", "cm centimeter centimeters centimetre centimetres")
_define("m", 1000, "km kilometer kilometers kilometre kilometres")
_define("m", "0.0254", "in inch inches")
_define("m", "0.3048", "ft foot feet")
_define("m", "0.9144", "yd yard yards")
_define("m", "1609.344", "mi mile miles")
_define("g", 1, "g gram grams")
_define("g", "0.001", "mg milligram milligrams")
_define("g", 1000, "kg kilogram kilograms")
_define("g", "453.59237", "lb lbs pound pounds")
_define("s", 1, "s sec secs second seconds")
_define("s", "0.001", "ms millisecond milliseconds")
_define("s", 60, "min mins minute minutes")
_define("s", 3600, "h hr hrs hour hours")
_define("s", 86400, "day days")
_define("s", 604800, "week weeks")
_define("L", 1, "l L liter liters litre litres")
_define("L", "0.001", "ml mL milliliter milliliters millilitre millilitres")
_define("month", 1, "month months")
_define("month", 12, "year years yr yrs")
_define("°", 1, "° degree degrees deg")

_UNIT = re.compile(r"[A-Za-zµμΩ°'\"′″$€£¥₹²³][^\d,;:!?=<>()\[\]{}\\|+]{0,30}(?:\^\{?-?\d\}?)?", re.S)
_NO_UNIT = re.compile(
    r"(?:an?|and|are|as|at|be|because|but|by|for|from|has|have|if|in|into|is|its?|more|no|not|of|on|or|so|than|that|the"
    r"|then|there|these|they|this|to|too|was|we|were|what|when|which|who|with|pi|sqrt|log|ln|exp|sin|cos|tan|mod"
    r"|cannot|false|incorrect|never|wrong|\w+n['’]t)"
)


def _measured(value: Fraction, rest: str, money: str, *, spaced: bool) -> Measure | None:
    """The number with the unit behind it; None when what is behind it is no unit."""
    if not rest:
        return Measure(value, money, value)
    if (currency := _MONEY.get(rest.upper().rstrip("."))) is not None:
        return Measure(value, currency, value) if money in ("", currency) else None
    # A single letter right behind a number is a variable as often as a unit: 5m.
    glued = len(rest) == 1 and rest.isalpha() and not spaced
    if money or glued or not _UNIT.fullmatch(rest) or len(rest.split()) > 3:
        return None
    words = [_evened(word) for word in rest.rstrip(".").split()]
    known = _UNITS.get(rest) or _UNITS.get(" ".join(words))
    if known is not None:
        return Measure(value, known[0], value * known[1])
    if any(_NO_UNIT.fullmatch(word.lower()) or not 1 < len(word) <= 20 for word in words):
        return None
    return Measure(value, " ".join(_singular(word) for word in words), value)


# What reads like a word: three letters or more with a vowel, and no symbol with a prefix before it (mbar is not Mbar).
_WORD = re.compile(
    r"am|pm|(?!m[^aeiouy]|p[^aeiouyhlnrst]|mohm|[mp]..$|[kgtpe]ib$)(?=.*[aeiouyà-ÿ])[^\W\d_](?:[^\W\d_]|['-])*[^\W\d_]{2}"
    r"|min|hrs|lbs|yrs|per",
    re.I,
)


def _evened(word: str) -> str:
    """A word in small letters; a symbol as it is written, since mW is not MW and Mb not MB."""
    plain = word.islower() or word.istitle() or word.isupper()
    return word.lower() if plain and _WORD.fullmatch(word) else word


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
