"""Bad input is an error that names what is wrong and what to do, before any money is spent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydantic
import pytest

from phalanx import (
    Agent,
    AgentTeam,
    ConfigurationError,
    Debate,
    Flat,
    Formation,
    Limits,
    MemoryLog,
    PhalanxError,
    Role,
    SpecError,
    SqliteLog,
    Task,
    ValidationError,
)
from phalanx.agents.models.offline import FunctionModel, ScriptedModel
from phalanx.errors import LogError, ToolNotFoundError
from phalanx.messages import Completion, Request, ToolCall
from phalanx.teams.spec import load_team, parse_team
from tests.recording import Recording

NO_KEYS = ("PHALANX_MODEL", "PHALANX_PROVIDER", "PHALANX_API_KEY")

# The same without their types, to be called as only untyped code can.
ANY: Any = AgentTeam
ANY_AGENT: Any = Agent
ANY_TASK: Any = Task


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: AgentTeam.flat([]), "at least 1 member"),
        (lambda: AgentTeam([]), "at least 1 member"),
        (lambda: AgentTeam(), "needs members"),
        (lambda: AgentTeam.consensus(["one"]), "consensus needs at least 2 members, got 1"),
        (lambda: AgentTeam.debate(["one"]), "debate needs at least 2 members, got 1"),
        (lambda: AgentTeam.hierarchical(subagents=["a"]), "hierarchical needs lead="),
        (lambda: AgentTeam.hierarchical(lead="a"), "hierarchical needs subagents="),
        (lambda: AgentTeam.hierarchical("a", []), "at least 1 member"),
        (lambda: AgentTeam.hierarchical("a", ["b"], lead_agent="c"), "lead and lead_agent are the same"),
        (lambda: AgentTeam.hierarchical("a", ["a"]), "2 members are named 'a'"),
        (lambda: AgentTeam.flat(["coder", "coder"]), "2 members are named 'coder'.*name="),
        (lambda: AgentTeam.flat("coder"), "members come as a list"),
        (lambda: AgentTeam.flat(["coder", 7]), "7 is no member"),
        (lambda: AgentTeam.flat(["coder", " "]), "name is empty"),
        (lambda: AgentTeam.flat(["a/b"]), "must not hold '/'"),
        (lambda: AgentTeam.debate(["a", "b"], rounds=-1), "greater than or equal to 0"),
        (lambda: AgentTeam.flat(["a"], rounds=0), "greater than or equal to 1"),
        (lambda: AgentTeam.flat(["a"], False, rounds=2), "rounds must be 1"),
        (lambda: AgentTeam.consensus(["a", "b"], 3), "min_agreement=3 cannot be reached by 2 members"),
        (lambda: AgentTeam.consensus(["a", "b"], 0), "min_agreement=0 cannot be reached"),
        (lambda: AgentTeam.consensus(["a", "b"], 1.5), r"min_agreement=1\.5 is no part"),
        (lambda: AgentTeam.consensus(["a", "b"], True), "min_agreement"),
        (lambda: AgentTeam.parallel(["a"], quorum=2), "quorum=2 cannot be met by 1 members"),
        (lambda: AgentTeam.parallel(["a"], aggregation="majority"), "no aggregation 'majority'.*majority_vote"),
        (lambda: AgentTeam.parallel(["a"], deadline=0), "greater than 0"),
        (lambda: ANY.pipeline(["a"], validators={"b": len}), "'b', who is no member"),
        (lambda: ANY.pipeline(["a"], validators={"a": "no function"}), "must be a function"),
        (lambda: ANY.debate(["a", "b"], topology="rign"), "topology"),
        (lambda: ANY.flat(["a"], nmae="x"), "nmae"),
        (
            lambda: ANY(["a", "b"], formation=Debate(), rounds=2),
            r"'rounds' is an option .* formation=Debate\(rounds=…\)",
        ),
        (
            lambda: ANY(["a", "b"], formation=Debate(), judge="c"),
            r"'judge' is a seat of Debate: .*seats=\{'judge': …\}",
        ),
        (lambda: ANY(["a", "b"], formation=Debate(), rouds=2), r"no option 'rouds' \(did you mean 'rounds'\?\)"),
        (lambda: ANY_AGENT("a").set_system_prompt(3), "a system prompt must be a text, not int"),
        (lambda: ANY_TASK("x", name=3), "a task's name is text, not int: 3"),
        (lambda: ANY_TASK("x", id=b"x"), "a task's id is text, not bytes"),
        (lambda: ANY.flat(["a"], name=3), "a team's name is text, not int: 3"),
        (lambda: ANY.flat(["a"], log="runs.db"), r"log='runs.db' is no log; write log=SqliteLog\('runs.db'\)"),
        (lambda: ANY.flat(["a"], log=SqliteLog), r"is no log; write log=SqliteLog\(path\)"),
        (lambda: ANY.flat(["a"], board="x"), "board='x' is no Blackboard"),
        (lambda: ANY.flat(["a"], prompts=["task"]), "prompts is a mapping of slots to texts, not list"),
        (lambda: ANY.flat(["a"], prompts={"task": 3}), "the text of prompt slot 'task' is text, not int"),
        (lambda: ANY.flat(["a"], prompts={3: "x"}), "no prompt slot 3"),
        (lambda: AgentTeam.flat(["a"], prompts={"rol": "x"}), "no prompt slot 'rol'.*'role'"),
        (lambda: AgentTeam.flat(["a"], prompts={"role": "{nme}"}), "has no value 'nme'.*name"),
        (lambda: AgentTeam.flat(["a"], prompts={"role": "{"}), "cannot be read"),
        (lambda: AgentTeam(["a"], formation="debate"), "is no formation"),
        (lambda: AgentTeam(["a"], formation=Formation.flat(["b"])), "brings its own members"),
        (lambda: AgentTeam(["a"], formation=Flat(), seats={"leed": "x"}), "no seat 'leed'"),
        (lambda: AgentTeam.flat(["a"]).set_workflow("debat"), "no workflow 'debat'.*'debate'"),
        (lambda: Agent("coder", modle="x"), "no option 'modle'.*'model'"),
        (lambda: Agent("coder", retry_attemps=3), "no option 'retry_attemps'.*'retry_attempts'"),
        (lambda: Agent("coder", api_bse="x"), "no option 'api_bse'.*'api_base'"),
        (lambda: Agent("coder", frequency=1), "provider_options"),
        (lambda: Agent(""), "a role needs a name"),
        (lambda: Agent("coder", temperature=2.1), "temperature must be from 0 to 2, not 2.1"),
        (lambda: Agent("coder", temperature=float("nan")), "temperature must be from 0 to 2"),
        (lambda: ANY_AGENT("coder", temperature="hot"), "temperature must be a number"),
        (lambda: Agent("coder", max_tokens=0), "max_tokens must be at least 1"),
        (lambda: Agent("coder", max_iterations=0), "max_iterations must be at least 1"),
        (lambda: Agent("coder", model="opnai/gpt-4o"), "opnai.*openai"),
        (lambda: Agent("coder", model="some-model"), "does not say whose it is; write 'provider/some-model'"),
        (lambda: Agent("coder", model=""), "name is empty"),
        (lambda: Agent("coder", model=7), "is no model"),
        (lambda: Agent("coder", provider="nonsense"), "nonsense"),
        (lambda: Agent("coder", model="offline/magic"), "no offline model 'magic'"),
        (lambda: Agent("coder", model=FunctionModel(len), api_base="http://x"), "'api_base' is an option of a model"),  # type: ignore[arg-type]
        (lambda: Agent("coder", timezone="Mars/Base"), "no IANA time zone"),
        (lambda: Agent("coder", tools="read"), "tools= takes a list"),
        (lambda: Agent("coder", tools=["pytest"], strict_tools=True), "no tool named 'pytest'"),
        (lambda: Agent("coder", hooks={"on_strat": print}), "no hook 'on_strat'"),
        (lambda: Agent("coder", instructions="a", system_prompt="b"), "given twice"),
        (lambda: Limits(calls=-1), "greater than or equal to 0"),
        (lambda: Limits(usd=float("nan")), "finite"),
        (lambda: Limits(dollars=1), "dollars"),  # type: ignore[call-arg]
        (lambda: Role(name="x", kind="boss"), "kind"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_built_is_refused_at_once(build: Any, message: str) -> None:
    with pytest.raises((PhalanxError, ValueError, TypeError), match=f"(?s){message}"):
        build()


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("", "the task is empty"),
        (" \n", "the task is empty"),
        ("x" * 10_000_000, "10,000,000 characters; the most is 2,000,000"),
        ("a\x00b", "binary, not text"),
        ("a\ud800b", "not valid Unicode"),
        (7, "a task is text or a Task, not int"),
        (b"bytes", "a task is text or a Task, not bytes"),
    ],
)
async def test_a_task_that_cannot_be_worked_on_is_refused_before_anybody_is_asked(task: Any, message: str) -> None:
    model = Recording()
    with pytest.raises(ValidationError, match=message):
        await AgentTeam.flat(["a"], model=model).run(task)
    with pytest.raises(ValidationError, match=message):
        await Agent("a", model=model).run(task)
    assert model.requests == []


RUNS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "log of a run": (lambda team: team.run("Go.", log="runs.db"), r"write log=SqliteLog\('runs.db'\)"),
    "log of a stream": (lambda team: team.stream("Go.", log=Path("runs.db")).__aenter__(), "is no log"),
    "log of a start": (lambda team: team.start("Go.", log=MemoryLog).__aenter__(), "is no log"),
    "log of a resume": (lambda team: team.resume("r", log="runs.db"), "is no log"),
    "log of a replay": (lambda team: team.replay("r", log="runs.db"), "is no log"),
    "log of a fork": (lambda team: team.fork("r", "k", log="runs.db"), "is no log"),
    "human of a run": (lambda team: team.run("Go.", human="yes"), "human='yes' cannot be asked; give a function"),
    "human of a stream": (lambda team: team.stream("Go.", human="yes").__aenter__(), "cannot be asked"),
    "human of a resume": (lambda team: team.resume("r", human="yes"), "cannot be asked"),
    "human of a fork": (lambda team: team.fork("r", "k", human="yes"), "cannot be asked"),
    "decisions": (lambda team: team.resume("r", decisions=["retry"]), "decisions is a mapping of steps' keys"),
    "step": (lambda team: team.fork("r", None), "has no step None; its steps begin with: flat/turn/a/model-1"),
}


@pytest.mark.parametrize("what", RUNS)
async def test_what_a_run_cannot_be_made_with_is_refused_before_anybody_is_asked(what: str) -> None:
    call, message = RUNS[what]
    model, log = Recording(), MemoryLog()
    team = AgentTeam.flat(["a"], model=model, log=log)
    await team.run("Go.", run_id="r")
    asked = len(model.requests)
    with pytest.raises((ValidationError, LogError), match=message):
        await call(team)
    assert len(model.requests) == asked
    assert await log.streams("run/") == ["run/r"]


async def test_the_tools_of_a_run_are_a_list_and_not_a_text() -> None:
    model = Recording()
    with pytest.raises(ValidationError, match="tools= takes a list, not 'search'"):
        await Agent("a", model=model).run("Go.", tools="search")
    assert model.requests == []


async def test_an_empty_text_leaves_the_place_of_its_slot_empty() -> None:
    model = Recording()
    await Agent("a", model=model, prompts={"context": ""}).run("Go.", {"secret": "swordfish"})
    assert "swordfish" not in "".join(each.content for each in model.requests[0].messages)


@pytest.mark.parametrize(
    ("context", "message"),
    [
        (b"bytes", "context must be text or a mapping, not bytes"),
        ({"scan": b"\x00\xff"}, r"context\['scan'\] holds 2 bytes of binary data; give text or JSON values"),
        ({"scans": [1, {"first": bytearray(b"xyz")}]}, r"context\['scans'\] holds 3 bytes of binary data"),
        ({b"scan": "text"}, "has the name b'scan', which is binary"),
        ({"rows": (row for row in "ab")}, r"context\['rows'\] holds a generator, whose values are not there yet"),
        ({"text": "a\x00b"}, "NUL character"),
    ],
)
async def test_a_context_that_no_model_can_be_shown_is_refused_before_anybody_is_asked(
    context: Any, message: str
) -> None:
    model = Recording()
    for run in (AgentTeam.flat(["a"], model=model).run, Agent("a", model=model).run):
        with pytest.raises(ValidationError, match=message):
            await run("Go.", context)
    with pytest.raises(ValidationError, match=message):
        Task("Go.", context=context)
    assert model.requests == []


@pytest.mark.parametrize(
    ("requirements", "message"),
    [
        ("Be short.", r"write requirements=\['Be short.'\]"),
        (3, r"write requirements=\[3\]"),
        ([b"x"], "each requirement is text, not bytes"),
    ],
)
def test_requirements_are_a_list_of_texts(requirements: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Task("Go.", requirements=requirements)


async def test_without_any_model_the_error_says_how_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NO_KEYS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("phalanx.agents.models.names.KEY_VARIABLES", {})
    monkeypatch.setattr("phalanx.agents.models.resolve.KEY_VARIABLES", {})
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    with pytest.raises(ConfigurationError, match=r"no model is named: give model='provider/name'.*PHALANX_MODEL") as no:
        await AgentTeam.flat(["a"]).run("Go.")
    assert "model='offline/simulated' (--model offline/simulated)" in str(no.value)


@pytest.mark.parametrize("value", [b"\x00\xff", "broken \ud800 text"])
async def test_a_tool_that_returns_binary_gives_the_model_an_error_that_says_so(value: object) -> None:
    def fetch() -> object:
        """Fetch it."""
        return value

    model = ScriptedModel([Completion(tool_calls=(ToolCall(id="1", tool_name="fetch"),)), "I see."])
    result = await Agent("worker", model=model, tools=[fetch]).run("Fetch.")
    shown = model.requests[1].messages[-1].content
    assert "tool 'fetch' failed" in shown
    assert "binary data" in shown or "broken text" in shown
    assert result == "I see."


async def test_a_tool_that_does_not_exist_gives_the_model_the_names_of_those_that_do() -> None:
    def add(a: int) -> int:
        """Add."""
        return a

    model = ScriptedModel([Completion(tool_calls=(ToolCall(id="1", tool_name="sub"),)), "Oh."])
    await Agent("worker", model=model, tools=[add]).run("Go.")
    assert "no tool named 'sub'; there are: add" in model.requests[1].messages[-1].content
    with pytest.raises(ToolNotFoundError):
        await Agent("worker", model=model, tools=[add]).execute_tool("sub")


GOOD = """\
name: review
model: openai/gpt-4o-mini
members:
  - {name: ada, role: lead}
  - {name: bob, role: coder}
