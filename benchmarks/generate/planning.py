"""Small planning: the fewest steps, the shortest way, the earliest end; each found by search."""

from __future__ import annotations

import heapq
import random
from collections import deque

from phalanx.benchmarks.tasks import TaskItem, TaskSet

from .draw import draw, item

State = tuple[int, ...]


def planning(n: int, *, seed: int = 0, difficulty: int | None = None) -> TaskSet:
    """Measuring with jugs, stacking blocks, shortest routes and project schedules; the answer is one number."""
    return draw("planning", _problem, n, seed=seed, difficulty=difficulty)


def _problem(rng: random.Random, difficulty: int) -> TaskItem:
    return rng.choice([_jugs, _route, _schedule, _blocks])(rng, difficulty)


def _jugs(rng: random.Random, difficulty: int) -> TaskItem:
    while True:
        sizes = sorted(rng.sample(range(2, 6 + 2 * difficulty), 2 if difficulty < 5 else 3))
        target = rng.randint(1, sizes[-1] - 1)
        steps = jug_steps(tuple(sizes), target)
        if steps is not None and steps >= min(2 * difficulty, 8 if difficulty < 5 else 4):
            break
    named = ", ".join(f"{size} litres" for size in sizes[:-1]) + f" and {sizes[-1]} litres"
    rule = (
        "Each step fills a jug to the brim, empties one, or pours one into another until that is full or this is empty."
    )
    question = f"There are jugs of {named}, all empty, and a tap. {rule}"
    return item(
        f"{question} What is the least number of steps after which some jug holds exactly {target} litres?",
        steps,
        "numeric",
        meta={"problem": "jugs"},
    )


def jug_steps(sizes: State, target: int) -> int | None:
    """The least steps to have `target` in one of the jugs, by breadth-first search; None when it cannot be done."""
    seen, queue = {(0,) * len(sizes)}, deque([((0,) * len(sizes), 0)])
    while queue:
        state, steps = queue.popleft()
        if target in state:
            return steps
        for following in _poured(state, sizes):
            if following not in seen:
                seen.add(following)
                queue.append((following, steps + 1))
    return None


def _poured(state: State, sizes: State) -> list[State]:
    found = []
    for one in range(len(sizes)):
        for level in (sizes[one], 0):
            found.append((*state[:one], level, *state[one + 1 :]))
        for other in range(len(sizes)):
            if one != other:
                amount = min(state[one], sizes[other] - state[other])
                after = list(state)
                after[one], after[other] = state[one] - amount, state[other] + amount
                found.append(tuple(after))
    return found


def _route(rng: random.Random, difficulty: int) -> TaskItem:
    places = [chr(ord("A") + place) for place in range(4 + difficulty)]
    roads: dict[tuple[str, str], int] = {}
    for place, name in enumerate(places[1:], start=1):
        roads[rng.choice(places[:place]), name] = rng.randint(2, 20)
    while len(roads) < 2 * len(places) - 2:
        one, other = sorted(rng.sample(places, 2))
        roads.setdefault((one, other), rng.randint(2, 20))
    shown = list(roads.items())
    rng.shuffle(shown)
    start, end = places[0], places[-1]
    listed = ", ".join(f"{one}-{other} {length}" for (one, other), length in shown)
    question = f"These are the roads between towns, with their lengths in km: {listed}. All can be used both ways."
    return item(
        f"{question} How long is the shortest way from {start} to {end}, in km? Give the number.",
        shortest(roads, start, end),
        "numeric",
        meta={"problem": "route"},
    )


def shortest(roads: dict[tuple[str, str], int], start: str, end: str) -> int:
    """The length of the shortest way (Dijkstra). Raises ValueError when there is none."""
    queue, done = [(0, start)], set[str]()
    while queue:
        length, place = heapq.heappop(queue)
        if place == end:
            return length
        if place in done:
            continue
        done.add(place)
        for (one, other), more in roads.items():
            for here, there in ((one, other), (other, one)):
                if here == place and there not in done:
                    heapq.heappush(queue, (length + more, there))
    raise ValueError(f"no way from {start} to {end}")


def _schedule(rng: random.Random, difficulty: int) -> TaskItem:
    names = [chr(ord("P") + place) for place in range(3 + difficulty)]
    days = {name: rng.randint(1, 9) for name in names}
    needs: dict[str, list[str]] = {names[0]: []}
    for place, name in enumerate(names[1:], start=1):
        needs[name] = sorted(rng.sample(names[:place], rng.randint(0 if place < 2 else 1, min(place, 2))))
    lines = []
    for name in rng.sample(names, len(names)):
        after = f", after {' and '.join(needs[name])}" if needs[name] else ""
        lines.append(f"{name} takes {days[name]} days{after}")
    question = (
        f"A project has these jobs: {'; '.join(lines)}. Jobs may run at the same time, each starts when those before"
    )
    return item(
        f"{question} it are done. After how many days can the whole project be finished at the earliest?",
        earliest(days, needs),
        "numeric",
        meta={"problem": "schedule"},
    )


def earliest(days: dict[str, int], needs: dict[str, list[str]]) -> int:
    """When all jobs are done at the earliest: the longest chain of jobs that wait for each other."""
    end: dict[str, int] = {}
    while len(end) < len(days):
        for name in days:
            if name not in end and all(need in end for need in needs[name]):
                end[name] = days[name] + max((end[need] for need in needs[name]), default=0)
    return max(end.values())


def _blocks(rng: random.Random, difficulty: int) -> TaskItem:
    count = 3 + (difficulty >= 3) + (difficulty >= 5)
    while True:
        start, goal = _stacks(rng, count), _stacks(rng, count)
        moves = block_moves(start, goal)
        if moves >= min(1 + difficulty, 5):
            break
    rule = (
        "A move takes the top block of a stack and puts it on top of another stack or on the table, where there is room"
    )
    question = f"Blocks are stacked like this, from bottom to top: {_piles(start)}. {rule} for new stacks."
    return item(
        f"{question} What is the least number of moves to reach this: {_piles(goal)}?",
        moves,
        "numeric",
        meta={"problem": "blocks"},
    )


Piles = frozenset[str]


def block_moves(start: Piles, goal: Piles) -> int:
    """The least moves from some stacks to others, by breadth-first search; a stack is its blocks from the bottom."""
    seen, queue = {start}, deque([(start, 0)])
    while queue:
        state, moves = queue.popleft()
        if state == goal:
            return moves
        for pile in state:
            rest = state - {pile}
            lower = rest | ({pile[:-1]} if pile[:-1] else set())
            for onto in [*rest, ""]:
                following = frozenset((lower - {onto}) | {onto + pile[-1]})
                if following not in seen:
                    seen.add(following)
                    queue.append((following, moves + 1))
    raise ValueError("the goal has other blocks than the start")


def _stacks(rng: random.Random, count: int) -> Piles:
    blocks = rng.sample("KLMNO"[:count], count)
    piles = [blocks[0]]
    for block in blocks[1:]:
        if rng.random() < 0.6:
            piles[-1] += block
        else:
            piles.append(block)
    return frozenset(piles)


def _piles(piles: Piles) -> str:
    return "; ".join("-".join(pile) for pile in sorted(piles))
