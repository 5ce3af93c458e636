"""What a team looks like and what it costs at most can be known before it runs."""

from __future__ import annotations

import itertools
import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from phalanx import (
    Agent,
    AgentTeam,
    Answer,
    Blackboard,
    ConfigurationError,
    Flat,
    Limits,
    Price,
    Region,
    Role,
    Task,
    TeamRun,
)
from phalanx.agents.prompts import SLOTS
from phalanx.messages import Completion, Request, Usage, estimate_request, estimate_tokens
from phalanx.testing import FunctionModel
from tests.teams.contrary import Contrary

# -- estimates -----------------------------------------------------------------------------------------------------

MOST = 700


class Point(BaseModel):
    """A typed answer."""

    x: int
    why: str = ""


def search(place: str, depth: int = 3) -> str:
    """Search a place — à fond — and tell what is there."""
    return place * depth


def agents(count: int, model: object, **options: object) -> list[Agent]:
    return [Agent("worker", name=f"m{at}", model=model, max_tokens=MOST, **options) for at in range(count)]  # type: ignore[arg-type]


def one(name: str, model: object, **options: object) -> Agent:
    return Agent("worker", name=name, model=model, max_tokens=MOST, **options)  # type: ignore[arg-type]


def lead(model: object, **options: object) -> Agent:
    return Agent("lead", name="lead", model=model, max_tokens=MOST, **options)  # type: ignore[arg-type]


Build = Callable[[Contrary], AgentTeam]

TEAMS: dict[str, tuple[Build, int]] = {
    "flat, in turn": (lambda m: AgentTeam.flat(agents(3, m), rounds=2), 7),
    "flat, in turn, joined": (lambda m: AgentTeam.flat(agents(3, m), aggregation="concat"), 3),
    "flat, with an aggregator": (lambda m: AgentTeam.flat(agents(2, m), aggregator=one("sum", m)), 3),
    "flat, blind": (lambda m: AgentTeam.flat(agents(4, m), shared_memory=False), 5),
    "flat, voted on": (lambda m: AgentTeam.flat(agents(4, m), False, aggregation="majority_vote"), 4),
    "pipeline": (lambda m: AgentTeam.pipeline(agents(4, m)), 4),
    "parallel": (lambda m: AgentTeam.parallel(agents(4, m)), 4),
    "parallel, synthesized": (lambda m: AgentTeam.parallel(agents(4, m), aggregation="synthesize"), 5),
    "consensus": (lambda m: AgentTeam.consensus(agents(3, m), rounds=2), 9),
    "consensus, with messages": (lambda m: AgentTeam.consensus(agents(3, m), 3, rounds=1, exchange="messages"), 6),
    "a vote": (lambda m: AgentTeam.consensus(agents(5, m), rounds=0), 5),
    "debate": (lambda m: AgentTeam.debate(agents(3, m), 3), 12),
    "debate in a ring": (lambda m: AgentTeam.debate(agents(6, m), 1), 12),
    "debate around a star": (lambda m: AgentTeam.debate(agents(4, m), 2, topology="star"), 12),
    "debate with a judge": (lambda m: AgentTeam.debate(agents(3, m), 1, judge=one("judge", m)), 8),
    "hierarchical": (lambda m: AgentTeam.hierarchical(lead(m), agents(3, m)), 13),
    "hierarchical, one round": (lambda m: AgentTeam.hierarchical(lead(m), agents(3, m), max_rounds=1), 5),
    "hierarchical, no review": (lambda m: AgentTeam.hierarchical(lead(m), agents(3, m), review=False), 5),
    "hierarchical, verified": (
        lambda m: AgentTeam.hierarchical(lead(m), agents(2, m), verifier=one("v", m), reworks=2, max_rounds=2), 12
    ),
    "nested": (
        lambda m: AgentTeam.flat([AgentTeam.debate(agents(2, m), 1, name="in", prompts={"task": "{task}!{task}"}),
                                  one("x", m)]), 9
    ),
    "nested, joined": (
        lambda m: AgentTeam.pipeline([AgentTeam.parallel(agents(4, m), name="in"), one("x", m), one("y", m)]), 6
    ),
    "nested twice": (
        lambda m: AgentTeam.parallel([AgentTeam.pipeline([AgentTeam.consensus(agents(2, m), name="deep"), one("x", m)],
                                                         name="in"), one("y", m)], aggregation="synthesize"), 15
    ),
    "long names, many skills": (
        lambda m: AgentTeam.hierarchical(
            lead(m), [Agent(Role(name='"a\\b" ' * 9, duty="ü" * 900, skills=("数学" * 50,)), name=f"日本 {at}" * 10,
                            model=m, max_tokens=MOST) for at in range(3)]), 13
    ),
    "words for tools": (
        lambda m: AgentTeam.hierarchical(lead(m), agents(3, m, tools=["knotting " * 2000])), 13
    ),
    "instructions, tools, zones": (
        lambda m: AgentTeam.flat(agents(2, m, instructions="Be brief. " * 99, tools=[search], timezone="UTC",
                                        answer_format="One line.")), 3
    ),
    "words of their own": (
        lambda m: AgentTeam.debate(agents(3, m, prompts={"role": "{name} " * 200}), 1,
                                   prompts={"draft": "{task} {task}" + "x" * 3000, "revise": "{peers}{own}{task}" * 2,
                                            "answer_line": "y" * 2000}), 6
    ),
    "typed answers": (lambda m: AgentTeam.parallel(agents(3, m, output=Point)), 3),
}  # fmt: skip
TASKS = {
    "short": Task("Which?"),
    "long": Task(
        "Wörk it out. " * 300, requirements=["fast", "small"] * 20, context={"notes": "n" * 5000, "更多": "é"}
    ),
}


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
@pytest.mark.parametrize(("build", "calls"), TEAMS.values(), ids=TEAMS)
async def test_when_nothing_stops_it_early_a_team_makes_the_calls_and_no_more_than_the_tokens_of_its_estimate(
    build: Build, calls: int, task: Task
) -> None:
    model = Contrary(MOST)
    team = build(model)
    estimate = team.estimate(task)
    result = await team.run(task)
    assert result.usage.calls == estimate.calls == calls == len(model.requests)
    assert result.usage.tokens <= estimate.tokens
    spent = result.usage_by_member()
    assert {name: usage.calls for name, usage in spent.items()} == {
        name: member[0] for name, member in estimate.by_member.items()
    }
    assert sum(tokens for _, tokens in estimate.by_member.values()) == estimate.tokens
    for name, usage in spent.items():
        assert usage.tokens <= estimate.by_member[name][1], name
    assert all(estimate_tokens(answer) == MOST for answer in model.answers), "the model does not say as much as it may"


