"""What bulk work needs beside the contract of every backend: looks at many keys, proofs, parts, server-side copies."""

import hashlib
import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from portal.backends.base import BULK, Backend, ObjectInfo, Proof
from portal.backends.s3 import S3Backend
from portal.backends.s3.copies import STREAMED_BYTES
from portal.backends.s3.leftovers import uploads
from portal.backends.s3.quick import QUICK_BYTES
from portal.errors import BrokenOff, ContentMismatch, ObjectExists, StorageError
from tests.contract.canned import answering
from tests.contract.conftest import MEBIBYTE, SMALL_PARTS, s3_access, s3_root
from tests.contract.test_s3 import KEY, root_at
from tests.servers import S3Server
from tests.small_s3 import ACCESS, SmallS3, Upload

#: Keys that clients encode differently, or that obstore refuses or renames.
ODD_KEYS = ["a b", "a#b", "a%20b", "a+b", "a~b", "é", "e\u0301", "a\\b", "a?b", "a*b", "{a}", "日本", "a'b\"c"]


def put(backend: Backend, key: str, data: bytes) -> ObjectInfo:
    return backend.write(key, [data], size_bytes=len(data))


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def test_a_look_at_many_keys_tells_what_single_looks_tell(backend: Backend) -> None:
    for number in range(30):
        put(backend, f"folder/{number:02}", bytes(number))
    put(backend, "a", b"first")
    asked = ["a", *(f"folder/{number:02}" for number in range(0, 30, 3)), "absent", "zzz", "folder"]
    found = backend.infos(asked)
    assert sorted(found) == sorted(key for key in asked if backend.info(key) is not None)
    assert {key: (info.size_bytes, info.etag) for key, info in found.items()} == {
        key: (info.size_bytes, info.etag) for key in found if (info := backend.info(key)) is not None
    }
    assert backend.infos([]) == {}
    assert backend.infos(["absent"]) == {}


def test_what_is_written_in_bulk_is_there_after_the_flush(backend: Backend) -> None:
    for number in range(5):
        data = bytes(number)
        written = backend.write(f"new/{number % 2}/{number}", [data], size_bytes=number, in_bulk=True)
        assert (written.key, written.size_bytes) == (f"new/{number % 2}/{number}", number)
    assert backend.flush() == {}
    assert [(found.key, found.size_bytes) for found in backend.list_objects()] == [
        ("new/0/0", 0),
        ("new/0/2", 2),
        ("new/0/4", 4),
        ("new/1/1", 1),
        ("new/1/3", 3),
    ]
    assert backend.flush() == {}
    assert backend.remove_temporaries("test") == 0


