"""The page as a file: whole, closed to the world, and nothing that a model said is part of its markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from html.parser import HTMLParser
from pathlib import Path

import pytest

from phalanx import Agent, AgentTeam
from phalanx.benchmarks import html, summary
from phalanx.benchmarks.conversations import Conversations, Exchange, Said, conversations
from phalanx.benchmarks.record import Comparison
from phalanx.errors import ValidationError
from phalanx.runtime.log import MemoryLog
from phalanx.testing import FunctionModel
from tests.benchmarks.comparisons import attempt, comparison, debate

FIRST = [1.0] * 60 + [0.0] * 40
LATER = [1.0] * 80 + [0.0] * 20
EVIL = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)><!--"


def blocks(page: str) -> list[dict[str, object]]:
    packed = re.findall(r'<script type="text/plain" id="block-\d+">([^<]*)</script>', page)
    return [json.loads(zlib.decompress(base64.b64decode(each))) for each in packed]


def texts(page: str) -> list[str]:
    return [text for block in blocks(page) for text in block["texts"]]  # type: ignore[attr-defined]


class Markup(HTMLParser):
    """Every tag and attribute of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def evil() -> Comparison:
    """Hostile text wherever text may stand."""
    told = comparison({EVIL: [1.0, 0.0], "b": [0.0, 1.0]}, baselines={"b": EVIL}, name=EVIL, tasks=EVIL)
    item = told.items[0].model_copy(
        update={"id": EVIL, "question": EVIL, "gold": EVIL, "choices": (EVIL,), "cluster": EVIL}
    )
    made = tuple(
        each.model_copy(
            update={
                "item": EVIL if each.item == "q0" else each.item,
                "answer": EVIL,
                "read": EVIL,
                "why": EVIL,
                "error": EVIL,
                "run_id": f"{EVIL}{at}",
                "spec": EVIL,
            }
        )
        for at, each in enumerate(told.attempts)
    )
    systems = tuple(each.model_copy(update={"described": EVIL, "budget": EVIL, "kind": EVIL}) for each in told.systems)
    return told.model_copy(
        update={
            "items": (item, *told.items[1:]),
            "attempts": made,
            "systems": systems,
            "stopped": EVIL,
            "version": EVIL,
            "commit": EVIL,
        }
    )


def spoken(told: Comparison) -> Conversations:
    call = Exchange(
        member=EVIL,
        stage=EVIL,
        kind="model",
        name=EVIL,
        sent=(Said(speaker=EVIL, text=EVIL),),
        answer=EVIL,
        error=EVIL,
        status="ok",
    )
    return Conversations(by_run={each.run_id: (call,) for each in told.attempts if each.run_id})


