"""A summary as Markdown, for a README, a pull request or a paper's appendix."""

from __future__ import annotations

import re

from .conclusion import conclusions
from .diagnosis import Diagnosis
from .naming import as_shown
from .summary import Summary, detectable
from .sureness import sentences
from .table import BROUGHT, FRONT, SURE, brought, measured, safe, told
from .wording import cost, facts, percent, simulated

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#!~&])")


def of(summary: Summary) -> str:
    """The summary as Markdown: a table of systems, verdicts, the front, and the tables of what each round did.

    summary: as `summary.of` gives it. Names are data: what has a meaning in Markdown or HTML is escaped in them.
    """
    summary = as_shown(summary)
    parts = [f"## {_plain(summary.name)}", _plain(f"{summary.tasks}: {summary.origin}.")]
    if summary.simulated:
        parts.append(f"**{_plain(simulated(summary.simulated, all_of=len(summary.standings)))}**")
    parts += [_plain(words) for words in conclusions(summary)]
    parts.append(_systems(summary))
    if summary.findings:
        lines = []
        for found in summary.findings:
            lines.append(f"- **{_plain(found.text)}**  \n  {_plain(facts(found.verdict) + detectable(found))}")
        parts += ["### Verdicts", "\n".join(lines)]
    if summary.front is not None and summary.front.points:
        lines = []
        for point in summary.front.points:
            place = "on the front" if point.on_front else f"beaten by {', '.join(point.dominated_by)}"
            where = f"{percent(point.accuracy)} at {cost(point.cost, summary.unit)} an item"
            often = f"on the front in {point.frequency:.0%} of {summary.front.resamples:,} resamples"
            lines.append(f"- {_plain(f'{point.system}: {where}, {place} ({often})')}")
        parts += ["### Accuracy against cost", FRONT, "\n".join(lines)]
    for diagnosis in summary.diagnoses:
        parts += [f"### Inside {_plain(diagnosis.system)}", _inside(diagnosis)]
    if summary.sureness:
        lines = [f"- {_plain(words)}" for each in summary.sureness for words in sentences(each)]
        parts += [f"### {SURE}", "\n".join(lines)]
    if summary.notes:
        parts += ["### Notes", "\n".join(f"- {_plain(note)}" for note in summary.notes)]
    return "\n\n".join(parts) + "\n"


def _systems(summary: Summary) -> str:
    head, *rows = measured(summary)
    for each, row in zip(summary.grouped, rows, strict=True):
        base = "" if each.system.baseline_of is None else f" (baseline of {each.system.baseline_of})"
        row[0] = _plain(row[0] + base)
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---", *["---:"] * (len(head) - 1)], *rows])


def _inside(diagnosis: Diagnosis) -> str:
    lines = [f"- {_plain(words)}" for words in told(diagnosis)]
    head, *members = brought(diagnosis)
    if members:
        lines += ["", f"| {' | '.join(head)} |", f"| --- |{' ---: |' * (len(head) - 1)}"]
        lines += [f"| {' | '.join(map(_plain, row))} |" for row in members]
        lines += ["", _plain(BROUGHT.format(rule=diagnosis.decided_by))]
    if not diagnosis.turns:
        return "\n".join(lines)
    rows = ["| from | to | kept | fixed | broke | missed | n |", "| --- | --- | ---: | ---: | ---: | ---: | ---: |"]
    tables = [(f"round {turn.before}", f"round {turn.after}", turn.members) for turn in diagnosis.turns]
    tables.append(("vote of the drafts", "final answer", diagnosis.decided))
    for first, then, table in tables:
        cells = (table.kept, table.fixed, table.broke, table.missed, table.n)
        rows.append(f"| {first} | {then} | {' | '.join(f'{cell:,}' for cell in cells)} |")
    return "\n".join([*lines, "", *rows])


def _plain(words: str) -> str:
    return _SPECIAL.sub(r"\\\1", safe(words))
