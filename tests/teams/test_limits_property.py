"""For any tree of teams, prices and scheduling: no limit is overdrawn, nothing paid is lost, nothing stays held."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx import Agent, AgentTeam, LimitExceeded, Limits, Price, TeamError, TeamResult, limits
from phalanx.errors import ProviderTimeout, RateLimited
from phalanx.messages import Completion, Request, Usage, estimate_request
from phalanx.runtime.limits import Account
from tests.clock import backend


@dataclass
class Bank:
    """All models of one example: it knows what was really paid, and how far each call's estimate was off."""

    chance: random.Random
    honest: bool = True
    calls: int = 0
    tokens: int = 0
    usd: float = 0.0
    error_tokens: int = 0
    error_usd: float = 0.0
    answers: list[str] = field(default_factory=list)


class Teller:
    """A model with a price of its own; its prompts may take more tokens than anybody estimated."""

    def __init__(self, bank: Bank, price: Price, name: str) -> None:
        self.bank, self._price, self.name = bank, price, name

    async def price(self) -> Price:
        return self._price

    async def complete(self, request: Request, /) -> Completion:
        bank, chance = self.bank, self.bank.chance
        bank.calls += 1
        fate = chance.random()
        await anyio.sleep(chance.choice([0, 0, 0.5, 1, 3]))
        if fate < 0.05:
            raise RateLimited("slow down", model=self.name)
        estimated = estimate_request(request)
        read = chance.randint(1, estimated) if bank.honest else chance.randint(1, 2 * estimated)
        written = chance.randint(1, request.max_tokens or 1)
        paid = Usage(1, read, written).priced(self._price)
        bank.tokens += paid.tokens
        bank.usd += paid.known_cost
        over = max(0, read - estimated)
        bank.error_tokens += over
        bank.error_usd += self._price.of(Usage(1, over))
        if fate < 0.1:
            raise ProviderTimeout("too late", model=self.name)
        text = f"answer {len(bank.answers)} of {request.about.member}"
        bank.answers.append(text)
        return Completion(text=text, usage=paid)


prices = st.builds(Price, st.sampled_from([0.1, 1.0, 7.5]), st.sampled_from([0.4, 10.0, 30.0]))
some_limits = st.one_of(
    st.none(),
    st.builds(
        Limits,
        calls=st.one_of(st.none(), st.integers(0, 12)),
        tokens=st.one_of(st.none(), st.integers(0, 6000)),
        usd=st.one_of(st.none(), st.floats(0, 0.02)),
        concurrency=st.one_of(st.none(), st.integers(1, 3)),
    ),
)
leaf = st.fixed_dictionaries({"price": prices, "limits": some_limits, "max_tokens": st.integers(1, 300)})
tree = st.recursive(
    leaf,
    lambda inner: st.fixed_dictionaries(
        {"kind": st.sampled_from(["parallel", "pipeline", "debate"]), "limits": some_limits,
         "members": st.lists(inner, min_size=2, max_size=4)}
    ),
    max_leaves=8,
).filter(lambda node: "members" in node)  # fmt: skip


def build(node: dict[str, object], bank: Bank, name: str, teams: list[AgentTeam]) -> Agent | AgentTeam:
    given = node["limits"]
    assert given is None or isinstance(given, Limits)
    if "members" not in node:
        price, most = node["price"], node["max_tokens"]
        assert isinstance(price, Price)
        assert isinstance(most, int)
        return Agent("worker", name=name, model=Teller(bank, price, f"bank/{name}"), max_tokens=most, limits=given)
    inner = node["members"]
    assert isinstance(inner, list)
    members = [build(each, bank, f"{name}{at}", teams) for at, each in enumerate(inner)]
    match node["kind"]:
        case "parallel":
            team = AgentTeam.parallel(members, quorum=1, name=name, limits=given)
        case "pipeline":
            team = AgentTeam.pipeline(members, name=name, limits=given)
        case _:
            team = AgentTeam.debate(members, rounds=1, trigger="always", quorum=1, name=name, limits=given)
    teams.append(team)
    return team


@settings(max_examples=150, deadline=None)
@given(node=tree, seed=st.integers(0, 10**6), honest=st.booleans(), outer=some_limits, trio=st.booleans())
def test_no_limit_is_overdrawn_nothing_paid_is_lost_and_nothing_stays_held(
    node: dict[str, object], seed: int, honest: bool, outer: Limits | None, trio: bool
) -> None:
    bank = Bank(random.Random(seed), honest)
    team = build(node, bank, "t", [])
    assert isinstance(team, AgentTeam)
    accounts: list[Account] = []
    given_outer = outer or Limits(calls=10**6)

    async def run() -> TeamResult | None:
        with limits(given_outer.model_copy(update={"concurrency": given_outer.concurrency})) as account:
            accounts.append(account)
            try:
                return await team.run("Go.")
            except (LimitExceeded, TeamError) as failure:
                found = getattr(failure, "result", None)
                return found if isinstance(found, TeamResult) else None

    name, options = backend("trio" if trio else "asyncio")
    result = anyio.run(run, backend=name, backend_options=options)

    (account,) = accounts
    assert account.held_tokens == account.held_usd == 0, "something stays held"
    if given_outer.calls is not None:
        assert bank.calls <= given_outer.calls
    if given_outer.tokens is not None:
        assert bank.tokens <= given_outer.tokens + bank.error_tokens
    if given_outer.usd is not None:
        assert bank.usd <= given_outer.usd + bank.error_usd + 1e-9
    if result is not None:
        assert result.usage.calls == bank.calls
        everything = "\n".join(outcome.text for outcome in result.walk())
        assert all(answer in everything for answer in bank.answers), "a paid answer is lost"
