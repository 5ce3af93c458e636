"""Whatever a benchmark or a search holds open is closed, however it ends."""

from __future__ import annotations

import io

import pytest

from phalanx.cli.bench_view import view_for
from phalanx.cli.bench_work import watched
from phalanx.cli.show import console


class Held:
    """Something that is open until it is closed."""

    open = True

    async def aclose(self) -> None:
        self.open = False


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_held_open_is_closed_however_the_work_ends(fails: bool) -> None:
    held = Held()

    async def work() -> int:
        assert held.open
        if fails:
            raise ValueError("no")
        return 7

    view = view_for(console(io.StringIO()), quiet=True)
    if fails:
        with pytest.raises(ValueError, match="no"):
            watched(work, view, log=None, closing=(held, "a name"), again=None)
    else:
        assert watched(work, view, log=None, closing=(held, "a name"), again=None) == 7
    assert not held.open
