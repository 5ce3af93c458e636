"""The words of the command line that become values: limits, context, the task, the model."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phalanx.errors import ValidationError
from phalanx.settings import nearest

from .failures import WrongUse

if TYPE_CHECKING:
    from phalanx.agents.models.model import Model
    from phalanx.runtime.limits import Limits
    from phalanx.teams.spec import MemberSpec, TeamSpec
    from phalanx.teams.team import AgentTeam


OF_ITS_MODEL: Mapping[str, object] = {
    "price": None, "provider_options": {}, "api_version": None, "organization": None, "timeout": None, "path": None,
}  # fmt: skip
"""What a member says of the model it was written for: how that is reached, what it costs, what only it knows."""


def read_limits(given: Sequence[str]) -> Limits | None:
    """Limits from words such as "usd=1" and "calls=20", or "calls=none" for no such limit; None when there are none.

    Raises WrongUse, naming the word and what would be right.
    """
    from phalanx.runtime.limits import Limits

    values: dict[str, Any] = {}
    for word in given:
        name, equals, value = (part.strip() for part in word.partition("="))
        if not equals or not value:
            raise WrongUse(f"--limit {word!r} has no value; write for example --limit usd=1 or --limit calls=20")
        if name not in Limits.model_fields:
            raise WrongUse(
                f"--limit {word!r}: there is no limit {name!r}{nearest(name, Limits.model_fields)}; "
                f"there are: {', '.join(Limits.model_fields)}"
            )
        if name in values:
            raise WrongUse(f"--limit {name} is given twice")
        values[name] = None if value.lower() == "none" else value.replace("_", "")
    for name, value in values.items():
        try:
            Limits(**{name: value})
        except ValidationError as problem:
            wrong = str(problem).rpartition(": ")[2]
            raise WrongUse(f"--limit {name}={value}: {wrong[0].lower()}{wrong[1:]}") from None
    return Limits(**values) if values else None


def read_context(given: str | None) -> str | None:
    """A context: the text itself, or with @FILE what stands in the file (@@ begins a text with one @).

    Raises OSError, or WrongUse when the file is not text.
    """
    if given is None or not given.startswith("@"):
        return given
    return given[1:] if given.startswith("@@") else _text(Path(given[1:]).read_bytes(), given[1:])


def read_task(given: str) -> str:
    """A task: the text itself, or with "-" what stdin holds. Raises WrongUse when that is not text."""
    return _text(sys.stdin.buffer.read(), "stdin") if given == "-" else given


def read_team(path: Path, model: str | None, api_base: str | None) -> AgentTeam:
    """The team in a file: TEAM.yaml, or FILE.py:NAME, the team of that name in a Python file.

    model: for every member, whatever the file names. api_base: where models are reached; with `model` for every
    member, else for those that name no address of their own.
    Raises SpecError for what is wrong with the file, OSError when it cannot be read, ConfigurationError for a model
    that nobody knows, WrongUse for a Python file without such a team.
    """
    from phalanx.teams.spec import load_team

    check_api_base(model, api_base)
    file, colon, name = str(path).rpartition(":")
    if file.endswith(".py") and colon:
        return team_like(_from_python(Path(file), name), model, api_base)
    if path.suffix == ".py":
        raise WrongUse(f"{str(path)!r} is a Python file: say which team in it, as {path}:NAME")
    return team_like(load_team(path), model, api_base)


def code_of(path: Path | None) -> str:
    """FILE.py:NAME, when that is how a team was given, so that no journal may hold it; else ''."""
    return str(path) if path is not None and str(path).rpartition(":")[0].endswith(".py") else ""


def team_like(team: AgentTeam, model: str | None, api_base: str | None) -> AgentTeam:
    """A team with another model or address for its members, as `read_team` says; the team itself with neither.

    Raises ValidationError when something else is wanted of a team that no file can hold.
    """
    from phalanx.teams.spec import spec_of

    check_api_base(model, api_base)
    if model is None and api_base is None:
        return team
    return _with_model(spec_of(team), model, api_base, None).build()


def check_api_base(model: str | None, api_base: str | None) -> None:
    """Raise WrongUse when an address makes no sense for the model."""
    if api_base is not None and not api_base.startswith(("http://", "https://")):
        raise WrongUse(f"--api-base {api_base!r} is no address; write for example http://127.0.0.1:8000/v1")
    if api_base is not None and model is not None and model.startswith("offline/"):
        raise WrongUse(f"--api-base: {model} is no server and has no address; leave --api-base out")


def one_model(model: str, api_base: str | None) -> Model:
    """A model by its name. Raises ConfigurationError for one that nobody knows."""
    from phalanx.agents.models.resolve import resolve

    return resolve(model, options={} if api_base is None else {"api_base": api_base})


def _with_model(spec: TeamSpec, model: str | None, api_base: str | None, around: str | None) -> TeamSpec:
    """A team whose members ask another model, or the same ones at another address; nested teams too.

    around: the model that the file names for the team around this one.
    """
    default = spec.model or around

    def changed(member: MemberSpec) -> MemberSpec:
        if member.team is not None:
            return member.model_copy(update={"team": _with_model(member.team, model, api_base, default)})
        own = member.model or (None if member.provider else default)
        if model is None:
            offline = (own or "").startswith("offline/")
            return member.model_copy(
                update={"model": own, "api_base": None if offline else member.api_base or api_base}
            )
        here: dict[str, object] = {"model": model, "provider": None, "api_base": api_base}
        if model != own:
            here |= OF_ITS_MODEL
        return member.model_copy(update=here)

    members = [changed(member) for member in spec.members]
    return spec.model_copy(update={"members": members, "model": model or spec.model})


def _from_python(file: Path, name: str) -> AgentTeam:
    """The team of a name in a Python file, which is run for it as `python FILE` would, but not as __main__."""
    import importlib.util

    from phalanx.teams.team import AgentTeam

    file.read_bytes()  # an OSError that names the file
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.parent.absolute()))
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    found = getattr(module, name, None)
    if not isinstance(found, AgentTeam):
        teams = [each for each, value in vars(module).items() if isinstance(value, AgentTeam)]
        raise WrongUse(f"{file} has no team {name!r}; it has: {', '.join(teams) or 'none'}")
    return found


def _text(raw: bytes, where: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise WrongUse(f"{where} is not UTF-8 text (byte {problem.start + 1}); convert it first") from None