def test_nothing_is_asked_of_a_network_and_only_the_page_s_own_script_and_style_may_act() -> None:
    page = html.page(comparison({"a": LATER, "b": FIRST}))
    markup = Markup(page)
    (policy,) = [each["content"] for each in markup.all("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    for tag in ("style", "script"):
        (own,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not {"link", "img", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in markup.tags}
    for tag, attributes in markup.tags:
        assert not {"src", "style"} & set(attributes), (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")]
        assert str(attributes.get("href", "#")).startswith("#")
    assert not re.findall(r"https?://", page)


def test_hostile_text_is_never_markup() -> None:
    told = evil()
    page = html.page(told, conversations=spoken(told))
    tame = comparison({"a": [1.0, 0.0], "b": [0.0, 1.0]}, baselines={"b": "a"}, stopped="x")
    made = tuple(each.model_copy(update={"described": "as it is made"}) for each in tame.systems)
    plain = Markup(html.page(tame.model_copy(update={"systems": made})))
    assert {tag for tag, _ in Markup(page).tags} == {tag for tag, _ in plain.tags}
    assert page.count("<script") == plain_scripts(plain)
    assert "<img" not in page
    assert "<!--" not in page
    assert EVIL in texts(page)


def plain_scripts(markup: Markup) -> int:
    return len(markup.all("script"))


def test_braces_in_a_text_are_not_filled_in() -> None:
    page = html.page(comparison({"{{script}}": FIRST, "b": LATER}, name="{{index}}"))
    assert "<h1>{{index}}</h1>" in page
    assert page.count('"use strict"') == 1


def test_the_page_says_what_the_summary_says() -> None:
    told = comparison({"debate": LATER, "vote": FIRST}, calls={"debate": 3}, baselines={"vote": "debate"})
    page = html.page(told)
    found = summary.of(told)
    assert found.findings[0].text in page
    assert "100 items, 1 repeat, seed 7, Phalanx 1.2.3, commit abc1234" in page
    assert "80.0%</b>" in page
    assert "[71.1%, 86.7%]" in page
    for note in found.notes:
        assert note in page


def test_every_attempt_is_in_the_page_and_repeated_text_is_there_once() -> None:
    told = comparison({"a": LATER, "b": FIRST, "c": FIRST})
    held = blocks(html.page(told))
    tries = [each for block in held for item in block["items"] for each in item["tries"]]  # type: ignore[attr-defined]
    assert len(tries) == 300
    assert texts(html.page(told)).count("a says 1") == 1
    index = json.loads(re.findall(r'id="index">(.*?)</script>', html.page(told))[0])
    assert index["scores"] == [LATER, FIRST, FIRST]
    assert index["ids"] == [f"q{place}" for place in range(100)]


def test_more_than_a_hundred_items_stand_in_more_than_one_block() -> None:
    assert [len(each["items"]) for each in blocks(html.page(comparison({"a": [1.0] * 250})))] == [100, 100, 50]  # type: ignore[arg-type]


def test_a_text_that_is_too_long_is_cut_and_says_so() -> None:
    told = comparison({"a": [1.0]})
    made = (told.attempts[0].model_copy(update={"answer": "x" * 5000}),)
    page = html.page(told.model_copy(update={"attempts": made}), longest=1000)
    assert "x" * 1000 + "\n[… 4,000 more characters are not in this page]" in texts(page)
    with pytest.raises(ValidationError, match="longest=0"):
        html.page(told, longest=0)


def test_half_a_character_does_not_keep_the_page_from_being_written(tmp_path: Path) -> None:
    told = comparison({"a\ud800": [1.0], "b": [0.0]})
    html.write(tmp_path / "report.html", told)
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_summary_of_something_else_is_refused() -> None:
    with pytest.raises(ValidationError, match="not of 'quiz'"):
        html.page(comparison({"a": [1.0]}), summary=summary.of(comparison({"z": [1.0]}, name="other")))


def test_a_comparison_in_which_nothing_was_run_still_has_a_page() -> None:
    page = html.page(comparison({"a": [1.0]}).model_copy(update={"attempts": ()}))
    assert "There is nothing to compare" in page
    assert "No system has both an accuracy and a known cost." in page


def test_the_wide_chart_and_the_narrow_one_name_every_system() -> None:
    page = html.page(comparison({"cheap": FIRST, "dear": LATER, "bad": FIRST}, calls={"dear": 20, "bad": 5}))
    for chart in re.findall(r'<div class="(?:broad|narrow)">(.*?)</svg>', page, re.DOTALL):
        assert re.findall(r'class="label[^>]*>([^<]+)<', chart) == ["dear", "cheap", "bad"]
        assert chart.count("<circle") == 3
        assert chart.count('class="spot front"') == 2
    assert "The cost axis is logarithmic." in page


def test_what_each_round_did_is_tabled() -> None:
    rows = [[[True, False, False], [True, True, False]], [[True, True, False], [False, True, True]]] * 5
    page = html.page(debate(rows))
    assert "Members&#x27; answers, round 0 to 1" in page
    assert '<td>10</td><td class="flip">5</td>' in page
    assert '<td class="flip">10</td><td>5</td>' in page
    assert "This fixed more than it broke, c(1−a) = 0.333 &gt; e·a = 0.167, n=30." in page


async def test_the_prompts_and_answers_of_a_stored_run_can_be_read_from_its_log() -> None:
    log = MemoryLog()
    members = [Agent("debater", name=name, model=FunctionModel(lambda _: "I say 4.")) for name in ("ann", "bob")]
    result = await AgentTeam.parallel(members).run("What is 2 + 2?", log=log)
    base = comparison({"team": [1.0, 1.0]})
    made = (
        attempt("team", "q0", 1.0, run_id=result.run_id),
        attempt("team", "q1", 1.0, run_id="gone"),
    )
    told = base.model_copy(update={"attempts": made})
    found = await conversations(log, told)
    assert found.missing == ("gone",)
    asked = found.by_run[result.run_id]
    assert {each.member for each in asked} == {"ann", "bob"}
    assert all(each.answer == "I say 4." and each.status == "ok" for each in asked)
    assert all("What is 2 + 2?" in " ".join(said.text for said in each.sent) for each in asked)
    held = texts(html.page(told, conversations=found))
    assert any("What is 2 + 2?" in text for text in held)
    (block,) = blocks(html.page(told, conversations=found))
    tries = [item["tries"][0] for item in block["items"]]  # type: ignore[attr-defined]
    assert len(tries[0]["calls"]) == 2
    assert tries[1]["calls"] is None
    assert tries[1]["without"] == "Run gone is not in the log, so its prompts are not known."


async def test_no_more_runs_are_read_than_asked_for_and_the_page_says_how_to_see_the_others() -> None:
    base = comparison({"team": [1.0, 1.0]})
    made = tuple(attempt("team", f"q{at}", 1.0, run_id=f"run-{at}") for at in range(2))
    told = base.model_copy(update={"attempts": made})
    found = await conversations(MemoryLog(), told, most=1)
    assert (found.missing, found.left_out) == (("run-0",), 1)
    page = html.page(told, conversations=found)
    (block,) = blocks(page)
    assert "phalanx show run-1 --prompts" in json.dumps(block)
