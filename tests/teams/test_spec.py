"""A team can be written to a file and read again; what a file cannot hold is refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unicodedata import normalize

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from phalanx import (
    Agent,
    AgentTeam,
    Blackboard,
    Debate,
    Limits,
    Price,
    RetryConfig,
    Role,
    SimpleAgentMemory,
    SpecError,
    ValidationError,
)
from phalanx.agents.options import Options
from phalanx.formations.voting import (
    Borda,
    CodeTests,
    Equivalence,
    LogOdds,
    Majority,
    Plurality,
    Supermajority,
    Unanimity,
)
from phalanx.runtime.log import MemoryLog
from phalanx.teams.schema import text_of
from phalanx.teams.spec import json_schema, parse_team, spec_of, to_yaml
from phalanx.testing import FunctionModel

ROOT = Path(__file__).resolve().parent.parent.parent
PUBLISHED = ROOT / "teams" / "team.schema.json"
SCHEMA = jsonschema.Draft202012Validator(json.loads(PUBLISHED.read_text(encoding="utf-8")))

# -- teams of every form -------------------------------------------------------------------------------------------

WORDS = st.text(min_size=1, max_size=12).filter(lambda text: text.strip() and "/" not in text)
NAMES = st.one_of(
    st.sampled_from(["yes", "1", "null", "1e3", "2024-01-01", "~", "a: b", "- x", "é😀", "member"]),
    st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/"), min_size=1, max_size=12),
)
KINDS = st.sampled_from(["lead", "worker", "coder", "critic", "verifier", "judge", "aggregator", "debater"])
SHARES = st.floats(0.01, 1)


def alike(name: str) -> str:
    """What names of one team must differ in."""
    return normalize("NFKC", name).casefold()


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def options(**strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the keywords, each with a value of its own."""
    return st.fixed_dictionaries({}, optional=strategies)


LIMITS = options(
    calls=st.integers(0, 10**6), tokens=st.integers(0, 10**9), usd=st.floats(0, 1e6),
    seconds=st.floats(1e-6, 1e6), depth=st.integers(0, 5), concurrency=st.integers(1, 100),
).map(lambda given: Limits(**given))  # fmt: skip
ROLES = st.one_of(
    KINDS,
    WORDS,
    st.builds(
        Role, name=NAMES, kind=KINDS, duty=st.text(max_size=20), skills=st.tuples(WORDS), may_vote=maybe(st.booleans()),
        may_delegate=st.sampled_from([None, True]), tools=maybe(st.tuples(WORDS)), reads=maybe(st.just(("facts*",))),
        writes=maybe(st.just(())),
    ),
)  # fmt: skip
MEMBERS = options(
    model=st.sampled_from(["offline/simulated", "openai/gpt-4o-mini"]), instructions=st.text(max_size=40),
    tools=st.lists(WORDS, max_size=2), skills=st.lists(WORDS, max_size=2), temperature=st.floats(0, 2),
    max_tokens=st.integers(1, 10**5), max_iterations=st.integers(1, 50), top_p=st.floats(0, 1),
    seed=st.integers(-(2**40), 2**40), stop=st.lists(WORDS, min_size=1, max_size=3), limits=LIMITS,
    timezone=st.sampled_from(["UTC", "Europe/London"]), answer_format=WORDS, stream=st.booleans(),
    verbose=st.booleans(),
    price=st.builds(Price, st.floats(0, 100), st.floats(0, 100), maybe(st.floats(0, 100))),
    retry=st.builds(RetryConfig, max_attempts=st.integers(1, 9), jitter=st.booleans(),
                    backoff=st.sampled_from(["linear", "exponential"]), retry_on_exceptions=st.just((OSError,))),
    prompts=st.just({"role": "Be {name}, {role}."}),
)  # fmt: skip
CONNECTED = options(
    api_base=st.just("http://127.0.0.1:8000/v1"), api_version=WORDS, organization=WORDS, timeout=st.floats(0.1, 1e5),
    path=st.sampled_from(["direct", "general"]),
    provider_options=st.dictionaries(st.sampled_from(["effort", "top_k", "beta"]),
                                     st.recursive(st.integers() | WORDS | st.booleans(), st.lists, max_leaves=3)),
)  # fmt: skip
RULES = st.one_of(
    st.just(Plurality()),
    st.builds(Plurality, tie_break=st.just(()), quorum=maybe(st.integers(1, 9) | SHARES), min_margin=st.just("1/3")),
    st.builds(Supermajority, q=st.fractions(0, 1), agreement_of=st.sampled_from(["cast", "eligible"])),
    st.builds(Unanimity, on_invalid=st.sampled_from(["error", "abstain"])),
    st.builds(LogOdds, skills=st.dictionaries(WORDS, st.floats(0, 1)), unknown=maybe(st.floats(0, 1))),
    st.builds(Borda),
    st.builds(Majority, min_agreement=maybe(SHARES)),
)
EQUIVALENCES = st.one_of(
    st.builds(
        Equivalence, kind=st.sampled_from(["auto", "text", "number", "choice", "date", "set", "json"]),
        fallbacks=st.sampled_from([(), ("whole",), ("line", "number")]), tolerance=st.fractions(0, 1),
        absolute_tolerance=st.integers(0, 9), options=maybe(st.dictionaries(st.sampled_from("ABCD"), WORDS)),
        units=st.sampled_from(["compatible", "strict", "ignore"]), decimal=st.sampled_from(["auto", ".", ","]),
        day_first=maybe(st.booleans()), policy=st.sampled_from(["complete", "components", "greedy_first"]),
    ),
    st.builds(
        lambda calls, seconds: Equivalence(
            kind="code", tests=CodeTests(calls=tuple(calls), seconds=seconds), allow_code=True
        ),
        st.lists(WORDS, min_size=1, max_size=2), st.integers(1, 600),
    ),
)  # fmt: skip
AGGREGATIONS = st.sampled_from(["synthesize", "concat", "majority_vote"]) | RULES
QUORUMS = st.sampled_from([None, 1, 2, 0.3, 1.0])
DEADLINES = maybe(st.floats(1e-3, 1e6))
DELIBERATION = {"equivalence": EQUIVALENCES, "quorum": QUORUMS, "deadline": DEADLINES}

