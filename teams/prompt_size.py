"""How long a prompt can get: every part of it that can be known before the run, and the most of the rest.

Sizes are in tokens as `estimate_tokens` counts them, so they add up to no less than what a request is counted as.
"""

from __future__ import annotations

import json
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from phalanx.agents.agent import Agent
from phalanx.agents.prompts import SLOTS, Prompts
from phalanx.agents.tools.tool import spec_of
from phalanx.formations.base import Asking, Member, Stage
from phalanx.messages import estimate_tokens

# What stands around a text that is shown as data, without the name it is shown under.
FENCE = 40
# The most that the JSON schema of a formation's own shape takes without the names in it.
SCHEMA = 300


@dataclass(frozen=True)
class Sizes:
    """What prompts in one team are made of.

    stages: how the formation asks. task: the task. longest: the longest answer that a member can give. board: the
    most that is shown of the board; has_past: there may be more on it than this run's answers.
    """

    words: Prompts
    members: Sequence[Member]
    stages: Mapping[str, Stage]
    task: int
    longest: int
    board: int
    has_past: bool

    @cached_property
    def label(self) -> int:
        """The longest name that somebody's text is shown under."""
        return 20 + max(_quoted(f"{each.name} {each.role.name}") for each in self.members)

    @cached_property
    def roster(self) -> int:
        """The list of all members, with their duties and skills."""
        return sum(
            estimate_tokens(f"- {each.name} ({each.role.name}): {each.role.described_duty} Knows: .\n")
            + estimate_tokens(", ".join(each.skills))
            for each in self.members
        )

    def prompt(self, asking: Asking) -> int:
        """What a member is told when it is asked, its system message aside."""
        slots = self.stages[asking.stage].slots
        most = max(self._filled(slot, asking.reads) for slot in slots)
        return most + (self._filled("answer_line", 0) if "draft" in slots else 0)

    def shape(self, asking: Asking) -> int:
        """What the shape of an answer adds to a request: its schema, in words and as such."""
        if not self.stages[asking.stage].shaped:
            return 0
        names = self.roster + 8 * asking.reads
        return 2 * (SCHEMA + names) + self._filled("shape", 0) + 16

    def _filled(self, slot: str, reads: int) -> int:
        one = self.longest + self.label + FENCE
        values = {
            "task": self.task, "roster": self.roster, "author": self.label, "stubbornness": 40,
            "answer": one, "objection": one, "own": one, "assignment": one, "peers": max(0, reads - 1) * one,
            "board": self.board if self.has_past else min(reads * one, self.board),
        }  # fmt: skip
        if slot == "assignment":
            values["inputs"] = self._filled("inputs", reads - 1)
        if slot in ("revise", "exchange"):
            values["contract"] = self._filled("answer_line", 0)
        # Whatever else there is holds all that is read, or is told apart by the asking's own stage.
        return template(self.words, slot, {**dict.fromkeys(_fields(slot), reads * one), **values})


def template(words: Prompts, slot: str, values: Mapping[str, int]) -> int:
    """A slot's text with values of these sizes in it, as often as it asks for them."""
    parts = string.Formatter().parse(words.overrides.get(slot) or SLOTS[slot])
    return sum(estimate_tokens(text) + (values[name] if name else 0) for text, name, _, _ in parts)


def around(agent: Agent, member: Member, words: Prompts, shape: int) -> int:
    """What an agent's request holds besides the prompt: its role card, its tools, the shape of its answer.

    shape: the size of the formation's own shape; 0 when the agent's own applies.
    """
    box = agent.tools if member.role.tools is None else agent.tools.allowed(member.role.tools)
    total = 16 + estimate_tokens(agent.system_prompt(member.role, words, box)) + shape
    if agent.shape is not None and not shape:
        text = estimate_tokens(agent.shape.text)
        total += template(words, "shape", {"schema": text}) + estimate_tokens(str(agent.shape.spec.schema_)) + 16
    if box.tools:
        tools = [spec_of(tool) for tool in box.tools.values()]
        native = sum(16 + estimate_tokens(each.name + each.description + str(each.parameters)) for each in tools)
        told = sum(2 + estimate_tokens(each.model_dump_json()) + _escaped(each.model_dump_json()) for each in tools)
        total += max(native, template(words, "text_tools", {"tools": told}))
    return total


def _escaped(text: str) -> int:
    """How much longer a text becomes when JSON writes its characters out."""
    return 4 * sum(not character.isascii() for character in text)


def _quoted(name: str) -> int:
    return estimate_tokens(json.dumps(name, ensure_ascii=False)) + 2


def _fields(slot: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(SLOTS[slot]) if name is not None}
