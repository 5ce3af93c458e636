"""The table of the README is what its command gives."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.cli.command import several

ROOT = Path(__file__).parents[2]
NAMES = ["debate", "debate: one member", "debate: vote at equal calls", "debate: vote at equal tokens"]


def test_the_readme_s_table_and_sentence_are_what_its_command_gives(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "phalanx bench examples/bench.yaml" in readme
    order = ["bench", str(ROOT / "examples" / "bench.yaml"), "--no-keep", "-q"]
    done, shown = several([*order, "--json"], order, cwd=tmp_path, seconds=120)
    assert (done.code, shown.code) == (0, 0), done.err
    told = json.loads(done.out)
    assert [each["system"]["name"] for each in told["standings"]] == NAMES
    for each in told["standings"]:
        found = each["accuracy"]
        share = f"{found['value']:.1%} | [{found['low']:.1%}, {found['high']:.1%}]"
        spent = f"{each['calls']:,} | {(each['input_tokens'] + each['output_tokens']) / each['attempts']:,.0f}"
        assert f"| {each['system']['name'].removeprefix('debate: ')} | {share} | {spent} |" in readme
    (sentence,) = re.findall(r"^debate is not worth its cost: .*?\.\n", shown.out, re.MULTILINE | re.DOTALL)
    quoted = " ".join(line.removeprefix("> ") for line in readme.splitlines())
    assert " ".join(sentence.split()) in quoted
