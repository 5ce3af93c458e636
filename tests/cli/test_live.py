"""The live view: what is drawn for which events, without a terminal and without a run."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from phalanx.cli.lines import LinesView
from phalanx.cli.live import LiveView, can_draw
from phalanx.cli.story import Story as StoredRun
from phalanx.messages import Completion, Message, Request, ToolCall, ToolResult, Usage
from phalanx.runtime.events import (
    AnyEvent,
    BreakerChanged,
    Decided,
    Delegated,
    LimitRefused,
    MemberFinished,
    MemberStarted,
    Retried,
    RunFinished,
    RunResumed,
    RunStarted,
    StepFinished,
    StepStarted,
    TeamFinished,
    TeamStarted,
    Token,
    Warned,
)
from tests.cli.events import Story

ASKED = Request(messages=(Message(role="user", content="x"),))
ROSTER = (("ada", "lead"), ("bob", "coder"), ("jury", "team (debate)"))
PRICED = Usage(1, 1000, 234, known_cost=0.0123)
UNPRICED = Usage(1, 10, 5, unpriced_calls=1)


class Screen:
    """A live view on a screen of a width, with the story that it is told."""

    def __init__(self, width: int = 80, height: int = 40) -> None:
        self.file = io.StringIO()
        self.console = Console(
            file=self.file, width=width, height=height, markup=False, highlight=False, emoji=False,
            force_terminal=True, color_system=None, legacy_windows=False,
        )  # fmt: skip
        self.story = Story()
        self.view = LiveView(self.console, clock=lambda: self.story.at)
        self.story.listeners.append(self.view.see)

    def drawn(self) -> list[str]:
        """The lines of the tree as they would be drawn now."""
        with self.console.capture() as capture:
            self.console.print(self.view.picture())
        return capture.get().rstrip("\n").split("\n")

    def row(self, name: str) -> str:
        """The line of one member."""
        return next(line for line in self.drawn() if f" {name} " in f"{line} ")

    def begin(self) -> None:
        self.story.tell(RunStarted, "office", "office", "hierarchical", "Do it", 0, ROSTER)


def test_before_anything_happens_nothing_is_drawn() -> None:
    assert Screen().drawn() == [""]


def test_every_member_has_a_row_before_it_is_asked_anything() -> None:
    screen = Screen()
    screen.begin()

    lines = screen.drawn()

    assert [line.split()[0:3] for line in lines[1:4]] == [["├", "·", "ada"], ["├", "·", "bob"], ["└", "·", "jury"]]
    assert "3 members at work" in lines[0]


def test_a_row_says_what_its_member_does_and_what_it_has_cost() -> None:
    screen = Screen()
    story = screen.story
    screen.begin()
    story.tell(MemberStarted, "office/plan/ada", "ada", "lead", "plan", 0, "prompt")
    story.wait(2.5)
    at_work = screen.row("ada")
    story.tell(StepStarted, "office/plan/ada", "k", "model", "openai/x", ASKED)
    story.tell(StepFinished, "office/plan/ada", "k", "model", "openai/x", "ok", 2.5, PRICED, Completion(text="Plan!"))
    story.tell(MemberFinished, "office/plan/ada", "ada", "plan", 0, "ok", "Plan!", PRICED)
    done = screen.row("ada")

    assert "plans the work" in at_work
    assert "2.5s" in at_work
    assert done.split() == ["├", "✓", "ada", "Plan!", "1,234", "$0.0123", "2.5s"]
    assert screen.drawn()[-1] == "1 call, 1,234 tokens, $0.0123, 2.5s"


def test_an_unknown_price_is_shown_as_unknown_in_the_row_the_team_and_the_sum() -> None:
    screen = Screen()
    screen.begin()
    for name, usage in (("ada", PRICED), ("bob", UNPRICED)):
        screen.story.tell(MemberStarted, f"office/draft/{name}", name, "r", "draft", 0, "p")
        screen.story.tell(StepFinished, f"office/draft/{name}", "k", "model", "m", "ok", 1.0, usage)

    assert "$0.0123" in screen.row("ada")
    assert "unknown" in screen.row("bob")
    assert "unknown" in screen.row("office")
    assert screen.drawn()[-1].startswith("2 calls, 1,249 tokens, $0.0123 and the unknown cost of 1 call")


def test_a_nested_team_has_its_members_below_it_and_their_cost_is_its_own() -> None:
    screen = Screen()
    story = screen.story
    screen.begin()
    place = "office/assignment/jury"
    story.tell(MemberStarted, place, "jury", "team (debate)", "assignment", 0, "p")
    story.tell(TeamStarted, place, "jury", "debate", (("x", "debater"), ("y", "debater")))
    story.tell(MemberStarted, f"{place}/draft/x", "x", "debater", "draft", 0, "p")
    story.tell(StepFinished, f"{place}/draft/x", "k", "model", "m", "ok", 1.0, PRICED)
    story.tell(MemberFinished, f"{place}/draft/x", "x", "draft", 0, "ok", "hm", PRICED)
    lines = screen.drawn()
    story.tell(TeamFinished, place, "undecided", "", PRICED)
    story.tell(MemberFinished, place, "jury", "assignment", 0, "ok", "hm", PRICED)

    assert [line[:8] for line in lines[4:6]] == ["  ├ ✓ x ", "  └ · y "]
    for name in ("jury", "office", "x"):
        assert "1,234" in screen.row(name)
    assert "1,234" not in screen.row("ada")
    assert "✓ jury (debate)" in screen.row("jury")


def test_a_team_that_is_used_as_a_tool_stands_below_the_member_that_uses_it() -> None:
    screen = Screen()
    screen.begin()
    screen.story.tell(MemberStarted, "office/draft/bob", "bob", "coder", "draft", 0, "p")
    screen.story.tell(TeamStarted, "office/draft/bob/helpers", "helpers", "flat", (("h", "worker"),))
    screen.story.tell(StepFinished, "office/draft/bob/helpers/turn/h", "k", "model", "m", "ok", 1.0, PRICED)

    rows = screen.drawn()
    assert [rows[2][:5], rows[3][:11], rows[4][:7]] == ["├ ⠋ b", "│ └ ⠋ helpe", "│   └ ·"]
    assert "1,234" in screen.row("bob")


def test_words_are_shown_as_they_come_and_json_is_not() -> None:
    screen = Screen(width=110)
    screen.begin()
    for name, words in (("ada", '{"assignments": ['), ("bob", "I think that [bold]")):
        screen.story.tell(MemberStarted, f"office/draft/{name}", name, "r", "draft", 0, "p")
        screen.story.tell(Token, f"office/draft/{name}", name, words, "k")
    screen.story.tell(Token, "office/draft/bob", "bob", "snow is \x1b[31mwhite", "k")

    assert "drafts alone" in screen.row("ada")
    assert r"that [bold]snow is \x1b[31mwhite" in screen.row("bob")


def test_an_answer_is_shown_when_it_is_there_and_not_only_when_its_members_end_is_told() -> None:
    screen = Screen(width=110)
    screen.begin()
    answers = {"ada": '{"assignments": []}', "bob": "Snow is white."}
    for name, text in answers.items():
        path = f"office/draft/{name}"
        screen.story.tell(MemberStarted, path, name, "r", "draft", 0, "p")
        screen.story.tell(StepStarted, path, name, "model", "openai/x", ASKED)
        screen.story.tell(StepFinished, path, name, "model", "openai/x", "ok", 1.0, PRICED, Completion(text=text))
    told = [screen.row(name) for name in answers]
    screen.story.tell(StepStarted, "office/draft/bob", "k2", "model", "openai/x", ASKED)
    again = screen.row("bob")

    assert "has answered" in told[0]
    assert "Snow is white." in told[1]
    assert "drafts alone" in again
    assert "white" not in again


def test_a_call_that_wishes_for_tools_is_no_answer() -> None:
    screen = Screen(width=110)
    screen.begin()
    wish = Completion(text="I look it up.", tool_calls=(ToolCall(id="1", tool_name="find"),))
    screen.story.tell(MemberStarted, "office/draft/ada", "ada", "r", "draft", 0, "p")
    screen.story.tell(StepStarted, "office/draft/ada", "k", "model", "openai/x", ASKED)
    screen.story.tell(StepFinished, "office/draft/ada", "k", "model", "openai/x", "ok", 1.0, PRICED, wish)

    assert "drafts alone" in screen.row("ada")


def test_a_retry_counts_down_and_is_told_once_above_the_tree() -> None:
    screen = Screen(width=110)
    story = screen.story
    screen.begin()
    story.tell(MemberStarted, "office/draft/bob", "bob", "coder", "draft", 0, "p")
    story.tell(Retried, "office/draft/bob", "openai/x", 1, 8.0, "RateLimited: openai/x: slow down")
    story.wait(3)
    waiting = screen.row("bob")
    story.wait(6)

    assert "asks again in 5s: RateLimited" in waiting
    assert "drafts alone" in screen.row("bob")
    assert "bob: asks openai/x again in 8.0s, try 2: RateLimited: slow down" in screen.file.getvalue()


def test_what_the_user_should_not_miss_is_told_above_the_tree() -> None:
    screen = Screen(width=120)
    story = screen.story
    screen.begin()
    story.tell(Warned, "office/draft/bob", "[b]provider[/b] refuses calls (429): its calls wait 7 s")
    story.tell(BreakerChanged, "office/draft/bob", "openai/x", "open", 5)
    story.tell(BreakerChanged, "office/draft/bob", "openai/x", "closed", 0)
    story.tell(LimitRefused, "office/draft/bob", "usd", "this run", 0.99, 1.0)
    story.tell(LimitRefused, "office/draft/ada", "usd", "this run", 0.99, 1.0)
    story.tell(Decided, "office", "decided", "42", (("42", 2.0),), "'42' wins at 2")

    told = screen.file.getvalue()
    assert "warning: [b]provider[/b] refuses calls (429): its calls wait 7 s" in told
    assert "openai/x failed 5 times in a row" in told
    assert "openai/x answers again" in told
    assert told.count("usd limit of this run, 0.99 of 1 used") == 1
    assert "office: vote: '42' wins at 2" in told


@pytest.mark.parametrize(
    ("status", "error", "mark"),
    [
        ("failed", "boom", "✗"),
        ("timed_out", "no answer in time", "✗"),
        ("refused", "calls limit of the run reached", "■"),
        ("cancelled", "cancelled: not needed", "–"),
    ],
)
def test_a_member_without_an_answer_says_why(status: str, error: str, mark: str) -> None:
    screen = Screen(width=110)
    screen.begin()
    screen.story.tell(MemberStarted, "office/draft/bob", "bob", "coder", "draft", 0, "p")
    screen.story.tell(MemberFinished, "office/draft/bob", "bob", "draft", 0, status, "", Usage(), error)

    row = screen.row("bob")
    assert f"{mark} bob" in row
    assert error.split(":")[0] in row


def test_an_assignment_and_a_tool_are_shown_while_they_are_worked_on() -> None:
    screen = Screen()
    story = screen.story
    screen.begin()
    story.tell(Delegated, "office", "a1", "bob", "Count the stars")
    story.tell(MemberStarted, "office/assignment/bob", "bob", "coder", "assignment", 0, "p")
    assigned = screen.row("bob")
    call = ToolCall(id="1", tool_name="telescope")
    story.tell(StepStarted, "office/assignment/bob/call-1", "k", "tool", "telescope", call)
    using = screen.row("bob")
    story.tell(StepFinished, "office/assignment/bob/call-1", "k", "tool", "telescope", "ok", 1.0, Usage(), ToolResult())

    assert "Count the stars" in assigned
    assert "uses telescope" in using
    assert "Count the stars" in screen.row("bob")


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 140])
def test_no_line_is_wider_than_the_screen(width: int) -> None:
    screen = Screen(width=width)
    roster = (("m" * 60, "r" * 60), ("漢字" * 30, "x"), ("bob\x1b[2J\nb", "coder"))
    screen.story.tell(RunStarted, "t", "t" * 50, "debate", "x", 0, roster)
    for name, role in roster:
        screen.story.tell(MemberStarted, f"t/draft/{name}", name, role, "draft", 0, "p")
        screen.story.tell(Token, f"t/draft/{name}", name, "words 漢字 " * 90, "k")
        screen.story.tell(
            StepFinished, f"t/draft/{name}", "k", "model", "m", "ok", 1.0, Usage(9, 10**9, 1, known_cost=99)
        )

    lines = screen.drawn()

    assert len(lines) == 5
    assert max(Console(width=500).measure(line).maximum for line in lines) <= width
    assert "\x1b[2J" not in "".join(lines)


def test_a_team_higher_than_the_screen_shows_those_at_work_and_says_how_many_more_there_are() -> None:
    screen = Screen(height=12)
    roster = tuple((f"member{at}", "worker") for at in range(50))
    screen.story.tell(RunStarted, "t", "t", "flat", "x", 0, roster)
    screen.story.tell(MemberStarted, "t/draft/member42", "member42", "worker", "draft", 0, "p")

    lines = screen.drawn()

    assert len(lines) <= 12
    assert any("member42" in line for line in lines)
    assert "… and 44 more" in [line.strip() for line in lines]


def test_at_the_end_the_whole_team_is_drawn_however_high_it_is() -> None:
    screen = Screen(height=12)
    roster = tuple((f"member{at}", "worker") for at in range(50))
    with screen.view:
        screen.story.tell(RunStarted, "t", "t", "flat", "x", 0, roster)
        screen.story.tell(RunFinished, "t", "completed", "text", None, PRICED)

    assert "member49" in screen.file.getvalue()


def resumed(story: Story) -> None:
    """A run whose member fails after a second, and that is resumed an hour later and then takes two seconds."""
    story.tell(RunStarted, "office", "office", "pipeline", "Do it", 0, (("ada", "lead"),))
    story.tell(MemberStarted, "office/stage-1/ada", "ada", "lead", "stage", 0, "p")
    story.tell(StepStarted, "office/stage-1/ada", "k", "model", "openai/x", ASKED)
    story.wait(1)
    story.tell(MemberFinished, "office/stage-1/ada", "ada", "stage", 0, "failed", "", UNPRICED, "no power")
    story.tell(RunFinished, "office", "failed", "", "no power", UNPRICED)
    story.wait(3600)
    story.tell(RunResumed, "office")
    story.wait(1)
    story.tell(StepStarted, "office/stage-1/ada", "k", "model", "openai/x", ASKED)
    story.wait(1)


def test_a_run_that_goes_on_is_at_work_again_and_the_time_in_between_does_not_count() -> None:
    screen = Screen()
    resumed(screen.story)
    top, ada = screen.row("office (pipeline)"), screen.row("ada")
    screen.story.tell(MemberFinished, "office/stage-1/ada", "ada", "stage", 0, "ok", "Done.", UNPRICED)
    screen.story.tell(RunFinished, "office", "completed", "Done.", None, UNPRICED)
    screen.story.wait(50)

    assert "1 member at work" in top
    assert "3.0s" in top
    assert "does stage 1" in ada
    assert "no power" not in ada
    assert "2.0s" in ada
    assert screen.row("ada").split()[:4] == ["└", "✓", "ada", "Done."]
    assert screen.drawn()[-1].endswith("3.0s")


def test_plain_lines_say_that_a_run_goes_on() -> None:
    lines: list[str] = []
    story = Story(LinesView(lines.append).see)
    resumed(story)
    story.tell(RunResumed, "office", "another", "k")

    assert lines[-2:] == ["   1.00s  office: goes on", "   2.00s  office: goes on, forked from another"]


def test_a_stored_run_took_as_long_as_somebody_worked_on_it() -> None:
    events: list[AnyEvent] = []
    resumed(Story(events.append))

    assert StoredRun("r1", events).seconds == 2


def test_a_tree_is_only_drawn_where_it_can_be_redrawn() -> None:
    def console(encoding: str, **options: object) -> Console:
        file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        return Console(file=file, force_terminal=True, legacy_windows=False, **options)  # type: ignore[arg-type]

    assert can_draw(console("utf-8", _environ={"TERM": "xterm"}))
    assert not can_draw(console("ascii", _environ={"TERM": "xterm"}))
    assert not can_draw(console("utf-8", _environ={"TERM": "dumb"}))
    assert not can_draw(Console(file=io.StringIO()))


def test_plain_lines_tell_the_same_story_one_event_a_line() -> None:
    lines: list[str] = []
    view = LinesView(lines.append)
    story = Story(view.see)
    story.tell(RunStarted, "office", "office", "hierarchical", "Do it", 7, ROSTER)
    story.tell(Delegated, "office", "a1", "bob", "Count [red]\x1b[31m\nstars", ("a0",))
    story.wait(1.25)
    story.tell(MemberStarted, "office/revise-1/jury", "jury", "x", "revise", 1, "p")
    story.tell(TeamStarted, "office/revise-1/jury", "jury", "debate", (("x", "debater"),))
    story.tell(MemberStarted, "office/revise-1/jury/draft/x", "x", "debater", "draft", 0, "p")
    story.tell(StepStarted, "office/revise-1/jury/draft/x", "k", "model", "m", ASKED)
    story.tell(Token, "office/revise-1/jury/draft/x", "x", "hm", "k")
    story.tell(StepFinished, "office/revise-1/jury/draft/x", "k", "model", "m", "ok", 1.0, UNPRICED)
    story.tell(MemberFinished, "office/revise-1/jury/draft/x", "x", "draft", 0, "failed", "", UNPRICED, "boom")
    story.tell(RunFinished, "office", "stopped", "", "raise Limits(calls=…)", UNPRICED)

    assert lines == [
        "   0.00s  office: run r1 begins: hierarchical of ada (lead), bob (coder), jury (team (debate)), seed 7",
        r"   0.00s  bob: gets a1 after a0: Count [red]\x1b[31m stars",
        "   1.25s  jury: revises, round 1",
        "   1.25s  jury: begins: debate of x (debater)",
        "   1.25s  jury > x: drafts alone",
        "   1.25s  jury > x: failed: boom; 1 call, 15 tokens, cost unknown",
        "   1.25s  office: stopped (allow more calls under limits: in the team file) after 1.2s: 1 call, 15 tokens, "
        "cost unknown",
    ]
