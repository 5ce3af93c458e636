"""Where in a reply the final answer stands. Models write it in many ways; what is not said clearly is not guessed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from .bare import LONG, bare, is_abstention, unfenced, visible
from .kinds import Explicit, Fallback

MAX_CHARS = 200_000


@dataclass(frozen=True, slots=True)
class Extracted:
    """A final answer as it was written, and how it was found.

    how: "json" ({"answer": …}), "boxed" (LaTeX), "marked" ("Answer: …"), "said" ("the answer is …"), or by a fallback:
    "bold" (the last bold text), "choice" (the last letter such as "(B)"), "number" (the last number), "line" (the
    last line), "whole" (all of it).
    """

    text: str
    how: Explicit | Fallback

    @property
    def is_explicit(self) -> bool:
        """Whether the reply says that this is its answer."""
        return self.how in ("json", "boxed", "marked", "said")


def extract(reply: str, fallbacks: Sequence[Fallback] = ()) -> Extracted | None:
    """The final answer in a reply, or None when it has none: an abstention.

    The last explicit statement counts, since models think aloud before they answer. fallbacks: what may be taken,
    in this order, when nothing is explicit.
    """
    return next(statements(reply, fallbacks), None)


def statements(reply: str, fallbacks: Sequence[Fallback] = ()) -> Iterator[Extracted]:
    """What a reply states as its answer, the last statement first; nothing when the last one says there is none.

    fallbacks: what may be taken, in this order, when nothing is explicit; an answer that is announced and then left out
    ("Answer:" and no more) is explicit too. Reasoning between <think> tags is not part of the reply.
    """
    shown = visible(reply[-MAX_CHARS:])
    if "<" in shown:
        shown = _THOUGHT.split(_THINKING.sub("", shown))[-1]
    shown = shown.strip()
    if not shown:
        return
    explicit = False
    # A label, a mark or a bracket makes an answer explicit: letters and digits alone never are.
    is_word = shown.isalnum()
    if not is_word and (answer := _whole_json(shown)) is not None:
        if answer and not is_abstention(answer):
            yield Extracted(answer, "json")
        return
    for how, read in () if is_word else _explicit(shown):
        explicit = True
        text = read()
        if text.isdigit():
            yield Extracted(text, how)
        elif text := _DASHES.sub("", text):
            if is_abstention(text):
                return
            yield Extracted(text, how)
    if explicit:
        return
    for fallback in fallbacks:
        if text := _DASHES.sub("", bare(_FALLBACKS[fallback](shown))):
            if is_abstention(text):
                return
            yield Extracted(text, fallback)


def labelled(reply: str) -> str | None:
    """The answer of a reply that states only one, in letters or digits alone, behind a label on a line of its own.

    None for any other reply, which may state an answer all the same. It is what `statements` finds first, found sooner.
    """
    if not reply.isascii() or "<" in reply or "\\" in reply or len(reply) > MAX_CHARS:
        return None
    folded = reply.lower()
    at = folded.find("answer")
    if at < 0 or folded.find("answer", at + 1) > 0:
        return None
    for word in _OTHER_WORDS:
        if word in folded:
            return None
    found = _MARKED.match(reply, reply.rfind("\n", 0, at) + 1)
    if found is None:
        return None
    end = reply.find("\n", found.end())
    text = reply[found.end() : end if end >= 0 else len(reply)].strip()
    return text if text.isalnum() else None


# Reasoning that was cut off before it ended leaves no answer.
_THINKING = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.S | re.I)
_THOUGHT = re.compile(r"</think(?:ing)?>", re.I)
# A dash alone holds the place of an answer; the minus sign proper may be one.
_DASHES = re.compile(r"\A[-–—]+\Z")
_KEY = re.compile(r"""["'](?:final[_ ]?)?answer["']\s*:\s*""", re.I)
_BOXED = re.compile(r"\\(?:boxed|fbox)\b\s*")
_LABEL = (
    r"(?:(?:so|thus|hence|final|correct|right|best|my|the|your|overall|updated|revised),?[ \t]+){0,3}(?:answer|result)"
)
_MARKED = re.compile(rf"^[ \t>#*_\-]*{_LABEL}[ \t]*[*_]*[ \t]*[:：=]", re.M | re.I)
_INLINE = re.compile(r"\b(?:(?i:final[ \t]+answer)|ANSWER|Answer|(?i:(?:the|my|our)[ \t]+answer))[ \t]*[*_]*[:：]")
_HEADING = re.compile(rf"^[ \t>]*(?:\#+[ \t]*|[*_]+){_LABEL}[ \t]*[*_]*[ \t]*$", re.M | re.I)
_SAID = re.compile(
    r"(?:^[ \t>*_]*|\b(?:(?:the|my|our|correct|right|best|final|updated|revised)[ \t]+){1,3})"
    r"(?:answer|option|choice|result)(?:[ \t]+(?:to|for|here)\b[^.\n:]{0,80}?)?"
    r"[ \t]+(?:is|are|should[ \t]+be|must[ \t]+be)\b(?![ \t]+not\b)[ \t]*[:：]?",
    re.I | re.M,
)
_VOTED = re.compile(
    r"\bI(?:[ \t]+would|[ \t]+will|'d|'ll)?[ \t]+(?:vote[ \t]+for|choose|pick|select|go[ \t]+with)\b[ \t]*[:：]?", re.I
)
# "would be" often speaks of another case than the one asked about, so it counts only when nothing else is said.
_MAYBE = re.compile(
    r"\b(?:(?:the|my|final|correct|best)[ \t]+){1,3}(?:answer|option|choice)[ \t]+(?:would|will|could)[ \t]+be\b"
    r"[ \t]*[:：]?",
    re.I,
)
_BLOCK = re.compile(
    r"\s*(?:```[a-zA-Z]*\n(?P<fence>.{0,20000}?)```|\"\"\"(?P<quote>.{0,20000}?)\"\"\""
    r"|\$\$(?P<math>.{0,2000}?)\$\$|\\\[(?P<display>.{0,2000}?)\\\])",
    re.S,
)
_LINE = re.compile(r"\s*([^\n]+)")
_TITLE = re.compile(r"(?:^|\s)(?:Dr|Mr|Mrs|Ms|Prof|St|Jr|Sr|No|vs|approx|e\.g|i\.e)$|\s[A-Z]$")
_PLAIN = re.compile(r"[-−+]?[$€£]?\d[\d.,/]*\s?%?|\(?[A-Z]\)?|yes|no|true|false", re.I)
_AFTERTHOUGHT = re.compile(
    r",?\s+(?:because|since|as[ \t]+(?:it|the|this)|which|not|instead[ \t]+of|rather[ \t]+than)\b.*", re.S | re.I
)

Read = Callable[[], str]


def _explicit(reply: str) -> Iterator[tuple[Explicit, Read]]:
    """Every explicit statement, those that count most first: how it was found, and a way to read it."""
    found: dict[int, tuple[int, Explicit, Read]] = {}
    # Most replies have hardly any of the words that a statement is made of, and looking for words costs least.
    folded = reply.casefold() if reply.isascii() else reply.casefold().translate(_DOTLESS)
    there = [word for word in _WORDS if word in folded]
    if there == _ANSWER and (only := _only_line(reply, folded)) is not None:
        yield "marked", only
        return
    lines = list(_worded(reply, folded, there)) if there else []
    for match in _KEY.finditer(reply) if "answer" in there else ():
        found[match.end()] = (match.start(), "json", partial(_json_value, reply, match.end()))
    for match in _BOXED.finditer(reply) if "\\" in reply else ():
        found[match.end()] = (match.start(), "boxed", partial(_braced, reply, match.end()))
    for how, patterns in _PATTERNS:
        for start, end, words in lines:
            for pattern, needed in patterns:
                if words.isdisjoint(needed):
                    continue
                for match in pattern.finditer(reply, start, end):
                    value = partial(_value, reply, match.end(), sentence=how == "said")
                    before = len(reply) if pattern is _MAYBE else 0
                    found[match.end()] = (match.start() - before, how, value)
    # A reply with more statements than this is no answer but a loop; reading them all could take long.
    for _, how, read in sorted(found.values(), key=lambda each: -each[0])[:50]:
        yield how, read


_ANSWERS = ("answer", "result")
_NAMED = (*_ANSWERS, "option", "choice")
_CHOOSING = ("vote", "choose", "pick", "select", "go")
_WORDS = (*_NAMED, *_CHOOSING)
_OTHER_WORDS = _WORDS[1:]
# None of these matches across the end of a line, nor without one of its words.
_PATTERNS: tuple[tuple[Explicit, tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]], ...] = (
    ("marked", ((_MARKED, _ANSWERS), (_INLINE, _ANSWERS), (_HEADING, _ANSWERS))),
    ("said", ((_SAID, _NAMED), (_VOTED, _CHOOSING), (_MAYBE, _NAMED))),
)  # fmt: skip
# What a pattern that ignores case takes for an i besides those that folding makes one.
_DOTLESS = str.maketrans({"\u0131": "i", "\u0307": None})


