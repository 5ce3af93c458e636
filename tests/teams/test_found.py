"""What hostile and mistaken users do to teams: it is refused early and by name, or does no harm."""

from __future__ import annotations

import pytest

from phalanx import AgentTeam, SpecError


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("calls: -1", "5: limits.calls: Input should be greater than or equal to 0, not -1"),
        ("usd: .nan", "5: limits.usd: Input should be a finite number, not nan"),
        ("call: 3", "5: limits.call: there is no field 'call' (did you mean 'calls'?)"),
    ],
)
def test_a_wrong_limit_in_a_file_is_told_with_its_own_line(wrong: str, said: str) -> None:
    text = f"members: [{{name: a}}, {{name: b}}]\nformation: flat\nlimits:\n  depth: 1\n  {wrong}\n"
    with pytest.raises(SpecError) as refusal:
        AgentTeam.from_yaml(text)
    assert str(refusal.value) == said
