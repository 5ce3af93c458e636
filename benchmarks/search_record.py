"""What a search leaves behind: what became of each choice, what was confirmed, and what that means in words."""

from __future__ import annotations

from typing import Literal

from phalanx.messages import Data
from phalanx.runtime.limits import Limits

from .statistics.intervals import Estimate
from .statistics.verdict import Verdict
from .summary import Summary

Why = Literal["worse", "tied and dearer", "not among the best"]
Outcome = Literal["formation", "single agent", "undecided"]


class Tried(Data):
    """What became of one choice on the development questions.

    name, kind: of it. single: whether it is one member alone. items: how many questions it did. accuracy: its mean
    score with an interval that holds at every look; None when nothing was counted. calls, tokens, usd: the mean a
    question; usd is None when a price is not known. rung: the look after which it was dropped, from 1; None when it was
    not. why: "worse" (an e-value says so), "tied and dearer" (an interval that holds at every look lies within the
    margin), or "not among the best" (for want of budget; that says nothing of its worth). against: whom it was
    dropped for. e_value: the evidence against "no worse than that one".
    """

    name: str
    kind: str
    single: bool
    items: int = 0
    accuracy: Estimate | None = None
    calls: float = 0.0
    tokens: float = 0.0
    usd: float | None = None
    rung: int | None = None
    why: Why | None = None
    against: str | None = None
    e_value: float | None = None


class Spent(Data):
    """What a search has used: calls, tokens, and US dollars where prices are known (None: one is not)."""

    calls: int = 0
    tokens: int = 0
    usd: float | None = 0.0


class Search(Data):
    """The result of a search; `str(search)` is a table with the verdict in words.

    name, tasks, seed, margin, alpha: as given. budget: what it was allowed; spent: what it used. tried: what became
    of each choice, in the order of the grid. looks: how many questions each that was left had done at each look.
    finalist: the formation that was left to confirm; None when none was. against: the single agent it was held
    against. confirmation: the comparison of both on the held-out questions, with a vote at the finalist's calls where
    that is another thing; None when nothing was confirmed. verdict: of the finalist against the single agent, there.
    outcome: "formation", "single agent", or "undecided" when nothing can be told. winner: its name; None when
    undecided. stopped: in words, the limit that ended it early. text: what it all means, in sentences.
    """

    name: str
    tasks: str
    seed: int
    margin: float
    alpha: float
    budget: Limits | None
    spent: Spent
    tried: tuple[Tried, ...]
    looks: tuple[int, ...]
    finalist: str | None
    against: str
    confirmation: Summary | None
    verdict: Verdict | None
    outcome: Outcome
    winner: str | None
    stopped: str | None
    text: str

    def __str__(self) -> str:
        from .search_table import text

        return text(self)
