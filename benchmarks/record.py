"""What a comparison leaves behind: one attempt for each system, item and repeat, and what they were made with."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from phalanx.messages import Data, Usage

from .tasks import TaskItem

Ended = Literal["completed", "undecided", "partial", "stopped", "failed"]


class Ballots(Data):
    """One round of a vote inside an attempt.

    choices: what each member's answer was counted as; None is an abstention. worth: what each member's own answer is
    worth, 0 to 1. decided: what the vote of this round is worth; ties count as the expected score of a draw. rule: what
    decided, as JSON where a file can hold it, else the name of the user's own; empty when not known. stated: how sure
    each member said it was of its answer, of those that said it.
    """

    round: int
    choices: dict[str, str | None]
    worth: dict[str, float]
    decided: float
    rule: str = ""
    stated: dict[str, float] = {}


class Attempt(Data):
    """What became of one system on one item.

    system, spec: its name in the comparison, and the hash of what it is. item, repeat, seed: of what. status: how it
    ended; a failure has score 0, an error, and stays in the denominator. answer: what was said; None for none. read:
    what was taken for the final answer. why: what speaks for the score. metered: whether its tokens are known; where
    not, `usage` counts calls alone. usd: US dollars, None when not known. seconds:
    wall time. run_id: of its journal in the same log; None when there is none. ballots: its rounds of voting.
    confidence: how sure its author, or whoever chose the author, said to be of the answer; None when nobody did. share:
    of the votes cast the part that the answer got; None without a vote that one answer leads.
    """

    system: str
    spec: str
    item: str
    repeat: int = 0
    seed: int = 0
    status: Ended
    answer: str | None = None
    score: float = Field(ge=0, le=1, allow_inf_nan=False)
    read: str | None = None
    why: str = ""
    error: str | None = None
    usage: Usage = Usage()
    metered: bool = True
    usd: float | None = None
    seconds: float | None = None
    run_id: str | None = None
    ballots: tuple[Ballots, ...] = ()
    confidence: float | None = None
    share: float | None = None

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What makes it the same attempt in another run: spec, item, repeat and seed."""
        return (self.spec, self.item, self.repeat, self.seed)


class System(Data):
    """A system that was compared.

    kind: of its formation, "agent", or "function". baseline_of: the system it is a baseline of, None for the user's
    own. budget: in words, what it was held to ("the same calls"). described: how it was made, for reports.
    """

    name: str
    spec: str
    kind: str
    baseline_of: str | None = None
    budget: str = ""
    described: str = ""


class Judging(Data):
    """What judges did in a comparison, besides what the systems did and cost.

    judgements: how many different answers were judged. judges: how many judges there were. usage: what they cost.
    turned: how many of all opinions changed with the order. undecided: how many answers nobody could tell. agreement:
    the share of pairs of judges that say the same of an answer; alpha: Krippendorff's, over all answers. Both are None
    where they have no meaning.
    """

    judgements: int
    judges: int
    usage: Usage = Usage()
    turned: int = 0
    undecided: int = 0
    agreement: float | None = None
    alpha: float | None = None

    def __str__(self) -> str:
        cost = "cost unknown" if self.usage.cost is None else f"${self.usage.cost:.4g}"
        told = f"judges: {self.judgements} answers by {self.judges}, {self.usage.calls} calls, {cost}, apart from these"
        if self.agreement is not None:
            alpha = "cannot be told" if self.alpha is None else f"{self.alpha:.2f}"
            told += f"; {self.agreement:.0%} of the pairs of judges agree (Krippendorff's alpha {alpha})"
        return f"{told}; {self.turned} opinions changed with the order; {self.undecided} answers are undecided"


class Comparison(Data):
    """A whole comparison, finished or not.

    systems: in the order given, baselines after them. items: the questions with what is right. attempts: those that
    were made, in the order of systems, items, repeats; what is not among them was not run. stopped: in words, the limit
    that ended it early; None when it did not. skipped_rows: rows of the task file that were left out. margin: the
    smallest difference that matters. commit, version: of the code, where known. started: seconds since the epoch.
    judging: what judges did, if judges scored. left_behind: by the name of a system that has changed since, how many
    results of what it was are kept under this name of the comparison, and count no more. beside: what else is kept
    under it, in sentences: results of another seed, of items or repeats that are asked for no more, which do not count,
    and those made under other limits of an attempt or by another version, which do.
    """

    name: str
    tasks: str
    systems: tuple[System, ...]
    items: tuple[TaskItem, ...]
    attempts: tuple[Attempt, ...]
    repeats: int = 1
    seed: int = 0
    margin: float = 0.02
    stopped: str | None = None
    skipped_rows: int = 0
    version: str = ""
    commit: str | None = None
    started: float | None = None
    judging: Judging | None = None
    left_behind: dict[str, int] = {}
    beside: tuple[str, ...] = ()
