import hashlib

import pytest

from portal.backends.base import ObjectInfo, Proof
from portal.lamindb.hashes import MD5, encode
from portal.planning.actions import Act, PlannedObject
from portal.planning.outcomes import Level, Outcome
from portal.transfer.evidence import Evidence
from portal.transfer.results import by_etag
from portal.transfer.work import Digests

DATA = b"content"
ETAG = hashlib.md5(DATA, usedforsecurity=False).hexdigest()
OTHER = hashlib.md5(b"other", usedforsecurity=False).hexdigest()
PARTS = f"{OTHER}-2"
BOTH = Proof(has_md5=True, has_parts=True)


def read() -> Digests:
    digests = Digests(len(DATA))
    digests.update(DATA)
    return digests


def there(etag: str | None, parts_etag: str | None = None) -> ObjectInfo:
    return ObjectInfo("a", len(DATA), None, etag, parts_etag)


@pytest.mark.parametrize(
    ("proof", "found", "level"),
    [
        (BOTH, there(ETAG), Level.SERVER),
        (BOTH, there(ETAG, PARTS), Level.SERVER),
        (BOTH, there(PARTS, PARTS), Level.PARTS),
        (BOTH, there(PARTS), Level.NONE),
        (BOTH, there(OTHER), Level.NONE),
        (BOTH, there(None), Level.NONE),
        (BOTH, there("", ""), Level.NONE),
        (Proof(has_md5=True), there(PARTS, PARTS), Level.NONE),
        (Proof(), there(ETAG), Level.NONE),
        (Proof(), there(PARTS, PARTS), Level.NONE),
    ],
)
def test_a_checksum_proves_what_the_server_was_proven_to_compute(proof: Proof, found: ObjectInfo, level: Level) -> None:
    assert Evidence(proof, speaks_for_source=True).level(found, read()) is level


@pytest.mark.parametrize(
    ("proof", "found", "is_damaged"),
    [
        (BOTH, there(OTHER), True),
        (BOTH, there(ETAG), False),
        (BOTH, there(PARTS, PARTS), False),
        (BOTH, there(None), False),
        (Proof(), there(OTHER), False),
    ],
)
def test_another_md5_says_that_other_bytes_arrived(proof: Proof, found: ObjectInfo, is_damaged: bool) -> None:
    assert Evidence(proof, speaks_for_source=True).is_damaged(found, read()) is is_damaged


def planned(*recorded: tuple[str, str]) -> PlannedObject:
    return PlannedObject("a", len(DATA), act=Act.COPY, recorded=recorded)


@pytest.mark.parametrize(
    ("item", "here", "other", "are_equal"),
    [
        (planned(), there(ETAG), there(ETAG), True),
        (planned((MD5, encode(bytes.fromhex(ETAG)))), there(ETAG), there(ETAG), True),
        (planned((MD5, encode(bytes.fromhex(OTHER)))), there(ETAG), there(ETAG), False),
        (planned(("sha1-fl", "x")), there(ETAG), there(ETAG), False),
        (planned(), there(ETAG), there(OTHER), False),
        (planned(), there(PARTS), there(PARTS), False),
        (planned(), there(ETAG), ObjectInfo("a", 9, None, ETAG), False),
    ],
)
def test_two_objects_of_one_server_are_equal_by_its_checksums_alone(
    item: PlannedObject, here: ObjectInfo, other: ObjectInfo, are_equal: bool
) -> None:
    evidence = Evidence(BOTH, speaks_for_source=True)
    assert evidence.are_equal(item, here, other) is are_equal
    assert not Evidence(BOTH, speaks_for_source=False).are_equal(item, here, other)
    assert not Evidence(Proof(), speaks_for_source=True).are_equal(item, here, other)
    evidence.distrust_source()
    assert not evidence.are_equal(item, here, other)


@pytest.mark.parametrize(
    ("item", "is_as_recorded"),
    [
        (planned(), False),
        (planned((MD5, encode(bytes.fromhex(ETAG)))), True),
        (planned(("sha1-fl", "x"), (MD5, encode(bytes.fromhex(ETAG)))), True),
        (planned((MD5, encode(bytes.fromhex(OTHER)))), False),
    ],
)
def test_what_a_server_copied_is_as_recorded_where_its_md5_is_what_was_recorded(
    item: PlannedObject, is_as_recorded: bool
) -> None:
    result = by_etag(item, there(ETAG), there(ETAG), Outcome.COPIED)
    assert result.is_as_recorded is is_as_recorded
