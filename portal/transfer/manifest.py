"""The manifest of a move: the final result of every object, in order of keys, as immutable segments under one root.

Written before a switch, by a job that may be killed and run again: the same passes give the same files. What a later
pass changes replaces the segments it touches; the others are named again (docs/decisions/0005-certificates.md).
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path
from typing import Any

from portal.errors import Conflict, ContentMismatch
from portal.planning.certificates import LEVEL_NAMES
from portal.planning.listings import key_order, merge
from portal.planning.merkle import Frontier, leaf_hash, path_to, root_of, segment_hash
from portal.planning.merkle import Path as MerklePath
from portal.planning.outcomes import THERE, ObjectResult
from portal.transfer.segments import encode, latest_results, read_lines, read_results, write_lines

#: Lines of a segment: a proof reads one, a late change writes one again.
MOST_LINES = 16_384

_AGAIN = "Retry the migration: its manifest is written anew."


@dataclass(frozen=True, slots=True)
class ManifestSegment:
    """One segment of a manifest.

    Attributes:
        path: relative to the ledger.
        digest: hex SHA-256 of its lines, as of every segment.
        root: hex root of the tree over its lines.
        first: its first key.
        counts: objects and bytes by outcome (`outcome copied`); of those that lie at the target as moved, also by level
            (`level read_back`), by what their content is known by: `hash sha256` of what was read here, else
            `hash md5_of_server`; and whether that has the hash LaminDB recorded: `recorded equal`, else
            `recorded not_checked`. Manifests of earlier versions do not have the last.
    """

    path: str
    digest: str
    root: str
    count: int
    first: str
    counts: dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest in numbers. `path` of its index, relative to the ledger; `digest` of that file; `counts` of all."""

    path: str
    digest: str
    root: str
    count: int
    pass_number: int
    segment_count: int
    counts: dict[str, tuple[int, int]]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for a JSON column."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ManifestJob:
    """What to write a manifest from.

    Attributes:
        ledger: folder of all migrations' segments; `folder` is this one's, relative to it.
        pass_number: the newest pass that is in it; names the files.
        passes: result segments of each pass, oldest first.
        base: index of an older manifest, relative to the ledger, and `newer` the passes since; None: there is none.
        stop_path: writing ends as soon as this file exists.
    """

    ledger: str
    folder: str
    pass_number: int
    passes: tuple[tuple[str, ...], ...]
    base: str | None = None
    newer: tuple[tuple[str, ...], ...] = ()
    stop_path: str = ""
    most_lines: int = MOST_LINES


@dataclass(frozen=True, slots=True)
class FoundObject:
    """One object of a manifest: its line without the line break, and the two paths from it to the root."""

    line: str
    lines: MerklePath
    segments: MerklePath


def write_manifest(job: ManifestJob) -> Manifest:
    """Write what is new of a manifest, then its index. A base that is not sound is not built on.

    Raises:
        Conflict: told to stop.
        ContentMismatch: a result segment is damaged.
    """
    try:
        base = read_index(job.ledger, job.base) if job.base else ()
        segments = list(_segments(job, base, latest_results(job.newer if base else job.passes)))
    except (ContentMismatch, OSError):
        if not job.base:
            raise
        segments = list(_segments(job, (), latest_results(job.passes)))
    path = f"{job.folder}/manifest/{job.pass_number:03}.json"
    digest = _write_index(Path(job.ledger) / path, segments)
    counts: dict[str, tuple[int, int]] = {}
    for segment in segments:
        for name, (count, size) in segment.counts.items():
            before = counts.get(name, (0, 0))
            counts[name] = (before[0] + count, before[1] + size)
    count = sum(segment.count for segment in segments)
    return Manifest(path, digest, _root(segments).hex(), count, job.pass_number, len(segments), counts)


def find_object(ledger: str, manifest: dict[str, Any], key: str) -> FoundObject | None:
    """Return one object of a manifest (as `Manifest.as_dict` gave it) with its paths; None where it has no such key.

    Raises:
        ContentMismatch: the manifest in the ledger is not the one whose root was recorded.
    """
    segments = read_index(ledger, manifest["path"])
    if _root(segments).hex() != manifest["root"]:
        raise ContentMismatch("The manifest in the ledger is not the one that was recorded.", hint=_hint(manifest))
    wanted = key_order(key)
    at = sum(1 for segment in segments if key_order(segment.first) <= wanted) - 1
    if at < 0:
        return None
    segment = segments[at]
    lines = [line.rstrip(b"\n") for line in read_lines(f"{ledger}/{segment.path}")]
    leaves = [leaf_hash(line) for line in lines]
    if root_of(leaves).hex() != segment.root:
        raise ContentMismatch(f"The segment {segment.path} is not the one that was recorded.", hint=_hint(manifest))
    index = next((number for number, line in enumerate(lines) if json.loads(line)["key"] == key), None)
    if index is None:
        return None
    return FoundObject(lines[index].decode(), path_to(leaves, index), path_to(_upper(segments), at))