def test_a_look_at_scattered_keys_does_not_list_the_whole_root(s3: S3Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [f"{number:04}" for number in range(60)]
    for key in keys:
        put(s3, key, b"x")
    pages = [keys[start : start + 10] for start in range(0, 60, 10)]
    listed: list[int] = []

    def paged(**_: object) -> Iterator[dict[str, object]]:
        for number, page in enumerate(pages):
            listed.append(number)
            contents = [{"Key": f"data/{key}", "Size": 1, "ETag": "x"} for key in page]
            yield {"Contents": contents, "IsTruncated": number < len(pages) - 1}

    monkeypatch.setattr(s3._listing, "pages", paged)
    wanted = ["0000", "0001", "0015", "0055", "0059", "none"]
    assert sorted(s3.infos(wanted)) == ["0000", "0001", "0015", "0055", "0059"]
    assert len(listed) == 2


@pytest.mark.parametrize("key", ODD_KEYS)
def test_an_odd_key_goes_there_and_back_in_bulk(s3: S3Backend, key: str) -> None:
    data = secrets.token_bytes(100)
    written = s3.write(f"x/{key}", [data], size_bytes=100, in_bulk=True)
    assert [found.key for found in s3.list_objects()] == [f"x/{key}"]
    assert written.etag == md5(data)
    with s3.open_read(f"x/{key}", seen=s3.info(f"x/{key}")) as stream:
        assert stream.read() == data


def test_a_small_body_that_is_not_what_was_listed_is_read_again_the_slow_way(s3: S3Backend) -> None:
    put(s3, "a", b"new")
    seen = ObjectInfo("a", 3, None, md5(b"old"))
    with s3.open_read("a", seen=seen) as stream:
        assert stream.read() == b"new"


def test_what_has_grown_since_it_was_listed_is_not_read_into_memory(
    s3: S3Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(s3, "a", b"content")
    seen, quick, read = s3.info("a"), s3._quick, list[str]()
    assert seen is not None
    assert quick is not None
    assert quick.get("data/a", seen) == b"content"
    grown = SimpleNamespace(meta={"size": 10**12}, bytes=lambda: read.append("all of it"))
    monkeypatch.setattr(quick, "_store", SimpleNamespace(get=lambda key: grown))
    assert quick.get("data/a", seen) is None
    assert read == []


def test_the_quick_way_tells_no_errors_of_its_own() -> None:
    with answering(503, b"<Error><Code>SlowDown</Code></Error>") as (url, _):
        backend = S3Backend(root_at(url), KEY, timeouts=replace(BULK, attempts=2))
        with pytest.raises(StorageError) as caught:
            backend.write("a", [b"1"], size_bytes=1, in_bulk=True)
        assert caught.value.retryable


@pytest.mark.parametrize(("there", "in_bulk"), [(b"ours", True), (b"ours", False), (b"else", True)])
def test_a_write_whose_answer_was_lost_is_ours_where_nothing_was_before(
    s3: S3Backend, monkeypatch: pytest.MonkeyPatch, there: bytes, in_bulk: bool
) -> None:
    def lose(key: str, data: bytes) -> None:
        s3.replace("a", there)

    def refuse(operation: str, full: str, **_: object) -> None:
        raise ObjectExists("taken")

    monkeypatch.setattr(s3._quick, "put", lose)
    monkeypatch.setattr(s3, "_create", refuse)
    if there == b"ours" and in_bulk:
        assert s3.write("a", [b"ours"], size_bytes=4, in_bulk=True).etag == md5(b"ours")
        return
    with pytest.raises(ObjectExists):
        s3.write("a", [b"ours"], size_bytes=4, in_bulk=in_bulk)
    assert [found.etag for found in s3.list_objects()] == [md5(there)]


def test_only_a_directory_reads_ahead(backend: Backend) -> None:
    for key in ("a", "in/b", "in/empty"):
        put(backend, key, b"" if key == "in/empty" else b"12")
    asked = backend.read_ahead(["a", "in/b", "in/empty", "absent", "in/absent", "no/where"])
    assert asked == ({"a", "in/b", "in/empty"} if backend.capabilities.is_local else set())
    with backend.open_read("in/b") as stream:
        assert stream.read() == b"12"


def test_what_an_upload_in_parts_was_made_of_is_told(s3: S3Backend) -> None:
    data = secrets.token_bytes(12 * MEBIBYTE)
    written = put(s3, "large", data)
    digests = b"".join(
        hashlib.md5(data[start : start + 5 * MEBIBYTE], usedforsecurity=False).digest()
        for start in range(0, len(data), 5 * MEBIBYTE)
    )
    assert written.parts_etag == f"{md5(digests)}-3"
    # This server hashes the whole at the end.
    assert written.etag == md5(data)


def test_parts_need_no_md5_where_that_of_the_whole_is_compared(s3: S3Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    data, ask, told = secrets.token_bytes(12 * MEBIBYTE), s3._call, list[bool]()

    def noted(operation: str, action: str, key: str, **arguments: object) -> dict[str, object]:
        if operation == "upload_part":
            told.append("ContentMD5" in arguments)
        return ask(operation, action, key, **arguments)

    monkeypatch.setattr(s3, "_call", noted)
    monkeypatch.setattr(s3._records, "_call", noted)
    put(s3, "checked", data)
    assert told == [True] * 3
    written = s3.write("compared", [data], size_bytes=len(data), compares_md5=True)
    assert told[3:] == [False] * 3
    assert (written.etag, written.parts_etag) == (md5(data), None)


@pytest.mark.parametrize("compares_md5", [False, True])
def test_a_broken_upload_goes_on_with_the_parts_the_server_has(
    s3: S3Backend, monkeypatch: pytest.MonkeyPatch, compares_md5: bool
) -> None:
    data = secrets.token_bytes(22 * MEBIBYTE)

    def half() -> Iterator[bytes]:
        yield data[: 11 * MEBIBYTE]
        raise BrokenOff

    with pytest.raises(BrokenOff):
        s3.write("large", half(), size_bytes=len(data), compares_md5=compares_md5)
    sent: list[int] = []
    ask = s3._call

    def counted(operation: str, action: str, key: str, **arguments: object) -> dict[str, object]:
        if operation == "upload_part":
            sent.append(int(str(arguments["PartNumber"])))
        return ask(operation, action, key, **arguments)

    monkeypatch.setattr(s3, "_call", counted)
    monkeypatch.setattr(s3._records, "_call", counted)
    s3.write("large", [data], size_bytes=len(data), compares_md5=compares_md5)
    assert sorted(sent) == [3, 4, 5]
    with s3.open_read("large") as stream:
        assert hashlib.sha256(stream.read()).digest() == hashlib.sha256(data).digest()
    assert s3.remove_temporaries("test") == 0


@pytest.mark.parametrize("compares_md5", [False, True])
def test_a_broken_upload_whose_source_has_changed_begins_anew(s3: S3Backend, compares_md5: bool) -> None:
    data = secrets.token_bytes(12 * MEBIBYTE)

    def half() -> Iterator[bytes]:
        yield data[: 6 * MEBIBYTE]
        raise BrokenOff

    with pytest.raises(BrokenOff):
        s3.write("large", half(), size_bytes=len(data), compares_md5=compares_md5)
    data = bytes(5 * MEBIBYTE) + data[5 * MEBIBYTE :]
    with pytest.raises(ContentMismatch, match="has changed since a part of it was sent") as caught:
        s3.write("large", [data], size_bytes=len(data), compares_md5=compares_md5)
    assert caught.value.retryable
    put(s3, "large", data)
    with s3.open_read("large") as stream:
        assert hashlib.sha256(stream.read()).digest() == hashlib.sha256(data).digest()


def with_somebody(data: bytes, write: Callable[[], object]) -> Iterator[bytes]:
    """Give half of the data, let somebody else write, then give the rest."""
    yield data[: len(data) // 2]
    write()
    yield data[len(data) // 2 :]


def test_an_upload_in_parts_does_not_overwrite_what_came_meanwhile(s3: S3Backend) -> None:
    data = bytes(12 * MEBIBYTE)
    with pytest.raises(ObjectExists):
        s3.write("large", with_somebody(data, lambda: s3.replace("large", b"theirs")), size_bytes=len(data))
    with s3.open_read("large") as stream:
        assert stream.read() == b"theirs"
    assert s3.remove_temporaries("test") == 0


@pytest.fixture
def small() -> Iterator[SmallS3]:
    with SmallS3() as server:
        yield server


def opened(server: SmallS3) -> S3Backend:
    return S3Backend(server.root(), ACCESS, timeouts=BULK, tag="test", options=SMALL_PARTS)


def test_where_the_server_knows_conditions_nobody_comes_between_the_look_and_the_completion(
    small: SmallS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, data = opened(small), bytes(12 * MEBIBYTE)
    ask = backend._call

    def late(operation: str, action: str, key: str, **arguments: object) -> dict[str, object]:
        if operation == "complete_multipart_upload":
            small.put("data/large", b"theirs")
        return ask(operation, action, key, **arguments)

    monkeypatch.setattr(backend, "_call", late)
    with pytest.raises(ObjectExists):
        put(backend, "large", data)
    assert (small.objects, small.uploads) == ({"data/large": b"theirs"}, {})


@pytest.mark.parametrize("refuses", [True, False])
def test_a_server_that_does_not_know_the_condition_is_asked_without(small: SmallS3, refuses: bool) -> None:
    small.knows_conditions, small.refuses_conditions = False, refuses
    backend = opened(small)
    for key in ("large", "another"):
        put(backend, key, bytes(12 * MEBIBYTE))
    assert sorted(small.objects) == ["data/another", "data/large"]
    completions = sum(method == "POST" and "uploadId" in query for method, _, query in small.asked)
    assert completions == (3 if refuses else 2), "it is asked once only"


def test_the_lost_answer_to_a_completion_leaves_an_object_of_our_own(small: SmallS3) -> None:
    small.loses_answers, small.keeps_uploads = {"data/large"}, True
    backend, data = opened(small), secrets.token_bytes(12 * MEBIBYTE)
    written = put(backend, "large", data)
    assert (written.etag, written.parts_etag) == (small.etags["data/large"],) * 2
    assert small.objects == {"data/large": data}


def recorded(server: SmallS3, backend: S3Backend, text: bytes) -> str:
    """Leave an upload and its record as a killed writer does; return the record's key."""
    record = backend._records.folder("test") + hashlib.sha256(b"data/large").hexdigest()[:32]
    server.uploads["begun"] = Upload("data/large", {1: bytes(5 * MEBIBYTE)})
    server.put(record, text)
    return record


RECORD = json.dumps({"key": "data/large", "upload_id": "begun"}).encode()


@pytest.mark.parametrize("sent", [0, 10])
@pytest.mark.parametrize("resets", [False, True])
def test_a_record_that_broke_off_while_it_was_read_is_still_one(small: SmallS3, sent: int, resets: bool) -> None:
    backend = opened(small)
    record = recorded(small, backend, RECORD)
    small.breaks_off, small.resets = {record: sent}, resets
    for use in (lambda: backend.remove_temporaries("test"), lambda: put(backend, "large", bytes(12 * MEBIBYTE))):
        with pytest.raises(StorageError) as caught:
            use()
        assert caught.value.retryable
        assert list(small.uploads) == ["begun"]
        assert record in small.objects
    small.breaks_off = {}
    put(backend, "large", bytes(12 * MEBIBYTE))
    assert small.part_count() == 2, "the first one was there"
    assert (list(small.objects), small.uploads) == (["data/large"], {})


@pytest.mark.parametrize("text", [b"", b"no record", b"[]", RECORD + b" " * 100_000])
def test_what_is_whole_and_no_record_is_removed_or_replaced(small: SmallS3, text: bytes) -> None:
    backend = opened(small)
    recorded(small, backend, text)
    assert backend.remove_temporaries("test") == 1
    assert small.objects == {}
    recorded(small, backend, text)
    put(backend, "large", bytes(12 * MEBIBYTE))
    assert list(small.objects) == ["data/large"]


@pytest.mark.parametrize("size_bytes", [1000, QUICK_BYTES + 1])
def test_the_lost_answer_to_a_write_in_bulk_leaves_an_object_of_our_own(small: SmallS3, size_bytes: int) -> None:
    small.loses_answers = {"data/a"}
    data = secrets.token_bytes(size_bytes)
    assert opened(small).write("a", [data], size_bytes=size_bytes, in_bulk=True).etag == md5(data)


def test_a_kept_upload_is_removed_when_nobody_goes_on(s3: S3Backend) -> None:
    def half() -> Iterator[bytes]:
        yield bytes(11 * MEBIBYTE)
        raise BrokenOff

    with pytest.raises(BrokenOff):
        s3.write("large", half(), size_bytes=22 * MEBIBYTE)
    assert s3.remove_temporaries("test", keeps_uploads=True) == 0
    assert s3.remove_temporaries("test") == 1
    assert s3.remove_temporaries("test") == 0


@pytest.fixture
def other_bucket(s3_server: S3Server) -> Iterator[S3Backend]:
    name = f"bucket-{secrets.token_hex(6)}"
    s3_server.add_bucket(name)
    backend = S3Backend(s3_root(s3_server, name), s3_access(s3_server), timeouts=BULK, tag="test", options=SMALL_PARTS)
    yield backend
    backend.close()


def listed(backend: Backend, key: str) -> ObjectInfo:
    return next(found for found in backend.list_objects() if found.key == key)


@pytest.mark.parametrize("size_bytes", [0, 1, QUICK_BYTES, QUICK_BYTES + 1])
def test_the_server_copies_an_object(s3: S3Backend, other_bucket: S3Backend, size_bytes: int) -> None:
    data = secrets.token_bytes(size_bytes)
    put(s3, "a b/é", data)
    copied = other_bucket.copy_from(s3, listed(s3, "a b/é"), "there")
    assert copied is not None
    assert copied.etag == md5(data)
    with other_bucket.open_read("there") as stream:
        assert stream.read() == data


@pytest.mark.parametrize("in_bulk", [False, True])
def test_the_server_does_not_copy_over_what_is_there(s3: S3Backend, other_bucket: S3Backend, in_bulk: bool) -> None:
    put(s3, "key", secrets.token_bytes(STREAMED_BYTES + 1))
    put(other_bucket, "key", b"theirs")
    with pytest.raises(ObjectExists):
        other_bucket.copy_from(s3, listed(s3, "key"), "key", in_bulk=in_bulk)
    with other_bucket.open_read("key") as stream:
        assert stream.read() == b"theirs"


def test_small_copies_take_the_quick_way(
    s3: S3Backend, other_bucket: S3Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(s3, "a b/é +%20#?.tif", secrets.token_bytes(STREAMED_BYTES + 1))
    seen = listed(s3, "a b/é +%20#?.tif")
    monkeypatch.setattr(other_bucket, "_call", None)
    copied = other_bucket.copy_from(s3, seen, "there ä +%20")
    assert copied is not None
    assert copied.etag == seen.etag


def test_the_server_does_not_copy_what_has_parts_nor_small_things_with_odd_keys(
    s3: S3Backend, other_bucket: S3Backend
) -> None:
    put(s3, "large", secrets.token_bytes(2 * MEBIBYTE))
    trail = put(s3, "trail/", b"small")
    large = listed(s3, "large")
    for seen in (trail, replace(large, etag=f"{large.etag}-2")):
        assert other_bucket.copy_from(s3, seen, seen.key) is None
    assert list(other_bucket.list_objects()) == []


@pytest.fixture
def looked_at(other_bucket: S3Backend, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of the other bucket that obstore was asked about one by one."""
    asked: list[str] = []
    quick = other_bucket._quick
    assert quick is not None
    ask = quick._etag

    def etag(key: str) -> str | None:
        asked.append(key.removeprefix("data/"))
        return ask(key)

    monkeypatch.setattr(quick, "_etag", etag)
    return asked


def copied_in_bulk(source: S3Backend, target: S3Backend, numbers: range) -> dict[str, bytes]:
    """Have objects that a look just told of copied; return their contents."""
    made = {f"folder/{number}": secrets.token_bytes(number) for number in numbers}
    for key, data in made.items():
        put(source, key, data)
    for key, seen in source.infos(list(made)).items():
        copied = target.copy_from(source, seen, key, in_bulk=True)
        assert copied is not None
        assert (copied.size_bytes, copied.etag) == (seen.size_bytes, seen.etag)
    return made


def test_of_copies_in_bulk_the_first_is_looked_at_and_the_others_all_at_once(
    s3: S3Backend, other_bucket: S3Backend, looked_at: list[str]
) -> None:
    made = copied_in_bulk(s3, other_bucket, range(20))
    assert looked_at == ["folder/0", "folder/0"]
    assert other_bucket.flush() == {}
    assert other_bucket.flush() == {}
    for key, data in made.items():
        with other_bucket.open_read(key) as stream:
            assert stream.read() == data


def test_a_copy_in_bulk_that_is_not_what_was_seen_is_told_and_the_next_looked_at(
    s3: S3Backend, other_bucket: S3Backend, looked_at: list[str]
) -> None:
    copied_in_bulk(s3, other_bucket, range(10))
    before = listed(s3, "folder/7")
    s3.replace("folder/7", b"changed")
    assert other_bucket.copy_from(s3, replace(before, size_bytes=7), "changed", in_bulk=True) is not None
    other_bucket.delete("folder/3")
    looked_at.clear()
    errors = other_bucket.flush()
    assert sorted(errors) == ["changed", "folder/3"]
    assert {type(error) for error in errors.values()} == {ContentMismatch}
    assert looked_at == []
    copied_in_bulk(s3, other_bucket, range(20, 22))
    assert looked_at == ["folder/20", "folder/20"]


def test_a_copy_in_bulk_whose_answer_was_lost_is_found(
    s3: S3Backend, other_bucket: S3Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied_in_bulk(s3, other_bucket, range(1))
    put(s3, "key", secrets.token_bytes(STREAMED_BYTES + 1))
    seen, quick = listed(s3, "key"), other_bucket._quick
    assert quick is not None
    copy = quick.copy
    monkeypatch.setattr(quick, "copy", lambda *places: copy(*places) and False)
    copied = other_bucket.copy_from(s3, seen, "key", in_bulk=True)
    assert copied is not None
    assert copied.etag == seen.etag


def test_obstore_is_not_asked_for_ever_for_copies_it_cannot_make(
    s3: S3Backend, other_bucket: S3Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(s3, "key", b"small")
    seen, asked = listed(s3, "key"), list[str]()
    monkeypatch.setattr(other_bucket._quick, "copy_seen", lambda bucket, key, target_key: asked.append(key))
    for _ in range(30):
        assert other_bucket.copy_from(s3, seen, "there", in_bulk=True) is None
    assert len(asked) == 8


def test_the_test_servers_checksums_are_evidence(s3: S3Backend) -> None:
    before = list(s3.list_objects())
    assert s3.prove("token") == Proof(has_md5=True, has_parts=True)
    assert list(s3.list_objects()) == before


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("last", ["put_object", "upload_part", "complete_multipart_upload"])
def test_what_a_killed_try_left_goes_with_the_next_try_or_a_removal(
    s3: S3Backend, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    ask, is_dead = s3._call, False

    def dying(operation: str, action: str, key: str, **arguments: object) -> dict[str, object]:
        nonlocal is_dead
        if is_dead:
            raise Killed
        answer = ask(operation, action, key, **arguments)
        is_dead = operation == last
        return answer

    def left() -> tuple[set[str], int]:
        found = {each.name for each in s3.list_leftovers() if each.kind == "probe"}
        return found, len(uploads(s3._call, s3._prefix))

    for tidy in (lambda: s3.remove_probe("token-checksums"), lambda: s3.prove("token")):
        with monkeypatch.context() as patch:
            patch.setattr(s3, "_call", dying)
            is_dead = False
            with pytest.raises(Killed):
                s3.prove("token")
        assert left() == ({"token-checksums"}, 1 if last == "upload_part" else 0)
        tidy()
        assert left() == (set(), 0)


def canned_etags(monkeypatch: pytest.MonkeyPatch, s3: S3Backend, operations: Sequence[str]) -> None:
    """Let the server's answers to these operations carry another ETag."""
    ask = s3._call

    def lying(operation: str, action: str, key: str, **arguments: object) -> dict[str, object]:
        answer = ask(operation, action, key, **arguments)
        return {**answer, "ETag": '"0123"'} if operation in operations else answer

    monkeypatch.setattr(s3, "_call", lying)


@pytest.mark.parametrize("is_composite", [True, False])
def test_it_tells_whether_etags_are_made_of_the_parts_md5s(
    s3: S3Backend, monkeypatch: pytest.MonkeyPatch, is_composite: bool
) -> None:
    ask, parts = s3._call, list[bytes]()

    def as_aws(operation: str, action: str, key: str, **arguments: Any) -> dict[str, Any]:
        answer = ask(operation, action, key, **arguments)
        if operation == "upload_part":
            parts.append(hashlib.md5(arguments["Body"]).digest())
        if operation == "head_object" and parts and is_composite:
            return {**answer, "ETag": f'"{hashlib.md5(b"".join(parts)).hexdigest()}-{len(parts)}"'}
        return answer

    monkeypatch.setattr(s3, "_call", as_aws)
    assert s3.prove("token") == Proof(has_md5=True, has_parts=True, is_composite=is_composite)


def test_other_etags_are_no_evidence(s3: S3Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    canned_etags(monkeypatch, s3, ["head_object"])
    proof = s3.prove("token")
    assert (proof.has_md5, proof.has_parts) == (False, False)
    assert "not MD5s" in proof.reason


def test_a_server_that_takes_a_wrong_md5_proves_nothing(s3: S3Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = s3._call

    def careless(operation: str, action: str, key: str, **arguments: object) -> dict[str, object]:
        arguments.pop("ContentMD5", None)
        return ask(operation, action, key, **arguments)

    monkeypatch.setattr(s3, "_call", careless)
    proof = s3.prove("token")
    assert proof == Proof(reason="This server takes content with a wrong MD5.")
    assert list(s3.list_objects()) == []


def test_a_server_that_takes_parts_with_a_wrong_md5_proves_nothing_of_parts(
    s3: S3Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = s3._call

    def careless(operation: str, action: str, key: str, **arguments: object) -> dict[str, object]:
        if operation == "upload_part":
            arguments.pop("ContentMD5", None)
        return ask(operation, action, key, **arguments)

    monkeypatch.setattr(s3, "_call", careless)
    assert s3.prove("token") == Proof(has_md5=True, reason="This server takes parts with a wrong MD5.")
    assert list(s3.list_objects()) == []
    assert uploads(s3._call, s3._prefix) == []
