"""A comparison as one HTML page that needs nothing else: no network, no fonts, no other file."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path

from phalanx.errors import ValidationError

from .conclusion import conclusions
from .conversations import Conversations
from .diagnosis import Diagnosis
from .drilldown import blocks, index
from .grouping import group
from .heap import settled
from .naming import as_shown
from .record import Comparison
from .statistics.transitions import Transitions
from .summary import Finding, Standing, Summary, detectable, of
from .sureness import Sureness, sentences
from .svg import forest, is_wide, ladder, scatter, spots
from .table import BROUGHT, SURE, brought, inequality, told, turned
from .wording import AN_ITEM, cost, count, duration, facts, money, percent, percents, simulated

KINDS = {"better": "better", "worse": "worse", "tied": "tied", "not enough items": "open"}
LABELS = {"better": "Better", "worse": "Worse", "tied": "Tied", "not enough items": "Too few items"}


def page(
    comparison: Comparison,
    *,
    summary: Summary | None = None,
    conversations: Conversations | None = None,
    longest: int = 20_000,
) -> str:
    """The whole report as the text of an HTML file.

    comparison: what was run. summary: of it, if it was made already, e.g. with other options. conversations: the
    prompts and answers of its runs, as `conversations.conversations` reads them; without, each attempt shows only its
    answer. longest: characters after which a single text is cut, and says so.
    All texts are data: they are escaped, or unpacked and shown as text; the page's own policy forbids every script but
    its own. Raises ValidationError when the summary is not of this comparison.
    """
    if longest < 1:
        raise ValidationError(f"longest={longest} must be at least 1 character")
    with settled():
        return _page(comparison, of(comparison) if summary is None else summary, conversations, longest)


def _page(comparison: Comparison, numbers: Summary, conversations: Conversations | None, longest: int) -> str:
    if [each.system for each in numbers.standings] != list(comparison.systems):
        raise ValidationError(f"this summary is of {numbers.name!r} with other systems, not of {comparison.name!r}")
    numbers, groups = as_shown(numbers), group(comparison)
    style, script = _file("report.css"), _file("report.js")
    own = sum(each.system.baseline_of is None for each in numbers.standings)
    base = len(numbers.standings) - own
    parts = {
        "style": style,
        "script": script,
        "style-hash": _hash(style),
        "script-hash": _hash(script),
        "title": _safe(numbers.name),
        "tasks": _safe(numbers.tasks),
        "how-many": _many(own, "system") + (f" and {_many(base, 'baseline')}" if base else ""),
        "origin": _safe(_origin(numbers)),
        "alerts": _alerts(numbers),
        "in-short": "".join(f'<p class="short">{_safe(words)}</p>' for words in conclusions(numbers)),
        "verdicts": _verdicts(numbers.findings),
        "chart": _chart(numbers),
        "systems": _systems(numbers) + _made(numbers),
        "diagnoses": _diagnoses(numbers.diagnoses) + _sure(numbers.sureness),
        "notes": f"<ul class='small'>{''.join(f'<li>{_safe(note)}</li>' for note in numbers.notes)}</ul>",
        "footer": _safe(f"Made by Phalanx {numbers.version or '(version unknown)'}. {_how(numbers)}"),
        "index": index(comparison, groups, names=[each.system.name for each in numbers.standings]),
        "blocks": "\n".join(
            f'<script type="text/plain" id="block-{number}">{packed}</script>'
            for number, packed in enumerate(blocks(comparison, groups, conversations, longest=longest))
        ),
    }
    return re.sub(r"\{\{([a-z-]+)\}\}", lambda found: parts[found[1]], _file("report.html"))


def write(
    path: Path,
    comparison: Comparison,
    *,
    summary: Summary | None = None,
    conversations: Conversations | None = None,
    longest: int = 20_000,
) -> None:
    """Write the report to a file.

    path: the file. comparison, summary, conversations, longest: as `page` takes them. Raises what `page` raises, and
    OSError when the file cannot be written.
    """
    text = page(comparison, summary=summary, conversations=conversations, longest=longest)
    path.write_text(text, encoding="utf-8", errors="replace")


@cache
def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _safe(text: str) -> str:
    """Text for HTML; halves of characters, which no file can hold, are shown as such."""
    return escape(text.encode("utf-8", "replace").decode("utf-8"))


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _origin(summary: Summary) -> str:
    if summary.started is None:
        return summary.origin
    from datetime import UTC, datetime

    return f"{summary.origin}, begun {datetime.fromtimestamp(summary.started, UTC):%d %B %Y %H:%M} UTC"


def _how(summary: Summary) -> str:
    level = f"{100 * summary.level:g}%"
    return (
        f"Intervals are at {level}. An item's repeats are averaged first; a failed attempt scores 0; a tie counts as "
        f"what a draw among the tied is worth. All verdicts together are one family (Holm)."
    )


def _alerts(summary: Summary) -> str:
    told = [simulated(summary.simulated, all_of=len(summary.standings))] if summary.simulated else []
    if summary.stopped is not None:
        told.append(f"This comparison ended early: {summary.stopped}.")
    return "".join(f'<p class="alert" role="note">{_safe(words)}</p>' for words in told)


def _verdicts(findings: Iterable[Finding]) -> str:
    held = list(findings)
    if not held:
        return "<p>There is nothing to compare: no two systems have items in common.</p>"
    ends = [abs(end) for each in held for end in (each.verdict.difference.low, each.verdict.difference.high) if end]
    reach = max([*ends, *(abs(each.verdict.difference.value) for each in held), 2 * held[0].verdict.margin]) * 1.05
    against = [_verdict(each, reach) for each in held if each.baseline]
    others = [_verdict(each, reach) for each in held if not each.baseline]
    first = against or others
    words = (
        f"Each dot is a difference with its interval; the lines end at ±{100 * reach:.0f} points. "
        f"Within the grey band, ±{100 * held[0].verdict.margin:g} points, systems count as tied."
    )
    text = f'<ul class="verdicts">{"".join(first)}</ul><p class="small">{words}</p>'
    if against and others:
        text += (
            f'<details class="more"><summary>{_many(len(others), "verdict")} on the systems against each other'
            f'</summary><ul class="verdicts">{"".join(others)}</ul></details>'
        )
    return text


def _verdict(found: Finding, reach: float) -> str:
    verdict = found.verdict
    return (
        f'<li class="{KINDS[verdict.kind]}"><p class="tag">{LABELS[verdict.kind]}</p><p>{_safe(found.text)}</p>'
        f'{forest(verdict, reach)}<p class="facts">{_safe(facts(verdict) + detectable(found))}</p></li>'
    )


def _chart(summary: Summary) -> str:
    front = summary.front
    found = spots(summary)
    if front is None or not found:
        return "<p>No system has both an accuracy and a known cost.</p>"
    on_front = ", ".join(f"{point.system} ({point.frequency:.0%})" for point in front.points if point.on_front)
    words = (
        f"Bars are {100 * summary.level:g}% intervals. The line is the Pareto front: nothing measured here is both "
        f"cheaper and more accurate. On it: {on_front}; in brackets, in which share of {front.resamples:,} bootstrap "
        f"resamples of the {front.n:,} items (seed {front.seed})."
    )
    if is_wide([spot.x for spot in found]):
        words += " The cost axis is logarithmic."
    if front.unpriced:
        words += f" Not shown, for want of a known cost: {', '.join(front.unpriced)}."
    return (
        f'<figure><div class="broad">{scatter(summary, width=920, height=430)}</div>'
        f'<div class="narrow">{scatter(summary, width=343, height=360)}</div>'
        f"<figcaption>{_safe(words)}</figcaption></figure>"
    )


def _systems(summary: Summary) -> str:
    unit = AN_ITEM[summary.unit]
    headings = [
        "System",
        "Accuracy",
        "Items",
        "Failed",
        "Not run",
        "Calls",
        "Tokens",
        "Money",
        "Time",
        unit[0].upper() + unit[1:],
    ]
    head = "".join(f'<th scope="col">{heading}</th>' for heading in headings)
    rows = "".join(_row(each, summary, headings) for each in summary.grouped)
    return f'<table class="systems"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _row(each: Standing, summary: Summary, headings: list[str]) -> str:
    system, found = each.system, each.accuracy
    about = system.kind if not system.budget else f"baseline: {system.budget}"
    # A system that is named after its formation says it once.
    below = "" if about == system.name else f'<span class="small">{_safe(about)}</span>'
    name = f"{_safe(system.name)}{below}"
    right = (
        "not run" if found is None else f'<b>{percent(found.value)}</b> <span class="small">{percents(found)}</span>'
    )

    def number(many: int) -> str:
        return f'<span class="{"bad" if many else "zero"}">{many:,}</span>'

    cells = [
        name,
        f"<span>{right}</span>",
        f"{each.items:,}",
        number(each.failed),
        number(each.not_run),
        f"{each.calls:,}",
        ("about " if each.estimated and each.tokens is not None else "") + count(each.tokens),
        money(each.usd),
        duration(each.seconds),
        "unknown" if each.cost is None else cost(each.cost, summary.unit),
    ]
    wide = (1, len(cells) - 1)
    tds = "".join(
        f'<td data-label="{heading}"{" class=span" if at in wide else ""}>{cell}</td>'
        for at, (heading, cell) in enumerate(zip(headings, cells, strict=True))
    )
    return f"<tr{'' if system.baseline_of is None else ' class=base'}>{tds}</tr>"


def _made(summary: Summary) -> str:
    """How each system is made, out of the way: it is long, and few want it."""
    told = [
        f'<h3>{_safe(each.system.name)}</h3><pre class="sent">{_safe(each.system.described.strip())}</pre>'
        for each in summary.grouped
        if each.system.described.strip()
    ]
    return f'<details class="more"><summary>How each is made</summary>{"".join(told)}</details>' if told else ""


def _diagnoses(diagnoses: Iterable[Diagnosis]) -> str:
    # Those that talked first: of a plain vote there is less to say.
    held = sorted(diagnoses, key=lambda each: each.rounds == 0)
    if not held:
        return ""
    first = [each for each in held if each.rounds] or held
    rest = [each for each in held if each not in first]
    text = "".join(map(_inside, first))
    if rest:
        inner = "".join(map(_inside, rest))
        text += f'<details class="more"><summary>{_many(len(rest), "plain vote")}</summary>{inner}</details>'
    return f'<section aria-labelledby="inside-title"><h2 id="inside-title">Inside the teams</h2>{text}</section>'


def _inside(diagnosis: Diagnosis) -> str:
    # The accuracies are drawn, and what a turn did stands below its table.
    elsewhere = turned(diagnosis)
    words = "".join(f"<p>{_safe(sentence)}</p>" for sentence in told(diagnosis)[1:] if sentence not in elsewhere)
    tables = [
        _cells(f"Members' answers, round {turn.before} to {turn.after}", turn.members) for turn in diagnosis.turns
    ]
    if diagnosis.rounds:
        tables.append(_cells("Vote of the drafts to the final answer", diagnosis.decided))
    body = f"<div>{ladder(diagnosis)}</div><div>{words}</div>"
    if tables:
        body = f"<div>{ladder(diagnosis)}{words}</div><div>{''.join(tables)}</div>"
    return f'<section class="inner inside"><h3>{_safe(diagnosis.system)}</h3>{body}{_members(diagnosis)}</section>'


def _sure(found: Sequence[Sureness]) -> str:
    if not found:
        return ""
    lines = "".join(f"<li>{_safe(words)}</li>" for each in found for words in sentences(each))
    return f'<section aria-labelledby="sure-title"><h2 id="sure-title">{SURE}</h2><ul>{lines}</ul></section>'


def _members(diagnosis: Diagnosis) -> str:
    if not diagnosis.members:
        return ""
    head, *rows = brought(diagnosis)
    rule = BROUGHT.format(rule=diagnosis.decided_by)
    cells = "".join(f'<th scope="col">{heading.capitalize()}</th>' for heading in head)
    lines = ""
    for row in rows:
        values = (_parted(cell) for cell in row)
        pairs = zip(head, values, strict=True)
        lines += "<tr>" + "".join(
            f'<td data-label="{heading.capitalize()}" class=span>{cell}</td>' for heading, cell in pairs
        )
        lines += "</tr>"
    return (
        f'<div class="whole"><table class="systems members"><caption>Contributions</caption><thead><tr>{cells}</tr>'
        f'</thead><tbody>{lines}</tbody></table><p class="small">{_safe(rule)}</p></div>'
    )


def _parted(cell: str) -> str:
    """A number and its interval below it."""
    value, bracket, interval = cell.partition(" [")
    return f"<span>{_safe(value)}{f' <span class=small>[{_safe(interval)}</span>' if bracket else ''}</span>"


def _cells(caption: str, table: Transitions) -> str:
    text = (
        f'<table class="cells"><caption>{_safe(caption)}</caption><thead><tr><td></td><th scope="col">then right</th>'
        f'<th scope="col">then wrong</th></tr></thead><tbody><tr><th scope="row">was right</th><td>{table.kept:,}</td>'
        f'<td class="flip">{table.broke:,}</td></tr><tr><th scope="row">was wrong</th>'
        f'<td class="flip">{table.fixed:,}</td><td>{table.missed:,}</td></tr></tbody></table>'
    )
    words = inequality(table)
    return text + f"<p>This {_safe(words[: words.index(' (')])}, n={table.n:,}.</p>"
