"""What a member does in a stage of a formation, in words."""

from __future__ import annotations

STAGES = {
    "aggregate": "combines the answers",
    "ask": "works",
    "assignment": "works on its assignment",
    "bid": "bids",
    "build": "builds on the proposals",
    "confidence": "says how sure it is",
    "contribute": "adds to the board",
    "critique": "looks for what is wrong",
    "decide": "writes the answer",
    "draft": "drafts alone",
    "exchange": "reworks its answer",
    "fallback": "takes over",
    "handoff": "works or hands over",
    "judge": "judges",
    "ledger": "writes down facts and plan",
    "map": "works on its piece",
    "moderate": "moderates",
    "plan": "plans the work",
    "progress": "looks at the progress",
    "propose": "proposes",
    "rank": "ranks the answers",
    "reduce": "merges what was found",
    "review": "reviews the results",
    "revise": "revises",
    "rework": "reworks its answer",
    "route": "chooses who works",
    "run": "works",
    "score": "scores the candidates",
    "settle": "appraises the answer",
    "split": "splits the task",
    "step": "does the next step",
    "summarize": "sums the discussion up",
    "synthesis": "writes the answer",
    "turn": "takes its turn",
    "verify": "checks the answer",
    "volunteer": "says whether it has something to add",
    "vote": "says what it holds for right",
    "work": "works",
}
"""What is done in the stages of the built-in formations."""


def in_words(name: str, round: int = 0) -> str:
    """What a member does in a stage: "drafts alone", "revises, round 2"; a stage of the user's own by its name.

    name: the stage. round: which one, where it comes again and again.
    """
    if name == "stage":
        return f"does stage {round + 1}"
    words = STAGES.get(name, name)
    return f"{words}, round {round}" if round else words
