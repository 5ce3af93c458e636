"""The page as a reader has it: in a browser, light and dark, on a phone, by keyboard, on paper.

Needs Chromium and the playwright library; without them these tests are skipped, unless PHALANX_REQUIRE_CHROMIUM is set.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from phalanx.benchmarks import html
from phalanx.benchmarks.conversations import Conversations, Exchange, Said
from phalanx.benchmarks.record import Comparison
from tests.benchmarks.comparisons import attempt, ballots, comparison
from tests.benchmarks.test_html import EVIL, evil, spoken

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Locator, Page

BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not os.environ.get("PHALANX_REQUIRE_CHROMIUM"):
        pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
        if BROWSER is None:
            pytest.skip("there is no Chromium here")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield running
        running.close()


class Opened:
    """A page that was opened, and all that it complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", self._refuse)
        page.on("request", lambda request: self.requests.append(request.url))

    def _refuse(self, dialog: Dialog) -> None:
        self.complaints.append("a dialog was opened")
        dialog.dismiss()

    def rows(self) -> Locator:
        return self.page.locator("#list > .item")

    def count(self) -> str:
        return self.page.inner_text("#count")

    def waits_for(self, count: str) -> None:
        self.page.wait_for_function("wanted => document.getElementById('count').textContent === wanted", arg=count)


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Any]:
    opened: list[Opened] = []

    def open_page(told: Comparison, held: Conversations | None = None, **context: Any) -> Opened:
        options = {"viewport": {"width": 1200, "height": 900}, "color_scheme": "light", **context}
        file = tmp_path / f"report{len(opened)}.html"
        html.write(file, told, conversations=held)
        found = Opened(browser.new_context(**options).new_page())
        opened.append(found)
        found.page.goto(file.as_uri())
        found.page.wait_for_selector("#list > .item")
        return found

    yield open_page
    for each in opened:
        each.page.context.close()
        assert each.complaints == []
        assert len(each.requests) == 1, "the page asked for something besides itself"


def told() -> Comparison:
    """120 items; the debate is right on even ones, the vote on every third; the first item failed for the vote."""
    base = comparison({"debate": [0.0] * 120, "vote": [0.0] * 120}, baselines={"vote": "debate"})
    made = []
    for at in range(120):
        rounds = (ballots(0, [True, False, None], 0.5), ballots(1, [True, True, False], 1.0))
        made.append(attempt("debate", f"q{at}", float(at % 2 == 0), calls=6, run_id=f"run-{at}", ballots=rounds))
        failed: dict[str, Any] = {
            "status": "failed",
            "error": "ProviderTimeout: no answer",
            "answer": None,
            "read": None,
        }
        made.append(attempt("vote", f"q{at}", float(at % 3 == 0 and at > 0), **(failed if at == 0 else {})))
    return base.model_copy(update={"attempts": tuple(made)})


def heard() -> Conversations:
    sent = (Said(speaker="system", text="You are ann."), Said(speaker="user", text="Consider the zebra."))
    call = Exchange(
        member="ann",
        stage="revise",
        round=1,
        kind="model",
        name="m1",
        sent=sent,
        answer="Stripes.",
        status="ok",
        tokens=7,
    )
    return Conversations(by_run={"run-2": (call,)}, missing=("run-4",), left_out=118)