def _hint(manifest: dict[str, Any]) -> str:
    return f"Put {manifest['path']} and its segments back from a backup of the ledger."


def read_index(ledger: str, path: str) -> tuple[ManifestSegment, ...]:
    """Return the segments that a manifest's index names.

    Raises:
        ContentMismatch: there is no such index, or it is damaged.
    """
    try:
        values = json.loads(Path(ledger, path).read_bytes())
        return tuple(
            ManifestSegment(**{**entry, "counts": {name: (pair[0], pair[1]) for name, pair in entry["counts"].items()}})
            for entry in values
        )
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise ContentMismatch(f"The manifest {path} is missing or damaged.", hint=_AGAIN) from error


def _write_index(path: Path, segments: Sequence[ManifestSegment]) -> str:
    """Write an index under a temporary name, sync it, rename it; return the digest of the file."""
    data = json.dumps([asdict(segment) for segment in segments], indent=0).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    return sha256(data).hexdigest()


def _root(segments: Iterable[ManifestSegment]) -> bytes:
    return root_of(_upper(segments))


def _upper(segments: Iterable[ManifestSegment]) -> list[bytes]:
    return [segment_hash(segment.count, bytes.fromhex(segment.root)) for segment in segments]


def _segments(
    job: ManifestJob, base: Sequence[ManifestSegment], newer: Iterator[ObjectResult]
) -> Iterator[ManifestSegment]:
    """Yield the segments of the new manifest: those of `base` that nothing newer touches as they are."""
    names, coming = iter(range(10**7)), _Coming(newer)
    for number, segment in enumerate(base):
        until = key_order(base[number + 1].first) if number + 1 < len(base) else None
        if coming.has_below(until):
            pairs = merge(read_results(f"{job.ledger}/{segment.path}"), coming.below(until))
            merged = (after or before for before, after in pairs)
            yield from _write(job, (result for result in merged if result is not None), names)
        else:
            yield segment
    yield from _write(job, coming.below(None), names)


class _Coming:
    """Results in order of keys, taken up to a key. `until` None: to the end."""

    def __init__(self, results: Iterator[ObjectResult]) -> None:
        self._results = results
        self._next = next(results, None)

    def has_below(self, until: bytes | None) -> bool:
        return self._next is not None and (until is None or key_order(self._next.key) < until)

    def below(self, until: bytes | None) -> Iterator[ObjectResult]:
        while self._next is not None and self.has_below(until):
            result, self._next = self._next, next(self._results, None)
            yield result


def _write(job: ManifestJob, results: Iterator[ObjectResult], names: Iterator[int]) -> Iterator[ManifestSegment]:
    while (first := next(results, None)) is not None:
        if job.stop_path and Path(job.stop_path).exists():
            raise Conflict("Told to stop.")
        path = f"{job.folder}/manifest/{job.pass_number:03}-{next(names):07}.jsonl.gz"
        tally = _Tally()
        rows = islice(chain([first], results), job.most_lines)
        segment = write_lines(f"{job.ledger}/{path}", (tally.take(result) for result in rows))
        yield ManifestSegment(path, segment.digest, tally.root, segment.count, first.key, tally.counts)


@dataclass
class _Tally:
    """What is counted of a segment while it is written."""

    frontier: Frontier = field(default_factory=Frontier)
    numbers: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)

    def take(self, result: ObjectResult) -> bytes:
        """Count a result and return its line."""
        line = encode(result)
        self.frontier.add(leaf_hash(line.rstrip(b"\n")))
        names = [f"outcome {result.outcome.value}"]
        if result.outcome in THERE:
            names.append(f"level {LEVEL_NAMES[result.level]}")
            names.append(f"hash {'sha256' if result.sha256 else 'md5_of_server' if result.md5 else 'none'}")
            names.append(f"recorded {'equal' if result.is_as_recorded else 'not_checked'}")
        for name in names:
            self.numbers[name] += 1
            self.sizes[name] += result.size_bytes
        return line

    @property
    def root(self) -> str:
        return self.frontier.root().hex()

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        return {name: (self.numbers[name], self.sizes[name]) for name in sorted(self.numbers)}