# By constructor: its own options, and its special seats.
CONSTRUCTORS: dict[str, tuple[st.SearchStrategy[dict[str, Any]], tuple[str, ...]]] = {
    "hierarchical": (
        options(max_stalls=st.integers(1, 9), max_rounds=st.integers(1, 9), review=st.booleans(),
                reworks=st.integers(0, 9)),
        ("verifier",),
    ),
    "flat": (
        st.one_of(
            options(shared_memory=st.just(True), aggregation=AGGREGATIONS, quorum=QUORUMS),
            st.fixed_dictionaries(
                {"shared_memory": st.just(False)},
                optional={"aggregation": AGGREGATIONS, "quorum": QUORUMS, "deadline": DEADLINES},
            ),
        ),
        ("aggregator",),
    ),
    "pipeline": (options(retries=st.integers(0, 9)), ()),
    "parallel": (options(aggregation=AGGREGATIONS, quorum=QUORUMS, deadline=DEADLINES), ("aggregator",)),
    "consensus": (
        st.one_of(
            options(min_agreement=st.sampled_from([1, 2, 0.5, 1.0]), rounds=st.integers(0, 9), **DELIBERATION),
            options(rule=RULES, exchange=st.sampled_from(["solutions", "messages"]), **DELIBERATION),
        ),
        (),
    ),
    "debate": (
        options(rounds=st.integers(0, 9), topology=st.sampled_from(["auto", "full", "ring", "star"]),
                view=st.sampled_from(["full", "answer"]), update=st.sampled_from(["free", "conformist", "follower"]),
                follow=st.floats(0, 1), stubbornness=st.integers(0, 10), trigger=st.sampled_from(["always"]),
                rule=RULES, **DELIBERATION),
        ("judge",),
    ),
}  # fmt: skip


@st.composite
def agents(draw: st.DrawFn, name: str) -> Agent:
    given = draw(MEMBERS)
    if given.get("model", "").startswith("openai/"):
        given |= draw(CONNECTED)
    return Agent(draw(ROLES), name=name, **given)


@st.composite
def teams(draw: st.DrawFn, depth: int = 1, name: str = "") -> AgentTeam:
    """A team of any built-in formation, with options of its own, perhaps with a team inside."""
    kind = draw(st.sampled_from(list(CONSTRUCTORS)))
    own, seats = CONSTRUCTORS[kind]
    names = draw(st.lists(NAMES, min_size=4, max_size=6, unique_by=alike))
    given = draw(own) | draw(
        options(model=st.sampled_from(["offline/simulated", "ollama/llama3.2"]), limits=LIMITS,
                prompts=st.just({"draft": "Do: {task}"}))
    )  # fmt: skip
    if given.get("aggregation", "concat" if kind == "parallel" else "synthesize") != "synthesize":
        seats = tuple(seat for seat in seats if seat != "aggregator")
    given |= {seat: draw(agents(names.pop())) for seat in seats if draw(st.booleans())}
    if kind == "hierarchical":
        given["lead"] = draw(agents(names.pop()))
    who: list[Agent | AgentTeam] = [draw(agents(each)) for each in names]
    if depth and draw(st.booleans()):
        who[-1] = draw(teams(depth - 1, name=names[-1]))
    free = {"subagents" if kind == "hierarchical" else "agents": who}
    build: Callable[..., AgentTeam] = getattr(AgentTeam, kind)
    return build(**free, **given, name=name or draw(NAMES))


