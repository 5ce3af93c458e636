"""Published protocols of debate and voting, each with the options its paper has.

A preset is a formation value, the members it is meant for, and the sampling its authors used. `rounds` here means
revisions after the draft, whatever a paper calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from phalanx.errors import ValidationError
from phalanx.settings import nearest

from .base import FormationModel
from .consensus import Consensus
from .debate import Debate
from .mixture import Mixture
from .panel import Panel
from .topology import k_regular
from .vote import Vote
from .voting import (
    BucketedConfidence,
    Plurality,
    decided,
    judge_decides,
    max_rounds,
    more_than,
    never,
    unanimous,
)


@dataclass(frozen=True, slots=True)
class Preset:
    """A published protocol.

    paper: where it comes from. formation: how its members work together. members: their roles, in seat order. seats:
    the roles in special seats. sampling: options of an agent that the authors set, such as the temperature; empty is
    the provider's default, which a Phalanx agent of its own accord does not send: it has 0.7. note: what it is for, or
    how it departs from the paper.
    """

    paper: str
    formation: FormationModel
    members: tuple[str, ...]
    seats: Mapping[str, str] = field(default_factory=dict)
    sampling: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    def with_options(self, options: Mapping[str, object]) -> FormationModel:
        """The formation with some `options` of the caller's own; they are checked like any.

        Raises ValidationError, naming the nearest, for an option that it does not have.
        """
        known = [name for name in type(self.formation).model_fields if name != "kind"]
        for name in options:
            if name not in known:
                raise ValidationError(
                    f"{self.formation.kind} has no option {name!r}{nearest(name, known)}; it has: {', '.join(known)}"
                )
        given = {name: getattr(self.formation, name) for name in self.formation.model_fields_set}
        return type(self.formation)(**{**given, **options})


_FIRST = Plurality(tie_break=("earliest",))
_RANDOM = Plurality(tie_break=("random",))
_UNBROKEN = Plurality(tie_break=())
_CHOI: dict[str, float] = {"temperature": 1.0, "top_p": 0.9}


def _copies(count: int, role: str = "debater") -> tuple[str, ...]:
    return (role,) * count


def _eot(topology: Literal["full", "star", "relay", "tree"]) -> Callable[[], Preset]:
    def make() -> Preset:
        formation = Debate(
            rounds=5, topology=topology, update="stable", leave_after=2, stop=more_than("1/2"), rule=_UNBROKEN
        )
        return Preset(
            "Yin et al. 2023, Exchange-of-Thought, arXiv:2312.01823", formation, _copies(3),
            note="Five rounds at most; who repeats its answer says no more.",
        )  # fmt: skip

    return make


def _choi(**options: Any) -> Callable[[], Preset]:
    def make() -> Preset:
        given = {"rounds": 2, "topology": "full", "trigger": "always", "stop": never(), "rule": _RANDOM, **options}
        return Preset(
            "Choi et al. 2025, Debate or Vote, arXiv:2508.17536", Debate(**given), _copies(5), sampling=_CHOI,
            note="The paper also has 3 and 5 rounds.",
        )  # fmt: skip

    return make


_PRESETS: dict[str, Callable[[], Preset]] = {
    "self_consistency": lambda: Preset(
        "Wang et al. 2022, Self-Consistency, arXiv:2203.11171",
        Vote(samples=40, rule=_FIRST, early=False), ("solver",), sampling={"temperature": 0.7},
        note="stop='beta(0.95)' or 'esc(5)' draws fewer samples.",
    ),
    "society": lambda: Preset(
        "Du et al. 2023, Society of Minds, arXiv:2305.14325",
        Debate(rounds=2, topology="full", memory="all", trigger="always", stop=never(), rule=_FIRST), _copies(3),
        note="T=2 as in the paper; its released script for grade-school mathematics revises once.",
    ),
    "mad": lambda: Preset(
        "Liang et al. 2023, Multi-Agent Debate, arXiv:2305.19118",
        Debate(
            rounds=2, topology="full", order="sequential", blind=False, memory="all", stance="oppose", stubbornness=3,
            stop=unanimous() | judge_decides(), evidence="all", rule=_UNBROKEN,
        ),
        ("affirmative", "negative"), seats={"moderator": "moderator", "judge": "judge"}, sampling={"temperature": 0.0},
        note="Three rounds with the opening one. Moderator and judge see both orders, and the judge every round.",
    ),
    "chateval": lambda: Preset(
        "Chan et al. 2023, ChatEval, arXiv:2308.07201",
        Panel(turns=2, order="one_by_one", blind_last=True), _copies(3, "referee"), sampling={"temperature": 0.0},
        note="Two to four referees; the candidates are the named parts of the task's context.",
    ),
    "reconcile": lambda: Preset(
        "Chen et al. 2023, ReConcile, arXiv:2309.13007",
        Debate(
            rounds=3, topology="full", view="grouped", confidence="typed", stop=unanimous(),
            rule=BucketedConfidence(tie_break=()),
        ),
        _copies(3),
        note="For three different models. All groups are shown, not the two largest; there are no few-shot examples.",
    ),
    "eot_memory": _eot("full"),
    "eot_report": _eot("star"),
    "eot_relay": _eot("relay"),
    "eot_debate": _eot("tree"),
    "sparse": lambda: Preset(
        "Li et al. 2024, Sparse Communication Topology, arXiv:2406.11776",
        Debate(rounds=2, topology=k_regular(2), memory="all", trigger="always", stop=never(), rule=_FIRST), _copies(6),
        note="Density 2/5; topology={'kind': 'k_regular', 'k': 3} or 4 is denser.",
    ),
    "group": lambda: Preset(
        "Liu et al. 2024, GroupDebate, arXiv:2409.14051",
        Debate(
            rounds=3, topology="full", groups=2, pool_every=2, memory="all", trigger="always", stop=never(),
            rule=_FIRST,
        ), _copies(6),
        note="Two groups of three; every second round shows a summary of each group.",
    ),
    "dylan": lambda: Preset(
        "Liu et al. 2023, DyLAN, arXiv:2310.02170",
        Debate(
            rounds=3, topology="full", rate=True, keep=2, keep_from=2, stop=more_than("2/3"), rule=_FIRST,
        ),
        ("mathematician", "programmer", "scientist", "economist"), seats={"ranker": "ranker"},
        note="Four layers, the best two from the third on; with early=True nobody is waited for once two thirds agree.",
    ),
    "vote_not_debate": _choi(),
    "conformist": _choi(update="conformist"),
    "follower": _choi(update="follower", follow=0.3),
    "hub": _choi(topology="star", decide="hub"),
    "aad": lambda: Preset(
        "Kaesberg et al. 2025, Voting or Consensus, arXiv:2502.19130",
        Debate(
            rounds=4, topology="full", order="sequential", blind=True, memory=2, trigger="always",
            stop=max_rounds(2) & decided(), rule=_UNBROKEN,
        ),
        ("expert", "critic", "generalist"),
        note="A blind first turn, a vote after the third; a tie takes another turn, here at most two more.",
    ),
    "ci": lambda: Preset(
        "Kaesberg et al. 2025, Voting or Consensus, arXiv:2502.19130",
        Consensus(
            rounds=4, exchange="solutions", trigger="always", stop=max_rounds(2) & decided(), rule=_UNBROKEN,
            early=False,
        ),
        ("expert", "critic", "generalist"),
        note="No messages: each sees only the set of answers. A vote after the third turn; a tie takes another.",
    ),
    "moa": lambda: Preset(
        "Wang et al. 2024, Mixture-of-Agents, arXiv:2406.04692",
        Mixture(layers=3), _copies(6, "proposer"), seats={"aggregator": "aggregator"}, sampling={"temperature": 0.7},
        note="For six different models; layers=2 is the paper's lite.",
    ),
    "self_moa": lambda: Preset(
        "Li et al. 2025, Self-MoA, arXiv:2502.00674",
        Mixture(layers=2, proposals=6), ("proposer",), seats={"aggregator": "aggregator"},
        sampling={"temperature": 0.7},
    ),
}  # fmt: skip

PRESETS = tuple(_PRESETS)
"""The names of all presets."""


def preset(name: str) -> Preset:
    """The published protocol of a `name`. Raises ValidationError, naming the nearest, when there is none."""
    if name not in _PRESETS:
        raise ValidationError(f"there is no preset {name!r}{nearest(name, PRESETS)}; there are: {', '.join(PRESETS)}")
    return _PRESETS[name]()
