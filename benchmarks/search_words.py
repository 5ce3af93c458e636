"""What the proof of a search means, in sentences that claim no more than was shown."""

from __future__ import annotations

from dataclasses import dataclass

from .search_record import Outcome
from .statistics.verdict import Verdict
from .summary import Finding, Summary


@dataclass(frozen=True)
class Meaning:
    """The outcome of a search: which, who won (None: nobody can be told), in sentences, and the verdict behind it."""

    outcome: Outcome
    winner: str | None
    text: str
    verdict: Verdict | None = None


def told(
    finalist: str | None, single: str, vote: str | None, proof: Summary | None, stopped: str | None
) -> Meaning:  # fmt: skip
    """What a search has shown.

    finalist: the formation that was left, None when none was. single: the member alone that it has to beat. vote: the
    vote at the same calls, where it is not a baseline of the comparison. proof: the comparison on held-out questions,
    None when there was none. stopped: the limit that ended it, in words.
    """
    if finalist is None:
        if stopped is not None:
            return Meaning("undecided", None, f"Nothing can be told: {stopped}.")
        text = (
            f"The {_the(single)} wins: every formation was shown to be worse than another choice, or tied and dearer, "
            "on the development questions, at a level that holds at every look.\nNothing was left to be confirmed."
        )
        return Meaning("single agent", single, text)
    finding = None if proof is None else _finding(proof, finalist, single)
    if proof is None or finding is None:
        why = stopped or "no held-out question was done by both"
        text = f"Nothing can be told: {finalist} did best on the development questions, and was not confirmed ({why})."
        return Meaning("undecided", None, text)
    verdict = finding.verdict
    if verdict.kind == "better":
        other = _against_vote(proof, finalist, vote)
        if other is not None and other.verdict.kind == "worse":
            text = (
                f"Neither: {finalist} beats the {_the(single)}, but a vote of one member at the same calls beats it.\n"
                "Search again with votes of as many samples among the formations."
            )
            return Meaning("undecided", None, text, verdict)
        text = "\n".join([f"{finalist} is worth having: {finding.text}", *_beside(other)])
        return Meaning("formation", finalist, text, verdict)
    if verdict.kind == "tied" and verdict.cost_ratio is not None and verdict.cost_ratio.value < 1:
        return Meaning("formation", finalist, f"{finalist} wins by its cost: {finding.text}", verdict)
    if verdict.kind == "worse":
        text = f"The {_the(single)} wins: it is better than {finalist}.\n{finding.text}"
        return Meaning("single agent", single, text, verdict)
    if verdict.kind == "tied":
        text = f"The {_the(single)} wins: {finalist} is no better by anything that matters, and dearer.\n{finding.text}"
        return Meaning("single agent", single, text, verdict)
    text = (
        f"Nothing can be told: {finalist} did best on the development questions, and the held-out ones are too few.\n"
        f"{finding.text}\nUntil there are more, the {_the(single)} is what costs less."
    )
    return Meaning("undecided", None, text, verdict)


def _beside(vote: Finding | None) -> list[str]:
    if vote is None:
        return []
    kind = vote.verdict.kind
    if kind == "better":
        return ["It also beats a vote of one member at the same calls."]
    if kind == "tied":
        return ["A vote of one member at the same calls does as well."]
    return ["Whether it beats a vote of one member at the same calls cannot be told from so few questions."]


def _finding(proof: Summary, a: str, b: str) -> Finding | None:
    return next((each for each in proof.findings if (each.verdict.a, each.verdict.b) == (a, b)), None)


def _against_vote(proof: Summary, finalist: str, vote: str | None) -> Finding | None:
    if vote is not None:
        return _finding(proof, finalist, vote)
    return next((each for each in proof.findings if each.baseline and each.verdict.a == finalist), None)


def _the(single: str) -> str:
    return single if single == "single agent" else f"single agent ({single})"
