"""Segments: the immutable files that hold a migration's objects, one line each (docs/decisions/0002-segments.md).

Written under a temporary name, synced, then renamed: a segment that is there is whole. Not for state that changes.
"""

import gzip
import heapq
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime
from hashlib import sha256
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

from portal.errors import ContentMismatch
from portal.planning.actions import Act, PlannedObject
from portal.planning.listings import key_order
from portal.planning.outcomes import Level, ObjectResult, Outcome

#: gzip's middle: level 9 takes three times as long for a few per cent.
_GZIP_LEVEL = 5

_TIMES = frozenset({"modified_at", "target_modified_at"})
_ALWAYS = frozenset({"key", "size_bytes"})
_FIELDS = {
    kind: (names := tuple(field.name for field in fields(kind)), attrgetter(*names))
    for kind in (PlannedObject, ObjectResult)
}
_JSON = json.JSONEncoder(separators=(",", ":"))

Record = TypeVar("Record", PlannedObject, ObjectResult)


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment as written. `digest` is the hex SHA-256 of its lines before compression, so it outlives zlib."""

    path: str
    digest: str
    count: int


def write_segment(path: str, records: Iterable[PlannedObject] | Iterable[ObjectResult]) -> Segment:
    """Write records in their order and return what was written; a reader sees all of it or nothing.

    The folder is made where it is missing. A segment of the same name is replaced.
    """
    return write_lines(path, (encode(record) for record in records))


def write_lines(path: str, lines: Iterable[bytes]) -> Segment:
    """Write a segment of encoded records, as `write_segment` does."""
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".{final.name}.{os.getpid()}.tmp")
    digest, count = sha256(), 0
    try:
        with temporary.open("wb") as file:
            with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=_GZIP_LEVEL, mtime=0, filename="") as packed:
                for line in lines:
                    digest.update(line)
                    packed.write(line)
                    count += 1
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(final)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    _sync_folder(final.parent)
    return Segment(path, digest.hexdigest(), count)


def read_plan(path: str) -> Iterator[PlannedObject]:
    """Yield the lines of a plan segment.

    Raises:
        ContentMismatch: the file is damaged or cut off.
    """
    return _decoded(path, decode_planned)


def read_results(path: str) -> Iterator[ObjectResult]:
    """Yield the lines of a result segment.

    Raises:
        ContentMismatch: the file is damaged or cut off.
    """
    return _decoded(path, decode_result)


def digest_of(path: str) -> str:
    """Return the digest of a segment's lines as they are now; compare it with what was recorded."""
    digest = sha256()
    for line in read_lines(path):
        digest.update(line)
    return digest.hexdigest()


def latest_results(passes: Sequence[Iterable[str]]) -> Iterator[ObjectResult]:
    """Yield the latest result of every key, in order of keys, from the result segments of each pass.

    `passes` holds paths in the order of their shards, oldest pass first. One segment of each pass is open at a time.
    """
    streams = [_ranked(paths, -number) for number, paths in enumerate(passes)]
    merged = heapq.merge(*streams, key=lambda entry: (key_order(entry[1].key), entry[0]))
    for _, group in groupby(merged, key=lambda entry: entry[1].key):
        yield next(group)[1]


def encode(record: PlannedObject | ObjectResult) -> bytes:
    """Return one line of JSON with its line break; fields that are empty are left out."""
    names, values = _FIELDS[type(record)]
    kept = {name: value for name, value in zip(names, values(record), strict=True) if value or name in _ALWAYS}
    for name in _TIMES & kept.keys():
        kept[name] = kept[name].isoformat()
    return _JSON.encode(kept).encode() + b"\n"


def decode_planned(line: bytes) -> PlannedObject:
    """Return the planned object of a line."""
    values = _with_times(json.loads(line))
    recorded = tuple((kind, value) for kind, value in values.pop("recorded", ()))
    return PlannedObject(**{**values, "act": Act(values["act"]), "recorded": recorded})


def decode_result(line: bytes) -> ObjectResult:
    """Return the result of a line."""
    return result_of(json.loads(line))


def result_of(values: dict[str, Any]) -> ObjectResult:
    """Return the result of a line that was parsed."""
    values = _with_times(values)
    values["outcome"] = Outcome(values["outcome"])
    values["level"] = Level(values.get("level", ""))
    return ObjectResult(**values)


def _with_times(values: dict[str, Any]) -> dict[str, Any]:
    for name in _TIMES & values.keys():
        values[name] = datetime.fromisoformat(values[name])
    return values


def read_lines(path: str) -> Iterator[bytes]:
    """Yield the lines of a segment as they were written, each with its line break.

    Raises:
        ContentMismatch: the file is damaged or cut off.
    """
    try:
        with gzip.open(path, "rb") as file:
            # To gzip a file without any byte is a whole one.
            if not Path(path).stat().st_size:
                raise _damaged(path)
            yield from file
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(path) from error


def _decoded(path: str, decode: Callable[[bytes], Record]) -> Iterator[Record]:
    try:
        for line in read_lines(path):
            yield decode(line)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # The checksum of a damaged file comes behind its lines.
        raise _damaged(path) from error


def _damaged(path: str) -> ContentMismatch:
    return ContentMismatch(f"The segment {path} is damaged.", hint="Plan the migration again.")


def _ranked(paths: Iterable[str], rank: int) -> Iterator[tuple[int, ObjectResult]]:
    for path in paths:
        for result in read_results(path):
            yield rank, result


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
