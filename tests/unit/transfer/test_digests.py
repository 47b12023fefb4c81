"""Which hashes are made of what is read, and what they are taken for."""

import hashlib

from portal.backends.base import ObjectInfo, Proof
from portal.planning.outcomes import Level
from portal.transfer.evidence import Evidence
from portal.transfer.work import Digests

DATA = b"ACGT" * 1000


def read(*, needs_md5: bool) -> Digests:
    digests = Digests(len(DATA), needs_md5=needs_md5)
    digests.update(DATA)
    return digests


def test_an_md5_that_nobody_needs_is_not_made() -> None:
    assert read(needs_md5=True).md5 == hashlib.md5(DATA).hexdigest()
    assert read(needs_md5=False).md5 is None
    assert read(needs_md5=False).sha256 == hashlib.sha256(DATA).hexdigest()


def test_an_md5_that_was_not_made_proves_nothing_and_refutes_nothing() -> None:
    evidence = Evidence(Proof(has_md5=True, has_parts=True), speaks_for_source=False)
    for etag in (None, hashlib.md5(DATA).hexdigest(), "5d41402abc4b2a76b9719d911017c592"):
        there = ObjectInfo("a", len(DATA), None, etag)
        assert evidence.level(there, read(needs_md5=False)) is Level.NONE
        assert not evidence.is_damaged(there, read(needs_md5=False))


def test_a_digest_is_known_again_by_either_hash_and_none_is_none() -> None:
    digests = read(needs_md5=True)
    assert digests.is_digest(digests.sha256)
    assert digests.is_digest(f"md5:{digests.md5}")
    assert not digests.is_digest(None)
    assert not read(needs_md5=False).is_digest(f"md5:{digests.md5}")
