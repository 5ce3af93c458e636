"""A process that runs a team is killed at any moment, resumed, killed again, until it is done: nothing is paid twice.

Three runs a formation in the default test, a hundred with PHALANX_TORTURE set.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from phalanx.messages import ToolCall
from tests.crash.office import Call, Journal, Office
from tests.crash.worker import BUILDS

RUNS = 100 if os.environ.get("PHALANX_TORTURE") else 3
pytestmark = [pytest.mark.wire, pytest.mark.timeout(3600 if RUNS > 3 else 180)]


@pytest.mark.parametrize("formation", BUILDS)
def test_a_run_killed_at_any_moment_is_resumed_to_the_same_result_and_pays_nothing_twice(
    formation: str, desk: Office, tmp_path: Path
) -> None:
    chance = random.Random(f"crash {formation}")
    log = tmp_path / "log.db"
    began = time.monotonic()
    whole = desk.start(formation, log, "undisturbed").outcome()
    took = time.monotonic() - began
    assert "result" in whole, whole
    kills = 0
    for number in range(RUNS):
        trial = Trial(desk, formation, log, f"run-{number}", chance, took)
        kills += trial.kills_until_done()
        trial.check(whole["result"])
    assert kills >= RUNS


class Trial:
    """One run that is killed again and again, and what is known of it."""

    def __init__(
        self, desk: Office, formation: str, log: Path, run_id: str, chance: random.Random, took: float
    ) -> None:
        self.desk, self.formation, self.log, self.run_id = desk, formation, log, run_id
        self.chance, self.took = chance, took
        self.before = desk.calls()
        self.effects_before = self.effects()
        self.kills = self.skipped = 0
        self.allowed: Counter[Call] = Counter()
        self.retried: Counter[str] = Counter()
        self.outcome: dict[str, object] = {}

    def effects(self) -> Counter[str]:
        path = self.desk.effects(self.log)
        return Counter(path.read_text(encoding="utf-8").splitlines()) if path.exists() else Counter()

    def made(self) -> Counter[Call]:
        """What the server was asked in this run."""
        return self.desk.calls() - self.before

    def kills_until_done(self) -> int:
        """Kill it at random moments, at least once, and bring it to its end; how often it was killed."""
        decisions: dict[str, str] = {}
        while True:
            child = self.desk.start(self.formation, self.log, self.run_id, decisions=json.dumps(decisions))
            # What is decided holds in each child that is told so, also after one that was killed while it did it again.
            self.retried.update(self.effect_of(key) for key, decided in decisions.items() if decided == "retry")
            if self.kills == 0 or (self.kills < 3 and self.chance.random() < 0.4):
                time.sleep(self.chance.uniform(0, self.took))
                if child.kill():
                    self.kills += 1
                    self.look()
                    continue
                self.kills += self.kills == 0  # it was faster, and has ended: then it is resumed from its end
                continue
            self.outcome = child.outcome()
            if "uncertain" not in self.outcome:
                return self.kills
            key = str(self.outcome["uncertain"])
            decisions[key] = self.decide(key)

    def look(self) -> None:
        """After a kill: what is journaled as finished is never asked again, all that was asked is in the journal."""
        journal = Journal.read(self.log, self.run_id)
        made = self.made()
        assert not set(made) - set(journal.calls()), "the server was asked something that is not in the journal"
        for call, count in made.items():
            # Once more for each kill that left it open.
            self.allowed[call] = max(self.allowed[call], count + (journal.paid()[call] == 0))
        used = journal.used()
        for effect, count in (self.effects() - self.effects_before).items():
            self.allowed[effect] = max(self.allowed[effect], count + (effect not in used))

    def decide(self, key: str) -> str:
        """Whoever is asked looks whether it was done."""
        if (self.effects() - self.effects_before)[self.effect_of(key)] and self.chance.random() < 0.5:
            self.skipped += 1
            return "skip"
        return "retry"

    def effect_of(self, key: str) -> str:
        """What is written down when the step of this key is done."""
        call = Journal.read(self.log, self.run_id).started[key].request
        assert isinstance(call, ToolCall)
        return f"send {call.parameters['to']}"

    def check(self, whole: object) -> None:
        journal = Journal.read(self.log, self.run_id)
        result = self.outcome.get("result")
        assert isinstance(result, dict), self.outcome
        assert isinstance(whole, dict)
        if self.skipped or self.formation == "consensus":
            # What is shown of a call that was skipped, or not waited for, is another text.
            assert (result["status"], answer(result)) == (whole["status"], answer(whole))
        else:
            assert result == whole
        made = self.made()
        assert not set(made) - set(journal.calls())
        for call, count in made.items():
            assert count <= max(self.allowed[call], 1), f"asked {count} times after {self.kills} kills: {call[-300:]}"
        assert not set(journal.paid()) - set(made), "a call is journaled that was never made"
        done = self.effects() - self.effects_before
        sent = {effect: count for effect, count in done.items() if effect.startswith("send")}
        for effect, count in done.items():
            assert count <= max(self.allowed[effect], 1), f"{effect} was done {count} times"
        for effect, count in sent.items():
            assert count <= 1 + self.retried[effect], f"{effect} was done {count} times"
        replayed = self.desk.start(self.formation, self.log, self.run_id, replay="yes").outcome()
        assert replayed == self.outcome
        assert self.made() == made, "playing back asks nobody"


def answer(result: dict[str, object]) -> str:
    return str(result["text"]).rpartition("Answer:")[2]
