"""What became of each part of a task that was given to a member: a record that only the run writes."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence

from phalanx.messages import Data, estimate_tokens
from phalanx.runtime.board import Blackboard
from phalanx.runtime.entries import Entry, Post
from phalanx.runtime.events import OutcomeStatus
from phalanx.runtime.regions import Region

from .answers import ANSWERS, Note
from .base import Outcome
from .team_run import TeamRun

RECEIPTS = "receipts"


class Receipt(Data):
    """One part of a task: who was to do it, on what it was to build, and how it ended.

    assignment: its id. worker: who was to do it. task: what, as far as the receipt's length allows. step: the same
    for the same task of the same worker, whatever its spelling. round: in which it was given. status: how it ended:
    "ok", "failed", "timed_out", "refused" or "cancelled"; error: why, when it is not "ok". calls, tokens, cost: what
    it took (cost in US dollars, None when a price is not known). depends_on: the ids it was to build on. used: the
    board's entries that hold what it was shown of those, such as "answers@3". answer: the entry that holds its
    answer; None when there is none.
    """

    assignment: str
    worker: str
    task: str
    step: str
    round: int = 0
    status: OutcomeStatus
    error: str | None = None
    calls: int = 0
    tokens: int = 0
    cost: float | None = None
    depends_on: tuple[str, ...] = ()
    used: tuple[str, ...] = ()
    answer: str | None = None


REGION = Region(RECEIPTS, Receipt, writes=())
_MOST_TASK = 2000


def receipts_of(board: Iterable[Entry | Mapping[str, object]]) -> list[Receipt]:
    """The receipts on a board, oldest first: `receipts_of(result.board)`, also of a loaded result.

    board: its entries. Raises pydantic's ValidationError for an entry of that region that is no receipt.
    """
    found: list[Receipt] = []
    for entry in board:
        region, value = (entry["region"], entry["value"]) if isinstance(entry, Mapping) else (entry.region, entry.value)
        if region == RECEIPTS:
            found.append(value if isinstance(value, Receipt) else Receipt.model_validate(value))
    return found


def receipt(
    id: str, worker: str, task: str, outcome: Outcome, *, round: int = 0, depends_on: Sequence[str] = ()
) -> Receipt:
    """The receipt of one part; `file` adds where it stands on the board.

    id: the part's. worker, task: who was to do what. outcome: how that ended. round: in which it was given.
    depends_on: ids of what it was to build on.
    """
    usage = outcome.usage
    return Receipt(
        assignment=id, worker=worker, task=capped(task, _MOST_TASK // 3, "the assignment"), step=step(worker, task),
        round=round, status=outcome.status, error=outcome.error, calls=usage.calls, tokens=usage.tokens,
        cost=usage.cost, depends_on=tuple(depends_on),
    )  # fmt: skip


async def file(run: TeamRun, receipts: Sequence[Receipt], outcomes: Mapping[str, Outcome]) -> None:
    """Put receipts on the board, each with the entries it used and the one it became.

    receipts: those to add. outcomes: every outcome so far, by id of its part.
    """
    place = f"{run.run.run_id}/{'/'.join(run.run.path)}"
    known = {id: (each.member, each.round, each.text) for id, each in outcomes.items() if each.ok}
    await note(run, functools.partial(_file, place, tuple(receipts), known))


async def note(run: TeamRun, write: Note) -> None:
    """Write to the run's board now, or, where nobody looks at it yet, when somebody does.

    write: what to write; it waits for nothing but the board.
    """
    if run.is_board_made:
        await write(run.board)
    else:
        run.answers.note(write)


async def _file(
    place: str, receipts: Sequence[Receipt], known: Mapping[str, tuple[str, int, str]], board: Blackboard
) -> None:
    board.declare(REGION)
    said: dict[object, list[Entry]] = {}
    for entry in await board.history(ANSWERS):
        if entry.op.startswith(f"{place}/"):  # on a board that outlives runs there are other runs' too
            said.setdefault((entry.author, entry.round, entry.value), []).append(entry)
    # Both are in the order of the answers: the same words of a member stand for one part after the other.
    stands = {id: said[key].pop(0) for id, key in known.items() if said.get(key)}
    posts = []
    for each in receipts:
        used = [stands[id] for id in each.depends_on if id in stands]
        answer = stands.get(each.assignment)
        whole = each.model_copy(
            update={"used": tuple(entry.where for entry in used), "answer": None if answer is None else answer.where}
        )
        causes = [*used, *([] if answer is None else [answer])]
        op = f"{place}/receipt-{each.round}-{each.assignment}"
        posts.append(Post(RECEIPTS, whole, _key(each.assignment), round=each.round, causes=causes, op=op))
    await board.post_all(posts)


def _key(id: str) -> str:
    """An id, which a model chose, as the board can name something."""
    return "".join(each if each.isprintable() else " " for each in id[:200])


def step(worker: str, task: str) -> str:
    """A name for a task of a worker that does not depend on its case or spaces."""
    words = " ".join(task.split()).casefold()
    return hashlib.sha256(f"{worker}\n{words}".encode("utf-8", "replace")).hexdigest()[:16]


def capped(text: str, tokens: int, whose: str) -> str:
    """A text of at most about so many tokens, with a word on what was left out of its middle.

    tokens: the most, as estimated. whose: what the text is, for that word.
    """
    size = estimate_tokens(text)
    if size <= tokens:
        return text
    said = f"\n[… about {{}} tokens of {whose} are left out here …]\n"
    whole = text.encode("utf-8", "replace")
    room = max(0, 3 * tokens - len(said.encode("utf-8", "replace")) - 12)
    head, tail = whole[: room * 2 // 3], whole[len(whole) - room // 3 :]
    # A character that was cut in two is left out.
    parts = [part.decode("utf-8", "ignore") for part in (head, tail)]
    return said.format(size - room // 3).join(parts)
