"""Constructors of teams in which somebody steers: routes, hands over, splits, keeps a ledger."""

from __future__ import annotations

from .options import Construction

# Each formation is imported where it is built, so that a team of another one does not wait for it.


class Steering(Construction):
    """Constructors of teams in which somebody steers: routes, hands over, splits, keeps a ledger."""
