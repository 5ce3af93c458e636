"""What a task will cost at most, before any of it is spent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from phalanx.agents.agent import Agent
from phalanx.agents.models.model import is_free, price
from phalanx.agents.task import Task
from phalanx.messages import Usage, estimate_tokens
from phalanx.runtime.blocking import run_blocking

if TYPE_CHECKING:
    from .team import AgentTeam

# What a formation's own words in a prompt come to at most, in tokens.
WORDS = 400


@dataclass(frozen=True)
class Estimate:
    """The most that a task costs when every member answers in one call: no tools, no repairs, no retries.

    calls: model calls. tokens: upper estimates of the prompts, and `max_tokens` for every answer. usd: US dollars at
    the models' prices, None if one is not known. by_member: (calls, tokens) by member, nested teams' as one.
    """

    calls: int
    tokens: int
    usd: float | None
    by_member: dict[str, tuple[int, int]]

    def __str__(self) -> str:
        money = "unknown cost" if self.usd is None else f"at most {self.usd:.6g} USD"
        return f"{self.calls} calls, at most {self.tokens} tokens, {money}"


def estimate(team: AgentTeam, task: Task) -> Estimate:
    """The worst case of a team's task; see Estimate.

    Looking a price up loads LiteLLM's price map once. Raises ConfigurationError for a formation that is the user's
    own function.
    """
    total, money, by_member = _worst(team, estimate_tokens(task.text))
    return Estimate(total.calls, total.tokens, money, by_member)


def _worst(team: AgentTeam, task_tokens: int) -> tuple[Usage, float | None, dict[str, tuple[int, int]]]:
    total, money = Usage(), 0.0
    known = True
    by_member: dict[str, tuple[int, int]] = {}
    longest = max((_longest(member.who) for member in team.members), default=0)
    members = {member.name: member.who for member in team.members}
    for asking in team.plan():
        who = members[asking.member]
        prompt = task_tokens + WORDS + asking.reads * (longest + 40)
        if isinstance(who, Agent):
            usage, cost = _one_call(team, who, prompt)
        else:
            usage, cost, _ = _worst(who, prompt)  # type: ignore[arg-type]
        total += usage
        calls, tokens = by_member.get(asking.member, (0, 0))
        by_member[asking.member] = (calls + usage.calls, tokens + usage.tokens)
        if cost is None:
            known = False
        else:
            money += cost
    return total, money if known else None, by_member


def _one_call(team: AgentTeam, agent: Agent, prompt: int) -> tuple[Usage, float | None]:
    usage = Usage(1, prompt + estimate_tokens(agent.system_prompt()) + 16, agent.max_tokens)

    async def look_up() -> float | None:
        model = await agent.model_or(await team.default_model())
        if is_free(model):
            return 0.0
        known = await price(model)
        return None if known is None else known.of(usage)

    return usage, run_blocking(look_up)


def _longest(who: object) -> int:
    """The longest answer a member can give, in tokens."""
    if isinstance(who, Agent):
        return who.max_tokens
    return max((_longest(member.who) for member in getattr(who, "members", ())), default=0)