# -- round trips ---------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(teams())
def test_a_team_that_was_written_and_read_again_is_the_same_team(team: AgentTeam) -> None:
    text = team.to_yaml()
    back = AgentTeam.from_yaml(text)
    assert spec_of(back) == spec_of(team)
    assert back.to_yaml() == text
    assert_same(back, team)
    problems = [f"{each.json_path}: {each.message}" for each in SCHEMA.iter_errors(yaml.safe_load(text))]
    assert not problems, problems


def assert_same(one: AgentTeam, other: AgentTeam) -> None:
    """What the spec does not say itself: who sits where, with which rights and words."""
    assert (one.name, one.formation, one.limits) == (other.name, other.formation, other.limits)
    assert one.prompts.overrides == other.prompts.overrides
    for here, there in zip(one.members, other.members, strict=True):
        assert (here.name, here.seat) == (there.name, there.seat)
        if isinstance(there.who, AgentTeam):
            assert isinstance(here.who, AgentTeam)
            assert_same(here.who, there.who)
            continue
        assert isinstance(here.who, Agent)
        assert isinstance(there.who, Agent)
        assert here.role.model_copy(update={"skills": ()}) == there.role.model_copy(update={"skills": ()})
        now = 1.7e9
        assert here.who.system_prompt(here.role, now=now) == there.who.system_prompt(there.role, now=now)
        for fact in ("temperature", "max_tokens", "max_iterations", "limits", "price"):
            assert getattr(here.who, fact) == getattr(there.who, fact)
        assert here.who.instructions == there.who.instructions
        assert plain(here.who) == plain(there.who)


def plain(agent: Agent) -> Options:
    """An agent's options, with empty instructions as none."""
    return replace(agent.options, instructions=agent.options.instructions or None)


def test_a_member_that_has_the_role_of_a_seat_and_does_not_sit_there_stays_where_it_is() -> None:
    for team in (
        AgentTeam.flat(["aggregator", "b"]),
        AgentTeam.debate(["judge", "b"]),
        AgentTeam.hierarchical("lead", ["verifier", "coder"]),
        AgentTeam.debate(["judge", "b"], judge=Agent("judge", name="j")),
    ):
        back = AgentTeam.from_yaml(team.to_yaml())
        assert [(each.name, each.seat) for each in back.members] == [(each.name, each.seat) for each in team.members]


def test_a_seat_that_the_role_names_need_not_be_said() -> None:
    text = AgentTeam.hierarchical("lead", ["coder"], verifier="verifier").to_yaml()
    assert "seat" not in text


def test_a_formation_may_be_given_by_its_name_alone_also_in_a_nested_team() -> None:
    team = parse_team("members: [{name: in, team: {members: [{name: a}, {name: b}], formation: debate}}]")
    inner = team.members[0].who
    assert isinstance(inner, AgentTeam)
    assert inner.formation == Debate()


def test_where_runs_are_kept_is_not_part_of_a_team_file() -> None:
    assert AgentTeam.flat(["a"], log=MemoryLog()).to_yaml() == AgentTeam.flat(["a"]).to_yaml()


# -- what a file cannot hold ---------------------------------------------------------------------------------------


class Sure:
    """A rule of the user's own."""

    def decide(self, *_: object, **__: object) -> Any: ...


class MyPlurality(Plurality):
    """A rule with code of the user's own under a built-in kind."""


class MyDebate(Debate):
    """A formation with code of the user's own under a built-in kind."""


class MyAgent(Agent):
    """An agent with code of its own."""


class MyTeam(AgentTeam):
    """A team with code of its own."""


class Point(BaseModel):
    """An output type."""

    x: int


def by_hand(run: Any, task: Any) -> Any:
    """A formation of the user's own."""


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


def fine(_: object) -> None:
    """A validator that never objects."""


