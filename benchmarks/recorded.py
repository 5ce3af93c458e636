"""A system of answers that are there already: the recorded ballots on each question, counted by a rule."""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from phalanx.agents.models.lines import Place
from phalanx.agents.models.recorded import Recording, Said
from phalanx.errors import ValidationError
from phalanx.formations.base import Round
from phalanx.formations.count import undecided_text
from phalanx.formations.rule_field import as_rule
from phalanx.formations.voting import Ballot, BucketedConfidence, Decision, Equivalence, Plurality, Rule
from phalanx.messages import Completion, Usage
from phalanx.settings import nearest

from .record import Ended
from .recordings import RecordedAnswer, read_answers
from .tasks import TaskItem

Answers = Iterable[RecordedAnswer | Recording] | Mapping[str, Sequence[str | None]]


@dataclass(frozen=True, slots=True)
class Recalled:
    """What the recorded answers to a question come to.

    text: the answer that won, else the one alone in front, else why there is none. status: "completed", or "undecided".
    decision: of the last round. rounds: all of them, as a team's vote has them. usage: what the answers had cost.
    metered: whether the tokens of all of them are known; where not, `usage` counts calls alone.
    """

    text: str
    status: Ended
    decision: Decision
    rounds: tuple[Round, ...]
    usage: Usage
    metered: bool


