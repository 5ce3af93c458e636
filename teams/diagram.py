"""A team as a Mermaid flowchart: who is in it, and who hears whom."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from phalanx.formations.base import FormationModel, Member, Wiring

if TYPE_CHECKING:
    from .team import AgentTeam

Edge = tuple[str, str, str]


def diagram(team: AgentTeam) -> str:
    """The flowchart's text; nested teams are subgraphs. It renders wherever Mermaid does.

    A solid arrow is who works on whose answer, a dotted one who sees what is shared.
    """
    places = _Places(team, "t")
    lines = ["flowchart TD", '    task(["task"])', '    answer(["answer"])', *_box(team, "t", "    ")]
    lines += [f"    task --> {node}" for node in places.entries()]
    lines += [f"    {node} --> answer" for node in places.exits()]
    return "\n".join(lines) + "\n"


def _box(team: AgentTeam, prefix: str, indent: str) -> Iterator[str]:
    kind = "" if team.name == team.kind else f" · {_safe(team.kind)}"
    yield f'{indent}subgraph {prefix}["{_safe(team.name)}{kind}"]'
    places = _Places(team, prefix)
    for member, node in places.nodes:
        inner: Any = member.who
        if hasattr(inner, "members"):
            yield from _box(inner, node, indent + "    ")
        else:
            yield f'{indent}    {node}["{_label(member)}"]'
    if places.wiring.board:
        yield f'{indent}    {places.board}[("board")]'
    for a, arrow, b in places.edges():
        yield f"{indent}    {a} {arrow} {b}"
    yield f"{indent}end"


class _Places:
    """The nodes of one team. Ids are made of places alone, so that they are different and no name is ever read."""

    def __init__(self, team: AgentTeam, prefix: str) -> None:
        self.nodes = [(member, f"{prefix}_{at}") for at, member in enumerate(team.members)]
        self.by_name = {member.name: node for member, node in self.nodes}
        self.free = [node for member, node in self.nodes if member.seat is None]
        formation = team.formation
        free = tuple(member.name for member in team.members if member.seat is None)
        self.wiring = formation.wiring(team.members) if isinstance(formation, FormationModel) else Wiring(free, free)
        self.board = f"{prefix}_board"

    def edges(self) -> Iterator[Edge]:
        """Who hears whom inside the team."""
        if self.wiring.board:
            yield from ((node, "<-.->", self.board) for node in self.free)
        yield from ((self.by_name[a], arrow, self.by_name[b]) for a, arrow, b in self.wiring.arrows)

    def entries(self) -> list[str]:
        """Who is given the task first."""
        return [self.by_name[name] for name in self.wiring.entries]

    def exits(self) -> list[str]:
        """Whose answers are, or become, the team's."""
        return [self.by_name[name] for name in self.wiring.exits]


def _label(member: Member) -> str:
    role = "" if member.role.name in (member.name, member.seat) else f"<br/>{_safe(member.role.name)}"
    seat = f"<br/>({_safe(member.seat)})" if member.seat and member.seat != member.name else ""
    return f"{_safe(member.name)}{role}{seat}"


def _safe(text: str) -> str:
    """Text that cannot end its label or be read as Mermaid (directives, formulas) or HTML.

    Mermaid writes characters as #number; or #name; and looks for directives even inside of quotes.
    """
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    quoted = html.escape(" ".join(shown.split()), quote=False).replace("#", "&35;")
    for sign in '"`%$\\':
        quoted = quoted.replace(sign, f"&{ord(sign)};")
    return quoted.replace("&", "#")
