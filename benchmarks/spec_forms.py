"""The parts of a benchmark's file: where tasks, answers and systems come from."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from phalanx.agents.models.recorded import Said
from phalanx.formations.rule_field import RuleField
from phalanx.formations.voting import Equivalence
from phalanx.messages import Data
from phalanx.teams.form import MemberSpec, TeamSpec


class ColumnSpec(Data):
    """Which column of a row holds what; None takes the usual names."""

    question: str | None = None
    gold: str | None = None
    id: str | None = None
    cluster: str | None = None
    choices: str | None = None
    difficulty: str | None = None
    scorer: str | None = None


class GeneratedSpec(Data):
    """A generated task set: its kind, how many items, their seed, one difficulty (1 to 5) or all in turn."""

    kind: str
    n: int = Field(default=100, ge=1)
    seed: int = 0
    difficulty: int | None = None


class HubSpec(Data):
    """A data set of the Hugging Face hub; fix the revision to have the same questions tomorrow."""

    name: str
    split: str = "test"
    config: str | None = None
    revision: str | None = None


class TaskSpec(Data):
    """Where the questions come from: a file, a generator or a hub, exactly one of them.

    columns: which column holds what. sample: at most so many of them, drawn by the benchmark's seed.
    """

    file: str | None = None
    generated: GeneratedSpec | None = None
    hub: HubSpec | None = None
    columns: ColumnSpec = ColumnSpec()
    sample: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_source(self) -> TaskSpec:
        if sum(each is not None for each in (self.file, self.generated, self.hub)) != 1:
            raise ValueError("tasks come from one of file, generated and hub")
        return self


class SimulateSpec(Data):
    """Members without a model of their own are simulated: what they know and how they take the work of others.

    The fields are those of SimulatedModel that a file can hold.
    """

    skill: float | dict[str, float] = 0.6
    correlation: float = 0.0
    distractor: float | None = None
    revise_right: float = 0.0
    revise_wrong: float = 0.0
    stubbornness: float = 0.0
    sycophancy: float = 0.0
    judge_skill: float = 0.8
    abstain: float = 0.0
    unparseable: float = 0.0
    output_tokens: int | None = None
    seed: int = 0


class RecordedSpec(Data):
    """Members without a model of their own give recorded answers: files of JSON lines, as RecordedModel reads them.

    say, parsed, members: as there.
    """

    files: list[str] = Field(min_length=1)
    say: Said = "text"
    parsed: str = "parsed"
    members: dict[str, str] = {}


class RecordedVoteSpec(Data):
    """Recorded answers as a system: those of `files` (default: of the benchmark's own `recorded`), counted by `rule`.

    say, parsed, rule, equivalence, voters, samples, rounds: as `Recorded.from_jsonl` has them.
    """

    files: list[str] | None = Field(default=None, min_length=1)
    say: Said | None = None
    parsed: str | None = None
    rule: RuleField = None
    equivalence: Equivalence | None = None
    voters: list[str] | None = None
    samples: int | None = Field(default=None, ge=1)
    rounds: int | None = Field(default=None, ge=0)

    @field_validator("files", mode="before")
    @classmethod
    def _one_is_enough(cls, files: object) -> object:
        return [files] if isinstance(files, str) else files


class SystemSpec(Data):
    """A system: an agent; a team, here or in a file of its own (a path); or recorded answers."""

    agent: MemberSpec | None = None
    team: TeamSpec | str | None = None
    recorded: RecordedVoteSpec | None = None
