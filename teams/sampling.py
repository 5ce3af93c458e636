"""Constructors of teams that draw several answers and pick or improve one."""

from __future__ import annotations

from .options import Construction

# Each formation is imported where it is built, so that a team of another one does not wait for it.


class Sampling(Construction):
    """Constructors of teams that draw several answers and pick or improve one."""
