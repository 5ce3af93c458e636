"""The words of the command line that become values: limits, context, the task, the model."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from phalanx.settings import nearest

from .failures import WrongUse

if TYPE_CHECKING:
    from phalanx.agents.models.model import Model
    from phalanx.runtime.limits import Limits
    from phalanx.teams.spec import MemberSpec, TeamSpec
    from phalanx.teams.team import AgentTeam


def read_limits(given: Sequence[str]) -> Limits | None:
    """Limits from words such as "usd=1" and "calls=20"; None when there are none.

    Raises WrongUse, naming the word and what would be right.
    """
    import pydantic

    from phalanx.runtime.limits import Limits

    values: dict[str, str] = {}
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
        values[name] = value.replace("_", "")
    try:
        return Limits.model_validate(values) if values else None
    except pydantic.ValidationError as problem:
        wrong = problem.errors()[0]
        name = str(wrong["loc"][0])
        raise WrongUse(f"--limit {name}={values[name]}: {wrong['msg'][0].lower()}{wrong['msg'][1:]}") from None


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
    """The team in a file.

    model: for every member, whatever the file names. api_base: where models are reached; with `model` for every
    member, else for those that name no address of their own.
    Raises SpecError for what is wrong with the file, OSError when it cannot be read, ConfigurationError for a model
    that nobody knows.
    """
    from phalanx.teams.spec import load_team, spec_of

    check_api_base(model, api_base)
    team = load_team(path)
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
            # A price and options that only another provider knows belong to the model they were written for.
            here |= {"price": None, "provider_options": {}}
        return member.model_copy(update=here)

    members = [changed(member) for member in spec.members]
    return spec.model_copy(update={"members": members, "model": model or spec.model})


def _text(raw: bytes, where: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise WrongUse(f"{where} is not UTF-8 text (byte {problem.start + 1}); convert it first") from None
