"""Task sets from elsewhere: Hugging Face data sets and Inspect tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Protocol, cast

from phalanx.errors import ConfigurationError, ValidationError

from .readers import AS_USUAL, Columns, Row, collect
from .tasks import TaskSet


class InspectSample(Protocol):
    """What is read of an Inspect sample."""

    id: int | str | None
    input: object
    target: str | list[str]
    choices: list[str] | None
    metadata: dict[str, object] | None


def from_dataset(
    source: str | Iterable[Row],
    *,
    split: str = "test",
    config: str | None = None,
    revision: str | None = None,
    name: str | None = None,
    columns: Columns = AS_USUAL,
    need_gold: bool = True,
    skip_bad: bool = False,
) -> TaskSet:
    """A task set from a Hugging Face data set: its name on the hub or a local folder, or one that is loaded already.

    split, config, revision: passed to `datasets.load_dataset` when `source` is a name; fix the revision to have the
    same questions tomorrow. A gold column with class labels gives their names. Errors count rows from 1.

    Raises ConfigurationError when a name is given and the `datasets` library is not there (`phalanx[datasets]`),
    SpecError for bad rows as `read_tasks` does, and what the library raises when it cannot load the set.
    """
    if isinstance(source, str):
        try:
            import datasets
        except ImportError:
            raise ConfigurationError(
                f"data set {source!r} needs the datasets library: pip install 'phalanx[datasets]'"
            ) from None
        rows = cast(Iterable[Row], datasets.load_dataset(source, config, split=split, revision=revision))
        title = f"{source}/{config}/{split}" if config else f"{source}/{split}"
    else:
        rows, title = source, "dataset"
    features = getattr(rows, "features", None)
    found = _mappings(_named(rows, features if isinstance(features, Mapping) else {}))
    return collect(found, name=name or title, source=title, columns=columns, need_gold=need_gold, skip_bad=skip_bad)


def from_inspect(task: object, *, name: str | None = None, need_gold: bool = True, skip_bad: bool = False) -> TaskSet:
    """A task set from an Inspect task, data set or samples; only questions and targets are taken, not its solver.

    Several targets become a set for multiple choice and else alternatives. A sample that needs files, setup or a
    sandbox is a bad row, because it would not be the same question without them. Errors count samples from 1.
    """
    samples = getattr(task, "dataset", task)
    if not isinstance(samples, Iterable):
        raise ValidationError(f"from_inspect takes a Task, a Dataset or samples, not {type(task).__name__}")
    title = name or str(getattr(task, "name", None) or getattr(samples, "name", None) or "inspect")
    rows = ((place, _sample(cast(InspectSample, sample))) for place, sample in enumerate(samples, start=1))
    columns = replace(AS_USUAL, question="question", gold="gold", choices="choices", id="id", scorer="scorer")
    return collect(rows, name=title, source=title, columns=columns, need_gold=need_gold, skip_bad=skip_bad)


def _mappings(rows: Iterable[object]) -> Iterator[tuple[int, Row | str]]:
    for place, row in enumerate(rows, start=1):
        yield place, row if isinstance(row, Mapping) else f"must be a mapping, not {type(row).__name__}"


def _named(rows: Iterable[Row], features: Mapping[str, object]) -> Iterator[Row]:
    """The rows with the names of class labels in the place of their numbers."""
    labels = {column: names for column, feature in features.items() if (names := getattr(feature, "names", None))}
    for row in rows:
        changed = {
            column: names[number]
            for column, names in labels.items()
            if isinstance(number := row.get(column), int) and 0 <= number < len(names)
        }
        yield {**row, **changed} if changed else row


def _sample(sample: InspectSample) -> Row | str:
    for need in ("sandbox", "files", "setup"):
        if getattr(sample, need, None):
            return f"the sample needs {need}, which is not taken over"
    question = sample.input if isinstance(sample.input, str) else _chat(sample.input)
    if question is None:
        return "the sample's input is neither text nor messages of text"
    targets = [sample.target] if isinstance(sample.target, str) else list(sample.target)
    several = len(targets) > 1
    return {
        "id": sample.id,
        "question": question,
        "gold": targets if several else targets[0] if targets else None,
        "choices": sample.choices or None,
        "scorer": "set" if several and sample.choices else None,
        **{key: value for key, value in (sample.metadata or {}).items() if key not in ("id", "question", "gold")},
    }


def _chat(messages: object) -> str | None:
    if not isinstance(messages, list):
        return None
    texts = [getattr(message, "text", None) for message in messages]
    return "\n\n".join(text for text in texts if text) if texts and all(isinstance(t, str) for t in texts) else None
