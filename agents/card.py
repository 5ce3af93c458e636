"""Who an agent is, in the words that its model is told first: role card, skills, instructions, the date."""

from __future__ import annotations

import datetime
import time
from typing import TYPE_CHECKING

from .prompts import Prompts
from .role import Role
from .tools.box import ToolBox

if TYPE_CHECKING:
    from .agent import Agent


def card(agent: Agent, role: Role, words: Prompts, box: ToolBox, now: float | None) -> str:
    """The system message of an agent in a role, with these tools, in these words.

    now: seconds since the epoch, for the date that an agent with a time zone is told; None is the present.
    """
    skills = (*role.skills, *box.skills)
    extra = [agent.instructions, box.notes, agent.options.answer_format]
    if agent.timezone is not None:
        moment = time.time() if now is None else now
        import zoneinfo  # only where a zone is set

        date = datetime.datetime.fromtimestamp(moment, zoneinfo.ZoneInfo(agent.timezone))
        extra.append(f"It is {date:%A, %Y-%m-%d %H:%M} in {agent.timezone}.")
    rest = "\n\n".join(part for part in extra if part)
    return words(
        "role",
        name=agent.name,
        role=role.name,
        duty=role.described_duty,
        skills=f"\nYou know: {', '.join(skills)}." if skills else "",
        instructions=f"\n\n{rest}" if rest else "",
        data_notice=words("data_notice"),
    )
