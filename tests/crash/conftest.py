"""What loading LiteLLM in a test's process takes; see the wire tests."""

from __future__ import annotations

from tests.wire.conftest import pytest_collection_modifyitems as pytest_collection_modifyitems
