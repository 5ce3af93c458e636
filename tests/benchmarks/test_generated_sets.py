from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta

import pytest

from phalanx.benchmarks.code import Code
from phalanx.benchmarks.generate.catalogue import GENERATORS, generate
from phalanx.benchmarks.generate.planning import block_moves, earliest, jug_steps, shortest
from phalanx.benchmarks.scoring import ByItem, score
from phalanx.benchmarks.tasks import TaskItem
from phalanx.errors import ValidationError

kinds = pytest.mark.parametrize("kind", list(GENERATORS))


@kinds
def test_a_seed_makes_the_same_items_and_a_longer_set_begins_with_the_shorter(kind: str) -> None:
    short, long = generate(kind, 12, seed=3), generate(kind, 25, seed=3)
    assert long.items[:12] == short.items
    assert generate(kind, 12, seed=4).items[0].question != short.items[0].question


@kinds
def test_all_five_difficulties_are_gone_through_unless_one_is_asked_for(kind: str) -> None:
    assert Counter(item.difficulty for item in generate(kind, 50)) == {1.0: 10, 2.0: 10, 3.0: 10, 4.0: 10, 5.0: 10}
    assert {item.difficulty for item in generate(kind, 10, difficulty=4)} == {4.0}
    mixed = [item for item in generate(kind, 20) if item.difficulty == 2]
    assert generate(kind, 4, difficulty=2).items == tuple(mixed)


@kinds
def test_no_question_comes_twice_and_each_has_a_scorer_and_an_answer(kind: str) -> None:
    tasks = generate(kind, 300, seed=1)
    assert len({item.text for item in tasks}) == 300
    assert all(item.gold is not None and item.scorer for item in tasks)
    ByItem(allow_code=True).check(tasks)


@pytest.mark.parametrize("kind", [kind for kind in GENERATORS if kind != "coding"])
async def test_the_right_answer_scores_and_a_wrong_one_does_not(kind: str) -> None:
    for item in generate(kind, 40, seed=2):
        said = ", ".join(map(str, item.gold)) if isinstance(item.gold, tuple) else item.gold
        assert (await score(ByItem(), f"Let me see: 7, then 9.\nAnswer: {said}", item)).value == 1, item
        assert (await score(ByItem(), "Answer: 987654321.5", item)).value == 0, item
        assert (await score(ByItem(), "Answer: nobody", item)).value == 0, item


def golden() -> dict[str, str]:
    return {kind: generate(kind, 20, seed=7).fingerprint for kind in GENERATORS}


def test_the_sets_are_the_same_on_every_machine_and_version_of_python() -> None:
    assert golden() == {
        "arithmetic": "1d476d278c2963f8",
        "coding": "9c2a698f64cb2a84",
        "counter-intuitive": "f9a1abf6cbb2d343",
        "dates": "ff912eabc5cbf314",
        "extraction": "c786e25b9cf40a8e",
        "logic-grids": "0523b5977d1af0f2",
        "planning": "252709cf26f0bb7f",
        "units": "7f7290308f6882d9",
    }


def test_a_level_that_runs_out_of_questions_says_so() -> None:
    with pytest.raises(ValidationError, match=r"hardly more than .* different questions at difficulty 1"):
        generate("counter-intuitive", 30_000, difficulty=1)


