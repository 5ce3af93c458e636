"""Whether the environment is still what it was: asked at once, instead of looking up some thirty variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from itertools import count

from phalanx.settings import Settings

_numbers = count(1)
_last: tuple[int, Mapping[object, object]] = (0, {})


def environment() -> int:
    """A number that is another one whenever the environment has changed since it was asked for before."""
    global _last
    # What `os.environ` keeps: comparing it takes two microseconds, reading it through `os.environ` forty.
    held: Mapping[object, object] = getattr(os.environ, "_data", None) or dict(os.environ)
    number, seen = _last
    if held != seen:
        number = next(_numbers)
        _last = number, dict(held)
    return number


def current_settings() -> Settings:
    """The PHALANX_* variables as they are now. Raises ConfigurationError as `Settings.from_environment` does."""
    return _settings(environment())


@lru_cache(4)
def _settings(_environment: int) -> Settings:
    return Settings.from_environment()
