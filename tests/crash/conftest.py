"""One worker for all crash tests, and what loading LiteLLM in a test's process takes; see the wire tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crash.office import Office, office
from tests.wire.conftest import pytest_collection_modifyitems as pytest_collection_modifyitems


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A server and a process whose children work on runs."""
    with office(tmp_path_factory.mktemp("office")) as running:
        yield running