@pytest.mark.parametrize(("build", "calls"), TEAMS.values(), ids=TEAMS)
async def test_the_tokens_of_an_estimate_are_not_far_from_what_can_be(build: Build, calls: int) -> None:
    model = Contrary(MOST)
    team = build(model)
    result = await team.run(TASKS["long"])
    assert team.estimate(TASKS["long"]).tokens <= 2.5 * result.usage.tokens


async def test_tools_described_in_words_are_counted_too() -> None:
    model = Contrary(MOST)
    model.native_tools = False
    team = AgentTeam.parallel(agents(2, model, tools=[search]))
    estimate = team.estimate("Go.")
    result = await team.run("Go.")
    assert "tool_call" in model.requests[0].messages[0].content
    assert result.usage.tokens <= estimate.tokens


async def test_what_stands_on_a_board_from_earlier_runs_is_counted() -> None:
    model = Contrary(MOST)
    board = Blackboard(regions=[Region("answers", str)])
    for at in range(400):
        await board.post("answers", str(at), author=f"o{at}")
    team = AgentTeam(agents(2, model), formation=Flat(view_tokens=2000, aggregation="concat"), board=board)
    estimate = team.estimate("Go.")
    result = await team.run("Go.")
    assert model.requests[0].messages[-1].content.count("by o") > 100
    assert result.usage.tokens <= estimate.tokens


@dataclass
class Priced:
    """A model that says what it costs; `price` None is not known."""

    known: Price | None
    name: str = "test/priced"
    requests: list[Request] = field(default_factory=list)

    async def complete(self, request: Request, /) -> Completion:
        self.requests.append(request)
        text = "x" * 3 * (request.max_tokens or 0)
        usage = Usage(1, estimate_request(request), estimate_tokens(text))
        return Completion(text=text, usage=usage.priced(self.known))

    async def price(self) -> Price | None:
        return self.known


