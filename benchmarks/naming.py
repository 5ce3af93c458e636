"""What reports call systems: where only one has baselines, these go without its name, which says nothing there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .record import System

if TYPE_CHECKING:
    from .summary import Summary


def short_names(systems: Iterable[System]) -> dict[str, str]:
    """By name, what each system is called in a report: "vote at equal calls" for "debate: vote at equal calls".

    systems: all of a comparison. They keep their names where baselines belong to more than one system, or where two
    would be called the same.
    """
    held = list(systems)
    of = {each.baseline_of for each in held if each.baseline_of is not None}
    names = {each.name: each.name for each in held}
    if len(of) != 1:
        return names
    (team,) = of
    called = {each.name: each.name if each.baseline_of is None else own_title(each.name, team) for each in held}
    return called if len(set(called.values())) == len(called) else names


def own_title(name: str, team: str) -> str:
    """A baseline's name without that of its system.

    name: of the baseline. team: the system's.
    """
    return name.removeprefix(f"{team}: ")


def as_shown(summary: Summary) -> Summary:
    """The summary with systems named as reports name them; itself where they have no shorter names.

    summary: as `summary.of` gives it. Only for what is shown: conditions, files and commands keep to the whole names.
    """
    called = short_names(each.system for each in summary.standings)
    if all(name == short for name, short in called.items()):
        return summary

    def these(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(called.get(name, name) for name in names)

    standings = [
        each.model_copy(update={"system": each.system.model_copy(update={"name": called[each.system.name]})})
        for each in summary.standings
    ]
    findings = []
    for each in summary.findings:
        a, b = these((each.verdict.a, each.verdict.b))
        findings.append(each.model_copy(update={"verdict": each.verdict.model_copy(update={"a": a, "b": b})}))
    front = summary.front
    if front is not None:
        points = [
            each.model_copy(
                update={
                    "system": called[each.system],
                    "dominated_by": dict(zip(these(each.dominated_by), each.dominated_by.values(), strict=True)),
                }
            )
            for each in front.points
        ]
        front = front.model_copy(update={"points": tuple(points), "unpriced": these(front.unpriced)})
    inside = [each.model_copy(update={"system": called[each.system]}) for each in summary.diagnoses]
    sure = [each.model_copy(update={"system": called[each.system]}) for each in summary.sureness]
    return summary.model_copy(
        update={
            "standings": tuple(standings), "findings": tuple(findings), "front": front, "diagnoses": tuple(inside),
            "sureness": tuple(sure), "simulated": these(summary.simulated),
        }
    )  # fmt: skip