formation: {kind: hierarchical, max_stalls: 3}
limits: {usd: 0.5}
"""


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (("members:", "membres:"), 3, "no field 'membres' (did you mean 'members'?)"),
        (("role: coder", "rol: coder"), 5, "no field 'rol' (did you mean 'role'?)"),
        (("max_stalls", "max_stall"), 6, "no field 'max_stall' (did you mean 'max_stalls'?)"),
        (("hierarchical", "hierarchic"), 6, "no formation 'hierarchic' (did you mean 'hierarchical'?)"),
        (("max_stalls: 3", "max_stalls: many"), 6, "valid integer"),
        (("usd: 0.5", "usd: -1"), 7, "greater than or equal to 0"),
        (("usd", "dollars"), 7, "no field 'dollars'"),
        (("name: bob", "name: ada"), 4, "2 members are named 'ada'"),
        (("role: lead", "role: coder"), None, "needs somebody in the seat 'lead'"),
        (("model: openai/gpt-4o-mini", "model: opnai/gpt"), None, "opnai"),
        (("limits: {usd: 0.5}", "limits: {usd: 0.5"), 8, "not readable as YAML"),
        (("limits:", "name: again\nlimits:"), 7, "'name' stands here a second time"),
        (("members:\n  - {name: ada, role: lead}\n  - {name: bob, role: coder}", "members: []"), 3, "at least one"),
        (("{name: bob, role: coder}", "{model: openai/x}"), None, "needs a name or a role"),
        (("{name: bob, role: coder}", "7"), 5, "MemberSpec"),
        (("{name: bob, role: coder}", "{name: bob, temperature: 9}"), 5, "less than or equal to 2"),
    ],
)
def test_a_team_file_with_a_mistake_is_refused_with_its_line(
    tmp_path: Path, change: tuple[str, str], line: int | None, message: str
) -> None:
    file = tmp_path / "team.yaml"
    file.write_text(GOOD, encoding="utf-8")
    load_team(file)
    assert change[0] in GOOD
    file.write_text(GOOD.replace(*change), encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load_team(file)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(file))
    if line is not None:
        assert caught.value.line == line, str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds a mapping"),
        ("- a\n- b", "holds a mapping"),
        ("!!python/object/apply:os.system ['true']", "not readable as YAML"),
        ("a: " + "[" * 2000, "not readable as YAML"),
        ("\x00\x01\x02", "not readable as YAML"),
        ("x" * 1_000_001, "the most is 1,000,000"),
        ("a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
            f"{chr(98 + at)}: &{chr(98 + at)} [{','.join(['*' + chr(97 + at)] * 10)}]\n" for at in range(8)
        ), "aliases are expanded"),
    ],
)  # fmt: skip
def test_a_team_file_that_is_no_team_or_an_attack_is_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        AgentTeam.from_yaml(text)


@pytest.mark.parametrize(("text", "kind"), [(None, "NoneType"), (3, "int"), ({"name": "x"}, "dict"), (["x"], "list")])
def test_what_is_no_yaml_text_is_refused_with_its_type(text: Any, kind: str) -> None:
    with pytest.raises(ValidationError, match=f"a team's YAML is text, not {kind}; .*from_yaml"):
        AgentTeam.from_yaml(text)
    with pytest.raises(SpecError, match=f"not {kind}"):
        parse_team(text)


def test_the_name_of_a_file_in_place_of_its_text_is_told_apart() -> None:
    with pytest.raises(SpecError, match=r"holds a mapping.*load_team\(path\) reads a file"):
        AgentTeam.from_yaml("team.yaml")


def test_a_custom_request_type_is_checked() -> None:
    with pytest.raises(pydantic.ValidationError):
        Agent("a").add_message("robot", "hello")


async def test_an_unknown_answer_type_of_a_function_model_is_an_error() -> None:
    def wrong(_: Request) -> Any:
        return 7

    with pytest.raises(TypeError, match="must give str or Completion, not int"):
        await Agent("a", model=FunctionModel(wrong)).run("Go.")
