"""A team in every formation, and a model that can answer whatever any of them asks: also in JSON of any shape."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio

from phalanx import AgentTeam
from phalanx.agents.models.offline import FunctionModel
from phalanx.messages import Completion, Request

Fault = Callable[[Request], "str | Completion | Exception"]


@dataclass
class AnyModel:
    """Answers anything, by the hash of what it is asked for.

    speed: another number gives every reply another delay and the same words. unwell: the member whose replies are
    `fault`'s instead. It keeps who was asked in `calls`.
    """

    speed: int = 0
    unwell: str | None = None
    fault: Fault | None = None
    calls: list[str] = field(default_factory=list)

    @property
    def model(self) -> FunctionModel:
        """The model that members have."""
        return FunctionModel(self.answer, name="offline/anything")

    async def answer(self, request: Request) -> str | Completion:
        about = request.about
        self.calls.append(about.member)
        where = "/".join(about.path)
        await anyio.sleep(_dice(f"{self.speed}/{where}/{len(request.messages)}") % 17)
        if about.member == self.unwell and self.fault is not None:
            said = self.fault(request)
            if isinstance(said, Exception):
                raise said
            return said
        if request.output is not None:
            schema: Mapping[str, Any] = request.output.schema_
            return json.dumps(filled(schema, schema.get("$defs", {}), f"{where}/{len(request.messages)}"))
        return f"{about.member} has worked on {about.stage}.\nAnswer: {_dice(where) % 2}"


def filled(schema: Mapping[str, Any], defs: Mapping[str, Any], where: str) -> object:
    """A value that fits a JSON schema, drawn by the hash of `where`."""
    if "$ref" in schema:
        return filled(defs[schema["$ref"].rpartition("/")[2]], defs, where)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][_dice(where) % len(schema["enum"])]
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return filled(schema[key][_dice(where) % len(schema[key])], defs, where)
    kind = schema.get("type", "object")
    if kind == "object":
        fields = schema.get("properties", {})
        return {name: filled(each, defs, f"{where}/{name}") for name, each in fields.items()}
    if kind == "array":
        some = max(schema.get("minItems", 0), 1)
        return [filled(schema.get("items", {"type": "string"}), defs, f"{where}/{at}") for at in range(some)]
    if kind == "boolean":
        return _dice(where) % 2 == 0
    if kind in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        high = schema.get("maximum", schema.get("exclusiveMaximum", low + 1))
        return low + _dice(where) % (int(high - low) + 1) if kind == "integer" else low + (high - low) * 0.5
    return None if kind == "null" else f"text {_dice(where) % 5}"


def _dice(text: str) -> int:
    return hashlib.sha256(text.encode()).digest()[0]


EXAMPLES: dict[str, Callable[[object], AgentTeam]] = {
    "hierarchical": lambda model: AgentTeam.hierarchical("ada", ["bob", "cy"], verifier="vic", model=model),
    "flat": lambda model: AgentTeam.flat(["ada", "bob", "cy"], rounds=2, model=model),
    "pipeline": lambda model: AgentTeam.pipeline(["ada", "bob", "cy"], model=model),
    "parallel": lambda model: AgentTeam.parallel(
        ["ada", "bob", "cy"], aggregation="majority_vote", quorum=2, model=model
    ),
    "consensus": lambda model: AgentTeam.consensus(["ada", "bob", "cy"], 3, rounds=2, model=model),
    "debate": lambda model: AgentTeam.debate(["ada", "bob", "cy"], 2, judge="jude", trigger="always", model=model),
    "panel": lambda model: AgentTeam.panel(
        ["ada", "bob", "cy"], order="summarized", summarizer="sue", candidates={"x": "One.", "y": "Two."}, model=model
    ),
    "vote": lambda model: AgentTeam.vote(["ada", "bob", "cy"], 12, stop="beta(0.95)", early=False, model=model),
    "mixture": lambda model: AgentTeam.mixture(["ada", "bob"], "agg", 3, proposals=3, model=model),
    "reflect": lambda model: AgentTeam.reflect("ada", "vic", scores=True, model=model),
    "adaptive": lambda model: AgentTeam.adaptive(["ada", "bob", "cy"], 5, model=model),
    "router": lambda model: AgentTeam.router("ruth", ["ada", "bob", "cy"], fallback="fay", top=2, model=model),
    "handoff": lambda model: AgentTeam.handoff(["ada", "bob", "cy"], max_handoffs=4, model=model),
    "map_reduce": lambda model: AgentTeam.map_reduce(
        ["ada", "bob"], "red", split="splitter", max_pieces=3, fan_in=2, model=model
    ),
    "ledger": lambda model: AgentTeam.ledger("ada", ["bob", "cy"], max_steps=5, max_stalls=1, model=model),
    "blackboard": lambda model: AgentTeam.blackboard(["ada", "bob", "cy"], decider="dee", max_turns=4, model=model),
    "market": lambda model: AgentTeam.market(["ada", "bob", "cy"], winners=2, verifier="vic", model=model),
    "vote of two": lambda model: AgentTeam.vote(["ada", "bob"], 5, early=False, model=model),
    "map_reduce by lines": lambda model: AgentTeam.map_reduce(["ada"], "red", split="lines", max_pieces=3, model=model),
    "blackboard with bids": lambda model: AgentTeam.blackboard(["ada", "bob"], bids=True, decider="dee", model=model),
    "market of one": lambda model: AgentTeam.market(["ada", "bob", "cy"], model=model),
}
"""A team of each kind, over a model; some kinds in more ways than one, after the kind's name."""
