"""A judge in the file of a benchmark: `scorer: {kind: judge, model: openai/gpt-4o, judges: 3, rubric: …}`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from phalanx.agents.agent import Agent
from phalanx.errors import PhalanxError
from phalanx.messages import Data
from phalanx.teams.form import MemberSpec

from .judging import By, Judge


class JudgeSpec(Data):
    """A judge that scores.

    model: who judges, and judges: how often it sits; or panel: different judges, each as a member of a team is
    written, those without a model of their own with `model`. by, rubric, reference, undecided, prompts: as `Judge` has
    them.
    """

    kind: Literal["judge"]
    model: str | None = None
    judges: int = Field(default=1, ge=1, le=99)
    panel: list[MemberSpec] = []
    by: By | None = None
    rubric: str = ""
    reference: bool = True
    undecided: float = Field(default=0.5, ge=0, le=1)
    prompts: dict[str, str] = {}

    @model_validator(mode="after")
    def _fits(self) -> JudgeSpec:
        if self.panel and self.judges != 1:
            raise ValueError("judges says how often one model sits; leave it out beside panel")
        if self.model is None and (not self.panel or any(each.model is None for each in self.panel)):
            raise ValueError(
                "a judge needs a model of its own, best another one than those it judges: {kind: judge, model: "
                "provider/name}"
            )
        try:
            self.build()
        except PhalanxError as problem:
            raise ValueError(str(problem)) from None
        return self

    def build(self) -> Judge:
        """The scorer. Raises ValidationError or ConfigurationError when it cannot be one."""
        who: str | list[str | Agent] = self.model or ""
        if self.panel:
            who = []
            for at, each in enumerate(self.panel):
                given = {"name": f"judge_{at + 1}", "role": "judge", "model": self.model}
                filled = {name: value for name, value in given.items() if getattr(each, name) is None}
                built = each.model_copy(update=filled).build()
                if not isinstance(built, Agent):
                    raise ValueError("a team cannot sit on a panel of judges; name its members")
                who.append(built)
        return Judge(
            who, judges=self.judges, by=self.by, rubric=self.rubric, reference=self.reference,
            undecided=self.undecided, prompts=self.prompts,
        )  # fmt: skip
