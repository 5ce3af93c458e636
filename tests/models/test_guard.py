"""The switch that keeps tests away from real models."""

from __future__ import annotations

import threading

import pytest

from phalanx.agents.models import guard
from phalanx.errors import ConfigurationError
from phalanx.testing import RealCallForbidden, allow_real_calls, forbid_real_calls, real_calls_allowed


def test_a_forbidden_call_names_its_model_and_says_what_to_do() -> None:
    with forbid_real_calls(), pytest.raises(RealCallForbidden, match=r"'openai/x'.*SimulatedModel") as refused:
        guard.check_allowed("openai/x")
    assert isinstance(refused.value, ConfigurationError)
    assert refused.value.model == "openai/x"


def test_calls_are_forbidden_inside_the_block_only_and_the_innermost_block_decides() -> None:
    with allow_real_calls():
        with forbid_real_calls():
            with allow_real_calls():
                guard.check_allowed("openai/x")
            assert not real_calls_allowed()
        guard.check_allowed("openai/x")


def test_a_block_that_ends_by_an_error_ends() -> None:
    with allow_real_calls():
        with pytest.raises(KeyError), forbid_real_calls():
            raise KeyError
        guard.check_allowed("openai/x")


def test_other_threads_are_forbidden_too() -> None:
    seen: list[bool] = []
    with forbid_real_calls():
        thread = threading.Thread(target=lambda: seen.append(real_calls_allowed()))
        thread.start()
        thread.join()
    assert seen == [False]


def test_the_switch_holds_where_no_block_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "ALLOW_REAL_CALLS", False)
    monkeypatch.setattr(guard, "_blocks", [])  # whatever the test run itself forbids
    with pytest.raises(RealCallForbidden):
        guard.check_allowed("openai/x")
    with allow_real_calls():
        guard.check_allowed("openai/x")


def test_it_forbids_as_a_decorator() -> None:
    @forbid_real_calls()
    def careful() -> bool:
        return real_calls_allowed()

    with allow_real_calls():
        assert careful() is False
        assert real_calls_allowed()


pytest_plugins = ["pytester"]


def test_the_plugin_forbids_real_calls_and_checks_scripts(pytester: pytest.Pytester) -> None:
    pytester.makeconftest('pytest_plugins = ["phalanx.pytest_plugin"]')
    pytester.makepyfile(
        """
        import anyio, pytest
        from phalanx.messages import Message, Request
        from phalanx.testing import real_calls_allowed

        ASKED = Request(messages=(Message(role="user", content="q"),))

        def test_forbidden():
            assert not real_calls_allowed()

        @pytest.mark.real_calls
        def test_allowed():
            assert real_calls_allowed()

        def test_used_up(scripted):
            assert anyio.run(scripted(["yes"]).complete, ASKED).text == "yes"

        def test_left_over(scripted):
            scripted(["never asked for"])

        def test_simulated(simulated):
            assert anyio.run(simulated(1.0).complete, ASKED).text
        """
    )
    result = pytester.runpytest_subprocess("--strict-markers", "-p", "no:cacheprovider")

    result.assert_outcomes(passed=5, errors=1)
    result.stdout.fnmatch_lines(["*has 1 of 1 replies left that nobody asked for*"])
