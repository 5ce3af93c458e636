"""A team as a Mermaid flowchart: who is in it, and who hears whom."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from phalanx.formations.base import Member
from phalanx.formations.consensus import Consensus
from phalanx.formations.debate import Debate
from phalanx.formations.flat import Flat
from phalanx.formations.hierarchical import Hierarchical
from phalanx.formations.pipeline import Pipeline
from phalanx.formations.rounds import Deliberation

if TYPE_CHECKING:
    from .team import AgentTeam


def diagram(team: AgentTeam) -> str:
    """The flowchart's text; nested teams are subgraphs. It renders wherever Mermaid does."""
    lines = ["flowchart TD", '    task(["task"])', '    answer(["answer"])']
    lines += _box(team, "t", "    ")
    lines += [f"    task --> {node}" for node in _entries(team, "t")]
    lines += [f"    {node} --> answer" for node in _exits(team, "t")]
    return "\n".join(lines) + "\n"


def _box(team: AgentTeam, prefix: str, indent: str) -> Iterator[str]:
    yield f'{indent}subgraph {prefix}["{_safe(team.name)} · {_safe(team.kind)}"]'
    for at, member in enumerate(team.members):
        node = f"{prefix}{at}"
        inner: Any = member.who
        if hasattr(inner, "members"):
            yield from _box(inner, node, indent + "    ")
        else:
            yield f'{indent}    {node}["{_label(member)}"]'
    for a, arrow, b in _edges(team, prefix):
        yield f"{indent}    {a} {arrow} {b}"
    yield f"{indent}end"


def _edges(team: AgentTeam, prefix: str) -> Iterator[tuple[str, str, str]]:
    free, seats = _places(team, prefix)
    formation = team.formation
    if isinstance(formation, Hierarchical):
        for node in free:
            yield seats["lead"], "<-->", node
        if "verifier" in seats:
            yield seats["lead"], "<-->", seats["verifier"]
    elif isinstance(formation, Pipeline):
        yield from ((a, "-->", b) for a, b in itertools.pairwise(free))
    elif isinstance(formation, Deliberation) and formation.rounds:
        for at in range(len(free)):
            for other in formation.neighbours(at, len(free)):
                if at < other or at not in formation.neighbours(other, len(free)):
                    yield free[at], "<-.->", free[other]
    elif isinstance(formation, Flat) and formation.shared_memory:
        board = f'{prefix}board[("board")]'
        yield from ((node, "<-.->", board) for node in free)
    for seat in ("aggregator", "judge"):
        if seat in seats:
            yield from ((node, "-->", seats[seat]) for node in free)


def _entries(team: AgentTeam, prefix: str) -> list[str]:
    free, seats = _places(team, prefix)
    if isinstance(team.formation, Hierarchical):
        return [seats["lead"]]
    return free[:1] if isinstance(team.formation, Pipeline) else free


def _exits(team: AgentTeam, prefix: str) -> list[str]:
    free, seats = _places(team, prefix)
    if isinstance(team.formation, Hierarchical):
        return [seats["lead"]]
    for seat in ("judge", "aggregator"):
        if seat in seats:
            return [seats[seat]]
    if isinstance(team.formation, Flat) and team.formation.aggregation == "synthesize":
        return free[:1]
    if isinstance(team.formation, Consensus | Debate):
        return free
    return free[-1:] if isinstance(team.formation, Pipeline) else free


def _places(team: AgentTeam, prefix: str) -> tuple[list[str], dict[str, str]]:
    members: Sequence[Member] = team.members
    free = [f"{prefix}{at}" for at, member in enumerate(members) if member.seat is None]
    return free, {member.seat: f"{prefix}{at}" for at, member in enumerate(members) if member.seat is not None}


def _label(member: Member) -> str:
    role = "" if member.role.name == member.name else f"<br/>{_safe(member.role.name)}"
    seat = f"<br/>({_safe(member.seat)})" if member.seat else ""
    return f"{_safe(member.name)}{role}{seat}"


def _safe(text: str) -> str:
    """Text that cannot end its label or be read as Mermaid or HTML (Mermaid writes entities with #)."""
    quoted = html.escape(" ".join(text.split()), quote=False).replace('"', "&quot;").replace("`", "&96;")
    return quoted.replace("#", "&35;").replace("&", "#")
