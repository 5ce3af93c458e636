"""A whole run as lines of JSON, and back: for tests, for sending it on, for moving it to another log.

The first line says what this is, then comes a line a record: the run's boards, then its journal. A line brings the
bodies that it is the first to need. Each line begins with a checksum of the rest of it, and the last one says how
many there were, so that a torn or damaged file is found, and where.

    {"sum":"…","phalanx":"run","version":1,"run":"…"}
    {"sum":"…","stream":"run/…","kind":"step.started","data":{…},"bodies":{"<sha256>":"…"}}
    {"sum":"…","end":41}
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping

from phalanx.errors import LogConflict, LogError

from .bodies import digest_of, from_bytes, to_bytes
from .codec import Codec
from .log import Log
from .notation import Json

VERSION = 1


async def export_run(log: Log, run_id: str, *, redact: Callable[[str], str] | None = None) -> list[str]:
    """All that a log holds of a run, as lines of JSON without their ends.

    Prompts and answers stand in them in clear text; redact: applied to every text before, as `Codec` does it.
    Raises LogError when there is no such run.
    """
    journal, boards = _streams(run_id)
    streams = [name for name in await log.streams(boards) if name != journal] + [journal]
    codec, known = Codec(redact), set[str]()
    lines = [_line({"phalanx": "run", "version": VERSION, "run": run_id})]
    for stream in streams:
        records = await log.read(stream)
        if not records and stream == journal:
            raise LogError(f"there is no run {run_id!r} in this log")
        for _, record in records:
            kind, data, bodies = codec.encode(record, known)
            known.update(bodies)
            facts: dict[str, Json] = {"stream": stream, "kind": kind, "data": from_bytes(data)}
            if bodies:
                facts["bodies"] = {digest: body.decode("utf-8", "surrogatepass") for digest, body in bodies.items()}
            lines.append(_line(facts))
    lines.append(_line({"end": len(lines)}))
    return lines


async def import_run(lines: Iterable[str], log: Log) -> str:
    """Put an exported run into a log, and give its id; then it can be shown, played back, resumed and forked there.

    Nothing is written before all lines have been read. Raises LogError, with the line's number, for whatever is torn,
    damaged or of a newer version; and when the log holds a run of this id already.
    """
    run_id, streams = _read(lines)
    journal, _ = _streams(run_id)
    if await log.read(journal):
        raise LogError(f"there is a run {run_id!r} in this log already; import it into another log")
    # The journal last: without it there is no run, and whoever was interrupted here imports it again.
    for stream in sorted(streams, key=lambda name: name == journal):
        records = streams[stream]
        held = [record for _, record in await log.read(stream)]
        if held == records:
            continue
        try:
            await log.append(stream, records, expect=0)
        except LogConflict:
            raise LogError(f"this log holds other records in {stream!r} already; import the run elsewhere") from None
    return run_id


def _streams(run_id: str) -> tuple[str, str]:
    """The name of a run's journal, and what the names of its boards begin with."""
    return f"run/{run_id}", f"board/{run_id}/"


def _line(facts: Mapping[str, Json]) -> str:
    rest = to_bytes(dict(facts))[1:].decode("utf-8")
    return f'{{"sum":"{_sum(rest)}",{rest}'


def _sum(rest: str) -> str:
    return f"{zlib.crc32(rest.encode('utf-8', 'surrogatepass')):08x}"


def _read(lines: Iterable[str]) -> tuple[str, dict[str, list[object]]]:
    """The run's id, and its records by stream."""
    codec, bodies = Codec(), dict[str, bytes]()
    streams: dict[str, list[object]] = {}
    run_id: str | None = None
    count = 0
    ended = False
    for number, line in enumerate(lines, 1):
        if ended:
            if line.strip():
                raise LogError(f"line {number}: there is more after the end of the exported run")
            continue
        facts = _facts(line.rstrip("\r\n"), number)
        if run_id is None:
            run_id = _opened(facts, number)
        elif "end" in facts:
            if facts["end"] != count:
                raise LogError(f"line {number}: there were {facts['end']} lines and there are {count}; some are lost")
            ended = True
        else:
            _take(facts, number, codec, bodies, streams, _streams(run_id))
        count += 1
    if run_id is None:
        raise LogError("there is nothing to import: the file is empty")
    if not ended:
        raise LogError(f"line {count + 1}: the exported run is torn; its end is missing")
    if _streams(run_id)[0] not in streams:
        raise LogError(f"line {count}: the exported run {run_id!r} has no journal")
    return run_id, streams


def _facts(line: str, number: int) -> dict[str, Json]:
    head, rest = line[:17], line[18:]
    try:
        raw = from_bytes(line.encode("utf-8", "surrogatepass"))
    except ValueError as problem:
        raise LogError(f"line {number} is torn or damaged: {problem}") from None
    if not isinstance(raw, dict) or "sum" not in raw:
        raise LogError(f"line {number} is no line of an exported run")
    if head != f'{{"sum":"{_sum(rest)}"':
        raise LogError(f"line {number} is damaged: it is not what was written")
    return raw


def _opened(facts: Mapping[str, Json], number: int) -> str:
    run_id, version = facts.get("run"), facts.get("version")
    if facts.get("phalanx") != "run" or not isinstance(run_id, str):
        raise LogError(f"line {number}: this is no exported run; its first line is missing")
    if version != VERSION:
        raise LogError(f"line {number}: this run was exported in version {version}; this Phalanx reads {VERSION}")
    return run_id


def _take(
    facts: Mapping[str, Json],
    number: int,
    codec: Codec,
    bodies: dict[str, bytes],
    streams: dict[str, list[object]],
    known: tuple[str, str],
) -> None:
    stream, kind, brought = facts.get("stream"), facts.get("kind"), facts.get("bodies", {})
    if not isinstance(stream, str) or not isinstance(kind, str) or not isinstance(brought, dict):
        raise LogError(f"line {number} is no line of an exported run")
    if stream != known[0] and not stream.startswith(known[1]):
        raise LogError(f"line {number}: stream {stream!r} is not of this run")
    for digest, text in brought.items():
        body = str(text).encode("utf-8", "surrogatepass")
        if digest_of(body) != digest:
            raise LogError(f"line {number} is damaged: the body with hash {digest} is not what was written")
        bodies[digest] = body

    def body_of(digest: str) -> bytes:
        try:
            return bodies[digest]
        except KeyError:
            raise LogError(f"the body with hash {digest} is missing") from None

    try:
        record = codec.decode(kind, to_bytes(facts.get("data")), body_of)
    except LogError as problem:
        raise LogError(f"line {number}: {problem}") from None
    streams.setdefault(stream, []).append(record)
