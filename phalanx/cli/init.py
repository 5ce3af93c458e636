"""`phalanx init`: a starter team, with comments, that runs as it is."""

from __future__ import annotations

import sys
from pathlib import Path

from phalanx.settings import nearest

from .failures import WrongUse, check_writable, say
from .starters import MORE

_HEAD = """\
# A team. Try it without a key:   phalanx run {file} "your task" --model offline/simulated
# With a real model:              phalanx run {file} "your task" --model openai/gpt-4o-mini
name: {name}

# The model of every member that names none of its own. Without this line: PHALANX_MODEL, else the first provider
# whose key is in the environment, else an Ollama on this machine.
# model: openai/gpt-4o-mini

# Who is in it. A role is one of lead, worker, planner, researcher, coder, tester, critic, verifier, proposer,
# debater, moderator, judge, aggregator, router, or any words of your own.
# A member may also have: model, temperature, max_tokens, skills, limits, timeout, api_base, …
members:
"""

_TAIL = """
# The most a run may use, over all members together. Also: tokens, usd, depth, concurrency.
limits:
  calls: {calls}
  seconds: 600
"""

KINDS: dict[str, tuple[str, int]] = {
    "hierarchical": (
        """\
  - name: ada
    role: lead
    instructions: Split the task into few, clear parts.
  - name: bob
    role: researcher
  - name: cleo
    role: critic
    instructions: Look for what is wrong or missing.
  # A verifier checks the answer and may veto it.
  # - {name: vera, role: verifier}

# The lead plans and delegates, the others do the parts, the lead reviews and writes the answer.
formation:
  kind: hierarchical
  max_rounds: 3      # rounds of assignments at most
  review: true       # the lead may assign more after seeing results
""",
        20,
    ),
    "flat": (
        """\
  - {name: ada, role: researcher}
  - {name: bob, role: coder}
  - {name: cleo, role: critic}

# Equals that speak in turn and see what the others put on the board; then one answer is written.
formation:
  kind: flat
  shared_memory: true        # false: all at once, and blind
  rounds: 1
  aggregation: synthesize    # or concat, or majority_vote
""",
        12,
    ),
    "pipeline": (
        """\
  - name: ada
    role: planner
  - name: bob
    role: coder
  - name: cleo
    role: tester
    instructions: Correct what is wrong and give the complete, corrected result.

# Stages in a row: each gets the task and what the one before it made.
formation:
  kind: pipeline
  retries: 1
""",
        9,
    ),
    "parallel": (
        """\
  - {name: ada, role: researcher}
  - {name: bob, role: critic}
  - {name: cleo, role: planner}

# All at once, each alone; then their answers are put together.
formation:
  kind: parallel
  aggregation: concat    # or synthesize, or majority_vote
""",
        9,
    ),
    "consensus": (
        """\
  - {name: ada, role: proposer}
  - {name: bob, role: proposer}
  - {name: cleo, role: proposer}

# Blind answers, counted; while they do not agree, solutions are exchanged and reworked.
formation:
  kind: consensus
  min_agreement: 2    # how many must agree; 0.75 is a share of those who answer
  rounds: 2
""",
        18,
    ),
    "debate": (
        """\
  - {name: ada, role: debater}
  - {name: bob, role: debater}
  - {name: cleo, role: debater}
  # A judge decides when the last round is not unanimous.
  # - {name: jo, role: judge}

# Blind drafts, then rounds in which each sees the others' answers and revises; the last round is voted on.
formation:
  kind: debate
  rounds: 2
  trigger: on_disagreement    # or always
""",
        18,
    ),
    **MORE,
}


def init(file: Path, formation: str, *, force: bool = False) -> int:
    """Write a starter team of a formation, and say what to do with it.

    Raises WrongUse for an unknown formation, and when the file exists and `force` is not given.
    """
    if formation not in KINDS:
        raise WrongUse(f"there is no formation {formation!r}{nearest(formation, KINDS)}; there are: {', '.join(KINDS)}")
    check_writable(file, "the file")
    try:
        with file.open("w" if force else "x", encoding="utf-8") as out:
            out.write(text_of(formation, file))
    except FileExistsError:
        raise WrongUse(f"{file} exists already; give another name, or --force to write over it") from None
    say(f"wrote {file}: {'an' if formation[0] in 'aeiou' else 'a'} {formation} team. Try it without a key:")
    sys.stdout.write(f'phalanx run {file} "What is 17 * 23?" --model offline/simulated\n')
    return 0


def text_of(formation: str, file: Path) -> str:
    """The file of a starter team."""
    members, calls = KINDS[formation]
    return _HEAD.format(file=file, name=formation) + members + _TAIL.format(calls=calls)
