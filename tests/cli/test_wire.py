"""`phalanx run` over HTTP, through the real LiteLLM, in each formation."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from phalanx.cli.init import KINDS, text_of
from tests.cli.command import Done, phalanx, several
from tests.cli.teams import LONE, write
from tests.teams.any_team import filled
from tests.wire.servers import Received, Reply, refused_url, serve

pytestmark = pytest.mark.wire

PLAN = {"assignments": [{"id": "a1", "worker": "bob", "task": "find it", "depends_on": []},
                        {"id": "a2", "worker": "cleo", "task": "doubt it", "depends_on": ["a1"]}]}  # fmt: skip
REVIEW = {"done": True, "assignments": []}


def member(request: Received) -> Reply:
    """A model that plans when it is asked for assignments, fills in whatever form it is given, and else answers 42."""
    told = json.dumps(request.body["messages"])
    if "Split the task into assignments" in told:
        return Reply(text=json.dumps(PLAN))
    if "Review them" in told:
        return Reply(text=json.dumps(REVIEW))
    if (shape := shape_of(request)) is not None:
        form = filled(shape, shape.get("$defs", {}), told)
        assert isinstance(form, dict)
        agreeing = {"accepted": True} if "accepted" in form else {}
        return Reply(text=json.dumps(form | agreeing))
    return Reply(text="Answer: 42")


def shape_of(request: Received) -> Mapping[str, Any] | None:
    """The JSON schema that an answer must fit, if there is one."""
    form = request.body.get("response_format")
    if isinstance(form, dict) and "json_schema" in form:
        schema: Mapping[str, Any] = form["json_schema"]["schema"]
        return schema
    messages = request.body["messages"]
    assert isinstance(messages, list)
    told = str(messages[0]["content"])
    if (found := re.search(r"fits this JSON schema[^\n]*\n(?=\{)", told)) is None:
        return None
    read: Mapping[str, Any] = json.JSONDecoder().raw_decode(told, found.end())[0]
    return read


@dataclass(frozen=True)
class Ran:
    """How a run ended, and what its team sent."""

    done: Done
    requests: tuple[Received, ...]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """A run of the starter team of each formation, over HTTP."""
    folder = tmp_path_factory.mktemp("formations")
    for formation in KINDS:
        write(folder, text_of(formation, folder), f"{formation}.yaml")
    with serve("openai", member) as server:
        asked = ("-m", "openai/gpt-4o-mini", "--api-base", server.url, "--json", "--limit", "usd=0.5")
        runs = [("run", f"{formation}.yaml", f"What is 6 * 7, in {formation}?", *asked) for formation in KINDS]
        ended = several(*runs, cwd=folder)
    sent = {kind: tuple(each for each in server.requests if f"in {kind}?" in str(each.body)) for kind in KINDS}
    return {kind: Ran(done, sent[kind]) for kind, done in zip(KINDS, ended, strict=True)}


@pytest.mark.parametrize("formation", KINDS)
def test_a_starter_team_of_each_formation_runs_over_http(formation: str, ran: dict[str, Ran]) -> None:
    done, requests = ran[formation].done, ran[formation].requests

    facts = json.loads(done.out)
    assert done.code == 0, done.err
    assert "Answer: 42" in facts["text"] or facts["text"] == "42" or formation in ("panel", "handoff")
    assert facts["usage"]["calls"] == len(requests) > 1
    if formation in ("consensus", "vote"):
        # What is still running is cancelled when it is decided: nobody knows what the provider takes for that.
        assert facts["usage"]["unpriced_calls"] > 0 or facts["usage"]["input_tokens"] == 11 * len(requests)
    else:
        assert facts["usage"]["input_tokens"] == 11 * len(requests)
        assert 0 < facts["cost"] < 0.5
    assert facts["models"] == ["openai/gpt-4o-mini"]
    assert all(request.path == "/v1/chat/completions" for request in requests)


def test_an_address_without_a_model_is_where_the_files_model_is_asked(tmp_path: Path) -> None:
    write(tmp_path, "model: openai/house-model\n" + LONE)

    with serve("openai", "Answer: 42") as server:
        done = phalanx("run", "team.yaml", "x", "--api-base", server.url, "--json", cwd=tmp_path)

    assert done.code == 0, done.err
    assert [request.body["model"] for request in server.requests] == ["house-model"]
    assert json.loads(done.out)["cost"] is None


def test_a_limit_on_money_with_an_unknown_price_is_a_configuration_error_before_anything_is_asked(
    tmp_path: Path,
) -> None:
    write(tmp_path, "model: openai/house-model\n" + LONE)

    with serve("openai", "Answer: 42") as server:
        done = phalanx("run", "team.yaml", "x", "--api-base", server.url, "--limit", "usd=1", cwd=tmp_path)

    assert done.code == 5, done.err
    assert "the price of 'openai/house-model' is not known" in done.err
    assert "price: {input: …, output: …}" in done.err
    assert server.requests == []


def test_a_refused_key_and_a_missing_one_are_configuration_and_say_which_variable_to_set(tmp_path: Path) -> None:
    write(tmp_path, LONE)

    with serve("openai", Reply(status=401, error="bad key")) as server:
        refused = phalanx("run", "team.yaml", "x", "-m", "openai/gpt-4o-mini", "--api-base", server.url, cwd=tmp_path)
    missing = phalanx("run", "team.yaml", "x", "-m", "anthropic/claude-haiku-4-5", cwd=tmp_path)

    assert (refused.code, missing.code) == (5, 5)
    assert "bad key" in refused.err
    assert "ANTHROPIC_API_KEY" in missing.err


def test_a_team_without_any_answer_fails_with_exit_code_1_and_shows_its_retries(tmp_path: Path) -> None:
    write(tmp_path, LONE)

    done = phalanx(
        "run", "team.yaml", "x", "-m", "openai/gpt-4o-mini", "--api-base", refused_url("openai"), cwd=tmp_path
    )

    assert done.code == 1
    assert re.search(r"ada: asks openai/gpt-4o-mini again in [\d.]+s, try 2: ProviderUnavailable", done.err)
    assert "phalanx: error: " in done.err
    assert "spent: 3 calls, 0 tokens, $0" in done.err
    assert done.out == ""


def test_what_a_model_writes_is_harmless_on_stdout_and_exact_in_json(tmp_path: Path) -> None:
    write(tmp_path, LONE)
    evil = "a\x1b[2J\x9bm\u202e\r\n[bold]b é 漢"

    with serve("openai", evil) as server:
        asked = ("run", "team.yaml", "x", "-m", "openai/gpt-4o-mini", "--api-base", server.url, "-q")
        plain, exact = several(asked, (*asked, "--json"), cwd=tmp_path)

    assert plain.out == "a\\x1b[2J\\x9bm\\u202e\n[bold]b é 漢\n"
    assert json.loads(exact.out)["text"] == evil
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", exact.out)


def test_the_demo_asks_a_real_model_when_it_is_given_one(tmp_path: Path) -> None:
    def lead(request: Received) -> Reply:
        told = json.dumps(request.body["messages"])
        if "Split the task into assignments" in told:
            part = {"id": "a1", "worker": "critic", "task": "find it", "depends_on": []}
            return Reply(text=json.dumps({"assignments": [part]}))
        return member(request)

    with serve("openai", lead) as server:
        done = phalanx("demo", "-m", "openai/gpt-4o-mini", "--api-base", server.url, cwd=tmp_path)

    assert done.code == 0, done.err + done.out
    assert "SIMULATED" not in done.out
    assert "Every member asks openai/gpt-4o-mini" in done.out
    assert "phalanx demo --model" not in done.out
    assert len(server.requests) >= 6
    assert "Answer: 42   [right: 8]" in done.out


def test_a_demo_whose_model_refuses_says_why_for_each_team(tmp_path: Path) -> None:
    with serve("openai", Reply(status=401, error="bad key")) as server:
        done = phalanx("demo", "-m", "openai/gpt-4o-mini", "--api-base", server.url, cwd=tmp_path)

    assert done.code == 5
    assert done.out.count("no answer: ") == 2
    assert "bad key" in done.out
    assert "failed" in done.out[done.out.index("What each cost") :]
    assert "Traceback" not in done.out + done.err


def test_an_answer_that_is_made_up_in_part_is_called_so(tmp_path: Path) -> None:
    write(
        tmp_path,
        "members:\n"
        "  - {name: ada, role: planner, model: openai/gpt-4o-mini}\n"
        "  - {name: bob, role: coder, model: offline/simulated}\n"
        "formation: pipeline\n",
    )

    with serve("openai", "Answer: 42") as server:
        done = phalanx("run", "team.yaml", "x", "--api-base", server.url, cwd=tmp_path)

    assert done.code == 0, done.err
    assert "SIMULATED IN PART: some members are offline/simulated" in done.err
    assert len(server.requests) == 1