def brightness(page: Page) -> float:
    """Of the paper, from 0 to 255."""
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    parts = [int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    return sum(parts) / 3


def test_it_is_as_light_or_dark_as_the_system_until_it_is_told_otherwise(show: Any) -> None:
    light, dark = show(told()), show(told(), color_scheme="dark")
    assert brightness(light.page) > 240
    assert brightness(dark.page) < 40
    dark.page.click("#theme")
    assert brightness(dark.page) > 240
    assert dark.page.inner_text("#theme") == "Dark"
    light.page.click("#theme")
    assert brightness(light.page) < 40


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_told_from_the_paper(show: Any, scheme: str) -> None:
    page = show(told(), color_scheme=scheme).page
    page.locator(".item summary").first.click()
    page.wait_for_selector(".try")
    low = page.evaluate(
        """() => {
          const light = (text) => {
            const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map((part) => {
              const share = part / 255;
              return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const paper = light(getComputedStyle(document.body).backgroundColor);
          const found = [];
          for (const each of document.querySelectorAll("h1, h2, h3, p, td, th, dt, dd, label, summary, svg text, li")) {
            const style = getComputedStyle(each);
            const ink = light(each instanceof SVGElement ? style.fill : style.color);
            const ratio = (Math.max(paper, ink) + 0.05) / (Math.min(paper, ink) + 0.05);
            if (ratio < 4.5) found.push([each.className, each.textContent.slice(0, 40), ratio]);
          }
          return found;
        }"""
    )
    assert low == []


def test_on_a_phone_nothing_has_to_be_scrolled_sideways(show: Any) -> None:
    long = comparison({"a" * 90: [1.0] * 60, "lead and workers with a long name": [0.0, 1.0] * 30}, clusters=6)
    for opened in (
        show(told(), heard(), viewport={"width": 375, "height": 700}),
        show(long, viewport={"width": 375, "height": 700}),
    ):
        page = opened.page
        page.locator(".item summary").nth(2).click()
        page.wait_for_selector(".try")
        for each in page.locator("details.more > summary, .try summary").all():
            each.click()
        assert page.evaluate("document.documentElement.scrollWidth") == 375
        wide = page.evaluate(
            "[...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > 376).length"
        )
        assert wide == 0
        assert page.is_visible(".narrow svg")
        assert not page.is_visible(".broad svg")


def test_a_search_finds_questions_answers_and_prompts(show: Any) -> None:
    opened = show(told(), heard())
    assert opened.count() == "120 items"
    opened.page.fill("#search", "what is 17 +")
    opened.waits_for("1 of 120 items")
    assert opened.rows().first.locator(".id").inner_text() == "q17"
    opened.page.fill("#search", "ZEBRA")
    opened.page.wait_for_function("() => document.querySelector('.item .id').textContent === 'q2'")
    assert opened.count() == "1 of 120 items"
    opened.page.fill("#search", "providertimeout")
    opened.page.wait_for_function("() => document.querySelector('.item .id').textContent === 'q0'")
    assert opened.count() == "1 of 120 items"
    opened.page.fill("#search", "nowhere to be found")
    opened.waits_for("0 of 120 items")
    assert opened.rows().count() == 0
    opened.page.fill("#search", "")
    opened.waits_for("120 items")


def test_items_are_filtered_by_who_was_right_and_who_was_wrong(show: Any) -> None:
    opened = show(told())
    right = {name: {at for at in range(120) if good(at)} for name, good in RIGHT.items()}
    opened.page.select_option("#which", "differ")
    opened.waits_for(f"{len(right['debate'] ^ right['vote'])} of 120 items")
    opened.page.select_option("#which", "none")
    opened.waits_for(f"{120 - len(right['debate'] | right['vote'])} of 120 items")
    opened.page.select_option("#which", "every")
    opened.waits_for(f"{len(right['debate'] & right['vote'])} of 120 items")
    opened.page.select_option("#which", "failed")
    opened.waits_for("1 of 120 items")
    opened.page.select_option("#which", "all")
    opened.page.select_option("#right", label="debate")
    opened.page.select_option("#wrong", label="vote")
    opened.waits_for(f"{len(right['debate'] - right['vote'])} of 120 items")


RIGHT: dict[str, Callable[[int], bool]] = {"debate": lambda at: at % 2 == 0, "vote": lambda at: at % 3 == 0 and at > 0}


def test_fifty_items_are_drawn_at_a_time(show: Any) -> None:
    opened = show(told())
    assert opened.rows().count() == 50
    assert opened.page.inner_text("#page") == "1–50 of 120"
    assert opened.page.is_disabled("#before")
    opened.page.click("#after")
    opened.page.click("#after")
    assert opened.page.inner_text("#page") == "101–120 of 120"
    assert opened.rows().count() == 20
    assert opened.page.is_disabled("#after")
    opened.page.click("#before")
    assert opened.rows().first.locator(".id").inner_text() == "q50"


def test_a_long_id_is_cut_before_its_end_where_ids_differ(show: Any) -> None:
    base = comparison({"a": [1.0, 1.0]})
    ids = {each.id: f"arithmetic-with-large-numbers-s1-d3-0000{at}" for at, each in enumerate(base.items)}
    named = base.model_copy(
        update={
            "items": tuple(each.model_copy(update={"id": ids[each.id]}) for each in base.items),
            "attempts": tuple(each.model_copy(update={"item": ids[each.item]}) for each in base.attempts),
        }
    )
    first = show(named).rows().nth(1).locator(".id")
    assert (first.text_content(), first.get_attribute("title")) == (ids["q1"], ids["q1"])
    beginning, end = first.locator(".start"), first.locator(".end")
    assert end.inner_text() == "d3-00001"
    assert beginning.evaluate("each => each.scrollWidth > each.clientWidth")
    whole, last = first.bounding_box(), end.bounding_box()
    assert last["x"] + last["width"] <= whole["x"] + whole["width"] + 0.5


def test_an_item_opens_to_every_prompt_and_answer(show: Any) -> None:
    page = show(told(), heard()).page
    row = page.locator(".item").nth(2)
    row.locator("summary").first.click()
    row.locator(".try").first.wait_for()
    words = row.inner_text()
    for part in (
        "What is 2 + 2?",
        "Right answer",
        "debate says 1",
        "6 calls",
        "cost unknown",
        "vote is worth",
        "abstains",
    ):
        assert part in words, part
    assert "Consider the zebra." not in words
    row.locator(".try summary").first.click()
    row.locator(".try details details summary").click()
    words = row.inner_text()
    for part in ("ann · revise, round 1 · m1 · 7 tokens", "You are ann.", "Consider the zebra.", "Stripes."):
        assert part in words, part
    other = page.locator(".item").nth(4)
    other.locator("summary").first.click()
    other.locator(".try").first.wait_for()
    assert "Run run-4 is not in the log" in other.inner_text()


def test_a_failure_shows_its_error_and_its_score(show: Any) -> None:
    page = show(told()).page
    row = page.locator(".item").first
    assert "vote: failed" in str(row.locator(".dots").get_attribute("aria-label"))
    row.locator("summary").click()
    row.locator(".try").first.wait_for()
    assert "failed, scores 0" in row.inner_text()
    assert "ProviderTimeout: no answer" in row.inner_text()


def test_hostile_text_is_shown_and_never_run(show: Any) -> None:
    hostile = evil()
    opened = show(hostile, spoken(hostile))
    page = opened.page
    row = page.locator(".item").first
    row.locator("summary").first.click()
    row.locator(".try").first.wait_for()
    row.locator(".try summary").first.click()
    row.locator(".try details details summary").first.click()
    page.fill("#search", "onerror")
    opened.waits_for("2 items")
    assert page.title() == EVIL
    assert page.locator("img").count() == 0
    assert page.inner_text("h1") == EVIL
    assert EVIL in row.inner_text()


def test_all_can_be_reached_by_keyboard(show: Any) -> None:
    page = show(told(), heard()).page
    seen = set()
    for _ in range(14):
        page.keyboard.press("Tab")
        seen.add(
            page.evaluate(
                "document.activeElement.id || document.activeElement.className || document.activeElement.tagName"
            )
        )
    assert {"skip", "theme", "search", "which", "right", "wrong"} <= seen
    page.locator(".item > summary").nth(2).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".try")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator(".try details[open]").count() == 1
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_on_paper_there_are_no_controls_and_what_is_open_stays(show: Any) -> None:
    page = show(told(), color_scheme="dark").page
    page.locator(".item summary").nth(3).click()
    page.wait_for_selector(".try")
    page.emulate_media(media="print")
    assert not page.is_visible("#controls")
    assert not page.is_visible("#theme")
    assert page.is_visible(".item[open]")
    assert not page.is_visible(".item:not([open])")
    assert brightness(page) == 255
    assert page.is_visible(".verdicts")


def test_without_scripts_all_but_the_list_of_items_can_be_read(browser: Browser, tmp_path: Path) -> None:
    html.write(tmp_path / "report.html", told())
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    assert page.is_visible(".verdicts")
    assert page.is_visible(".systems")
    assert "needs JavaScript" in page.inner_text("#items")
    assert not page.is_visible("#theme")
    context.close()


def test_ten_thousand_items_stay_quick_to_search(show: Any) -> None:
    rng = random.Random(1)
    opened = show(comparison({"a": [float(rng.random() < 0.5) for _ in range(10_000)]}))
    assert opened.count() == "10,000 items"
    assert opened.rows().count() == 50
    opened.page.fill("#search", "what is 9999 +")
    opened.waits_for("1 of 10,000 items")
    assert opened.page.evaluate("document.querySelectorAll('*').length") < 3000
