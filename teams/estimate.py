"""What a task will cost at most, before any of it is spent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from phalanx.agents.agent import Agent
from phalanx.agents.models.model import is_free, price
from phalanx.agents.models.resolve import NoModel
from phalanx.agents.prompts import Prompts
from phalanx.agents.task import Task
from phalanx.formations.base import UNDECIDED, FormationModel
from phalanx.messages import Price, Usage, estimate_tokens
from phalanx.runtime.blocking import run_blocking

from .prompt_size import Sizes, around, template

if TYPE_CHECKING:
    from .team import AgentTeam

# A board shows an entry in no less than 8 tokens of its budget; behind a fence it may take four times as much.
FENCED = 4


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
    return _Reckoning().of(team, estimate_tokens(task.render(team.prompts)), team.prompts, None)


class _Reckoning:
    """Adds up a team and the teams in it; looks the price of each agent's model up once."""

    def __init__(self) -> None:
        self.prices: dict[int, Price | None] = {}

    def of(self, team: AgentTeam, task: int, words: Prompts, default: AgentTeam | None) -> Estimate:
        """A team's worst case.

        task: the tokens of its task. words: the prompts it speaks. default: the nearest team with a model.
        """
        if team.given_model is not None or default is None:
            default = team
        plan = team.plan()
        members = {member.name: member for member in team.members}
        longest = max(_longest(each.who) for each in team.members)
        formation: FormationModel = team.formation
        board = FENCED * formation.board_tokens
        has_past = team.board is not None
        sizes = Sizes(words, team.members, formation.stages, task, longest, board, has_past)
        total, money = Usage(), 0.0
        unknown = False
        by_member: dict[str, tuple[int, int]] = {}
        for asking in plan:
            member, prompt = members[asking.member], sizes.prompt(asking)
            if isinstance(member.who, Agent):
                spoken = member.who.prompts.over(words)
                more = around(member.who, member, spoken, sizes.shape(asking))
                usage = Usage(1, prompt + more, member.who.max_tokens)
                known = self._price(member.who, default)
                cost = None if known is None else known.of(usage)
            else:
                inner: AgentTeam = member.who  # type: ignore[assignment]
                inside = inner.prompts.over(words)
                part = self.of(inner, template(inside, "task", {"task": prompt}), inside, default)
                usage, cost = Usage(part.calls, part.tokens), part.usd
            total += usage
            calls, tokens = by_member.get(asking.member, (0, 0))
            by_member[asking.member] = (calls + usage.calls, tokens + usage.tokens)
            unknown = unknown or cost is None
            money += cost or 0.0
        return Estimate(total.calls, total.tokens, None if unknown else money, by_member)

    def _price(self, agent: Agent, default: AgentTeam) -> Price | None:
        """What an agent's model costs; None when that, or the model itself, is not known."""
        if id(agent) in self.prices:
            return self.prices[id(agent)]

        async def look_up() -> Price | None:
            try:
                model = await agent.model_or(await default.default_model() if agent.needs_model else None)
            except NoModel:
                return None
            return Price(0.0, 0.0) if is_free(model) else await price(model)

        found = self.prices[id(agent)] = run_blocking(look_up)
        return found


def _longest(who: object) -> int:
    """The longest answer a member can give, in tokens: for a team, by how its formation makes one of many."""
    if isinstance(who, Agent):
        return who.max_tokens
    team: AgentTeam = who  # type: ignore[assignment]
    lengths = {member.name: _longest(member.who) for member in team.members}
    formation = team.formation
    if isinstance(formation, FormationModel):
        return formation.longest(lengths, team.members)
    return max(*lengths.values(), UNDECIDED)
