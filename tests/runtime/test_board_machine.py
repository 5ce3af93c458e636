"""The blackboard over a log in memory, held against a plain model, on both backends."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.runtime.board_machine import board_machine, memory_log

few = settings(max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

TestOnAsyncio = board_machine(memory_log).TestCase
TestOnAsyncio.settings = few
TestOnTrio = board_machine(memory_log, "trio").TestCase
TestOnTrio.settings = few
