"""LaminDB's rules for keys and hashes; what the real client wrote is compared in tests/clients."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.lamindb import hashes
from portal.lamindb.hashes import FileHasher, folder_hash
from portal.lamindb.paths import ArtifactFacts, key_of

UID = "abcdefghijklmnop0001"


def facts(**changes: object) -> ArtifactFacts:
    values = {"uid": UID, "key": "a/b.txt", "real_key": None, "suffix": ".txt", "key_is_virtual": True}
    return ArtifactFacts(**{**values, "overwrites_versions": False, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({}, f".lamindb/{UID}.txt"),
        ({"key": None, "key_is_virtual": False}, f".lamindb/{UID}.txt"),
        ({"overwrites_versions": True, "suffix": ".zarr"}, ".lamindb/abcdefghijklmnop.zarr"),
        ({"key_is_virtual": False}, "a/b.txt"),
        ({"real_key": "raw/x.txt"}, "raw/x.txt"),
        ({"key_is_virtual": False, "key": "folder/"}, "folder"),
    ],
)
def test_where_an_artifact_lies(changes: dict[str, object], key: str) -> None:
    assert key_of(facts(**changes)) == key


def test_a_folder_is_known_by_its_files_or_by_its_versions() -> None:
    assert facts(file_count=0).is_folder
    assert facts(overwrites_versions=True).is_folder
    assert not facts().is_folder


def test_the_hash_of_an_empty_file() -> None:
    assert FileHasher(0).value == "1B2M2Y8AsgTpgAmY7PhCfg"


@given(st.binary(min_size=0, max_size=60), st.integers(1, 20))
def test_a_large_file_is_hashed_by_its_first_and_last_part(data: bytes, step: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashes, "WHOLE_BYTES", 10)
        hasher = FileHasher(len(data))
        for start in range(0, len(data), step):
            hasher.update(data[start : start + step])
    if len(data) <= 10:
        expected = hashlib.md5(data).digest()
    else:
        ends = hashlib.sha1(data[:10]).digest() + hashlib.sha1(data[-10:]).digest()
        expected = hashlib.sha1(ends).digest()
    assert hasher.value == base64.urlsafe_b64encode(expected).decode().rstrip("=")[:22]


def test_a_folder_hash_knows_no_order() -> None:
    assert folder_hash(["b", "a"]) == folder_hash(["a", "b"]) != folder_hash(["a"])
