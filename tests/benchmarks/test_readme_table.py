"""The table of the README is what its command gives."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.command import several

ROOT = Path(__file__).parents[2]
NAMES = {
    "debate": "debate", "debate: one member": "its best member alone",
    "debate: vote at equal calls": "vote at equal calls", "debate: vote at equal tokens": "vote at equal tokens",
}  # fmt: skip


def test_the_readme_s_table_is_what_its_command_gives(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "phalanx bench examples/bench.yaml" in readme
    order = ["bench", str(ROOT / "examples" / "bench.yaml"), "--no-keep", "--json", "-q"]
    (done,) = several(order, cwd=tmp_path, seconds=120)
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert [each["system"]["name"] for each in told["standings"]] == list(NAMES)
    for each in told["standings"]:
        found = each["accuracy"]
        share = f"{found['value']:.1%} | [{found['low']:.1%}, {found['high']:.1%}]"
        spent = f"{each['calls']:,} | {(each['input_tokens'] + each['output_tokens']) / each['attempts']:,.0f}"
        assert f"| {NAMES[each['system']['name']]} | {share} | {spent} |" in readme
