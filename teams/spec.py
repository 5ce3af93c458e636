"""A team in a YAML file: it mirrors the constructors one to one, and round-trips.

    name: review
    model: openai/gpt-4o-mini
    members:
      - {name: ada, role: lead}
      - {name: bob, role: coder, instructions: Write small functions., model: ollama/llama3.2}
    formation: {kind: hierarchical, max_stalls: 3}
    limits: {usd: 0.50, seconds: 600}

`form` says what may stand in it, `writing` what cannot; `team.schema.json` is the same for editors.
"""

from __future__ import annotations

from pathlib import Path

import pydantic

from phalanx.errors import SpecError

from .form import MemberSpec as MemberSpec
from .form import TeamSpec as TeamSpec
from .mistakes import as_spec_error
from .schema import json_schema as json_schema
from .team import AgentTeam
from .writing import facts_of
from .writing import spec_of as spec_of
from .yaml_file import read_yaml, write_yaml


def load_team(path: str | Path) -> AgentTeam:
    """The team in a YAML file.

    path: the file's. Raises SpecError, with file, line and field, for whatever is wrong with it; OSError when it
    cannot be read.
    """
    text = Path(path).read_bytes()
    return parse_team(text, file=str(path))


def parse_team(text: str | bytes, *, file: str | None = None) -> AgentTeam:
    """The team in a YAML text.

    text: the YAML. file: what errors call it. Raises SpecError, with line and field, for whatever is wrong with it.
    """
    if not isinstance(text, str | bytes):
        raise SpecError(f"a team's YAML is text, not {type(text).__name__}; {_FROM_FILE}", file=file)
    document = read_yaml(text, file=file)
    if not isinstance(document.value, dict):
        hint = f"; {_FROM_FILE}" if file is None and isinstance(text, str) and _is_name(text) else ""
        raise SpecError(f"a team file holds a mapping with 'members' and 'formation'{hint}", file=file, line=1)
    try:
        spec = TeamSpec.model_validate(document.value)
    except pydantic.ValidationError as problem:
        raise as_spec_error(problem.errors(), document) from None
    try:
        return spec.build()
    except ValueError as problem:
        raise SpecError(str(problem), file=file, line=document.line_of(_about(str(problem), spec))) from problem


_FROM_FILE = "from_yaml and parse_team take the text itself, phalanx.teams.spec.load_team(path) reads a file"


def _is_name(text: str) -> bool:
    return text.strip().endswith((".yaml", ".yml")) and "\n" not in text.strip()


def to_yaml(team: AgentTeam) -> str:
    """A team as YAML that `parse_team` reads again.

    team: the team. Raises ValidationError, naming it, for what a file cannot hold; `spec_of` says what that is.
    """
    return write_yaml(facts_of(spec_of(team)))


def _about(problem: str, spec: TeamSpec) -> tuple[str | int, ...]:
    """The path of the member that a problem names, if it names one."""
    for at, member in enumerate(spec.members):
        if member.name and repr(member.name) in problem:
            return ("members", at)
    return ()
