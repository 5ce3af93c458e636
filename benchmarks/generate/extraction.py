"""Text extraction: facts to be found in a generated order log. Questions about one log are one cluster."""

from __future__ import annotations

import random
from dataclasses import dataclass

from phalanx.benchmarks.tasks import TaskItem, TaskSet

from .draw import draw_about, item

PEOPLE = ["Ito", "Berg", "Costa", "Dahl", "Eriks", "Fuchs", "Gomez", "Haddad", "Ivanov", "Jansen", "Kim", "Lopez"]
GOODS = ["lamps", "chairs", "tents", "clocks", "ropes", "kettles", "scarves", "maps", "drums", "bells"]
CITIES = ["Porto", "Turku", "Graz", "Lyon", "Gdansk", "Bergen", "Split", "Ghent"]
SIZES = {1: 4, 2: 8, 3: 14, 4: 22, 5: 36}
WORDINGS = [
    "{who} placed order {number}: {what} for {price} euros, to be sent to {city}.",
    "In order {number}, {what} go to {city}; {who} pays {price} euros.",
    "For {price} euros, {who} had {what} shipped to {city} (order {number}).",
    "Under order {number}, {who} asked for {what}, destination {city}, total {price} euros.",
]
VALID = "Leave cancelled orders out."


@dataclass(frozen=True)
class Order:
    """One order, and how the log tells it."""

    number: int
    person: str
    amount: int
    goods: str
    city: str
    price: int
    cancelled: bool
    told: str


def extraction(n: int, *, seed: int = 0, difficulty: int | None = None) -> TaskSet:
    """Questions about order logs, three a log, whose `cluster` names the log; harder logs are longer.

    Answers are a name, a number or a set of names. Cancelled orders are to be left out.
    """
    return draw_about("extraction", _log, _question, n, each=3, seed=seed, difficulty=difficulty)


def _log(rng: random.Random, difficulty: int) -> list[Order]:
    people, cities = rng.sample(PEOPLE, 3 + difficulty), rng.sample(CITIES, 2 + difficulty)
    numbers = rng.sample(range(100, 1000), SIZES[difficulty])
    orders = []
    for place, number in enumerate(numbers):
        person, goods, city = rng.choice(people), rng.choice(GOODS), rng.choice(cities)
        amount, price = rng.randint(2, 40), rng.randint(10, 900)
        cancelled = place > 0 and rng.random() < 0.25
        told = rng.choice(WORDINGS).format(who=person, number=number, what=f"{amount} {goods}", city=city, price=price)
        told += " It was cancelled the same day." if cancelled else ""
        orders.append(Order(number, person, amount, goods, city, price, cancelled, told))
    return orders


def _question(rng: random.Random, log: list[Order]) -> TaskItem:
    text, gold, scorer = rng.choice([_who, _customers, _pieces, _total, _dearest])(rng, log)
    told = "\n".join(order.told for order in log)
    return item(f"Here is an order log.\n\n{told}\n\n{text}", gold, scorer)


Asked = tuple[str, str | int | tuple[str, ...], str]


def _who(rng: random.Random, log: list[Order]) -> Asked:
    order = rng.choice(log)
    return f"Who placed order {order.number}? Answer with the name.", order.person, "exact"


def _customers(rng: random.Random, log: list[Order]) -> Asked:
    city = rng.choice([order for order in log if not order.cancelled]).city
    names = sorted({order.person for order in log if order.city == city and not order.cancelled})
    return f"Which customers have orders to {city}? {VALID} List their names with commas.", tuple(names), "set"


def _pieces(rng: random.Random, log: list[Order]) -> Asked:
    person = rng.choice(log).person
    count = sum(order.amount for order in log if order.person == person and not order.cancelled)
    return f"How many pieces did {person} order in all? {VALID} Give the number.", count, "numeric"


def _total(rng: random.Random, log: list[Order]) -> Asked:
    city = rng.choice(log).city
    total = sum(order.price for order in log if order.city == city and not order.cancelled)
    return f"How many euros are all orders to {city} worth together? {VALID} Give the number.", total, "numeric"


def _dearest(rng: random.Random, log: list[Order]) -> Asked:
    floor = rng.randint(10, 300)
    count = sum(order.price > floor and not order.cancelled for order in log)
    return f"How many orders are worth more than {floor} euros? {VALID} Give the number.", count, "numeric"
