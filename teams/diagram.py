"""A team as a Mermaid flowchart: who is in it, and who hears whom."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from phalanx.formations.base import Member
from phalanx.formations.flat import Flat
from phalanx.formations.hierarchical import Hierarchical
from phalanx.formations.parallel import Parallel
from phalanx.formations.pipeline import Pipeline
from phalanx.formations.rounds import Deliberation

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
    yield f'{indent}subgraph {prefix}["{_safe(team.name)} · {_safe(team.kind)}"]'
    places = _Places(team, prefix)
    for member, node in places.nodes:
        inner: Any = member.who
        if hasattr(inner, "members"):
            yield from _box(inner, node, indent + "    ")
        else:
            yield f'{indent}    {node}["{_label(member)}"]'
    if places.has_board:
        yield f'{indent}    {places.board}[("board")]'
    for a, arrow, b in places.edges():
        yield f"{indent}    {a} {arrow} {b}"
    yield f"{indent}end"


class _Places:
    """The nodes of one team. Ids are made of places alone, so that they are different and no name is ever read."""

    def __init__(self, team: AgentTeam, prefix: str) -> None:
        self.formation = team.formation
        self.nodes = [(member, f"{prefix}_{at}") for at, member in enumerate(team.members)]
        self.free = [node for member, node in self.nodes if member.seat is None]
        self.seats = {member.seat: node for member, node in self.nodes if member.seat is not None}
        self.board = f"{prefix}_board"
        self.has_board = isinstance(self.formation, Flat) and self.formation.shared_memory

    def edges(self) -> Iterator[Edge]:
        """Who hears whom inside the team."""
        formation, free = self.formation, self.free
        if isinstance(formation, Hierarchical):
            for node in free:
                yield self.seats["lead"], "<-->", node
            if "verifier" in self.seats:
                yield self.seats["lead"], "<-->", self.seats["verifier"]
        elif isinstance(formation, Pipeline):
            yield from ((a, "-->", b) for a, b in itertools.pairwise(free))
        elif isinstance(formation, Deliberation) and formation.rounds:
            for at in range(len(free)):
                for other in formation.neighbours(at, len(free)):
                    if at < other or at not in formation.neighbours(other, len(free)):
                        yield free[at], "<-.->", free[other]
        if self.has_board:
            yield from ((node, "<-.->", self.board) for node in free)
        if (last := self.last()) is not None:
            yield from ((node, "-->", last) for node in free if node != last)

    def entries(self) -> list[str]:
        """Who is given the task first."""
        if isinstance(self.formation, Hierarchical):
            return [self.seats["lead"]]
        return self.free[:1] if isinstance(self.formation, Pipeline) else self.free

    def exits(self) -> list[str]:
        """Whose answers are, or become, the team's."""
        if isinstance(self.formation, Hierarchical):
            return [self.seats["lead"]]
        if (last := self.last()) is not None:
            return [last]
        return self.free[-1:] if isinstance(self.formation, Pipeline) else self.free

    def last(self) -> str | None:
        """Who makes one answer of all, if anybody does: a judge, or who synthesizes."""
        formation = self.formation
        if isinstance(formation, Flat | Parallel) and formation.aggregation == "synthesize":
            return self.seats.get("aggregator", self.free[0])
        return self.seats.get("judge")


def _label(member: Member) -> str:
    role = "" if member.role.name == member.name else f"<br/>{_safe(member.role.name)}"
    seat = f"<br/>({_safe(member.seat)})" if member.seat else ""
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
