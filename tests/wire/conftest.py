"""What loading LiteLLM in a test's process takes."""

from __future__ import annotations

# Loading it freezes the garbage collector's objects: hypothesis must have registered its generators before that.
import hypothesis  # noqa: F401
import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What LiteLLM warns of inside is no error of ours; what it leaves open is."""
    for item in items:
        if item.get_closest_marker("wire") is not None:
            item.add_marker(pytest.mark.filterwarnings("default::DeprecationWarning", "default::UserWarning"))