class Recorded:
    """A system of recorded answers: for each question they are read, merged and counted as `AgentTeam.vote` does it.

    So votes over answers that somebody has already are compared without playing a team: nobody is asked, and nothing is
    paid. A question's answers stand in order of their sample, and then as recorded.

    answers: RecordedAnswer or Recording objects; or by question (the id of an item) one text for each voter, None for
    an abstention. rule: what decides, a rule, its name or its options (default: plurality, and a tie stays one).
    equivalence: which answers are the same. voters: whose answers count, in the order of their seats (default:
    everybody's, as recorded). samples: how many answers to a question count, the voters taking turns, and of the
    revisions those of the same (default: all). rounds: how many revisions count after the drafts, 0 for the drafts
    alone (default: all); the last one decides.

    Raises ValidationError for two answers with the same question, member, round and sample, for no answers at all, for
    a voter who never speaks, for more rounds than are recorded of any question, and for a rule that does not count
    single choices.
    """

    def __init__(
        self,
        answers: Answers,
        *,
        rule: Rule | str | Mapping[str, object] | None = None,
        equivalence: Equivalence | None = None,
        voters: Sequence[str] | None = None,
        samples: int | None = None,
        rounds: int | None = None,
    ) -> None:
        self.rule: Rule = Plurality(tie_break=()) if rule is None else as_rule(rule)  # type: ignore[assignment]
        self.equivalence = Equivalence() if equivalence is None else equivalence
        if not isinstance(self.equivalence, Equivalence):
            raise ValidationError(f"equivalence={equivalence!r} is no Equivalence; give Equivalence(kind=…)")
        self.voters = None if voters is None else tuple(voters)
        self.samples, self.rounds = samples, rounds
        for what, number, least in (("samples", samples, 1), ("rounds", rounds, 0)):
            if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < least):
                raise ValidationError(f"{what}={number!r} must be a whole number, at least {least}")
        self._held = _held(answers)
        self._check()

    @classmethod
    def from_jsonl(
        cls,
        *paths: Place,
        say: Said = "text",
        parsed: str = "parsed",
        rule: Rule | str | Mapping[str, object] | None = None,
        equivalence: Equivalence | None = None,
        voters: Sequence[str] | None = None,
        samples: int | None = None,
        rounds: int | None = None,
    ) -> Recorded:
        """The answers in data sets.

        paths: files of JSON lines, gzipped when the name ends in .gz. Each line is {"id", "answers": [{"agent",
        "round", "text", "parsed", …}]}, as RecordedModel reads it; an answer may also have a "confidence" from 0 to 1
        and a "usage" of {"input_tokens", "output_tokens", "usd"}. say, parsed: what counts as the reply, as there.
        rule, equivalence, voters, samples, rounds: as above. Raises what it raises, ValidationError for a line that
        cannot be read, and LogError for a file that is cut off.
        """
        return cls(
            read_answers(paths, say=say, parsed=parsed), rule=rule, equivalence=equivalence, voters=voters,
            samples=samples, rounds=rounds,
        )  # fmt: skip

    @functools.cached_property
    def content(self) -> str:
        """A hash of all answers."""
        said = hashlib.sha256()
        for question in sorted(self._held):
            facts = [
                (each.member, each.text, each.round, each.sample, each.usage, each.confidence)
                for each in self._held[question]
            ]
            said.update(repr((question, facts)).encode("utf-8", "surrogatepass"))
        return said.hexdigest()[:16]

    def only(self, question: str) -> Recorded:
        """The same with the answers to one question alone, for work that travels. Raises KeyError without any."""
        part = object.__new__(Recorded)
        part.__dict__.update(self.__dict__)
        part._held = {question: self._held[question]}
        return part

    def check(self, items: Iterable[TaskItem]) -> None:
        """Raise ValidationError, naming the item, where there are no answers to one of the `items`, or too few."""
        for item in items:
            self._counted(item.id)

    def decide(self, question: str, *, seed: int = 0) -> Recalled:
        """What the answers to a question come to.

        question: the id of the item. seed: what chance in the rule is drawn from. Raises ValidationError where there
        are no answers to it, or too few.
        """
        counted = self._counted(question)
        rounds = tuple(self._round(number, said, seed) for number, said in _labelled(counted).items())
        last = rounds[-1]
        decision = last.decision
        assert decision is not None
        leader = decision.winner or (decision.leaders[0] if len(decision.leaders) == 1 else None)
        text = undecided_text(decision)
        if leader is not None:
            text = last.texts[next(name for name, choice in last.choices.items() if choice == leader)]
        usage, metered = _spent(counted)
        return Recalled(text, "undecided" if decision.winner is None else "completed", decision, rounds, usage, metered)

    def cost(self, question: str) -> tuple[Usage, bool]:
        """What the answers to a question that count had cost, and whether the tokens of all of them are known.

        question: the id of the item. Raises ValidationError as `decide` does.
        """
        return _spent(self._counted(question))

    def __repr__(self) -> str:
        return f"Recorded({sum(map(len, self._held.values()))} answers, {self.content})"

    def _round(self, number: int, said: Mapping[str, RecordedAnswer], seed: int) -> Round:
        texts = {name: each.text for name, each in said.items() if each.text is not None}
        read = {text: self.equivalence.read(text) for text in set(texts.values())}
        found = self.equivalence.choices([None if each.text is None else read[each.text] for each in said.values()])
        choices = dict(zip(said, found, strict=True))
        # Who does not say how sure it is has no ballot that can be weighed by it.
        silent = isinstance(self.rule, BucketedConfidence)
        ballots = tuple(
            None
            if choice is None or (silent and each.confidence is None)
            else Ballot.of(choice, voter=each.member, text=each.text or "", confidence=each.confidence)
            for each, choice in zip(said.values(), found, strict=True)
        )
        decision = self.rule.decide(ballots, seed=seed, eligible=len(ballots))
        return Round(number, texts, choices, decision, self.rule, ballots)

    def _counted(self, question: str) -> list[RecordedAnswer]:
        """The answers that count, in their order; raises ValidationError where there are too few."""
        held = self._held.get(question)
        if held is None:
            raise ValidationError(
                f"there are no recorded answers to item {question!r}{nearest(question, list(self._held)[:10_000])}; "
                f"there are answers to {len(self._held):,} questions, and they are found by the id of the item"
            )
        if self.voters is not None:
            held = self._in_turn(question, held, self.voters)
        elif self.samples is not None:
            drafts = [each for each in held if each.round == 0]
            if len(drafts) < self.samples:
                raise ValidationError(
                    f"item {question!r} has {len(drafts)} recorded answers before any revision, and "
                    f"samples={self.samples} are to be counted"
                )
            held = _with_revisions(drafts[: self.samples], held)
        last = held[-1].round if self.rounds is None else self.rounds
        counted = [each for each in held if each.round <= last]
        if not counted or counted[0].round > 0:
            raise ValidationError(f"item {question!r} has no recorded answer before any revision (round 0)")
        return counted

    def _in_turn(
        self, question: str, held: Sequence[RecordedAnswer], voters: Sequence[str]
    ) -> tuple[RecordedAnswer, ...]:
        """The voters' answers, round by round, the voters taking turns; of the drafts as many as are to be counted."""
        seats = {name: seat for seat, name in enumerate(voters)}
        turns: Counter[tuple[int, str]] = Counter()
        found: list[tuple[tuple[int, int, int], RecordedAnswer]] = []
        for each in held:
            if each.member in seats:
                found.append(((each.round, turns[each.round, each.member], seats[each.member]), each))
                turns[each.round, each.member] += 1
        wanted = len(voters) if self.samples is None else self.samples
        for seat, name in enumerate(voters):
            least = -(-(wanted - seat) // len(voters))
            if turns[0, name] < least:
                raise ValidationError(
                    f"item {question!r} has {turns[0, name]} recorded answers of {name!r} before any revision, and "
                    f"{least} are to be counted"
                )
        found.sort(key=lambda each: each[0])
        if self.samples is None:
            return tuple(each for _, each in found)
        drafts = [each for (round, _, _), each in found if round == 0]
        return _with_revisions(drafts[: self.samples], [each for _, each in found])

    def _check(self) -> None:
        spoken = {each.member for said in self._held.values() for each in said}
        for name in self.voters or ():
            if name not in spoken:
                raise ValidationError(f"no answer of {name!r} is recorded{nearest(name, spoken)}")
        last = max(each.round for said in self._held.values() for each in said)
        if self.rounds is not None and self.rounds > last:
            raise ValidationError(
                f"rounds={self.rounds}: no revision after round {last} is recorded of any question; give at most {last}"
            )
        if self.samples is not None and self.voters is not None and self.samples < len(self.voters):
            raise ValidationError(
                f"samples={self.samples} would never count {self.voters[-1]!r}; give at least {len(self.voters)}"
            )
        if self.voters is not None and (not self.voters or len(set(self.voters)) < len(self.voters)):
            raise ValidationError(f"voters={list(self.voters)!r} must name somebody, and nobody twice")
        try:
            self.rule.decide([Ballot("an answer", voter="somebody", confidence=0.5)])
        except ValidationError as problem:
            raise ValidationError(f"rule={self.rule!r} cannot count recorded answers: {problem}") from None


def _held(answers: Answers) -> dict[str, tuple[RecordedAnswer, ...]]:
    """Answers by question, each question's in the order of rounds and samples."""
    if isinstance(answers, Mapping):
        for question, texts in answers.items():
            if not isinstance(question, str) or isinstance(texts, str) or not isinstance(texts, Sequence):
                raise ValidationError(
                    f"the answers to {question!r} are {texts!r}; give a list of texts by the id of the item, a text"
                )
        answers = [
            RecordedAnswer(question, f"voter-{place}", text)
            for question, texts in answers.items()
            for place, text in enumerate(texts, 1)
        ]
    found: dict[str, list[RecordedAnswer]] = {}
    seen: set[tuple[str, str, int, int]] = set()
    for given in answers:
        if not isinstance(given, RecordedAnswer | Recording):
            raise ValidationError(f"{given!r} is no RecordedAnswer and no Recording")
        each = _answer(given) if isinstance(given, Recording) else given
        if each.key in seen:
            raise ValidationError(
                f"two recorded answers of {each.member!r} to {each.question!r} in round {each.round}; number them with "
                "sample=0, 1, …"
            )
        seen.add(each.key)
        found.setdefault(each.question, []).append(each)
    if not found:
        raise ValidationError("there are no recorded answers")
    return {
        question: tuple(sorted(said, key=lambda each: (each.round, each.sample))) for question, said in found.items()
    }


def _with_revisions(drafts: Sequence[RecordedAnswer], held: Iterable[RecordedAnswer]) -> tuple[RecordedAnswer, ...]:
    """The drafts that count, and of the revisions among `held` as many of each member as drafts of it count."""
    counting = Counter(each.member for each in drafts)
    turns: Counter[tuple[int, str]] = Counter()
    revisions = []
    for each in held:
        if each.round > 0:
            whose = each.round, each.member
            if turns[whose] < counting[each.member]:
                revisions.append(each)
            turns[whose] += 1
    return (*drafts, *revisions)


def _labelled(answers: Iterable[RecordedAnswer]) -> dict[int, dict[str, RecordedAnswer]]:
    """Answers by round, and by what they are called in a vote: the second of a member is "ada#2"."""
    found: dict[int, dict[str, RecordedAnswer]] = {}
    turns: dict[tuple[int, str], int] = {}
    for each in answers:
        in_round = found.setdefault(each.round, {})
        whose = each.round, each.member
        turn = turns.get(whose, 0) + 1
        label = each.member if turn == 1 else f"{each.member}#{turn}"
        while label in in_round:
            turn += 1
            label = f"{each.member}#{turn}"
        turns[whose] = turn
        in_round[label] = each
    return found


def _spent(answers: Sequence[RecordedAnswer]) -> tuple[Usage, bool]:
    """What answers had cost, and whether the tokens of all of them are known; where not, calls alone are counted."""
    known = [each.usage for each in answers if each.usage is not None]
    if len(known) < len(answers):
        return Usage(calls=len(answers), unpriced_calls=len(answers)), False
    return sum(known, Usage()), True


def _answer(given: Recording) -> RecordedAnswer:
    said = given.text
    text, usage = (said.text, said.usage) if isinstance(said, Completion) else (said, None)
    return RecordedAnswer(given.question, given.member, text, given.round, given.sample, usage)
