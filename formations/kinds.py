"""Every formation that Phalanx has, by kind: what team files, their schema, tables and `set_workflow` go by."""

from __future__ import annotations

from .adaptive import Adaptive
from .base import FormationModel
from .blackboard import BlackboardFormation
from .consensus import Consensus
from .debate import Debate
from .flat import Flat
from .handoff import Handoff
from .hierarchical import Hierarchical
from .ledger import Ledger
from .map_reduce import MapReduce
from .market import Market
from .mixture import Mixture
from .panel import Panel
from .parallel import Parallel
from .pipeline import Pipeline
from .reflect import Reflect
from .router import Router
from .vote import Vote

KINDS: dict[str, type[FormationModel]] = {
    "hierarchical": Hierarchical,
    "flat": Flat,
    "pipeline": Pipeline,
    "parallel": Parallel,
    "consensus": Consensus,
    "debate": Debate,
    "vote": Vote,
    "mixture": Mixture,
    "reflect": Reflect,
    "adaptive": Adaptive,
    "router": Router,
    "handoff": Handoff,
    "map_reduce": MapReduce,
    "ledger": Ledger,
    "blackboard": BlackboardFormation,
    "market": Market,
    "panel": Panel,
}
