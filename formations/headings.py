"""Several texts in one, each under the name of whose it is, which no text in it can take."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Neither line ends nor backtracking: no text may take time quadratic in its length.
_BLANK = r"[ \t]*+"
_ENDS = r"\n\r\v\f\x85\u2028\u2029"


def under_names(parts: Iterable[tuple[str, str]]) -> str:
    """Texts under headings, in their order.

    parts: names with their texts. A line of a text that would itself be a heading with one of the names is escaped as
    Markdown is, so that nobody can write in another's place.
    """
    told = list(parts)
    names = "|".join(sorted({re.escape(name) for name, _ in told}, key=len, reverse=True))
    heading = rf"(?:\A|(?<=[{_ENDS}]))({_BLANK})(#++{_BLANK}(?:{names}){_BLANK}#*+{_BLANK}(?=[{_ENDS}]|\Z))"
    taken = re.compile(heading, re.IGNORECASE)
    # Most texts have no heading at all.
    return "\n\n".join(f"## {name}\n{taken.sub(_escaped, text) if '#' in text else text}" for name, text in told)


def _escaped(found: re.Match[str]) -> str:
    return f"{found[1]}\\{found[2]}"
