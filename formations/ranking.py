"""Who goes on: a ranker's choice among answers, or the members that the others rate best; and what each was worth.

Dynamic teams: Liu et al. 2023, DyLAN, arXiv:2310.02170.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from phalanx.agents.output import Shape
from phalanx.agents.prompts import label
from phalanx.messages import Data

from .base import Outcome
from .stated import ratings, said
from .views import Shown, as_data, cut

if TYPE_CHECKING:
    from .discussion import Discussion


class Ranking(Data):
    """The labels of the best answers, best first."""

    ranking: tuple[str, ...]


def rated(outcome: Outcome, seen: Sequence[Shown]) -> Iterator[tuple[str, int, bool]]:
    """Whom a member rated how: (member, rating, False), or (label, rating, True) for a label it was not shown.

    outcome: its answer. seen: what it was shown, under which labels; a text that several gave rates all of them.
    """
    whose = {part.label: part.members for part in seen}
    told: set[str] = set()
    for each in ratings(outcome):
        if each.label not in whose or each.label in told:
            yield each.label, each.rating, True
            continue
        told.add(each.label)
        for name in whose[each.label]:
            yield name, each.rating, False


async def ranked(talk: Discussion, keep: int, round: int, given: Mapping[str, Sequence[int]]) -> set[str]:
    """The names of the `keep` members that go on, of those in the discussion `talk`.

    The ranker's choice if there is one in its seat; else, and for places that it leaves open, those best rated by the
    others in the round before, and equals in seat order. round: for which round. given: the ratings, by member.
    """
    run, how = talk.run, talk.how
    here = [each.name for each in talk.active]
    by_rating = sorted(here, key=lambda name: (-_mean(given.get(name, ())), here.index(name)))
    best: list[str] = []
    if (ranker := run.seat_or_none("ranker")) is not None:
        run.begin("rank", round)
        order = [name for name in here if name in talk.latest]
        talk.chance("rank", round).shuffle(order)
        # Each label stands for one member and is looked up by itself: a place in a shuffled list is nobody's name.
        whose = {label(at): name for at, name in enumerate(order)}
        parts = [Shown(each, cut(said(talk.latest[name]), how.peer_tokens)) for each, name in whose.items()]
        prompt = run.prompts("rank", task=talk.text, candidates=as_data(parts), keep=str(keep))
        outcome = await run.try_ask(
            ranker, prompt, stage="rank", round=round, shape=_shape(tuple(whose), keep), question=talk.task.id
        )
        run.raise_refusal(outcome)
        if outcome.answer is None:
            run.run.warn(f"the ranker gave no ranking ({outcome.error}); the members' own ratings decide who goes on")
        else:
            ranking: Ranking = outcome.answer.output
            best = list(dict.fromkeys(whose[each] for each in ranking.ranking if each in whose))[:keep]
            if len(best) < min(keep, len(order)):
                run.run.warn(f"the ranker named {len(best)} of {keep}; the members' own ratings fill the places")
    return {*best, *[name for name in by_rating if name not in best][: max(0, keep - len(best))]}


def _mean(given: Sequence[int]) -> Fraction:
    return Fraction(sum(given), len(given)) if given else Fraction(0)


@functools.lru_cache(maxsize=64)  # making a schema takes longer than all else that is done for a call
def _shape(labels: tuple[str, ...], keep: int) -> Shape[Ranking]:
    schema = Ranking.model_json_schema()
    schema["properties"]["ranking"] = {
        "type": "array", "items": {"type": "string", "enum": list(labels)}, "minItems": 1, "maxItems": keep,
    }  # fmt: skip
    return Shape(Ranking, schema=schema)


def importance(layers: Sequence[Mapping[str, Mapping[str, float]]], agreed: Sequence[str]) -> dict[str, float]:
    """What each member was worth to an answer, from how those after it rated it: the sum over all layers.

    layers: for each layer but the first, each member's ratings of the members before it. agreed: the members of the
    last layer that hold the answer; each begins with an equal share of 1, and passes it on to those before it by
    weight of its ratings. DyLAN's importance score, arXiv:2310.02170, section 3.3.
    """
    share = {name: 1.0 / len(agreed) for name in agreed}
    total = dict(share)
    for layer in reversed(layers):
        before: dict[str, float] = {}
        for name, value in share.items():
            weights = layer.get(name, {})
            whole = sum(weights.values())
            for other, weight in weights.items():
                before[other] = before.get(other, 0.0) + (value * weight / whole if whole else 0.0)
        share = before
        for name, value in share.items():
            total[name] = total.get(name, 0.0) + value
    return total