def one(**given: Any) -> AgentTeam:
    return AgentTeam.flat([Agent("coder", name="ada", **given)])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: AgentTeam.flat(["a"], model=FunctionModel(str)), "team 'flat' has a model that is an object"),
        (lambda: one(model=FunctionModel(str)), "member 'ada' has a model that is an object"),
        (lambda: one(provider=FunctionModel(str)), "member 'ada' has a model that is an object"),
        (lambda: one(tools=[add]), "member 'ada' has tools"),
        (lambda: one(output=Point), "member 'ada' has an output type"),
        (lambda: one(memory=SimpleAgentMemory()), "member 'ada' has a memory"),
        (lambda: one(hooks={"on_start": print}), "member 'ada' has hooks"),
        (lambda: one(approve=lambda _: True), "member 'ada' has an approver"),
        (lambda: one(model="openai/x", api_key="sk-1"), "member 'ada' has an api_key"),
        (lambda: one(model="openai/x", extra_headers={"X-Auth": "1"}), "member 'ada' has extra_headers"),
        (lambda: one(model="openai/x", api_base="http://me:pw@host/v1"), "api_base with a password"),
        (lambda: one(model="openai/x", provider_options={"aws_session_token": "t"}), "secret.*'aws_session_token'"),
        (lambda: one(model="openai/x", provider_options={"f": print}), "provider_options with 'f'"),
        (lambda: one(retry=RetryConfig(backoff=float)), "member 'ada' has code in retry"),
        (lambda: AgentTeam.flat([MyAgent("coder")]), "member 'coder' is a MyAgent"),
        (lambda: AgentTeam.flat([AgentTeam.flat([MyAgent("coder")], name="in")]), "member 'coder' is a MyAgent"),
        (lambda: MyTeam.flat(["a"]), "team 'flat' is a MyTeam"),
        (lambda: AgentTeam.flat(["a"], hooks={"on_start": print}), "team 'flat' has hooks"),
        (lambda: AgentTeam.flat(["a"], board=Blackboard()), "team 'flat' has a board of its own"),
        (lambda: AgentTeam(["a"], formation=by_hand), "formation 'by_hand' is code"),
        (lambda: AgentTeam(["a", "b"], formation=MyDebate()), "formation 'debate' is code"),
        (lambda: AgentTeam.parallel(["a"], aggregation=len), "code in aggregation"),
        (lambda: AgentTeam.flat([AgentTeam.parallel(["a"], aggregation=len)]), "'parallel' has code in aggregation"),
        (lambda: AgentTeam.flat(["a"], aggregation=Sure()), "code in aggregation"),
        (lambda: AgentTeam.debate(["a", "b"], rule=Sure()), "code in rule"),
        (lambda: AgentTeam.debate(["a", "b"], rule=MyPlurality()), "rule that is code"),
        (lambda: AgentTeam.pipeline(["a"], validators={"a": fine}), "code in validators"),
        (lambda: AgentTeam.debate(["a", "b"], equivalence=Equivalence(relation=str.__eq__)), "code in equivalence"),
    ],
)
def test_what_a_file_cannot_hold_is_refused_by_name(build: Callable[[], AgentTeam], message: str) -> None:
    with pytest.raises(ValidationError, match=f"(?s){message}.*"):
        build().to_yaml()
    with pytest.raises(ValidationError, match=f"(?s){message}.*"):
        spec_of(build())


def test_no_secret_stands_in_the_error_that_refuses_it() -> None:
    team = one(model="openai/x", provider_options={"aws_session_token": "hunter2"})
    with pytest.raises(ValidationError) as caught:
        to_yaml(team)
    assert "hunter2" not in str(caught.value)


async def test_a_team_that_cannot_be_written_can_still_be_run_with_a_journal() -> None:
    log = MemoryLog()
    log.instant = False
    team = AgentTeam.parallel(["a"], aggregation=max, model=FunctionModel(lambda _: "yes"), log=log)
    assert await team.run("Go.") == "yes"


# -- the published schema ------------------------------------------------------------------------------------------


def test_the_published_schema_takes_what_is_read() -> None:
    """Descriptions aside: what a class says of itself may be worded anew."""
    jsonschema.Draft202012Validator.check_schema(json_schema())
    published = PUBLISHED.read_text(encoding="utf-8")
    assert undescribed(json.loads(published)) == undescribed(json_schema()), (
        "teams/team.schema.json is out of date: python -m phalanx.teams.schema > teams/team.schema.json"
    )
    assert published == text_of(json.loads(published))


