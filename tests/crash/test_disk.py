"""The disk is full, the file cannot be written, two processes go on with one run: said, and nothing is paid twice."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import pytest

from phalanx.runtime.events import StepFinished
from tests.crash.office import Journal, Office

pytestmark = [pytest.mark.wire]
RUN = "the-run"


def test_a_run_whose_disk_is_full_says_so_and_goes_on_when_there_is_room(desk: Office, tmp_path: Path) -> None:
    before = desk.calls()
    whole = desk.start("pipeline", tmp_path / "roomy.db", RUN).outcome()
    once = desk.calls() - before
    size = (tmp_path / "roomy.db").stat().st_size
    for part in (0.6, 0.75, 0.9):
        log = tmp_path / f"log-{part}.db"
        before = desk.calls()
        full = desk.start("pipeline", log, RUN, max_bytes=str(int(size * part))).outcome()
        assert full.get("error") == "LogError", full
        assert "full" in str(full["text"]), full
        paid = Journal.read(log, RUN).paid()
        outcome = desk.start("pipeline", log, RUN).outcome()
        if "uncertain" in outcome:
            decisions = json.dumps({str(outcome["uncertain"]): "retry"})
            outcome = desk.start("pipeline", log, RUN, decisions=decisions).outcome()
        assert outcome == whole
        made = desk.calls() - before
        assert set(made) == set(once)
        assert all(made[call] == once[call] for call in paid)
        assert sum((made - once).values()) <= 1, "only the call whose end could not be written is made again"


def test_a_run_in_a_file_that_cannot_be_written_asks_nobody(desk: Office, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    blocked = folder / "log.db"
    blocked.mkdir()
    before = desk.calls()
    outcome = desk.start("pipeline", blocked, RUN).outcome()
    assert outcome["error"] == "LogError"
    assert str(blocked) in str(outcome["text"])
    assert desk.calls() == before


@pytest.mark.parametrize("formation", ["pipeline", "parallel", "debate"])
def test_of_two_processes_that_go_on_with_one_run_one_is_refused_and_nothing_is_asked_twice(
    formation: str, desk: Office, tmp_path: Path
) -> None:
    began = time.monotonic()
    whole = desk.start(formation, tmp_path / "whole.db", RUN).outcome()
    took = time.monotonic() - began
    for part in (0.3, 0.5, 0.7):
        log = tmp_path / f"log-{part}.db"
        before = desk.calls()
        first = desk.start(formation, log, RUN)
        time.sleep(took * part)
        first.kill()
        journal = Journal.read(log, RUN)
        killed = Counter(journal.calls())
        # Whoever is asked says that a message whose end is unknown is to be sent again.
        decisions = json.dumps(dict.fromkeys(journal.started, "retry"))
        children = [desk.start(formation, log, RUN, decisions=decisions) for _ in range(2)]
        outcomes = [child.outcome() for child in children]
        results = [each for each in outcomes if "result" in each]
        losers = [each for each in outcomes if "result" not in each]
        # The second may come after the first has ended: then it is given what is recorded.
        assert results
        assert all(each == whole for each in results)
        assert all(each["error"] == "RunBusy" for each in losers), losers
        assert all("is being worked on by process " in str(each["text"]) for each in losers)
        made = desk.calls() - before
        after = Journal.read(log, RUN)
        assert all(made[call] == 1 for call in journal.paid()), "what was finished is not asked again"
        ends = Counter(each.key for each in after.records if isinstance(each, StepFinished) and each.status == "ok")
        assert set(ends.values()) == {1}, "each call is written down once"
        # Only what was under way when the first process was killed is asked again.
        assert all(count <= 1 + killed[call] for call, count in made.items())
