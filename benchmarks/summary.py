"""A comparison in numbers: what each system is worth, what it cost, and which differences are real."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from statistics import fmean

from phalanx.errors import ValidationError
from phalanx.messages import Data

from .diagnosis import Diagnosis, diagnose
from .grouping import Grouped, group
from .heap import settled
from .naming import short_names
from .notes import notes
from .record import Comparison, System
from .statistics.correction import holm
from .statistics.distributions import NORMAL, check_level, z_of
from .statistics.intervals import Estimate, accuracy
from .statistics.paired import McNemar
from .statistics.pareto import Front, Measured, pareto
from .statistics.power import detectable_difference
from .statistics.verdict import Verdict, compare
from .sureness import Sureness, sureness
from .wording import AN_ITEM, CostUnit, sentence

POWER = 0.8
# How many numbers the bootstrap of the front may draw, and of how many items or groups of them: a second of work.
DRAWS = 20_000_000
UNITS = 1000
# How a simulated model stands in what a system says of how it is made: its team's model, or one of a member's own.
_SIMULATED = re.compile(r"^# model: offline/simulated |\bmodel=SimulatedModel\(", re.MULTILINE)


class Standing(Data):
    """What became of one system.

    accuracy: the mean score over items with its interval, repeats averaged within an item first, a failed attempt
    scoring 0; None when nothing was run. items: those with an attempt. attempts: those made; completed, undecided,
    partial, stopped, failed: how they ended. not_run: attempts that were asked for and not made. calls: their sum.
    tokens, input_tokens, output_tokens: sums, None when those of an attempt are not known; estimated: some were
    estimated. usd: the sum in US dollars, None when the price of an attempt is not known; unpriced: how many have none.
    seconds: the mean wall time of an attempt, None when it is not known of one. cost: the mean an item, in the
    summary's unit; None when unknown.
    """

    system: System
    accuracy: Estimate | None
    items: int
    attempts: int
    completed: int
    undecided: int
    partial: int
    stopped: int
    failed: int
    not_run: int
    calls: int
    input_tokens: int | None
    output_tokens: int | None
    estimated: bool
    usd: float | None
    unpriced: int
    seconds: float | None
    cost: float | None

    @property
    def tokens(self) -> int | None:
        """Input and output tokens together; None when they are not known."""
        known = self.input_tokens is not None and self.output_tokens is not None
        return (self.input_tokens or 0) + (self.output_tokens or 0) if known else None


class Finding(Data):
    """One system against another, as one of the family of all that the summary compares.

    verdict: with the p-value adjusted for the family (Holm 1979). baseline: whether b was run as the baseline of a.
    detectable: the smallest true difference that this many items would show with 80% power in a single comparison,
    at the spread that was seen; None when there was none to go by. text: the verdict in a sentence, with the names that
    reports show.
    """

    verdict: Verdict
    baseline: bool
    detectable: float | None
    text: str


class Summary(Data):
    """All that a report says of a comparison.

    name, tasks, repeats, seed, margin, stopped, skipped_rows, version, commit, started: as in the comparison. items,
    clusters: how many; None clusters when items stand alone. level: of the intervals. unit: what counts as cost.
    standings: in the order of the systems. findings: each system against its baselines, then the user's systems
    against each other. front: accuracy against cost on the items that all have; None when no system was run.
    diagnoses: of the systems that voted. sureness: of those that stated confidences or voted. notes: what a reader
    must know besides, in words. simulated: the systems whose members' answers are made up.
    """

    name: str
    tasks: str
    items: int
    clusters: int | None
    repeats: int
    seed: int
    margin: float
    level: float
    unit: CostUnit
    stopped: str | None
    skipped_rows: int
    version: str
    commit: str | None
    started: float | None
    standings: tuple[Standing, ...]
    findings: tuple[Finding, ...]
    front: Front | None
    diagnoses: tuple[Diagnosis, ...]
    notes: tuple[str, ...]
    simulated: tuple[str, ...] = ()
    sureness: tuple[Sureness, ...] = ()

    @property
    def origin(self) -> str:
        """Where the numbers come from, in one line: items, repeats, seed, version and commit."""
        parts = [f"{self.items:,} item" + ("" if self.items == 1 else "s")]
        if self.clusters is not None:
            parts.append(f"{self.clusters:,} cluster" + ("" if self.clusters == 1 else "s"))
        parts += [f"{self.repeats} repeat" + ("" if self.repeats == 1 else "s"), f"seed {self.seed}"]
        parts.append(f"Phalanx {self.version}" if self.version else "version unknown")
        parts.append(f"commit {self.commit}" if self.commit else "commit unknown")
        return ", ".join(parts)

    @property
    def grouped(self) -> list[Standing]:
        """The standings, each system followed by its baselines, as a table shows them."""
        names = {each.system.name for each in self.standings}
        found: list[Standing] = []
        for each in self.standings:
            if each.system.baseline_of not in names:
                found.append(each)
                found += [other for other in self.standings if other.system.baseline_of == each.system.name]
        return found

    def standing(self, name: str) -> Standing:
        """The standing of the system with this name. Raises ValidationError when there is none."""
        for each in self.standings:
            if each.system.name == name:
                return each
        known = ", ".join(each.system.name for each in self.standings)
        raise ValidationError(f"there is no system {name!r} in {self.name!r}; there are {known}")

    def __str__(self) -> str:
        from .table import text

        return text(self)


def detectable(found: Finding) -> str:
    """What a finding could have shown, as the end of a line of facts; "" where it is not known."""
    if found.detectable is None:
        return ""
    return f"; the smallest difference that so many items show: {100 * found.detectable:.1f} points"


def of(comparison: Comparison, *, level: float = 0.95, unit: CostUnit | None = None) -> Summary:
    """The summary of a comparison, finished or not.

    level: of all intervals. unit: what counts as cost; by default US dollars where every price is known and something
    was paid, else tokens, else calls. The comparison's seed is that of every resampling. Raises ValidationError for
    attempts that do not fit the comparison (unknown or doubled), and for a unit that is not known of an attempt.
    """
    check_level(level)
    with settled():
        return _summary(group(comparison), comparison, level, unit)


def _summary(groups: Sequence[Grouped], comparison: Comparison, level: float, unit: CostUnit | None) -> Summary:
    chosen = unit_of(groups, unit)
    run = [each for each in groups if each.scores]
    labels = run[0].labels if run else {}
    standings = tuple(_standing(each, comparison, chosen, level) for each in groups)
    front, on_front = _front(run, comparison, chosen, level)
    return Summary(
        name=comparison.name,
        tasks=comparison.tasks,
        items=len(comparison.items),
        clusters=len(set(labels.values())) if labels else None,
        repeats=comparison.repeats,
        seed=comparison.seed,
        margin=comparison.margin,
        level=level,
        unit=chosen,
        stopped=comparison.stopped,
        skipped_rows=comparison.skipped_rows,
        version=comparison.version,
        commit=comparison.commit,
        started=comparison.started,
        standings=standings,
        findings=_findings(run, comparison, chosen, level),
        front=front,
        diagnoses=tuple(found for each in run if (found := diagnose(each, level=level)) is not None),
        sureness=tuple(sure for each in run if (sure := sureness(each, level=level)) is not None),
        simulated=tuple(each.name for each in comparison.systems if _SIMULATED.search(each.described)),
        notes=tuple(notes(comparison, standings, front, chosen, on_front)),
    )


def unit_of(groups: Sequence[Grouped], wanted: CostUnit | None = None) -> CostUnit:
    """What counts as cost: US dollars where every price is known and something was paid, else tokens, else calls.

    groups: the attempts. wanted: a unit to take instead. Raises ValidationError when that is not known of an attempt.
    """
    run = [each for each in groups if each.scores]
    if wanted is not None:
        if wanted not in AN_ITEM:
            raise ValidationError(f"unit={wanted!r} is none of {', '.join(AN_ITEM)}")
        for each in run:
            if None in each.costs(wanted).values():
                raise ValidationError(f"unit={wanted!r} is not known of all attempts of {each.system.name!r}")
        return wanted
    paid = [cost for each in run for cost in each.costs("usd").values()]
    if paid and None not in paid and any(paid):
        return "usd"
    tokens = [cost for each in run for cost in each.costs("tokens").values()]
    return "tokens" if tokens and None not in tokens and any(tokens) else "calls"


def _standing(group: Grouped, comparison: Comparison, unit: CostUnit, level: float) -> Standing:
    made = group.attempts
    ended = Counter(each.status for each in made)
    prices = [each.usd for each in made]
    lasted = [each.seconds for each in made]
    metered = all(each.metered for each in made)
    costs = list(group.costs(unit).values())
    known = [cost for cost in costs if cost is not None]
    scores = group.scores
    return Standing(
        system=group.system,
        accuracy=accuracy(list(scores.values()), clusters=group.clusters(scores), level=level) if scores else None,
        items=len(scores),
        attempts=len(made),
        completed=ended["completed"],
        undecided=ended["undecided"],
        partial=ended["partial"],
        stopped=ended["stopped"],
        failed=ended["failed"],
        not_run=len(comparison.items) * comparison.repeats - len(made),
        calls=sum(each.usage.calls for each in made),
        input_tokens=sum(each.usage.input_tokens for each in made) if metered else None,
        output_tokens=sum(each.usage.output_tokens for each in made) if metered else None,
        estimated=any(each.usage.estimated for each in made),
        usd=_sum(prices) if made else None,
        unpriced=prices.count(None),
        seconds=None if not made or None in lasted else fmean(each for each in lasted if each is not None),
        cost=fmean(known) if known and len(known) == len(costs) else None,
    )


def _sum(amounts: Iterable[float | None]) -> float | None:
    held = list(amounts)
    known = [amount for amount in held if amount is not None]
    return math.fsum(known) if len(known) == len(held) else None


def _findings(run: Sequence[Grouped], comparison: Comparison, unit: CostUnit, level: float) -> tuple[Finding, ...]:
    by_name = {each.system.name: each for each in run}
    own = [each for each in run if each.system.baseline_of is None]
    pairs = [
        (by_name[each.system.baseline_of], each, True)
        for each in run
        if each.system.baseline_of is not None and each.system.baseline_of in by_name
    ]
    pairs.sort(key=lambda pair: run.index(pair[0]))
    pairs += [(a, b, False) for a, b in combinations(own, 2)]
    verdicts: list[tuple[Verdict, bool]] = []
    for a, b, baseline in pairs:
        items = [item for item in a.scores if item in b.scores]
        if not items:
            continue
        costs_a, costs_b = a.costs(unit), b.costs(unit)
        found = compare(
            [a.scores[item] for item in items],
            [b.scores[item] for item in items],
            names=(a.system.name, b.system.name),
            costs_a=[costs_a[item] for item in items],
            costs_b=[costs_b[item] for item in items],
            clusters=a.clusters(items),
            margin=comparison.margin,
            level=level,
            seed=comparison.seed,
        )
        verdicts.append((found, baseline))
    return as_family(verdicts, unit, level=level, called=short_names(comparison.systems))


def as_family(
    verdicts: Sequence[tuple[Verdict, bool]],
    unit: CostUnit,
    *,
    level: float = 0.95,
    called: Mapping[str, str] | None = None,
) -> tuple[Finding, ...]:
    """Verdicts that are read together, with p-values adjusted for all of them (Holm 1979), in words.

    verdicts: each with whether it is against a baseline. unit: what counts as cost. level: of the intervals. called:
    what the words call systems, by name; by default their names.
    """
    known = called or {}
    adjusted = holm({str(place): verdict.p_value for place, (verdict, _) in enumerate(verdicts)})
    findings = []
    for place, (verdict, baseline) in enumerate(verdicts):
        told = verdict.within_family(adjusted[str(place)])
        shown = told.model_copy(update={"a": known.get(told.a, told.a), "b": known.get(told.b, told.b)})
        findings.append(
            Finding(verdict=told, baseline=baseline, detectable=_detectable(told, level), text=sentence(shown, unit))
        )
    return tuple(findings)


def _detectable(verdict: Verdict, level: float) -> float | None:
    found = verdict.difference
    if isinstance(verdict.test, McNemar):
        discordant = (verdict.test.wins + verdict.test.losses) / found.n
        return detectable_difference(found.n, discordance=discordant, power=POWER, level=level) if discordant else None
    if found.se is None or found.se <= 0:
        return None
    return min(1.0, (z_of(level) + NORMAL.inv_cdf(POWER)) * found.se)


def _front(
    run: Sequence[Grouped], comparison: Comparison, unit: CostUnit, level: float
) -> tuple[Front | None, list[str]]:
    """The front over the items that all of them have; a system that shares none with the others is left out."""
    common: dict[str, None] = {}
    kept: list[Grouped] = []
    for each in sorted(run, key=lambda each: -len(each.scores)):
        shared = {item: None for item in each.scores if not kept or item in common}
        if shared:
            common, kept = shared, [*kept, each]
    kept.sort(key=run.index)
    if not kept:
        return None, []
    measured = {}
    for each in kept:
        costs = each.costs(unit)
        measured[each.system.name] = Measured([each.scores[item] for item in common], [costs[item] for item in common])
    clusters = kept[0].clusters(common)
    units, many = _in_groups(clusters if clusters is not None else list(common), comparison.seed)
    front = pareto(
        measured,
        clusters=units if many < len(common) else clusters,
        level=level,
        resamples=max(100, min(1000, DRAWS // (many * (2 * len(kept) + 1)))),
        seed=comparison.seed,
    )
    counted = None if clusters is None else len(set(clusters))
    volume = None if front.hypervolume is None else front.hypervolume.model_copy(update={"clusters": counted})
    front = front.model_copy(update={"clusters": counted, "hypervolume": volume})
    return front, [each.system.name for each in kept]


def _in_groups(labels: Sequence[str], seed: int) -> tuple[list[str], int]:
    """What the front's bootstrap draws: the clusters, each item its own where there are none, or groups of them.

    Of more than UNITS, random groups of equal size are drawn in their place (Wolter 2007, Introduction to Variance
    Estimation, chapter 2): they vary as their members do, and a resample costs no more however many items there are.
    """
    units = list(dict.fromkeys(labels))
    if len(units) <= UNITS:
        return list(labels), len(units)
    random.Random(f"groups:{seed}").shuffle(units)
    of = {unit: f"group {at % UNITS}" for at, unit in enumerate(units)}
    return [of[label] for label in labels], UNITS
