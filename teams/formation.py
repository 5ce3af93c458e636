"""A formation together with its members."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec

from .options import Brought
from .team import AgentTeam

P = ParamSpec("P")


@dataclass(frozen=True)
class Formation(Brought):
    """A formation with its members, not yet a team: `AgentTeam(formation=Formation.debate([...], rounds=2))`.

    Each constructor takes what the AgentTeam constructor of the same name takes.
    """

    team: AgentTeam

    @staticmethod
    def _like(build: Callable[P, AgentTeam]) -> Callable[P, Formation]:
        @functools.wraps(build)
        def make(*args: P.args, **kwargs: P.kwargs) -> Formation:
            return Formation(build(*args, **kwargs))

        return make

    hierarchical = staticmethod(_like(AgentTeam.hierarchical))
    flat = staticmethod(_like(AgentTeam.flat))
    pipeline = staticmethod(_like(AgentTeam.pipeline))
    parallel = staticmethod(_like(AgentTeam.parallel))
    consensus = staticmethod(_like(AgentTeam.consensus))
    debate = staticmethod(_like(AgentTeam.debate))
    panel = staticmethod(_like(AgentTeam.panel))
    preset = staticmethod(_like(AgentTeam.preset))
    vote = staticmethod(_like(AgentTeam.vote))
    mixture = staticmethod(_like(AgentTeam.mixture))
    reflect = staticmethod(_like(AgentTeam.reflect))
    adaptive = staticmethod(_like(AgentTeam.adaptive))
    router = staticmethod(_like(AgentTeam.router))
    handoff = staticmethod(_like(AgentTeam.handoff))
    map_reduce = staticmethod(_like(AgentTeam.map_reduce))
    ledger = staticmethod(_like(AgentTeam.ledger))
    blackboard = staticmethod(_like(AgentTeam.blackboard))
    market = staticmethod(_like(AgentTeam.market))
