"""Starter teams that sample, steer or watch a board: the members and formation of each, and what calls it may make."""

from __future__ import annotations

_EQUALS = """\
  - {name: ada, role: researcher}
  - {name: bob, role: coder}
  - {name: cleo, role: critic}
"""

MORE: dict[str, tuple[str, int]] = {
    "vote": (
        """\
  - {name: ada, role: worker}

# The same task several times, unseen by each other; equal answers are counted.
formation:
  kind: vote
  samples: 5
""",
        10,
    ),
    "mixture": (
        _EQUALS.replace("role: critic", "role: aggregator")
        + """\

# Proposals, which the aggregator makes into one answer.
formation:
  kind: mixture
  layers: 2    # 3: proposals are made once more, with the first ones in view
""",
        12,
    ),
    "reflect": (
        """\
  - {name: ada, role: coder, seat: author}
  - {name: bob, role: critic}

# An author writes, a critic accepts it or says what is wrong, the author revises.
formation:
  kind: reflect
  rounds: 2    # revisions at most
""",
        12,
    ),
    "adaptive": (
        _EQUALS
        + """\

# One answer, then a vote, then a debate: each only where the one before leaves doubt.
formation: adaptive
""",
        30,
    ),
    "router": (
        """\
  - {name: ria, role: router}
  - {name: ada, role: researcher}
  - {name: bob, role: coder}

# The router says whom the task fits; that member does it.
formation:
  kind: router
  top: 1    # how many are chosen
""",
        10,
    ),
    "handoff": (
        _EQUALS
        + """\

# The first begins; whoever has the task may hand it over to another member, with a note.
formation:
  kind: handoff
  max_handoffs: 5
""",
        20,
    ),
    "map_reduce": (
        """\
  - {name: ada, role: researcher}
  - {name: bob, role: researcher}
  - {name: cleo, role: aggregator, seat: reducer}

# The task's text is split into pieces, worked on piece by piece, and what was found is merged.
formation:
  kind: map_reduce
  max_pieces: 8
""",
        40,
    ),
    "ledger": (
        """\
  - {name: ada, role: lead}
  - {name: bob, role: researcher}
  - {name: cleo, role: coder}

# The lead keeps ledgers of facts, plan and progress, gives one step after the other, and plans anew when it is stuck.
formation:
  kind: ledger
  max_steps: 8
""",
        60,
    ),
    "blackboard": (
        _EQUALS
        + """\

# Members volunteer when the board holds what they care for; when it is quiet, answers are written from it.
formation:
  kind: blackboard
  max_turns: 6
""",
        40,
    ),
    "market": (
        _EQUALS
        + """\

# Sealed bids for the task; the best bidder does it.
formation:
  kind: market
  winners: 1
""",
        20,
    ),
    "panel": (
        """\
  - {name: ada, role: judge}
  - {name: bob, role: judge}
  - {name: cleo, role: judge}

# Referees compare the candidates and score them.
formation:
  kind: panel
  candidates:
    one: Write here what the first candidate says.
    two: Write here what the second candidate says.
""",
        30,
    ),
}
