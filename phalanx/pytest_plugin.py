"""Fixtures for tests of agents and teams. Load it with `pytest_plugins = ["phalanx.pytest_plugin"]` or `-p`.

Once loaded, every test runs with real model calls forbidden, except those marked `@pytest.mark.real_calls`.

scripted     a function that makes a ScriptedModel whose unused replies fail the test at its end
simulated    a function that makes a SimulatedModel seeded by the test's name
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import pytest

from phalanx.testing import ScriptedModel, SimulatedModel, allow_real_calls, forbid_real_calls


class Script(Protocol):
    """Makes a ScriptedModel from replies: text, Completion, or exceptions to raise."""

    def __call__(self, replies: Iterable[Any], *, name: str = "offline/scripted") -> ScriptedModel: ...


class Simulation(Protocol):
    """Makes a SimulatedModel from its settings."""

    def __call__(self, skill: float = 0.7, **settings: Any) -> SimulatedModel: ...


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real_calls: this test may call real models")


@pytest.fixture(autouse=True)
def real_calls_forbidden(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test reaches a provider by accident."""
    marked = request.node.get_closest_marker("real_calls") is not None
    with allow_real_calls() if marked else forbid_real_calls():
        yield


@pytest.fixture
def scripted() -> Iterator[Script]:
    """Make scripted models; at the end of the test each must have given all its replies."""
    made: list[ScriptedModel] = []

    def make(replies: Iterable[Any], *, name: str = "offline/scripted") -> ScriptedModel:
        made.append(ScriptedModel(replies, name=name))
        return made[-1]

    yield make
    for model in made:
        model.assert_done()


@pytest.fixture
def simulated(request: pytest.FixtureRequest) -> Simulation:
    """Make simulated models with a seed of this test's own, the same in every run of it."""

    def make(skill: float = 0.7, **settings: Any) -> SimulatedModel:
        return SimulatedModel(skill, **{"seed": zlib.crc32(request.node.name.encode()), **settings})

    return make