_ANSWER = ["answer"]


def _only_line(reply: str, folded: str) -> Read | None:
    """A way to read a reply whose one statement word is a label at the start of a line ("Answer: 42"); else None.

    reply, folded: the same without and with its case folded, in which that word is "answer". No other pattern can find
    anything else in it: each needs a word, and what follows this one is its colon.
    """
    if "\\" in reply or folded.count("answer") > 1:
        return None
    # The line is the same one in both, as folding neither makes nor takes away the ends of lines.
    before = folded.count("\n", 0, folded.index("answer"))
    start = 0
    for _ in range(before):
        start = reply.index("\n", start) + 1
    found = _MARKED.match(reply, start)
    return None if found is None else partial(_value, reply, found.end(), sentence=False)


def _worded(reply: str, folded: str, there: Sequence[str]) -> Iterator[tuple[int, int, frozenset[str]]]:
    """The lines with words that a statement has: where each begins and ends, and which of the words it has.

    reply, folded: the same without and with its case folded. there: the words that it has.
    """
    start = 0
    for line, plain in zip(reply.split("\n"), folded.split("\n"), strict=True):
        if words := frozenset([word for word in there if word in plain]):
            yield start, start + len(line), words
        start += len(line) + 1


def _value(reply: str, start: int, *, sentence: bool) -> str:
    """The answer after a label: the rest of its line, or the block or line that follows when the line ends there."""
    end = reply.find("\n", start)
    rest = reply[start : end if end >= 0 else len(reply)]
    if "boxed" in rest and (boxed := _BOXED.search(reply, start)):
        return _braced(reply, boxed.end())
    if (plain := rest.strip()).isalnum():
        return plain  # nothing stands around it, and nothing follows it: what is below comes to the same
    block = _BLOCK.match(reply, start)
    if block is not None:
        return bare(next(part for part in block.groups() if part is not None))
    if not bare(rest).strip("*_: "):
        following = _LINE.match(reply, start + len(rest))
        return bare(following[1]) if following else ""
    first = _first_sentence(rest)
    if sentence:
        rest = _AFTERTHOUGHT.sub("", first)
    elif _PLAIN.fullmatch(bare(first)):
        rest = first
    return bare(rest)


