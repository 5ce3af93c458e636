"""The team that began a run, compared with the one that is to go on with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from phalanx.errors import ReplayDivergence, SpecError, TeamDiffers, ValidationError
from phalanx.runtime.events import RunStarted

from .running import roster

if TYPE_CHECKING:
    from .team import AgentTeam

# How many fields an error names: the first ones say enough.
NAMED = 3


def check_team(team: AgentTeam, run_id: str, start: RunStarted) -> None:
    """Refuse another team than the one that began a run, as far as can be told before anybody is asked.

    team: the team. run_id: the run's id. start: how the run began. Raises TeamDiffers, with the first field of a team's
    spec in which it differs.
    """
    members, begun = roster(team), tuple((name, role) for name, role in start.roster)
    pairs: list[tuple[str, object, object]] = [
        ("formation.kind", start.formation, team.kind),
        ("name", start.name, team.name),
    ]
    for at, (before, now) in enumerate(zip(begun, members, strict=False)):
        pairs += [(f"members[{at}].name", before[0], now[0]), (f"members[{at}].role", before[1], now[1])]
    pairs.append(("number of members", len(begun), len(members)))
    for field, recorded, asked in pairs:
        if recorded != asked:
            raise TeamDiffers(run_id, field, recorded, asked)
    # Who works together otherwise may well ask for the same, or for less, and come to another result without a word.
    for field, recorded, asked in _all_differing(team, start):
        if "formation" in field.split("."):
            raise TeamDiffers(run_id, field, recorded, asked)


@contextmanager
def naming_what_differs(team: AgentTeam, start: RunStarted) -> Iterator[None]:
    """Let a divergence at a step say in which fields the team is not the one that began the run, if it is not.

    team: the team that goes on. start: how the run began; a journal in memory does not hold its team.
    Raises ReplayDivergence as it came, or with `team`.
    """
    try:
        yield
    except ReplayDivergence as found:
        fields = () if found.team else differing(team, start)
        if not fields:
            raise
        raise ReplayDivergence(found.key, found.field, found.recorded, found.asked, team=fields) from found


def differing(team: AgentTeam, start: RunStarted) -> tuple[str, ...]:
    """The first fields in which a team's spec differs from that of the team that began a run.

    team, start: as above. Limits are left out: they may change. None, when one of the two cannot be written as a spec.
    """
    found = [path for path, _, _ in _all_differing(team, start) if path.split(".")[0] != "limits"]
    return tuple(found[:NAMED])


Difference = tuple[str, object, object]


def _all_differing(team: AgentTeam, start: RunStarted) -> list[Difference]:
    from .yaml_file import read_yaml  # YAML is loaded where it is read

    if start.spec is None:
        return []
    try:
        text = team.to_yaml()
        return [] if text == start.spec else list(_differing(read_yaml(start.spec).value, read_yaml(text).value, ""))
    except (SpecError, ValidationError):
        return []


def _differing(before: object, now: object, path: str) -> Iterator[Difference]:
    # What is at its default is not written.
    one, other = ({} if each is None else each for each in (before, now))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in dict.fromkeys((*one, *other)):
            yield from _differing(one.get(name), other.get(name), f"{path}.{name}" if path else str(name))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for at, pair in enumerate(zip(before, now, strict=True)):
            yield from _differing(*pair, f"{path}[{at}]")
    elif before != now:
        yield path, before, now
