"""The items of a report, packed: what a page shows of all, and blocks of the rest that it unpacks when asked."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence

from .conversations import Conversations, Exchange
from .grouping import Grouped
from .record import Attempt, Ballots, Comparison
from .tasks import Gold, TaskItem
from .wording import duration, money

BLOCK = 100
Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]


def index(comparison: Comparison, groups: Sequence[Grouped], *, names: Sequence[str]) -> str:
    """What a page needs of every item at once, as JSON that may stand inside a script element.

    comparison: whose items. groups: its attempts by system. names: what the page calls these.
    """
    scores = [[_short(each.scores.get(item.id)) for item in comparison.items] for each in groups]
    failed = [
        [int(any(made.status == "failed" for made in each.by_item.get(item.id, ()))) for item in comparison.items]
        for each in groups
    ]
    return _script(
        {
            "systems": list(names),
            "repeats": comparison.repeats,
            "block": BLOCK,
            "ids": [item.id for item in comparison.items],
            "questions": [_snippet(item.question) for item in comparison.items],
            "scores": scores,
            "failed": failed,
        }
    )


def blocks(
    comparison: Comparison, groups: Sequence[Grouped], conversations: Conversations | None, *, longest: int
) -> Iterator[str]:
    """The items in blocks of a hundred, each as JSON, deflated, in base 64.

    comparison: whose items. groups: its attempts by system. conversations: the prompts and answers of its runs.
    longest: characters after which a text is cut, and says so.
    """
    for start in range(0, len(comparison.items), BLOCK):
        texts = _Texts(longest)
        items: list[Json] = []
        for item in comparison.items[start : start + BLOCK]:
            tries = [
                _try(texts, at, made, conversations)
                for at, each in enumerate(groups)
                for made in each.by_item.get(item.id, ())
            ]
            items.append(
                {
                    "question": texts.at(item.question),
                    "choices": [texts.at(choice) for choice in item.choices],
                    "gold": texts.at(_gold(item)),
                    "cluster": item.cluster,
                    "difficulty": item.difficulty,
                    "tries": tries,
                }
            )
        block = json.dumps({"texts": list(texts), "items": items}, ensure_ascii=True, separators=(",", ":"))
        yield base64.b64encode(zlib.compress(block.encode(), 6)).decode()


class _Texts:
    """The texts of a block, each once."""

    def __init__(self, longest: int) -> None:
        self._places: dict[str, int] = {}
        self._longest = longest

    def at(self, text: str | None) -> int | None:
        if text is None:
            return None
        if len(text) > self._longest:
            text = f"{text[: self._longest]}\n[… {len(text) - self._longest:,} more characters are not in this page]"
        return self._places.setdefault(text, len(self._places))

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)


def _try(texts: _Texts, system: int, made: Attempt, held: Conversations | None) -> dict[str, Json]:
    calls: Json = None
    without = ""
    if made.run_id is not None and held is not None:
        if made.run_id in held.by_run:
            calls = [_exchange(texts, each) for each in held.by_run[made.run_id]]
        elif made.run_id in held.missing:
            without = f"Run {made.run_id} is not in the log, so its prompts are not known."
        else:
            without = (
                f"The prompts of this run are not in this page; see them with: phalanx show {made.run_id} --prompts"
            )
    elif made.run_id is not None:
        without = f"Run {made.run_id}"
    usage = made.usage
    spent = [
        f"{usage.calls:,} calls" if usage.calls != 1 else "1 call",
        f"{usage.tokens:,} tokens" if made.metered else "tokens unknown",
    ]
    spent += ["cost unknown" if made.usd is None else money(made.usd)]
    spent += [] if made.seconds is None else [duration(made.seconds)]
    return {
        "system": system,
        "repeat": made.repeat,
        "status": made.status,
        "score": made.score,
        "answer": texts.at(made.answer),
        "read": texts.at(made.read),
        "why": texts.at(made.why),
        "error": texts.at(made.error),
        "spent": spent,
        "votes": [_round(texts, each) for each in made.ballots],
        "calls": calls,
        "without": without,
    }


def _round(texts: _Texts, ballots: Ballots) -> dict[str, Json]:
    at, worth = texts.at, ballots.worth
    choices = [[name, at(said), worth.get(name, 0.0)] for name, said in ballots.choices.items()]
    return {"round": ballots.round, "choices": choices, "decided": ballots.decided}


def _exchange(texts: _Texts, call: Exchange) -> dict[str, Json]:
    spent = [] if call.tokens is None else [f"{call.tokens:,} tokens"]
    spent += [] if call.seconds is None else [duration(call.seconds)]
    return {
        "by": call.member or call.kind,
        "stage": f"{call.stage}, round {call.round}" if call.round else call.stage,
        "name": call.name,
        "status": call.status,
        "sent": [[said.speaker, texts.at(said.text)] for said in call.sent],
        "answer": texts.at(call.answer),
        "error": texts.at(call.error),
        "spent": spent,
    }


def _gold(item: TaskItem) -> str | None:
    return None if item.gold is None else _said(item.gold)


def _said(gold: Gold) -> str:
    return "\n".join(map(str, gold)) if isinstance(gold, tuple) else str(gold)


def _short(score: float | None) -> float | None:
    return None if score is None else round(score, 6)


def _snippet(question: str) -> str:
    line = " ".join(question[:400].split())
    return line if len(line) <= 160 else line[:159] + "…"


def _script(value: Json) -> str:
    """JSON in which nothing can end a script element or begin a comment."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
