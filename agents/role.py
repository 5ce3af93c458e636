"""What an agent is for and what it may do. A role is a type: its rights are enforced by the run."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from phalanx.errors import AccessDenied
from phalanx.messages import Data

Kind = Literal[
    "lead", "worker", "planner", "researcher", "coder", "tester", "critic", "verifier",
    "proposer", "debater", "moderator", "judge", "aggregator", "router",
]  # fmt: skip
Right = Literal["delegate", "vote"]


class Role(Data):
    """A role: a name, a kind, a duty, skills and rights.

    name: as members and prompts call it. kind: which built-in duty and rights it starts from. duty: one or two
    sentences; empty takes the kind's. skills: what it knows. may_delegate, may_vote: None takes the kind's right;
    False is kept even when a formation seats the member where it would need the right. tools: names of the tools it
    may use (None: all it was given). reads, writes: board regions, by glob pattern (None: all).
    """

    name: str
    kind: Kind = "worker"
    duty: str = ""
    skills: tuple[str, ...] = ()
    may_delegate: bool | None = None
    may_vote: bool | None = None
    tools: tuple[str, ...] | None = None
    reads: tuple[str, ...] | None = None
    writes: tuple[str, ...] | None = None

    @classmethod
    def of(cls, role: Role | str) -> Role:
        """A role from its name: a built-in one, or a worker's with that name. Raises ValueError for an empty name."""
        if isinstance(role, Role):
            return role
        return _named(role)

    @property
    def described_duty(self) -> str:
        """The duty, or the kind's when none was given."""
        return self.duty or DUTIES[self.kind]

    def has(self, right: Right) -> bool:
        """Whether this role has a right, by its own word or by its kind."""
        own = self.may_delegate if right == "delegate" else self.may_vote
        return (self.kind in RIGHTS[right]) if own is None else own

    def require(self, right: Right) -> None:
        """Raise AccessDenied, naming role and right, when this role lacks it."""
        if not self.has(right):
            raise AccessDenied(self.name, right, f"give it Role({self.name!r}, …, may_{right}=True)")

    def seated(self, right: Right) -> Role:
        """This role in a seat that needs `right`: it gains it, unless it was refused in so many words.

        Raises AccessDenied when the role says may_…=False.
        """
        if self.has(right):
            return self
        own = self.may_delegate if right == "delegate" else self.may_vote
        if own is False:
            self.require(right)
        return self.model_copy(update={f"may_{right}": True})


RIGHTS: dict[Right, frozenset[Kind]] = {
    "delegate": frozenset({"lead", "planner", "moderator", "router"}),
    "vote": frozenset(
        {"worker", "researcher", "coder", "tester", "critic", "verifier", "proposer", "debater", "planner", "lead"}
    ),
}

DUTIES: dict[Kind, str] = {
    "lead": "You lead the team: split the task, give each part to the member it fits, review what comes back, and "
    "answer for the whole.",
    "worker": "You do the part of the work that you are given, completely, and report what you found.",
    "planner": "You turn a goal into an ordered list of small steps that others can carry out.",
    "researcher": "You find out what is known, say where it comes from, and separate facts from guesses.",
    "coder": "You write small, correct, readable code and say how it was checked.",
    "tester": "You look for the cases in which something fails and show how to reproduce them.",
    "critic": "You look for errors and gaps in what others wrote and name each one exactly.",
    "verifier": "You check a result against the task and say whether it holds, and if not, where it fails.",
    "proposer": "You propose a complete answer of your own.",
    "debater": "You argue for the answer you believe is right, and change it when you are shown a concrete error.",
    "moderator": "You keep a discussion on the question and say when it is settled.",
    "judge": "You compare answers by their reasons alone and decide which is right.",
    "aggregator": "You combine several answers into one that is better than each of them.",
    "router": "You choose the member that fits a task best.",
}

_KINDS: dict[str, Kind] = {kind: kind for kind in DUTIES}
_KINDS |= {"reviewer": "critic", "manager": "lead", "supervisor": "lead", "developer": "coder"}
# Not validated: that would build the validator when the package is imported, at a fifth of what importing it costs.
BUILT_IN: dict[str, Role] = {name: Role.model_construct(name=name, kind=kind) for name, kind in _KINDS.items()}


@lru_cache(1024)
def _named(role: str) -> Role:
    name = role.strip()
    if not name:
        raise ValueError("a role needs a name, e.g. Agent('coder') or Agent(role='Frontend developer')")
    key = name.lower().replace("_", " ").replace("-", " ")
    return BUILT_IN.get(key) or Role(name=name, kind=_kind_in(key))


def _kind_in(name: str) -> Kind:
    """The kind a free-text role name speaks of, by its last word ("senior developer"); a worker otherwise."""
    known = BUILT_IN.get((name.split() or [""])[-1])
    return known.kind if known is not None and known.kind not in {"lead", "judge", "moderator"} else "worker"


Lead, Worker, Planner, Researcher, Coder, Tester, Critic, Verifier, Proposer, Debater, Moderator, Judge, Aggregator, \
    Router = (BUILT_IN[kind] for kind in DUTIES)  # fmt: skip
