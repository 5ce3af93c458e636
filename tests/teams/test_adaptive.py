"""One answer, a vote, a debate: which level answers, what it has cost, and that nothing is asked twice."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

from phalanx import AgentTeam, Formation, Limits, TeamResult
from phalanx.errors import ConfigurationError, ValidationError
from phalanx.formations.adaptive import Adaptive
from phalanx.formations.voting import Plurality, beta, esc, stable
from phalanx.messages import Request
from phalanx.runtime.events import AnyEvent
from phalanx.testing import FunctionModel, SimulatedModel, questions

NAMES = ["ada", "bob", "cy"]
FAILS = RuntimeError("down")


class World(FunctionModel):
    """Samples in the order of the drawing, confidences, and what each says in the debate.

    sure: what the first member gives its answer. later: what a member says in a revision (default: its first answer).
    """

    def __init__(
        self, samples: str, *, sure: float | str = 0.5, later: dict[str, str] | None = None, delay: float = 0.0
    ) -> None:
        super().__init__(self._answer, name="offline/world")
        self.samples, self.sure, self.later, self.delay = samples, sure, later or {}, delay
        self.requests: list[Request] = []

    async def _answer(self, request: Request) -> str:
        self.requests.append(request)
        await anyio.sleep(self.delay)
        about = request.about
        if about.stage == "confidence":
            return self.sure if isinstance(self.sure, str) else f'{{"confidence": {self.sure}}}'
        seat = NAMES.index(about.member)
        said = self.samples[about.attempt * 3 + seat]
        if about.stage == "revise":
            said = self.later.get(about.member, said)
        if said == "!":
            raise FAILS
        return f"{about.member} thinks so.\nAnswer: {said}"

    def stages(self) -> list[tuple[str, str]]:
        return sorted((each.about.stage, each.about.member) for each in self.requests)


async def adaptive(world: World, **options: object) -> TeamResult:
    return await AgentTeam.adaptive(NAMES, model=world, **options).run("Which?")  # type: ignore[arg-type]


def level(result: TeamResult) -> str:
    assert result.decision is not None
    return result.decision.explanation.partition(":")[0]


# -- which level answers -------------------------------------------------------------------------------------------


async def test_a_first_answer_that_is_sure_enough_is_all_that_is_asked_for() -> None:
    world = World("A", sure=0.95)
    result = await adaptive(world, confidence=0.9)
    assert world.stages() == [("confidence", "ada"), ("draft", "ada")]
    assert result.status == "completed"
    assert "Answer: A" in result
    assert result.decision is not None
    assert result.decision.explanation.startswith(
        "level 1 of 3 (single): ada gives its answer a probability of 0.95, and 0.9 is enough."
    )


async def test_how_sure_a_member_is_is_asked_apart_so_that_it_cannot_steer_the_answer() -> None:
    world = World("A", sure=0.95)
    await adaptive(world, confidence=0.9)
    draft, question = ("\n".join(m.content for m in each.messages) for each in world.requests)
    assert "probability" not in draft
    assert "Which?" in question
    assert 'from="yourself">\nada thinks so.\nAnswer: A\n</data' in question


async def test_one_that_is_not_sure_is_the_first_of_the_samples() -> None:
    world = World("AAAA", sure=0.6)
    result = await adaptive(world, confidence=0.9)
    assert world.stages() == [("confidence", "ada"), *(("draft", name) for name in ("ada", "ada", "bob", "cy"))]
    assert level(result) == "level 2 of 3 (vote)"
    assert "of 0.6, and 0.9 is asked for; beta(0.95) was reached by 4 samples" in result.why()


async def test_without_a_confidence_one_answer_is_never_enough() -> None:
    world = World("AAAA")
    result = await adaptive(world)
    assert [stage for stage, _ in world.stages()] == ["draft"] * 4
    assert level(result) == "level 2 of 3 (vote)"
    assert result.votes == {"ada": "A", "bob": "A", "cy": "A", "ada#2": "A"}


async def test_samples_that_disagree_are_debated_by_those_who_gave_them_and_no_draft_is_asked_for_again() -> None:
    world = World("ABAAB", later={"bob": "A"})
    result = await adaptive(world)
    assert world.stages() == [
        *(("draft", name) for name in ("ada", "ada", "bob", "bob", "cy")),
        *(("revise", name) for name in NAMES),
    ]
    assert level(result) == "level 3 of 3 (debate)"
    assert "beta(0.95) was not reached by 5 samples" in result.why()
    assert [dict(each.choices) for each in result.rounds] == [
        {"ada": "A", "bob": "B", "cy": "A"}, {"ada": "A", "bob": "A", "cy": "A"},
    ]  # fmt: skip
    revising = next(each for each in world.requests if (each.about.stage, each.about.member) == ("revise", "bob"))
    text = revising.messages[-1].content
    assert 'from="yourself">\nbob thinks so.\nAnswer: B\n</data' in text
    assert "ada thinks so.\nAnswer: A" in text
    assert 'from="ada"' not in text


async def test_members_debate_also_where_their_first_answers_agree_and_only_later_samples_did_not() -> None:
    world = World("AAABB")
    result = await adaptive(world)
    assert level(result) == "level 3 of 3 (debate)"
    assert len([stage for stage, _ in world.stages() if stage == "revise"]) == 3


async def test_what_is_enough_agreement_can_be_said() -> None:
    assert level(await adaptive(World("AABAAA"), stop=beta("0.8"), samples=6)) == "level 2 of 3 (vote)"
    assert level(await adaptive(World("AABAAA"), stop=esc(3), samples=6)) == "level 2 of 3 (vote)"
    assert level(await adaptive(World("AABAAB"), stop=esc(3), samples=6)) == "level 3 of 3 (debate)"


async def test_a_debate_that_ends_in_a_tie_is_told() -> None:
    result = await adaptive(World("ABCAB"))
    assert result.status == "undecided"
    assert level(result) == "level 3 of 3 (debate)"


async def test_a_stop_rule_that_is_reached_where_the_rule_does_not_decide_is_no_agreement() -> None:
    rule = Plurality(min_agreement=1.0, tie_break=())
    result = await adaptive(World("ABAAAA"), stop=beta("0.8"), samples=6, rule=rule)
    assert level(result) == "level 3 of 3 (debate)"


# -- what goes wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sure", ["I am quite sure.", '{"confidence": 7}', ""])
async def test_a_confidence_that_cannot_be_read_is_none(sure: str) -> None:
    seen: list[AnyEvent] = []
    team = AgentTeam.adaptive(NAMES, confidence=0.5, model=World("AAAA", sure=sure))
    result = await team.run("Which?", on_event=seen.append)
    assert level(result) == "level 2 of 3 (vote)"
    assert ["did not say how sure it is" in str(each) for each in seen if each.kind == "warning"] == [True]


async def test_a_first_member_that_fails_leaves_it_to_the_others() -> None:
    world = World("!AAAA")
    result = await adaptive(world, confidence=0.5)
    assert "Answer: A" in result
    assert level(result) == "level 2 of 3 (vote)"
    assert result.votes == {"bob": "A", "cy": "A", "ada#2": "A", "bob#2": "A"}
    assert ("confidence", "ada") not in world.stages()


async def test_a_member_without_any_answer_takes_part_in_the_debate_without_one() -> None:
    world = World("A!BA!B", later={"bob": "B"})
    result = await adaptive(world, samples=6)
    first = result.rounds[0].choices
    assert {name for name, choice in first.items() if choice} == {"ada", "cy"}
    assert level(result) == "level 3 of 3 (debate)"


async def test_too_few_for_a_debate_leave_the_vote() -> None:
    world = World("A!!B!!", later={})
    result = await adaptive(world, samples=6, quorum=1)
    assert level(result) == "level 2 of 3 (vote)"
    assert "too few members answered for a debate" in result.why()
    assert result.status == "undecided"


@pytest.mark.parametrize("calls", [1, 2, 4, 5, 6, 8])
async def test_a_limit_leaves_the_answer_of_the_level_it_was_at(calls: int) -> None:
    world = World("ABBBA", sure=0.5, delay=1.0)
    team = AgentTeam.adaptive(NAMES, confidence=0.9, model=world)
    result = await team.run("Which?", limits=Limits(calls=calls))
    assert (result.status, result.usage.calls) == ("stopped", calls)
    if calls <= 2:
        assert "Answer: A" in result  # the first member's
    if calls >= 6:
        assert "Answer: B" in result  # of all five samples, and then of the debate


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"confidence": 1.5}, "confidence=1.5"),
        ({"confidence": 0.0}, "confidence=0.0"),
        ({"samples": 3}, r"beta\(0.95\) cannot be reached by samples=3"),
        ({"samples": 2}, "would never ask 'cy'"),
        ({"stop": stable()}, "'stable' is for rounds"),
        ({"rounds": 0}, "rounds=0"),
        ({"quorum": 4}, "quorum=4 cannot be met by 3 members"),
    ],
)
def test_what_cannot_work_is_refused(options: dict[str, object], problem: str) -> None:
    with pytest.raises((ConfigurationError, ValidationError), match=problem):
        AgentTeam.adaptive(NAMES, **options)  # type: ignore[arg-type]


def test_one_member_cannot_debate_and_a_team_cannot_say_how_sure_it_is() -> None:
    with pytest.raises(ConfigurationError, match="at least 2 members"):
        AgentTeam.adaptive(["ada"])
    inner = AgentTeam.pipeline(["x", "y"], name="inner")
    with pytest.raises(ConfigurationError, match="needs an agent as the first member"):
        AgentTeam.adaptive([inner, "bob"], confidence=0.9)
    assert AgentTeam.adaptive(["bob", inner], confidence=0.9).estimate("Which?").by_member["inner"][0] > 0
    with pytest.raises(ValidationError, match="without a stop rule"):
        AgentTeam(NAMES, formation=Adaptive(stop=None))


# -- cost, files, theory -------------------------------------------------------------------------------------------


async def test_its_calls_are_those_of_the_formula_when_every_level_is_needed() -> None:
    build: Callable[[], World] = lambda: World("ABCAB", sure=0.5)  # noqa: E731
    for options, calls in (({}, 8), ({"confidence": 0.9}, 9), ({"rounds": 2}, 11)):
        team = AgentTeam.adaptive(NAMES, model=build(), **options)
        result = await team.run("Which?")
        assert team.estimate("Which?").calls == result.usage.calls == calls
        assert result.usage.tokens <= team.estimate("Which?").tokens


def test_it_is_a_value_and_goes_through_a_file() -> None:
    team = AgentTeam.adaptive(NAMES, 9, confidence=0.9, stop="dirichlet(0.9) | esc(5)", model="offline/simulated")
    again = AgentTeam.from_yaml(team.to_yaml())
    assert again.formation == team.formation
    assert again.diagram() == team.diagram()
    assert AgentTeam(formation=Formation.adaptive(["a", "b"])).formation == Adaptive()


def test_it_debates_as_often_and_costs_as_much_as_theory_says() -> None:
    """Two answers, p = .7: the vote answers only where the first four agree, p^4 + (1-p)^4 = .2482 of cases.

    So it makes 4 calls with that probability and else 5 + 3: 7.0072 on average. Members that do not revise leave the
    debate with the majority of the first three.
    """
    p = 0.7
    team = AgentTeam.adaptive(NAMES, model=SimulatedModel(p, options=2, seed=6))
    asked = questions(250, options=2)
    calls, right = [], 0
    for question in asked:
        result = team.run_sync(question.text)
        calls.append(result.usage.calls)
        right += f"Answer: {question.gold}" in result
    assert set(calls) == {4, 8}
    agreed = p**4 + (1 - p) ** 4
    error = (agreed * (1 - agreed) / len(asked)) ** 0.5
    assert abs(calls.count(4) / len(asked) - agreed) < 3 * error
    assert abs(right / len(asked) - 0.784) < 3 * (0.784 * 0.216 / len(asked)) ** 0.5