async def test_money_is_an_upper_bound_at_the_models_own_prices_also_of_models_inside_a_nested_team() -> None:
    dear, cheap = Priced(Price(5.0, 20.0)), Priced(Price(0.5, 2.0))
    inner = AgentTeam.parallel([one("a", None), one("b", cheap)], name="in", model=cheap)
    team = AgentTeam.pipeline([inner, one("c", None), one("d", FunctionModel(lambda _: "free"))], model=dear)
    estimate = team.estimate("Go.")
    result = await team.run("Go.")
    assert len(cheap.requests) == 2
    assert len(dear.requests) == 1
    assert result.cost is not None
    assert estimate.usd is not None
    assert result.cost <= estimate.usd <= 3 * result.cost
    assert estimate.by_member["d"][0] == 1


@pytest.mark.parametrize("unknown", [Priced(None), None], ids=["no price", "no model"])
def test_money_is_unknown_and_not_nothing_when_a_price_or_a_model_is(
    unknown: Priced | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PHALANX_MODEL", "PHALANX_PROVIDER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("phalanx.agents.models.resolve.KEY_VARIABLES", {})
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    team = AgentTeam.parallel([one("a", Priced(Price(1.0, 1.0))), one("b", unknown)])
    estimate = team.estimate("Go.")
    assert estimate.usd is None
    assert estimate.calls == 2
    assert estimate.tokens > 2 * MOST
    assert "unknown cost" in str(estimate)


def test_models_that_cost_nothing_cost_nothing() -> None:
    assert AgentTeam.flat(["a", "b"], model="offline/simulated").estimate("Go.").usd == 0.0


async def test_an_estimate_can_be_made_inside_a_running_loop_and_then_kept_as_a_limit() -> None:
    model = Contrary(MOST)
    team = AgentTeam.debate(agents(3, model), 2)
    estimate = team.estimate("Go.")
    result = await team.run("Go.", limits=Limits(calls=estimate.calls, tokens=estimate.tokens))
    assert result.usage.calls == estimate.calls
    assert result.status == "undecided"
    short = await team.run("Go.", limits=Limits(calls=estimate.calls - 1))
    assert short.status == "stopped"


async def by_hand(run: TeamRun, task: Task) -> Answer:
    """A formation of the user's own."""
    return Answer(run.text(task))


def test_what_a_function_will_ask_is_not_guessed() -> None:
    with pytest.raises(ConfigurationError, match="'by_hand' will ask cannot be known"):
        AgentTeam(["a"], formation=by_hand).estimate("Go.")


def test_every_slot_in_which_a_formation_asks_is_counted_with_its_values() -> None:
    """A slot that gets a new value must be looked at here: what the value's size can be stands in prompt_size."""
    asked = {
        "draft": "task", "improve": "author previous task", "turn": "board roster task", "aggregate": "answers task",
        "plan": "roster task", "plan_repair": "names unknown", "assignment": "assignment inputs task",
        "inputs": "results", "review": "results roster task", "synthesis": "results task", "verify": "answer task",
        "rework": "answer objection task", "answer_line": "", "revise": "contract own peers stubbornness task",
        "exchange": "contract solutions task", "judge": "candidates task",
    }  # fmt: skip
    for slot, names in asked.items():
        assert " ".join(sorted(set(re.findall(r"(?<!{){(\w+)}", SLOTS[slot])))) == names, slot


# -- diagrams ------------------------------------------------------------------------------------------------------

NODE = re.compile(r'(?P<id>\w+)(?:\(\["(?P<stadium>[^"]*)"\]\)|\["(?P<box>[^"]*)"\]|\[\("(?P<store>[^"]*)"\)\])')
EDGE = re.compile(r"(?P<a>\w+) (?P<arrow>-->|<-->|<-\.->) (?P<b>\w+)")
BOX = re.compile(r'subgraph (?P<id>\w+)\["(?P<label>[^"]*)"\]')
# What ends a label, begins a directive, a formula, Markdown or HTML, wherever it stands.
FORBIDDEN = re.compile(r'["`%$\\\n]|<(?!br/>)|(?<!br/)>|&|#(?!\d+;|amp;|lt;|gt;)')


@dataclass
class Drawing:
    """A flowchart that was read: labels by id, edges, and the box that each node stands in."""

    labels: dict[str, str] = field(default_factory=dict)
    boxes: dict[str, str] = field(default_factory=dict)
    edges: list[tuple[str, str, str]] = field(default_factory=list)
    inside: dict[str, str] = field(default_factory=dict)

    def shown(self, id: str) -> str:
        """A label as Mermaid shows it."""
        entities = {"amp": "&", "lt": "<", "gt": ">"}
        text = (self.labels | self.boxes)[id].replace("<br/>", "\n")
        return re.sub(r"#(\d+|\w+);", lambda match: entities.get(match[1]) or chr(int(match[1])), text)


def read(text: str) -> Drawing:
    """A flowchart, read by the grammar of Mermaid; an AssertionError for a line that is not of it."""
    drawing, open_boxes = Drawing(), ["" for _ in range(0)]
    first, *lines = text.removesuffix("\n").split("\n")
    assert first == "flowchart TD"
    for line in (line.strip() for line in lines):
        if box := BOX.fullmatch(line):
            assert box["id"] not in drawing.labels | drawing.boxes, f"id {box['id']} twice"
            drawing.inside[box["id"]] = open_boxes[-1] if open_boxes else ""
            drawing.boxes[box["id"]] = box["label"]
            open_boxes.append(box["id"])
            check(box["label"])
        elif line == "end":
            open_boxes.pop()
        elif node := NODE.fullmatch(line):
            assert node["id"] not in drawing.labels | drawing.boxes, f"id {node['id']} twice"
            label = next(value for value in (node["stadium"], node["box"], node["store"]) if value is not None)
            drawing.labels[node["id"]] = label
            drawing.inside[node["id"]] = open_boxes[-1] if open_boxes else ""
            check(label)
        else:
            edge = EDGE.fullmatch(line)
            assert edge, f"no line of a flowchart: {line!r}"
            drawing.edges.append((edge["a"], edge["arrow"], edge["b"]))
    assert not open_boxes, "a subgraph is not ended"
    known = drawing.labels | drawing.boxes
    for a, _, b in drawing.edges:
        assert {a, b} <= set(known), f"an edge to nothing: {a} {b}"
        assert drawing.inside[a] != b, "an edge to the box around it"
        assert drawing.inside[b] != a, "an edge from the box around it"
        assert a != b
    assert not set(known) & {"end", "graph", "subgraph", "style", "click", "class", "default", "linkStyle"}
    return drawing


def check(label: str) -> None:
    assert label.strip()
    assert not FORBIDDEN.search(label), label


def edges(team: AgentTeam) -> set[tuple[str, str, str]]:
    """The edges of a diagram, by what its nodes show."""
    drawing = read(team.diagram())
    return {(drawing.shown(a).split("\n")[0], arrow, drawing.shown(b).split("\n")[0]) for a, arrow, b in drawing.edges}


@pytest.mark.parametrize("build", [build for build, _ in TEAMS.values()], ids=TEAMS)
def test_every_team_has_a_diagram_in_which_everybody_stands_once_and_the_task_leads_to_the_answer(build: Build) -> None:
    team = build(Contrary(MOST))
    drawing = read(team.diagram())
    shown = sorted(drawing.shown(id).split("\n")[0] for id in [*drawing.labels, *drawing.boxes])
    boards = [name for name in shown if name == "board"]
    assert shown == sorted(["task", "answer", *boards, *everybody(team)])
    assert len(boards) == everybody_with_a_board(team)
    reached, ahead = {"task"}, ["task"]
    while ahead:
        here = ahead.pop()
        for a, arrow, b in drawing.edges:
            for start, end in ((a, b), (b, a)) if arrow != "-->" else ((a, b),):
                if start == here and end not in reached:
                    reached.add(end)
                    ahead.append(end)
    top = {id for id, around in drawing.inside.items() if around == "t"}
    assert top <= reached, "somebody is not reached from the task"
    assert "answer" in reached


def everybody(team: AgentTeam) -> list[str]:
    """What the boxes of a team and all in it show."""
    names = [team.kind if team.name == team.kind else f"{' '.join(team.name.split())} · {team.kind}"]
    for member in team.members:
        if isinstance(member.who, AgentTeam):
            names += everybody(member.who)
        else:
            names.append(" ".join(member.name.split()))
    return names


def everybody_with_a_board(team: AgentTeam) -> int:
    inner = [member.who for member in team.members if isinstance(member.who, AgentTeam)]
    own = team.kind == "flat" and team.formation.shared_memory
    return own + sum(everybody_with_a_board(each) for each in inner)


def test_a_diagram_shows_who_hears_whom() -> None:
    assert edges(AgentTeam.pipeline(["a", "b", "c"], name="p")) == {
        ("task", "-->", "a"), ("a", "-->", "b"), ("b", "-->", "c"), ("c", "-->", "answer"),
    }  # fmt: skip
    assert edges(AgentTeam.hierarchical("lead", ["a", "b"], verifier="v")) == {
        ("task", "-->", "lead"), ("lead", "<-->", "a"), ("lead", "<-->", "b"), ("lead", "<-->", "v"),
        ("lead", "-->", "answer"),
    }  # fmt: skip
    debate = edges(AgentTeam.debate(["a", "b", "c"], judge="j"))
    assert {("a", "<-.->", "b"), ("a", "<-.->", "c"), ("b", "<-.->", "c"), ("a", "-->", "j")} <= debate
    assert ("j", "-->", "answer") in debate
    assert ("a", "-->", "answer") not in debate
    ring = [edge for edge in edges(AgentTeam.debate(list("abcdef"), topology="ring")) if edge[1] == "<-.->"]
    assert len(ring) == 6
    assert not [edge for edge in edges(AgentTeam.debate(["a", "b"], 0)) if edge[1] == "<-.->"]
    assert ("b", "-->", "a") in edges(AgentTeam.parallel(["a", "b"], aggregation="synthesize"))
    assert ("a", "<-.->", "board") in edges(AgentTeam.flat(["a", "b"]))
    assert "board" not in AgentTeam.flat(["a", "b"], shared_memory=False).diagram()


def test_a_diagram_says_nothing_twice() -> None:
    drawing = read(AgentTeam.hierarchical("lead", ["bob"]).diagram())
    assert (drawing.shown("t"), drawing.shown("t_0"), drawing.shown("t_1")) == ("hierarchical", "lead", "bob")
    named = read(AgentTeam.hierarchical(Agent("lead", name="ada"), ["bob"], name="office").diagram())
    assert (named.shown("t"), named.shown("t_0")) == ("office · hierarchical", "ada\n(lead)")
    other = read(AgentTeam.hierarchical(Agent("planner", name="ada"), ["bob"]).diagram())
    assert other.shown("t_0") == "ada\nplanner\n(lead)"


def test_a_team_of_many_with_a_team_among_them_has_no_id_twice() -> None:
    inner = AgentTeam.parallel(["x", "y", "z"], name="in")
    read(AgentTeam.flat(["m0", inner, *(f"m{at}" for at in range(2, 30))]).diagram())


HOSTILE = [
    'a"]; click t_0 call evil()', "end", "x --> y", "%%{init: {'theme': 'forest'}}%%", "<script>alert(1)<\\script>",
    "`code`", "#quot;", "a\nb]\nend", "$$x^2$$", "a\u202eb\u2028c\x00d\x1b[31m", "---\ntitle: x\n---",
    "&amp; &35; \\\"",
    "subgraph z", "|x|", "@{ shape: cat }", ":::cls", "<img src=x onerror=alert(1)>", "é😀 数",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_cannot_break_out_of_its_label(name: str) -> None:
    # A role may be named at will, members and teams only in printable characters.
    member = "".join(letter if letter.isprintable() else "-" for letter in name)
    inner = AgentTeam.flat([Agent(Role(name=name, kind="coder"), name="x")], name=member)
    team = AgentTeam.debate([Agent("worker", name=member + "!"), inner, "b"], name=member)
    drawing = read(team.diagram())
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())
    assert drawing.shown("t_0") == f"{' '.join(member.split())}!\nworker"
    assert drawing.shown("t") == f"{' '.join(member.split())} · debate"
    assert drawing.shown("t_1_0") == f"x\n{plain}"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.text(min_size=1, max_size=99).filter(lambda text: text.strip() and "/" not in text and text.isprintable()),
        min_size=2,
        unique_by=lambda text: unicodedata.normalize("NFKC", f"{text}.").casefold(),
    )
)
def test_no_text_at_all_breaks_out_of_its_label(names: Sequence[str]) -> None:
    team = AgentTeam.pipeline([Agent("worker", name=f"{name}.") for name in names])
    drawing = read(team.diagram())
    assert len(drawing.labels) == len(names) + 2
    assert len(drawing.edges) == len(names) + 1
    assert all(a != b for a, b in itertools.pairwise(sorted(drawing.labels)))


def test_what_is_drawn_is_plain_text_that_json_can_hold() -> None:
    assert json.loads(json.dumps(AgentTeam.flat(["a"]).diagram())).startswith("flowchart TD\n")
