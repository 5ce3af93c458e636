"""One system's attempts as an `.eval` log, which Inspect and its viewer read; Inspect is not needed to write it.

The format is a zip of JSON: header.json, summaries.json, and a file for each sample under samples/ (Inspect's log
format, version 2).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote
from zipfile import ZIP_DEFLATED, ZipFile

from pydantic import JsonValue

from phalanx.messages import Usage

from .grouping import group
from .record import Attempt, Comparison
from .summary import of
from .tasks import TaskItem

SCORER = "phalanx"
_PLAIN = re.compile(r"[\w:,()+=@-][\w .:,()+=@-]*")
Json = dict[str, JsonValue]


def write_log(comparison: Comparison, path: Path) -> None:
    """Write the log of a comparison with a single system.

    comparison: with one system. path: the file. An item is a sample, a repeat an epoch; an id that could not name a
    file in the log is percent-encoded, with the id itself in the metadata.
    """
    (made,) = group(comparison)
    items = {item.id: item for item in comparison.items}
    header = _header(comparison, made.attempts)
    summaries: list[JsonValue] = []
    with ZipFile(path, "w", ZIP_DEFLATED) as log:
        _put(log, "_journal/start.json", {name: header[name] for name in ("version", "eval", "plan")})
        for each in made.attempts:
            sample = _sample(each, items[each.item])
            _put(log, f"samples/{_name(each.item)}_epoch_{each.repeat + 1}.json", sample)
            short = {
                name: sample[name] for name in ("id", "epoch", "input", "target", "metadata", "scores", "model_usage")
            }
            if each.error is not None:
                short["error"] = each.error
            summaries.append({**short, "completed": True, "message_count": 2 if each.answer is not None else 1})
        _put(log, "_journal/summaries/1.json", summaries)
        _put(log, "summaries.json", summaries)
        _put(log, "header.json", header)


def _put(log: ZipFile, name: str, value: JsonValue) -> None:
    log.writestr(name, json.dumps(value, separators=(",", ":")))


def _name(item: str) -> str:
    return item if _PLAIN.fullmatch(item) else quote(item.encode("utf-8", "surrogatepass"), safe="")


def _header(comparison: Comparison, attempts: Iterable[Attempt]) -> Json:
    summary = of(comparison)
    (standing,) = summary.standings
    system, found = standing.system, standing.accuracy
    begun = datetime.now(UTC) if comparison.started is None else datetime.fromtimestamp(comparison.started, UTC)
    metrics: Json = {}
    if found is not None:
        numbers = {"accuracy": found.value, "stderr": found.se, "low": found.low, "high": found.high}
        metrics = {name: {"name": name, "value": value} for name, value in numbers.items() if value is not None}
    total = len(comparison.items) * comparison.repeats
    usage = sum((each.usage for each in attempts), Usage())
    whole = standing.not_run == 0 and comparison.stopped is None
    return {
        "version": 2,
        "status": "success" if whole else "cancelled",
        "eval": {
            "eval_id": f"{comparison.name} {system.name}",
            "created": begun.isoformat(timespec="seconds"),
            "task": comparison.name,
            "task_id": comparison.tasks,
            "dataset": {
                "name": comparison.tasks,
                "samples": len(comparison.items),
                "sample_ids": [_name(item.id) for item in comparison.items],
            },
            "model": f"phalanx/{system.name}",
            "config": {"epochs": comparison.repeats},
            "packages": {"phalanx": comparison.version} if comparison.version else {},
            "metadata": {
                "kind": system.kind,
                "spec": system.spec,
                "baseline_of": system.baseline_of,
                "described": system.described,
                "seed": comparison.seed,
                "commit": comparison.commit,
                "usd": standing.usd,
                "interval": None if found is None else found.facts,
                "stopped": comparison.stopped,
            },
        },
        "plan": {"name": "phalanx", "steps": [{"solver": system.kind, "params": {}}], "config": {}},
        "results": {
            "total_samples": total,
            "completed_samples": standing.attempts,
            "scores": [{"name": SCORER, "scorer": SCORER, "params": {}, "metrics": metrics}],
        },
        "stats": {"model_usage": {f"phalanx/{system.name}": _usage(usage)}},
    }


def _sample(made: Attempt, item: TaskItem) -> Json:
    model = f"phalanx/{made.system}"
    target: JsonValue = ""
    if item.gold is not None:
        target = [str(each) for each in item.gold] if isinstance(item.gold, tuple) else str(item.gold)
    messages: list[JsonValue] = [{"role": "user", "content": item.text}]
    choices: list[JsonValue] = []
    if made.answer is not None:
        said: JsonValue = {"role": "assistant", "content": made.answer, "source": "generate"}
        messages.append(said)
        choices = [{"message": said, "stop_reason": "stop"}]
    usage = _usage(made.usage) if made.metered else None
    sample: Json = {
        "id": _name(item.id),
        "epoch": made.repeat + 1,
        "input": item.text,
        "target": target,
        "messages": messages,
        "output": {"model": model, "choices": choices, "completion": made.answer or "", "usage": usage},
        "scores": {SCORER: {"value": made.score, "answer": made.read, "explanation": made.why or None}},
        "metadata": {
            "item": item.id,
            "status": made.status,
            "calls": made.usage.calls,
            "usd": made.usd,
            "run_id": made.run_id,
            "seed": made.seed,
            "cluster": item.cluster,
        },
        "model_usage": {model: _usage(made.usage)} if made.metered else {},
    }
    if item.choices:
        sample["choices"] = list(item.choices)
    if made.seconds is not None:
        sample["total_time"] = made.seconds
    if made.error is not None:
        sample["error"] = {"message": made.error, "traceback": "", "traceback_ansi": ""}
    return sample


def _usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.tokens,
        "input_tokens_cache_read": usage.cached_tokens,
        "input_tokens_cache_write": usage.cache_write_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
    }