def _first_sentence(line: str) -> str:
    """A line up to the end of its first sentence; initials (George W. Bush, J. R. R. Tolkien) and titles end none."""
    for stop in re.finditer(r"[.!?](?=\s+[\"'“(]?[A-Z])", line[:LONG]):
        before, after = line[: stop.start()].strip(" *\"'("), line[stop.end() :]
        if not _TITLE.search(before) and not re.match(r"\s+[A-Z]\.", after):
            return line[: stop.start()]
    return line


def _braced(reply: str, at: int) -> str:
    """What stands in braces from here, braces inside counted; without braces, the next word."""
    if reply[at : at + 1] != "{":
        word = re.compile(r"[^\s$.,{}]+(?:[.,]\d+)*").match(reply, at)
        return word[0] if word else ""
    depth = 0
    for end in range(at, min(len(reply), at + 4000)):
        depth += {"{": 1, "}": -1}.get(reply[end], 0)
        if not depth:
            return bare(reply[at + 1 : end])
    return ""


def _whole_json(reply: str) -> str | None:
    """The answer of a reply that is nothing but a JSON object with one; its other texts are not searched."""
    text = unfenced(reply)
    if not text.startswith("{"):
        return None
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return None
    keys = [key for key in read if re.fullmatch(r"(?:final[_ ]?)?answer", key, re.I)]
    return _json_text(read[keys[-1]]) if keys else None


_QUOTED = re.compile(r"\"((?:[^\"\\\n]|\\.)*)\"?|'((?:[^'\\\n]|\\.)*)'?")
_UNQUOTED = re.compile(r"[^,}\n]+(?:,\d{3}(?!\d)[^,}\n]*)*")


def _json_value(reply: str, at: int) -> str:
    """A JSON value from here, also when it is not quite JSON: without quotes, or with text after a number."""
    if reply[at : at + 1] in ("{", "["):
        try:
            return _json_text(json.JSONDecoder().raw_decode(reply, at)[0])
        except (ValueError, RecursionError):
            return ""
    if quoted := _QUOTED.match(reply, at):
        try:
            return _json_text(json.loads(quoted[0]))
        except ValueError:
            return bare(quoted[1] or quoted[2] or "")
    unquoted = _UNQUOTED.match(reply, at)
    return bare(unquoted[0]) if unquoted else ""


def _json_text(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return bare(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _last(pattern: re.Pattern[str], reply: str) -> str:
    found = None
    for match in pattern.finditer(reply):
        found = match
    return next((part for part in found.groups() if part), "") if found else ""


_BOLD = re.compile(r"\*\*([^*\n]+)\*\*|__([^_\n]+)__")
_LETTER = re.compile(r"\(([A-Z])\)|(?:^|(?<=[\s*]))([A-Z])\)|^[^\w\n]*([A-Z])[^\w\n]*$", re.M)
_NUMBER = re.compile(
    r"((?:(?<![\w.,)])[-−])?(?<![\w.])[$€£]?\d+(?:[,\u00a0\u202f]\d{3})*(?:[.,]\d+)*(?:[eE][-+]?\d+)?(?:/\d+(?![/\d]))?%?)"
)

_FALLBACKS: dict[Fallback, Callable[[str], str]] = {
    "bold": lambda reply: _last(_BOLD, reply),
    "choice": lambda reply: _last(_LETTER, reply),
    "number": lambda reply: _last(_NUMBER, reply),
    "line": lambda reply: reply.splitlines()[-1],
    "whole": lambda reply: reply,
}
