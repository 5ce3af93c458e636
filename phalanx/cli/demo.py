"""`phalanx demo`: two teams at work and a small benchmark, without a key."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phalanx.agents.agent import Agent
from phalanx.agents.models.model import Model
from phalanx.errors import TeamError
from phalanx.teams.result import TeamResult
from phalanx.teams.team import AgentTeam

from . import logs, show
from .exits import COMPLETED
from .failures import WrongUse, code_of, describe, exit_code
from .options import check_api_base, one_model
from .text import one_line, visible
from .watch import watch

if TYPE_CHECKING:
    from rich.console import Console

LATENCY = (0.9, 0.25)


@dataclass(frozen=True)
class Scene:
    """One team of the demo, made with its members' model, and a question whose answer is known.

    wrong: answers that suggest themselves.
    """

    title: str
    team: Callable[[Model], AgentTeam]
    question: str
    gold: str
    wrong: tuple[str, ...]


SCENES = (
    Scene(
        "A hierarchy: a lead delegates, the workers do the parts, the lead reviews and answers.",
        lambda model: AgentTeam.hierarchical("lead", ["researcher", "planner", "critic"], name="hierarchy",
                                             model=model),
        "A snail climbs a wall of 10 metres. Each day it climbs 3 metres up, each night it slides 2 metres back. "
        "On which day does it first reach the top? Give the number of the day.",
        "8",
        ("10", "9", "7"),
    ),
    Scene(
        "A debate: blind drafts, then each sees the others' answers and revises; the last round is voted on.",
        lambda model: AgentTeam.debate([Agent("debater", name=each) for each in ("ada", "bob", "cleo")], 2,
                                       name="debate", model=model),
        "A bat and a ball cost 110 cents together. The bat costs 100 cents more than the ball. "
        "How many cents does the ball cost? Give the number.",
        "5",
        ("10", "15", "1"),
    ),
)  # fmt: skip


def demo(*, model: str | None, api_base: str | None, seed: int, fast: bool, debug: bool) -> int:
    """Show the teams at work, then what each cost and how to go on; gives the exit code of the one that did worst."""
    logs.configure(debug)
    check_api_base(model, api_base)
    if api_base is not None and model is None:
        raise WrongUse("--api-base needs --model: simulated members ask nobody")
    where = show.console()
    watched = sys.stdout.isatty() and not fast
    dice = model in (None, "offline/simulated")
    asked = one_model(model, api_base) if model and not dice else simulated(LATENCY if watched else 0.0)
    if dice:
        said = "The members of these teams are SIMULATED: made-up answers by dice, no model is asked."
        _say(where, said, "bold yellow")
        _say(where, "They know the right answer with a known probability, so that teams can be tried without a key.")
    else:
        _say(where, f"Every member asks {model}. This costs what the provider takes for it.", "bold")
    costs: list[show.Cost] = []
    worst = COMPLETED
    for scene in SCENES:
        cost, code = _play(where, scene, asked, seed=seed, debug=debug)
        costs, worst = [*costs, cost], max(worst, code)
    where.print()
    _say(where, "What each cost" + (" (simulated: tokens are estimates, no money is involved)" if dice else ""), "bold")
    where.print(show.cost_table(costs))
    if dice:
        _show_benchmark(where, seed)
    _show_next(where, dice)
    return worst


def simulated(latency: float | tuple[float, float]) -> Model:
    """Members that are right more often than not, tend to the same mistake, and learn from each other."""
    from phalanx.agents.models.simulated import SimulatedModel

    return SimulatedModel(
        0.6, answers={each.question: (each.gold, (each.gold, *each.wrong)) for each in SCENES}, distractor=0.8,
        revise_right=0.5, revise_wrong=0.05, judge_skill=0.9, latency=latency, seed=11,
    )  # fmt: skip


def _play(where: Console, scene: Scene, model: Model, *, seed: int, debug: bool) -> tuple[show.Cost, int]:
    """Let one team work; gives what it cost and the exit code."""
    team = scene.team(model)
    where.print()
    _say(where, scene.title, "bold")
    _say(where, scene.question, "dim")
    view = show.view_for(where)
    try:
        result = watch(
            team, scene.question, view, seed=seed, streaming=show.is_live(view),
            also=logs.event_log(debug),
        )  # fmt: skip
        code = exit_code(result.status)
    except TeamError as failure:
        if not isinstance(failure.result, TeamResult):
            raise
        result, code = failure.result, code_of(failure)
        _say(where, f"no answer: {describe(failure)}", "bold red")
    answered = one_line(result.content.strip().splitlines()[-1] if result.content.strip() else "(none)", 60)
    _say(where, f"{answered}   [right: {scene.gold}]", "bold")
    return show.Cost(team.name, result, answered), code


def _show_benchmark(where: Console, seed: int) -> None:
    """What the formations are worth to members whose skill is known, with intervals."""
    from rich.table import Table
    from rich.text import Text

    from .demo_bench import QUESTIONS, benchmark, rows, verdicts

    where.print()
    _say(where, f"Was the team worth it? A benchmark of {QUESTIONS} made-up questions", "bold")
    where.print()
    found = benchmark(seed)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("system", no_wrap=True)
    for heading in ("accuracy", "95% interval", "calls a question"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows(found):
        table.add_row(*map(Text, row))
    where.print(table)
    for verdict in verdicts(found):
        where.print()
        where.print(Text(verdict))
    where.print()
    said = (
        f"n={found.items}, seed {found.seed}. These members are SIMULATED too: right six times in ten, and as ready to "
        "drop a right answer as a wrong one. It shows how teams are compared, and says nothing of any real model."
    )
    where.print(Text(said, "yellow"))


def _show_next(where: Console, dice: bool) -> None:
    """What to type next, the same with a real model first."""
    steps = [
        ("a team of your own", 'phalanx init team.yaml && phalanx run team.yaml "your task"'),
        ("a benchmark of your own (docs/benchmarks.md)", "phalanx bench SPEC.yaml"),
    ]
    if dice:
        from phalanx.agents.models.resolve import default_name
        from phalanx.settings import Settings

        name = default_name(Settings.from_environment()) or "openai/gpt-4o-mini"
        steps.insert(0, ("the same with a real model", f"phalanx demo --model {name}"))
    where.print()
    _say(where, "What next", "bold")
    for what, command in steps:
        _say(where, f"  {what}:")
        _say(where, f"    {command}", "bold")


def _say(where: Console, line: str, style: str = "") -> None:
    from rich.text import Text

    where.print(Text(visible(line), style), soft_wrap=not where.is_terminal)
