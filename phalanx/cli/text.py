"""Text and numbers as a terminal shows them. What a model wrote is data: it cannot move the cursor or set colours."""

from __future__ import annotations

import json
import re
import unicodedata

from phalanx.messages import Usage

# Control characters but tab and newline; marks that reorder what follows; line separators; halves of characters.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def visible(text: str) -> str:
    """The text with every character that could act on a terminal written out, e.g. as \\x1b."""
    return _CONTROL.sub(_written_out, text.replace("\r\n", "\n"))


def json_line(value: object) -> str:
    """A value as JSON on one line, in which what could act on a terminal is escaped."""
    return _CONTROL.sub(lambda match: f"\\u{ord(match.group()):04x}", json.dumps(value, ensure_ascii=False))


def one_line(text: str, width: int | None = None) -> str:
    """The text on one line, cut with an ellipsis at `width` columns."""
    line = " ".join(visible(text).split())
    return line if width is None else cut(line, width)


def cut(line: str, width: int) -> str:
    """The beginning of a line, at most `width` columns of it."""
    if columns(line) <= width:
        return line
    if width < 1:
        return ""
    room, kept = max(0, width - 1), []
    for character in line:
        room -= columns(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(kept).rstrip() + "…"


def tail(text: str, width: int) -> str:
    """The last words of a text on one line, at most `width` columns of them."""
    if width < 1:
        return ""
    line = one_line(text[-4 * width :])
    if columns(line) <= width and len(text) <= 4 * width:
        return line
    start = 0
    while columns(line[start:]) > width - 1:
        start += 1
    return "…" + line[start:].lstrip()


def columns(text: str) -> int:
    """How many columns a text takes."""
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text
    )


def money(usage: Usage) -> str:
    """What was paid, in US dollars; "unknown" as soon as the price of one call is."""
    return "unknown" if usage.cost is None else dollars(usage.cost)


def dollars(amount: float) -> str:
    """An amount with as many digits as it needs to be seen: $0, $0.00012, $0.0034, $1.25."""
    if amount == 0:
        return "$0"
    if amount >= 0.995:
        return f"${amount:,.2f}"
    digits = 4 if amount >= 0.001 else 6
    return f"${amount:.{digits}f}" if amount >= 5e-7 else "<$0.000001"


def duration(seconds: float) -> str:
    """Seconds as 0.4s, 12s, 3m05s or 1h02m."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"


def short(number: int) -> str:
    """A number in at most 7 columns: 1,234, 250,000, 12.3M."""
    return f"{number:,}" if number < 1_000_000 else f"{number / 1e6:.1f}M"


def many(count: int, noun: str) -> str:
    """A number of things: "1 call", "2,000 calls"."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def spent(usage: Usage) -> str:
    """What was used, in one line; where the cost of some calls is not known, that of the others."""
    about = "about " if usage.estimated else ""
    line = f"{many(usage.calls, 'call')}, {about}{many(usage.tokens, 'token')}"
    if usage.cost is not None:
        return f"{line}, {dollars(usage.cost)}"
    if usage.unpriced_calls == usage.calls:
        return f"{line}, cost unknown"
    return f"{line}, {dollars(usage.known_cost)} and the unknown cost of {many(usage.unpriced_calls, 'call')}"


def advised(message: str) -> str:
    """A message whose advice is for Python code, with the advice that fits the command line."""
    for pattern, advice in _ADVICE:
        message = re.sub(pattern, advice, message)
    return message


def refused_by(reason: str | None) -> tuple[str, bool]:
    """Which limit ended a run, and whether the run was given it; its team or a member has it otherwise."""
    named = re.search(r"\b(\w+) limit of (this run)?", reason or "")
    return ("NAME", True) if named is None else (named[1], named[2] is not None)


_ADVICE = (
    (
        r"run '([^']+)' is being worked on by (.+); wait for its end, or end that first, then resume it",
        r"run \1 is being worked on by \2; watch it with `phalanx show \1 --follow`, or end that first",
    ),
    (r"(limit of this run reached[^;]*; )raise Limits\((\w+)=…\)", r"\1allow more with --limit \2=N"),
    (r"raise Limits\((\w+)=…\)", r"allow more \1 under limits: in the team file"),
    (
        r"give it with Agent\(…, price=Price\([^)]*\)\)",
        "give it in the team file, as price: {input: …, output: …} of the member",
    ),
    (r"give each a name of its own: Agent\(…, name=…\)", "give each a name of its own"),
    (
        r"(needs somebody in the seat '(\w+)'[^:]*): give \w+=…",
        r"\1: give a member that role, or write seat: \2 with it",
    ),
    (r"in this log already; import it into another log", "already; keep the other one elsewhere, with PHALANX_HOME"),
    (
        r"members: there is no field 'members'$",
        "members: a benchmark has systems, such as systems: {mine: {team: FILE}}; `phalanx run` takes a team, and "
        "`phalanx bench search` members",
    ),
    (r"give system=…, or write all of them with inspect_logs", "say which one with --system NAME"),
)


def _written_out(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