@pytest.mark.parametrize(
    ("kind", "options", "problem"),
    [
        ("arithmetics", {}, r"did you mean 'arithmetic'\?"),
        ("units", {"n": 0}, "n=0"),
        ("units", {"difficulty": 6}, "difficulty=6"),
    ],
)
def test_what_cannot_be_generated_is_refused(kind: str, options: dict[str, int], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        generate(kind, **options)


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def test_expressions_have_the_value_that_python_gives_them() -> None:
    for item in generate("arithmetic", 300, seed=5):
        scope: dict[str, int] = {}
        exec(f"value = {item.meta['form']}", scope)
        assert item.gold == scope["value"]
        assert str(item.meta["form"]) in item.question


def by_hand(item: TaskItem) -> float:
    """The answer of a counter-intuitive problem, worked out anew from its text."""
    found, trap = numbers(item.question), item.meta["trap"]
    if trap == "pair_and_difference":
        return next(small for small in range(found[0]) if small + (small + found[1]) == found[0])
    if trap == "machines":
        return found[4] / (found[3] * (found[2] / found[0] / found[1]))
    if trap == "doubling":
        size = {"half": 2, "quarter": 4, "eighth": 8, "sixteenth": 16}
        part = next(times for word, times in size.items() if f" {word} of" in item.question)
        covered, day = 1.0, found[0]
        while covered > 1 / part:
            covered, day = covered / 2, day - 1
        return day
    if trap == "average_speed":
        return 2 * 100 / (100 / found[0] + 100 / found[1])
    if trap == "up_and_down":
        return found[0] * (1 + found[1] / 100) * (1 - found[2] / 100)
    if trap == "posts":
        return len(range(0, found[0] + 1, found[1]))
    if trap == "cuts":
        return found[0] / (found[1] - 1) * (found[2] - 1)
    if trap == "snail":
        height, day = 0, 0
        while True:
            height, day = height + found[1], day + 1
            if height >= found[0]:
                return day
            height -= found[2]
    if trap == "socks":
        return len(found) + 1
    if trap == "handshakes":
        return len(list(itertools.combinations(range(found[0]), 2)))
    assert trap == "all_but"
    return found[1]


def test_counter_intuitive_problems_have_the_answer_worked_out_by_hand_and_a_different_tempting_one() -> None:
    tasks = generate("counter-intuitive", 400, seed=5)
    for item in tasks:
        assert isinstance(item.gold, (int, float))
        assert item.gold == pytest.approx(by_hand(item)), item
        assert item.meta["intuitive"] != item.gold
    assert len({item.meta["trap"] for item in tasks}) == 11


Rows = tuple[tuple[str, ...], ...]


def fitting(item: TaskItem) -> tuple[list[Rows], set[str]]:
    """What satisfies the clues of a logic grid, by reading its text and trying every arrangement; and whose name."""
    lines = item.question.splitlines()
    names = lines[0].partition("right: ")[2].removesuffix(", in some order.").split(", ")
    seats = ["first", "second", "third", "fourth", "fifth"][: len(names)]
    groups = [
        line.removesuffix(".").partition("all different: ")[2].split(", ") for line in lines if line.startswith("Each ")
    ]
    relations: dict[str, Callable[[int, int], bool]] = {
        "sits somewhere left of": lambda one, other: one < other,
        "sits next to": lambda one, other: abs(one - other) == 1,
        "is not": lambda one, other: one != other,
    }
    clues: list[tuple[Callable[[int, int], bool], list[str]]] = []
    known = {word.lower() for word in itertools.chain(seats, names, *groups)}
    for clue in (line for line in lines if line.startswith("- ")):
        rule = next((holds for words, holds in relations.items() if f" {words} " in clue), int.__eq__)
        clues.append((rule, [word for word in re.findall(r"\w+", clue.lower()) if word in known]))
    asked = lines[-1].removesuffix("? Answer with the name.").split()[-1]
    found: list[Rows] = []
    who: set[str] = set()
    for rows in itertools.product(*(itertools.permutations(words) for words in [names, *groups])):
        where = {word.lower(): seat for row in [*rows, seats] for seat, word in enumerate(row)}
        if all(rule(where[one], where[other]) for rule, (one, other) in clues):
            found.append(rows)
            who.add(rows[0][where[asked]])
    return found, who


def test_logic_grids_allow_exactly_one_arrangement() -> None:
    for item in [*generate("logic-grids", 12, seed=5, difficulty=2), *generate("logic-grids", 6, seed=5, difficulty=3)]:
        found, who = fitting(item)
        assert len(found) == 1, item.question
        assert who == {item.gold}


def test_no_clue_of_a_logic_grid_can_be_spared() -> None:
    for item in generate("logic-grids", 5, seed=6, difficulty=2):
        lines = item.question.splitlines()
        for place, line in enumerate(lines):
            if line.startswith("- "):
                less = item.model_copy(update={"question": "\n".join(lines[:place] + lines[place + 1 :])})
                assert len(fitting(less)[0]) > 1


def test_harder_sets_are_longer() -> None:
    for kind in ("arithmetic", "coding", "extraction", "logic-grids"):
        sizes = [sum(len(item.text) for item in generate(kind, 30, difficulty=level)) for level in (1, 3, 5)]
        assert sizes == sorted(sizes)


MONTHS = [
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
]  # fmt: skip


def days_in(text: str) -> list[date]:
    found = re.findall(r"(\d+) ([A-Z][a-z]+) (\d{4})", text)
    return [date(int(year), MONTHS.index(month) + 1, int(day)) for day, month, year in found if month in MONTHS]


def test_date_questions_have_the_answers_of_the_calendar() -> None:
    checked: Counter[str] = Counter()
    for item in generate("dates", 400, seed=5):
        text, days = item.question, days_in(item.question)
        if found := re.match(r"Which date is (\d+) days (after|before)", text):
            shift = int(found[1]) * (1 if found[2] == "after" else -1)
            assert item.gold == (days[0] + timedelta(days=shift)).isoformat()
        elif found := re.search(r"Which day of the week is (\d+) days after", text):
            assert item.gold == f"{days[-1] + timedelta(days=int(found[1])):%A}"
        elif found := re.match(r"How many days after", text):
            assert item.gold == (days[1] - days[0]).days
        elif found := re.match(r"Which date is (\d+) months after", text):
            end = date.fromisoformat(str(item.gold))
            assert (end.year - days[0].year) * 12 + end.month - days[0].month == int(found[1])
            assert end.day == days[0].day or (end + timedelta(days=1)).day == 1
        elif found := re.search(r"Which date is (\d+) working days", text):
            end = date.fromisoformat(str(item.gold))
            span = [days[0] + timedelta(days=shift + 1) for shift in range((end - days[0]).days)]
            assert sum(day.isoweekday() < 6 for day in span) == int(found[1])
            assert end.isoweekday() < 6
        elif found := re.search(r"the last ([A-Z]\w+day) of (\w+) (\d{4})", text):
            end = date.fromisoformat(str(item.gold))
            assert f"{end:%A}" == found[1]
            assert (MONTHS[end.month - 1], end.year) == (found[2], int(found[3]))
            assert (end + timedelta(days=7)).month != end.month
        else:
            found = re.match(r"How many leap years are there from (\d+) to (\d+)", text)
            assert found is not None, text
            years = range(int(found[1]), int(found[2]) + 1)
            assert item.gold == sum(y % 4 == 0 and (y % 100 != 0 or y % 400 == 0) for y in years)
        checked[found[0].split()[0] if found else ""] += 1
    assert checked.total() == 400


FACTORS = {
    "millimetres": 1e-3, "centimetres": 1e-2, "metres": 1, "kilometres": 1e3, "inches": 0.0254, "feet": 0.3048,
    "yards": 0.9144, "miles": 1609.344, "grams": 1e-3, "kilograms": 1, "tonnes": 1e3, "pounds": 0.45359237,
    "ounces": 0.45359237 / 16, "seconds": 1, "minutes": 60, "hours": 3600, "days": 86400, "weeks": 604800,
    "millilitres": 1e-3, "centilitres": 1e-2, "litres": 1, "cubic metres": 1e3, "US gallons": 3.785411784,
}  # fmt: skip


def test_conversions_agree_with_a_table_of_factors() -> None:
    unit = "(" + "|".join(sorted(FACTORS, key=len, reverse=True)) + ")"
    singular = "(second|minute|hour|gram|kilogram|tonne|pound|ounce)"
    number = r"([\d.e+]+)"
    checked = 0
    for item in generate("units", 400, seed=5):
        text = item.question
        if found := re.match(f"How many {unit} are {number} {unit}\\?", text):
            value = float(found[2]) * FACTORS[found[3]] / FACTORS[found[1]]
        elif found := re.match(f"How many (square|cubic) {unit} are {number} (?:square|cubic) {unit}\\?", text):
            power = 2 if found[1] == "square" else 3
            value = float(found[3]) * (FACTORS[found[4]] / FACTORS[found[2]]) ** power
        elif found := re.match(f"Something moves at {number} {unit} per {singular}.* in {unit} per {singular}", text):
            speed = float(found[1]) * FACTORS[found[2]] / FACTORS[f"{found[3]}s"]
            value = speed / FACTORS[found[4]] * FACTORS[f"{found[5]}s"]
        elif found := re.match(f"A spice costs {number} euros per {singular}. What do {number} {unit}", text):
            value = float(found[1]) / FACTORS[f"{found[2]}s"] * float(found[3]) * FACTORS[found[4]]
        else:
            found = re.match(
                f"A tap gives {number} {unit} per {singular}. How many {unit} .* tank of {number} {unit}", text
            )
            assert found is not None, text
            rate = float(found[1]) * FACTORS[found[2]] / FACTORS[f"{found[3]}s"]
            value = float(found[5]) * FACTORS[found[6]] / rate / FACTORS[found[4]]
        assert item.gold == pytest.approx(value, rel=1e-6), text
        checked += 1
    assert checked == 400


def test_the_searches_of_planning_know_classic_answers() -> None:
    assert jug_steps((3, 5), 4) == 6
    assert jug_steps((4, 9), 6) == 8
    assert jug_steps((2, 4), 3) is None
    assert block_moves(frozenset({"AB"}), frozenset({"BA"})) == 2
    assert block_moves(frozenset({"ABC"}), frozenset({"CBA"})) == 3
    assert block_moves(frozenset({"CA", "B"}), frozenset({"CBA"})) == 3
    assert earliest({"a": 3, "b": 2, "c": 4}, {"a": [], "b": ["a"], "c": ["a"]}) == 7
    assert shortest({("A", "B"): 5, ("B", "C"): 1, ("A", "C"): 9}, "C", "A") == 6


def test_planning_problems_have_the_answers_found_another_way() -> None:
    seen: Counter[object] = Counter()
    for item in generate("planning", 200, seed=5):
        seen[item.meta["problem"]] += 1
        if item.meta["problem"] == "route":
            assert item.gold == by_relaxing(item.question)
        elif item.meta["problem"] == "schedule":
            assert item.gold == by_waiting(item.question)
        elif item.meta["problem"] == "jugs":
            sizes = tuple(int(size) for size in re.findall(r"(\d+) litres", item.question.partition(", all empty")[0]))
            target = numbers(item.question)[-1]
            assert item.gold == jug_steps(sizes, target)
            assert target % math.gcd(*sizes) == 0
    assert set(seen) == {"route", "schedule", "jugs", "blocks"}


def by_relaxing(text: str) -> float:
    roads = [(one, other, int(length)) for one, other, length in re.findall(r"([A-Z])-([A-Z]) (\d+)", text)]
    start, end = re.findall(r"from ([A-Z]) to ([A-Z])", text)[0]
    far = {start: 0.0}
    for _ in roads:
        for one, other, length in roads:
            for here, there in ((one, other), (other, one)):
                if here in far:
                    far[there] = min(far.get(there, math.inf), far[here] + length)
    return far[end]


def by_waiting(text: str) -> int:
    jobs = re.findall(r"([P-Z]) takes (\d+) days(?:, after ([P-Z](?: and [P-Z])*))?", text)
    left = {name: int(days) for name, days, _ in jobs}
    needs = {name: after.split(" and ") if after else [] for name, _, after in jobs}
    today = 0
    while left:
        working = [name for name in left if not any(need in left for need in needs[name])]
        for name in working:
            left[name] -= 1
        left = {name: days for name, days in left.items() if days}
        today += 1
    return today


def test_answers_to_order_logs_can_be_read_from_the_logs_again() -> None:
    for item in generate("extraction", 200, seed=5):
        orders = [read_order(line) for line in item.question.split("\n\n")[1].splitlines()]
        valid = [order for order in orders if not order["cancelled"]]
        text = item.question.split("\n\n")[2]
        if found := re.match(r"Who placed order (\d+)", text):
            assert [order["who"] for order in orders if order["number"] == found[1]] == [item.gold]
        elif found := re.match(r"Which customers have orders to (\w+)", text):
            assert {order["who"] for order in valid if order["city"] == found[1]} == set(item.gold)  # type: ignore[arg-type]
        elif found := re.match(r"How many pieces did (\w+)", text):
            assert sum(int(order["amount"]) for order in valid if order["who"] == found[1]) == item.gold
        elif found := re.match(r"How many euros are all orders to (\w+)", text):
            assert sum(int(order["price"]) for order in valid if order["city"] == found[1]) == item.gold
        else:
            found = re.match(r"How many orders are worth more than (\d+)", text)
            assert found is not None
            assert sum(int(order["price"]) > int(found[1]) for order in valid) == item.gold


def read_order(line: str) -> dict[str, str]:
    def first(pattern: str) -> str:
        found = re.search(pattern, line)
        assert found is not None, line
        return found[1]

    cities = "Porto|Turku|Graz|Lyon|Gdansk|Bergen|Split|Ghent"
    goods = "lamps|chairs|tents|clocks|ropes|kettles|scarves|maps|drums|bells"
    people = "Ito|Berg|Costa|Dahl|Eriks|Fuchs|Gomez|Haddad|Ivanov|Jansen|Kim|Lopez"
    return {
        "number": first(r"order (\d+)"),
        "who": first(rf"\b({people})\b"),
        "amount": first(rf"(\d+) (?:{goods})"),
        "city": first(rf"\b({cities})\b"),
        "price": first(r"(\d+) euros"),
        "cancelled": "yes" if "cancelled" in line else "",
    }


def test_three_questions_share_a_log_and_its_cluster() -> None:
    tasks = generate("extraction", 30, difficulty=2)
    logs: dict[str, set[str]] = {}
    for item in tasks:
        logs.setdefault(str(item.cluster), set()).add(item.question.split("\n\n")[1])
    assert len(logs) == 10
    assert all(len(texts) == 1 for texts in logs.values())
    assert tasks.clusters is not None


@pytest.mark.wire
async def test_reference_programs_pass_their_tests_and_broken_ones_do_not() -> None:
    scorer = Code(allow_code=True)
    for item in generate("coding", 15, seed=5):
        reference = str(item.meta["reference"])
        assert (await score(scorer, f"```python\n{reference}\n```", item)).value == 1, reference
        broken = reference.replace("    return ", "    numbers = numbers + [99]\n    return ", 1)
        assert (await score(scorer, broken, item)).value == 0
