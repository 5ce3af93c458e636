"""Constructors of teams whose members decide themselves who acts."""

from __future__ import annotations

from .options import Construction

# Each formation is imported where it is built, so that a team of another one does not wait for it.


class Opportunity(Construction):
    """Constructors of teams whose members decide themselves who acts."""
