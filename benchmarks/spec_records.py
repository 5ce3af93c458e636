"""Recorded answers in the file of a benchmark: `systems: {vote of 5: {recorded: {samples: 5, rule: plurality}}}`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from phalanx.agents.models.recorded import Said
from phalanx.errors import ValidationError

from .recorded import Recorded
from .recordings import RecordedAnswer, read_answers
from .spec_forms import RecordedSpec, RecordedVoteSpec
from .tasks import TaskSet


@dataclass(frozen=True)
class Records:
    """The recorded answers that systems of one file are made of; files are read once, however many systems use them.

    here: the folder that paths are relative to. usual: the benchmark's own recordings, for systems that name none.
    """

    here: Path
    usual: RecordedSpec | None
    _read: dict[tuple[tuple[str, ...], Said, str], list[RecordedAnswer]] = field(default_factory=dict)

    def system(self, spec: RecordedVoteSpec, tasks: TaskSet) -> Recorded:
        """The system that `spec` asks for, checked against the `tasks` that it is to answer.

        Raises ValidationError where no files are named, for what cannot be read, and for a task without answers.
        """
        usual = self.usual
        files = spec.files if spec.files is not None or usual is None else usual.files
        if files is None:
            raise ValidationError("recorded answers come from files: name them here, or as the benchmark's `recorded`")
        say = spec.say or (usual.say if usual is not None else "text")
        parsed = spec.parsed or (usual.parsed if usual is not None else "parsed")
        key = (tuple(files), say, parsed)
        if key not in self._read:
            self._read[key] = read_answers([self.here / each for each in files], say=say, parsed=parsed)
        made = Recorded(
            self._read[key], rule=spec.rule, equivalence=spec.equivalence, voters=spec.voters, samples=spec.samples,
            rounds=spec.rounds,
        )  # fmt: skip
        made.check(tasks)
        return made
