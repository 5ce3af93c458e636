"""What the words of the command line become: which model each member asks, at which address."""

from __future__ import annotations

from pathlib import Path

import pytest

from phalanx.agents.agent import Agent
from phalanx.cli.failures import WrongUse
from phalanx.cli.options import read_context, read_limits, read_team
from phalanx.messages import Price
from phalanx.runtime.limits import Limits
from phalanx.teams.team import AgentTeam
from tests.cli.teams import write

TEAM = """\
model: openai/house
members:
  - {name: plain, role: worker, price: {input: 1, output: 2}}
  - {name: own, role: worker, model: ollama/llama3, price: {input: 3, output: 4}, provider_options: {keep_alive: 5m}}
  - {name: away, role: worker, model: openai/house, api_base: "http://away/v1"}
  - {name: dice, role: worker, model: offline/simulated}
  - name: inner
    team:
      members: [{name: deep, role: worker}]
      formation: {kind: pipeline}
formation: {kind: parallel}
"""


def asked(team: AgentTeam) -> dict[str, tuple[object, object, Price | None]]:
    """Each agent's model, address and price, nested teams included."""
    found: dict[str, tuple[object, object, Price | None]] = {}
    for member in team.members:
        if isinstance(member.who, AgentTeam):
            found |= asked(member.who)
        elif isinstance(member.who, Agent):
            options = member.who.options.transport
            found[member.name] = (member.who.given_model, options.get("api_base"), member.who.price)
    return found


def test_a_model_is_asked_by_everybody_and_prices_of_other_models_are_forgotten(tmp_path: Path) -> None:
    team = read_team(write(tmp_path, TEAM), "openai/other", None)

    assert asked(team) == dict.fromkeys(["plain", "own", "away", "dice", "deep"], ("openai/other", None, None))


def test_the_files_own_model_keeps_its_price(tmp_path: Path) -> None:
    team = read_team(write(tmp_path, TEAM), "openai/house", "http://here/v1")

    assert asked(team)["plain"] == ("openai/house", "http://here/v1", Price(1, 2))
    assert asked(team)["deep"] == asked(team)["away"] == ("openai/house", "http://here/v1", None)
    assert asked(team)["own"] == ("openai/house", "http://here/v1", None)


def test_how_the_files_own_model_is_reached_is_forgotten_with_it_and_kept_with_it(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """\
model: azure/house
members:
  - {name: a, role: worker, timeout: 30, api_version: "2024-10-21", organization: us, path: general, top_p: 0.5}
formation: {kind: parallel}
""",
    )

    def said(model: str) -> dict[str, object]:
        agent = read_team(file, model, None).members[0].who
        assert isinstance(agent, Agent)
        return {**agent.options.transport, **agent.options.sampling}

    kept = {"timeout": 30.0, "api_version": "2024-10-21", "organization": "us", "path": "general"}
    assert said("azure/house") == {**kept, "top_p": 0.5}
    assert said("azure/other") == said("offline/simulated") == {"top_p": 0.5}


def test_an_address_alone_is_for_the_members_that_name_none_and_can_be_reached(tmp_path: Path) -> None:
    team = read_team(write(tmp_path, TEAM), None, "http://here/v1")

    assert asked(team) == {
        "plain": ("openai/house", "http://here/v1", Price(1, 2)),
        "own": ("ollama/llama3", "http://here/v1", Price(3, 4)),
        "away": ("openai/house", "http://away/v1", None),
        "dice": ("offline/simulated", None, None),
        "deep": ("openai/house", "http://here/v1", None),
    }


def test_limits_are_read_with_their_names() -> None:
    assert read_limits([]) is None
    assert read_limits(["usd=0.5", "calls = 1_000", "seconds=1e2"]) == Limits(usd=0.5, calls=1000, seconds=100)


@pytest.mark.parametrize("word", ["calls=1.5", "usd=nan", "usd=inf", "seconds=0", "concurrency=0", "calls=", "=1", ""])
def test_a_limit_that_cannot_be_is_refused_by_name(word: str) -> None:
    with pytest.raises(WrongUse, match="--limit"):
        read_limits([word])


def test_a_context_is_text_or_the_text_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "facts.txt"
    file.write_bytes("\ufeffgrün".encode())

    assert read_context(None) is None
    assert read_context("plain @home") == "plain @home"
    assert read_context("@@home") == "@home"
    assert read_context(f"@{file}") == "grün"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(WrongUse, match="UTF-8"):
        read_context(f"@{file}")