def undescribed(schema: Any) -> Any:
    """A schema without its descriptions, in the form in which a file holds it."""
    if isinstance(schema, dict):
        kept = {key: value for key, value in schema.items() if key != "description" or not isinstance(value, str)}
        return {key: undescribed(value) for key, value in kept.items()}
    return [undescribed(each) for each in schema] if isinstance(schema, list | tuple) else schema


GOOD = """\
name: review
model: openai/gpt-4o-mini
members:
  - {name: ada, role: lead}
  - {name: bob, role: {name: writer, kind: worker, writes: [notes]}, retry: {max_attempts: 2}}
formation: {kind: hierarchical, max_stalls: 3}
limits: {usd: 0.5}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("members:", "membres:"),
        ("role: lead", "rol: lead"),
        ("max_stalls", "max_stall"),
        ("kind: hierarchical", "kind: hierarchic"),
        ("{kind: hierarchical, max_stalls: 3}", "hierarchic"),
        ("{kind: hierarchical, max_stalls: 3}", "{max_stalls: 3}"),
        ("{kind: hierarchical, max_stalls: 3}", "{kind: pipeline, validators: {ada: len}}"),
        ("{kind: hierarchical, max_stalls: 3}", "{kind: consensus, rule: pluralty}"),
        ("{kind: hierarchical, max_stalls: 3}", "{kind: consensus, rule: {q: 0.5}}"),
        ("{kind: hierarchical, max_stalls: 3}", "{kind: parallel, aggregation: majority}"),
        ("{kind: hierarchical, max_stalls: 3}", "{kind: debate, rounds: -1}"),
        ("{kind: hierarchical, max_stalls: 3}", "{kind: debate, topology: forest}"),
        ("{kind: hierarchical, max_stalls: 3}", "{kind: debate, equivalence: {kind: words}}"),
        ("max_stalls: 3", "max_stalls: many"),
        ("usd: 0.5", "usd: -1"),
        ("usd", "dollars"),
        ("kind: worker", "kind: boss"),
        ("name: ada, role: lead", "model: openai/x"),
        ("name: ada, role: lead", "name: 7"),
        ("name: ada, role: lead", "name: ada, temperature: 9"),
        ("name: ada, role: lead", "name: ada, team: {members: []}"),
        ("name: ada, role: lead", "name: ada, model: x/y, team: {members: [{name: a}]}"),
        ("name: ada, role: lead", "name: ada, prompts: {rol: x}"),
        ("max_attempts: 2", "max_attempts: 0"),
    ],
)
def test_a_mistake_that_reading_refuses_is_one_to_the_schema_too(old: str, new: str) -> None:
    SCHEMA.validate(yaml.safe_load(GOOD))
    parse_team(GOOD)
    assert old in GOOD
    wrong = GOOD.replace(old, new, 1)
    with pytest.raises(SpecError):
        parse_team(wrong)
    assert list(SCHEMA.iter_errors(yaml.safe_load(wrong))), "the schema takes it"


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("members: [{name: a, role: {name: x, kind: boss}}]", "members.0.role.kind", "'worker'"),
        ("members: [{name: a, role: {nam: x}}]", "members.0.role.nam", "did you mean 'name'?"),
        ("members: [{name: a, retry: {max_attemts: 2}}]", "members.0.retry.max_attemts", "'max_attempts'"),
        ("members: [{name: a, price: {inpt: 1}}]", "members.0.price.inpt", "'input'"),
        ("members: [{name: a, price: {input: 1}}]", "members.0.price.output", "'output' is missing"),
        ("members: [{name: a, team: {membrs: []}}]", "members.0.team.membrs", "'members'"),
        ("members: [{name: a, team: {members: [{name: b}], formation: flt}}]", "members.0.team.formation", "'flat'"),
        ("members: [{name: a}]\nformation: {kind: flat, quorum: all}", "formation.quorum", "'all'"),
        ("members: [{name: a}]\nformation: {kind: debate, rule: pluralty}", "formation.rule", "mean 'plurality'"),
        ("members: [{name: a}]\nformation: {kind: debate, equivalence: {knd: x}}", "formation.equivalence.knd", "kind"),
        ("members: [{name: a}]\nprompts: {draft: 3}", "prompts.draft", "valid string, not 3"),
    ],
)
def test_a_mistake_is_told_with_the_field_it_is_in_and_the_nearest_that_exists(
    text: str, where: str, message: str
) -> None:
    with pytest.raises(SpecError) as caught:
        parse_team(text)
    assert caught.value.where == where
    assert message in str(caught.value)
    assert "Value error" not in str(caught.value)
