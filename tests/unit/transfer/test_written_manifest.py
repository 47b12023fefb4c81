"""Manifests: the final result of every object, segments that late changes replace alone, and proofs out of them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from portal.errors import Conflict, ContentMismatch, StorageError
from portal.planning.merkle import EMPTY_ROOT, leaf_hash, root_from, root_of, segment_hash
from portal.planning.outcomes import Level, ObjectResult, Outcome
from portal.transfer.manifest import Manifest, ManifestJob, find_object, read_index, write_manifest
from portal.transfer.segments import encode, read_results, write_segment

Write = Callable[..., Manifest]


def moved(key: str, size_bytes: int = 10, sha256: str = "ab", level: Level = Level.READ_BACK) -> ObjectResult:
    return ObjectResult(key, size_bytes, Outcome.COPIED, sha256=sha256, level=level)


def numbered(count: int) -> list[ObjectResult]:
    return [moved(f"k{number:05}") for number in range(count)]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture
def passes() -> list[tuple[str, ...]]:
    return []


@pytest.fixture
def write(ledger: Path, passes: list[tuple[str, ...]]) -> Write:
    """Add a pass of results and write the manifest of all passes, on top of `base`."""

    def one_more(results: Sequence[ObjectResult], base: Manifest | None = None) -> Manifest:
        path = str(ledger / f"results-{len(passes)}.jsonl.gz")
        write_segment(path, results)
        passes.append((path,))
        newer = tuple(passes[base.pass_number :]) if base else ()
        job = ManifestJob(
            str(ledger), "m", len(passes), tuple(passes), base.path if base else None, newer, most_lines=8
        )
        return write_manifest(job)

    return one_more


def keys_of(ledger: Path, manifest: Manifest) -> list[str]:
    paths = [segment.path for segment in read_index(str(ledger), manifest.path)]
    return [result.key for path in paths for result in read_results(str(ledger / path))]


def prove(ledger: Path, manifest: Manifest, key: str) -> str | None:
    """Return the hex root that a key's proof leads to; None where the manifest has no such key."""
    found = find_object(str(ledger), manifest.as_dict(), key)
    if found is None:
        return None
    assert json.loads(found.line)["key"] == key
    lower = root_from(leaf_hash(found.line.encode()), found.lines)
    assert lower is not None
    upper = root_from(segment_hash(found.lines.count, lower), found.segments)
    return upper.hex() if upper else "bent"


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 9, 16, 17, 40])
def test_a_manifest_of_any_size_holds_every_key_and_proves_each(write: Write, ledger: Path, count: int) -> None:
    manifest = write(numbered(count))
    assert (manifest.count, manifest.segment_count) == (count, -(-count // 8))
    assert keys_of(ledger, manifest) == [f"k{number:05}" for number in range(count)]
    for key in keys_of(ledger, manifest):
        assert prove(ledger, manifest, key) == manifest.root
    if not count:
        assert manifest.root == EMPTY_ROOT.hex()
    for key in ("a", "k00000x", "z"):
        assert prove(ledger, manifest, key) is None


def test_the_root_can_be_worked_out_by_hand(write: Write) -> None:
    results = numbered(9)
    leaves = [leaf_hash(encode(result).rstrip(b"\n")) for result in results]
    upper = [segment_hash(8, root_of(leaves[:8])), segment_hash(1, leaves[8])]
    assert write(results).root == root_of(upper).hex()


def test_counts_say_what_became_of_objects_and_how_they_were_verified(write: Write) -> None:
    results = [
        moved("a", 1),
        moved("b", 2, level=Level.SERVER),
        ObjectResult("c", 4, Outcome.ALREADY_EQUAL, md5="cd", level=Level.READ_BACK, is_as_recorded=True),
        ObjectResult("d", 8, Outcome.LEFT),
        ObjectResult("e", 16, Outcome.COPIED),
    ]
    assert write(results).counts == {
        "hash md5_of_server": (1, 4),
        "hash none": (1, 16),
        "hash sha256": (2, 3),
        "level none": (1, 16),
        "level read_back": (2, 5),
        "level server": (1, 2),
        "outcome already_equal": (1, 4),
        "outcome copied": (3, 19),
        "outcome left": (1, 8),
        "recorded equal": (1, 4),
        "recorded not_checked": (3, 19),
    }


def test_the_latest_result_of_an_object_is_the_one_that_stands(write: Write, ledger: Path) -> None:
    first = write(numbered(20))
    late = [moved("a new first"), moved("k00003", sha256="cd"), moved("zzz")]
    late.insert(2, ObjectResult("k00019", 10, Outcome.REMOVED))
    second = write(late, first)
    rebuilt = {segment.path for segment in read_index(str(ledger), second.path)}
    kept = {segment.path for segment in read_index(str(ledger), first.path)} & rebuilt
    assert len(kept) == 1, "the middle segment was not touched"
    assert (second.count, second.counts["outcome removed"]) == (22, (1, 10))
    assert keys_of(ledger, second) == ["a new first", *[f"k{number:05}" for number in range(20)], "zzz"]
    assert all(prove(ledger, second, key) == second.root for key in keys_of(ledger, second))
    assert prove(ledger, first, "k00003") == first.root, "the older manifest is still whole"


def test_writing_it_again_gives_the_same_root(write: Write, ledger: Path, passes: list[tuple[str, ...]]) -> None:
    first = write(numbered(20))
    second = write([moved("k00003", sha256="cd")], first)
    job = ManifestJob(str(ledger), "m", 2, tuple(passes), first.path, tuple(passes[1:]), most_lines=8)
    assert write_manifest(job) == second


def test_a_base_that_is_damaged_is_not_built_on(write: Write, ledger: Path) -> None:
    first = write(numbered(20))
    for segment in read_index(str(ledger), first.path):
        (ledger / segment.path).write_bytes(b"no gzip")
    second = write([moved("k00003", sha256="cd")], first)
    assert (second.count, prove(ledger, second, "k00019")) == (20, second.root)


def test_what_was_changed_in_the_ledger_proves_nothing(write: Write, ledger: Path) -> None:
    manifest = write(numbered(20))
    segment = read_index(str(ledger), manifest.path)[1]
    results = list(read_results(str(ledger / segment.path)))
    write_segment(str(ledger / segment.path), [replace(results[0], sha256="ef"), *results[1:]])
    with pytest.raises(ContentMismatch, match="not the one that was recorded"):
        prove(ledger, manifest, results[3].key)
    index = ledger / manifest.path
    index.write_text(index.read_text().replace(segment.root, "00" * 32))
    with pytest.raises(ContentMismatch, match="not the one that was recorded"):
        prove(ledger, manifest, "k00000")
    index.unlink()
    with pytest.raises(ContentMismatch, match="missing or damaged"):
        prove(ledger, manifest, "k00000")


def test_keys_that_are_no_utf_8_and_hold_line_breaks_are_proven_too(write: Write, ledger: Path) -> None:
    manifest = write([moved("bad\udc80"), moved("line\nbreak"), moved("größe")])
    for key in ("bad\udc80", "line\nbreak", "größe"):
        assert prove(ledger, manifest, key) == manifest.root


def test_results_out_of_order_are_refused(write: Write) -> None:
    base = write(numbered(3))
    with pytest.raises(StorageError, match="out of order"):
        write([moved("k00002"), moved("k00001")], base)


def test_it_ends_when_it_is_told_to_stop(ledger: Path, tmp_path: Path) -> None:
    path, stop = str(ledger / "results"), tmp_path / "stop"
    write_segment(path, numbered(20))
    stop.touch()
    with pytest.raises(Conflict, match="Told to stop"):
        write_manifest(ManifestJob(str(ledger), "m", 1, ((path,),), stop_path=str(stop)))
