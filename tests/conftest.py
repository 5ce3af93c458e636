"""What all tests share: each async test runs on asyncio and on trio, under virtual time.

A test marked `wire` talks to real sockets, so it runs once, on asyncio with a real clock. Tests import what they
share as `tests.<name>`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# At the end, so that an installed phalanx, and not this checkout's rooms, is what tests import.
if (root := str(Path(__file__).parent.parent)) not in sys.path:
    sys.path.append(root)

from tests.clock import Backend, backend


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "anyio_backend" in metafunc.fixturenames:
        wire = metafunc.definition.get_closest_marker("wire") is not None
        metafunc.parametrize("anyio_backend", ["real-asyncio"] if wire else ["asyncio", "trio"], indirect=True)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Load LiteLLM once, before the first test, where any test talks to it.

    Loading takes seconds of real time in a thread; a test under virtual time that began it would end long before, and
    leave half a library to the next.
    """
    talks = any(item.get_closest_marker("wire") is not None for item in session.items)
    if talks and not session.config.option.collectonly:
        import anyio
        import hypothesis  # noqa: F401 - must have registered what it needs before loading freezes the collector

        from phalanx.agents.models.litellm import loaded

        anyio.run(loaded)


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> Backend:
    """The event loop of this test, with a clock of its own that starts at the loop's first moment."""
    return backend(request.param)
