"""Voting: typed ballots in, a decision out. Pure functions: no model, no clock, no files.

    Plurality().decide(["42", "42", "41", None]).winner          # "42"

Rules count ballots (`counting`, `weighted`, `ranked`, `pairwise`, `scored`, `pools`); `rules` names them all. Free text
is first read (`extract`, `parse`) and sorted into classes of equal answers (`equivalence`), so that a vote counts
answers and not spellings. `stopping` says when more samples cannot matter, `settled` when more ballots cannot,
`competence` what voters' agreement tells of their skill, `sampling` and `theory` what a vote should come to.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .ballots import Ballot, RawBallot
    from .codeclass import CodeTests
    from .composed import decided, judge_decides, max_rounds, more_than, never, no_change, stop_from
    from .counting import Approval, Approvals, Majority, Plurality, Supermajority, Unanimity
    from .decision import Decision, Dissent, Fallback, Rule
    from .equivalence import Equivalence
    from .extract import Extracted
    from .pairwise import Copeland, Minimax, RankedPairs, Schulze
    from .parse import Reading
    from .partition import AnswerClass, Partition
    from .pools import LinearPool, LogarithmicPool
    from .ranked import Borda, InstantRunoff
    from .rule import VotingRule
    from .rules import RULES, AnyRule, rule_of
    from .scored import Cumulative, Median, Score
    from .settled import cannot_change
    from .steps import ByEmbedding, ByEntailment
    from .stopping import AnyStop, StopRule, agreement, beta, dirichlet, esc, stable, stop_of, unanimous
    from .weighted import BucketedConfidence, LogOdds, log_odds

__all__ = [
    "RULES", "AnswerClass", "AnyRule", "AnyStop", "Approval", "Approvals", "Ballot", "Borda", "BucketedConfidence",
    "ByEmbedding", "ByEntailment", "CodeTests", "Copeland", "Cumulative", "Decision", "Dissent", "Equivalence",
    "Extracted", "Fallback", "InstantRunoff", "LinearPool", "LogOdds", "LogarithmicPool", "Majority", "Median",
    "Minimax", "Partition", "Plurality", "RankedPairs", "RawBallot", "Reading", "Rule", "Schulze", "Score",
    "StopRule", "Supermajority", "Unanimity", "VotingRule", "agreement", "beta", "cannot_change", "decided",
    "dirichlet", "esc", "judge_decides", "log_odds", "max_rounds", "more_than", "never", "no_change", "rule_of",
    "stable", "stop_from", "stop_of", "unanimous",
]  # fmt: skip

# Where each name is defined; it is loaded when it is first asked for.
_PLACES = {
    "ballots": "Ballot RawBallot",
    "codeclass": "CodeTests",
    "composed": "decided judge_decides max_rounds more_than never no_change stop_from",
    "counting": "Approval Approvals Majority Plurality Supermajority Unanimity",
    "decision": "Decision Dissent Fallback Rule",
    "equivalence": "Equivalence",
    "extract": "Extracted",
    "pairwise": "Copeland Minimax RankedPairs Schulze",
    "parse": "Reading",
    "partition": "AnswerClass Partition",
    "pools": "LinearPool LogarithmicPool",
    "ranked": "Borda InstantRunoff",
    "rule": "VotingRule",
    "rules": "RULES AnyRule rule_of",
    "scored": "Cumulative Median Score",
    "settled": "cannot_change",
    "steps": "ByEmbedding ByEntailment",
    "stopping": "AnyStop StopRule agreement beta dirichlet esc stable stop_of unanimous",
    "weighted": "BucketedConfidence LogOdds log_odds",
}
_HOME = {name: place for place, names in _PLACES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = found
    return found
