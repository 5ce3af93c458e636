"""`phalanx why RUN`: how a run's answer came about."""

from __future__ import annotations

from collections.abc import Iterator

from . import show
from .exits import COMPLETED
from .failures import say
from .journal import stored_run
from .progress import stage
from .story import Asking, Ballots, Shown, Story
from .text import advised, one_line
from .tree import headline, who

TEXT = 100


def why(given: str) -> int:
    """Write to stdout how a run ended, what was voted, who was shown what, and what the answer rests on."""
    story = stored_run(given)
    for line in (*headline(story), *_votes(story), *_missing(story), *_showings(story), *_provenance(story)):
        print(line)
    if (note := show.made_up(story.models)) is not None:
        say(note)
    return COMPLETED


def _votes(story: Story) -> Iterator[str]:
    before: dict[str, Ballots] = {}
    for each in story.ballots:
        team = f"{one_line(each.team)}, " if len({ballots.team for ballots in story.ballots}) > 1 else ""
        if each.choices:
            said = [f"{one_line(name)}: {_choice(choice)}" for name, choice in each.choices.items()]
            yield f"{team}round {each.round}: {', '.join(said)}"
            earlier = before.get(each.team)
            if earlier is not None:
                yield f"  {_flips(earlier, each)}"
            before[each.team] = each
        if each.decided is not None:
            yield f"  {team}vote: {one_line(each.decided.explanation)}"


def _flips(before: Ballots, now: Ballots) -> str:
    """Who changed its answer from one round to the next."""
    changed = [
        f"{one_line(name)} from {_choice(before.choices[name])} to {_choice(choice)}"
        for name, choice in now.choices.items()
        if name in before.choices and before.choices[name] != choice
    ]
    return f"changed: {', '.join(changed)}" if changed else "nobody changed its answer"


def _choice(choice: str | None) -> str:
    return "abstains" if choice is None else one_line(choice, 60)


def _missing(story: Story) -> Iterator[str]:
    for each in story.walk():
        if each.status != "ok":
            ended = "no end is recorded" if each.status == "unknown" else each.status
            error = f": {advised(one_line(each.error))}" if each.error else ""
            yield f"{_name(each)} gave no answer ({ended}){error}"


def _showings(story: Story) -> Iterator[str]:
    """What others wrote that stood in each prompt, from the prompts themselves."""
    # Who a limit refused before its first call had a prompt made for it, and was sent nothing.
    shown = [each for each in story.walk() if each.shown and (each.status != "refused" or each.usage.calls)]
    if not shown:
        yield "nobody was shown what another member wrote"
        return
    yield "who was shown what:"
    for each in shown:
        yield f"  {_name(each)}: {'; '.join(_source(part, each) for part in each.shown)}"


def _source(part: Shown, reader: Asking) -> str:
    if part.source is None:
        return f'"{one_line(part.label)}" ({one_line(part.text, 40)})'
    if part.source.member == reader.member:
        return f"its own answer ({stage(part.source.stage, part.source.round)})"
    label = one_line(part.label)
    named = "" if label == one_line(part.source.member) else f' as "{label}"'
    return f"{_name(part.source)}{named}"


def _provenance(story: Story) -> Iterator[str]:
    """The asking that gave the answer, what it was shown, and theirs in turn, back to the first."""
    if not story.text.strip():
        yield "there is no answer"
        return
    author = story.author()
    if author is None:
        yield "the answer is no member's own words: the formation put it together"
        return
    yield "the answer rests on:"
    told: set[int] = set()
    ahead = [(1, author)]
    while ahead:
        depth, asking = ahead.pop()
        sources = [part.source for part in asking.shown if part.source is not None]
        again = asking.seq in told and bool(sources or asking.inside)
        said = one_line(asking.text, TEXT)
        yield f"{'  ' * depth}{_name(asking)}{' (see above)' if again else f': {said}'}"
        if not again:
            told.add(asking.seq)
            ahead += [(depth + 1, source) for source in reversed([*sources, *asking.inside])]


def _name(asking: Asking) -> str:
    """Who, and when: "bob (coder), drafts alone"."""
    return f"{who(asking)}, {stage(asking.stage, asking.round)}"
