"""What only S3 does: refusals, outages, regions, uploads in parts."""

import json
import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from portal.backends.base import INTERACTIVE, S3Access, Timeouts
from portal.backends.s3 import S3Backend, detect_region
from portal.backends.s3.errors import _busy
from portal.backends.s3.uploads import Multipart, UploadOptions, pieces
from portal.errors import (
    AccessRefused,
    BucketNotFound,
    ContentMismatch,
    CredentialsRefused,
    ObjectExists,
    StorageError,
    Unreachable,
    WrongRegion,
)
from portal.transfer.probe import probe
from portal.values import CheckStatus, ConnectionKind, Root, StorageType
from tests.contract.canned import answering, error_body
from tests.contract.conftest import MEBIBYTE, s3_access, s3_root
from tests.read_only import ReadOnlyEndpoint
from tests.servers import S3Server, free_port
from tests.small_s3 import ACCESS, SmallS3

KEY = S3Access(ConnectionKind.ACCESS_KEY, "AKIAEXAMPLEEXAMPLE00", "the-secret-itself")
QUICK = Timeouts(connect_seconds=1, read_seconds=1, attempts=1)


def root_at(endpoint_url: str, bucket: str = "bucket", path: str = "data") -> Root:
    text = f"s3://{bucket}/{path}?endpoint_url={endpoint_url}"
    return Root(StorageType.S3, text, bucket=bucket, path=path, endpoint_url=endpoint_url)


def keys(backend: S3Backend) -> list[str]:
    return [found.key for found in backend.list_objects()]


def test_the_secret_is_not_in_the_repr_and_survives_pickling() -> None:
    assert "the-secret-itself" not in repr(KEY)
    assert pickle.loads(pickle.dumps(KEY)) == KEY


def test_a_wrong_secret_is_told_by_every_operation(s3_server: S3Server, s3_bucket: str) -> None:
    backend = S3Backend(s3_root(s3_server, s3_bucket), s3_access(s3_server, secret="wrong"))
    for ask in (
        lambda: keys(backend),
        lambda: backend.info("x"),
        lambda: backend.write("x", [b"x"], size_bytes=1),
        lambda: backend.replace("x", b"x"),
        lambda: backend.delete("x"),
    ):
        with pytest.raises(CredentialsRefused) as refusal:
            ask()
        assert str(refusal.value) == "The key was refused. Was its secret pasted whole?"
        assert "wrong" not in str(refusal.value.server_message)


def test_a_missing_bucket_is_told(s3_server: S3Server) -> None:
    backend = S3Backend(s3_root(s3_server, "no-such-bucket"), s3_access(s3_server))
    for ask in (lambda: keys(backend), backend.list_folder, lambda: backend.replace("x", b"x")):
        with pytest.raises(BucketNotFound, match="No bucket no-such-bucket exists"):
            ask()


def test_a_stopped_server_is_unreachable_within_the_time_limit() -> None:
    backend = S3Backend(root_at(f"http://127.0.0.1:{free_port()}"), KEY, timeouts=INTERACTIVE)
    with pytest.raises(Unreachable, match="Nobody answers") as outage:
        keys(backend)
    assert outage.value.retryable
    # Once more, with everything imported: a loaded machine is slow, not wrong, but BULK would take longer than this.
    started = time.monotonic()
    with pytest.raises(Unreachable, match="Nobody answers"):
        keys(backend)
    assert time.monotonic() - started < 3 * INTERACTIVE.connect_seconds


def test_a_server_that_comes_back_is_reached_by_the_same_backend(tmp_path: Path) -> None:
    with S3Server(tmp_path) as server:
        server.add_bucket("bucket")
        backend = S3Backend(s3_root(server, "bucket"), s3_access(server), timeouts=QUICK)
        backend.replace("x", b"x")
        server.stop()
        with pytest.raises(Unreachable):
            keys(backend)
        server.start()
        assert keys(backend) == ["x"]


def test_an_unknown_host_is_told() -> None:
    with pytest.raises(Unreachable, match="No host named nowhere"):
        keys(S3Backend(root_at("http://nowhere.invalid"), KEY, timeouts=QUICK))


def test_a_server_that_may_only_be_read_names_the_missing_right(
    s3: S3Backend, s3_server: S3Server, s3_bucket: str, read_only_endpoint: ReadOnlyEndpoint
) -> None:
    s3.write("object", [b"12"], size_bytes=2)
    backend = S3Backend(root_at(read_only_endpoint.endpoint_url, s3_bucket), s3_access(s3_server))
    assert keys(backend) == ["object"]
    with pytest.raises(AccessRefused) as refusal:
        backend.write("x", [b"x"], size_bytes=1)
    assert refusal.value.missing_action == "s3:PutObject"
    with pytest.raises(AccessRefused) as refusal:
        backend.delete("object")
    assert refusal.value.missing_action == "s3:DeleteObject"
    results = probe(backend, want_write=True, key_token="token", clock=time.monotonic)
    assert [result.status[0] for result in results] == list("ppfsss")
    assert results[2].missing_action == "s3:PutObject"


def test_the_probe_passes_on_a_good_bucket_and_leaves_nothing(s3: S3Backend) -> None:
    results = probe(s3, want_write=True, key_token="token", clock=time.monotonic)
    assert [result.status for result in results if result.name != "get"] == [CheckStatus.PASSED] * 5
    assert keys(s3) == []


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (301, {"x-amz-bucket-region": "eu-central-1"}, error_body("PermanentRedirect")),
        (400, {}, error_body("AuthorizationHeaderMalformed", Region="eu-central-1")),
    ],
)
def test_the_right_region_is_told_and_no_redirect_followed(status: int, headers: dict[str, str], body: bytes) -> None:
    with answering(200) as (elsewhere, asked_elsewhere):
        told = {**headers, "Location": elsewhere}
        with answering(status, body, told) as (url, asked), pytest.raises(WrongRegion) as wrong:
            keys(S3Backend(root_at(url), KEY, timeouts=QUICK))
        assert wrong.value.region == "eu-central-1"
        assert wrong.value.message == "The bucket is in eu-central-1, not us-east-1."
        assert (len(asked), asked_elsewhere) == (1, [])


def test_a_wrong_clock_is_told_in_minutes() -> None:
    times = {"RequestTime": "20261122T100000Z", "ServerTime": "2026-11-22T10:20:00Z"}
    with answering(403, error_body("RequestTimeTooSkewed", **times)) as (url, _), pytest.raises(StorageError) as skew:
        keys(S3Backend(root_at(url), KEY, timeouts=QUICK))
    assert str(skew.value) == "This server's clock is 20 min late; S3 refuses it. Set it."


def test_a_busy_server_says_when_to_come_back() -> None:
    with answering(503, error_body("SlowDown"), {"Retry-After": "7"}) as (url, _), pytest.raises(StorageError) as busy:
        keys(S3Backend(root_at(url), KEY, timeouts=QUICK))
    assert (busy.value.retryable, busy.value.retry_after_seconds) == (True, 7)


@pytest.mark.parametrize("after", ["\u00b2", "9" * 400, "9" * 5000, "-1", "soon"])
def test_a_time_to_come_back_that_makes_no_sense_is_none(after: str) -> None:
    assert _busy({"retry-after": after}, 503, None).retry_after_seconds is None


def test_secrets_are_taken_out_of_the_servers_words() -> None:
    said = error_body("AccessDenied", Message="the-secret-itself and Signature=abc123 refused")
    with answering(403, said) as (url, _), pytest.raises(AccessRefused) as refusal:
        keys(S3Backend(root_at(url), KEY, timeouts=QUICK))
    assert refusal.value.server_message == "AccessDenied: … and Signature=… refused"
    assert refusal.value.missing_action == "s3:ListBucket"


def test_something_that_is_no_s3_server_is_told() -> None:
    with answering(200, b"<html>hello</html>") as (url, _), pytest.raises(StorageError):
        keys(S3Backend(root_at(url), KEY, timeouts=QUICK))


def test_a_body_that_ends_early_is_a_mismatch() -> None:
    with answering(200, b"12345", {"Content-Length": "9", "Connection": "close"}) as (url, _):
        backend = S3Backend(root_at(url), KEY, timeouts=QUICK)
        with backend.open_read("x") as stream, pytest.raises(ContentMismatch) as short:
            list(iter(lambda: stream.read(4), b""))
    assert short.value.retryable


def test_an_answer_that_lacks_what_every_s3_server_tells_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with SmallS3() as server:
        server.put("data/x", b"x")
        backend = S3Backend(server.root(), ACCESS, timeouts=QUICK)
        for hidden, ask in (
            ("Content-Length", lambda: backend.info("x")),
            ("Content-Length", lambda: backend.open_read("x").__enter__()),
            ("UploadId", lambda: Multipart(backend._call, "data/large")),
            ("ETag", lambda: Multipart(backend._call, "data/large").send([b"x"], 1, 5 * MEBIBYTE)),
        ):
            server.hides = hidden
            with pytest.raises(StorageError, match="gave an answer that is not S3's"):
                ask()
            server.hides = ""


def test_a_conditional_put_that_loses_the_race_is_told() -> None:
    with answering(412, error_body("PreconditionFailed")) as (url, _), pytest.raises(ObjectExists):
        S3Backend(root_at(url), KEY, timeouts=QUICK)._create("put_object", "data/x", Body=b"x")


def test_the_region_is_told_even_by_a_refusal() -> None:
    with answering(403, headers={"x-amz-bucket-region": "eu-west-2"}) as (url, _):
        assert detect_region("bucket", url, QUICK) == "eu-west-2"
    with answering(200) as (url, _):
        assert detect_region("bucket", url, QUICK) is None


def test_asking_for_the_region_of_a_silent_server_ends_in_time() -> None:
    started = time.monotonic()
    assert detect_region("bucket", f"http://127.0.0.1:{free_port()}", QUICK) is None
    assert time.monotonic() - started < 15


def test_folder_objects_are_listed_as_they_are() -> None:
    listed = ["data/", "data/folder/", "data/folder//inner", "data/folder/object"]
    items = "".join(f"<Contents><Key>{key}</Key><Size>0</Size></Contents>" for key in listed)
    page = f"<ListBucketResult><IsTruncated>false</IsTruncated>{items}</ListBucketResult>".encode()
    with answering(200, page) as (url, _):
        backend = S3Backend(root_at(url), KEY, timeouts=QUICK)
        assert keys(backend) == ["folder/", "folder//inner", "folder/object"]
        assert [key for key, _ in backend.list_skipped()] == [""]


def test_a_listing_out_of_order_is_refused() -> None:
    items = "".join(f"<Contents><Key>data/{key}</Key><Size>0</Size></Contents>" for key in ["b", "a"])
    page = f"<ListBucketResult><IsTruncated>false</IsTruncated>{items}</ListBucketResult>".encode()
    with answering(200, page) as (url, _), pytest.raises(StorageError, match="out of order"):
        keys(S3Backend(root_at(url), KEY, timeouts=QUICK))


MORE = "<IsTruncated>true</IsTruncated>"


@pytest.mark.parametrize(
    "more", [MORE, f"{MORE}<NextContinuationToken>same</NextContinuationToken>"], ids=["no way on", "in circles"]
)
def test_a_listing_that_tells_of_more_and_not_how_to_go_on_is_an_error(more: str) -> None:
    page = f"<ListBucketResult>{more}<Contents><Key>data/a</Key><Size>0</Size></Contents></ListBucketResult>".encode()
    with answering(200, page) as (url, _):
        backend = S3Backend(root_at(url), KEY, timeouts=QUICK)
        with pytest.raises(StorageError, match="not how to go on"):
            keys(backend)
        assert [found.key for found in backend.list_folder().objects] == ["a"], "one page is a page"


def test_a_server_that_lists_as_version_1_does_is_refused_once_there_is_a_second_page() -> None:
    with SmallS3() as server:
        server.is_version_1, server.keys_a_page = True, 10
        for number in range(10):
            server.put(f"data/{number:02}", b"x")
        backend = S3Backend(server.root(), ACCESS, timeouts=QUICK)
        assert len(keys(backend)) == 10
        server.put("data/10", b"x")
        with pytest.raises(StorageError, match="not how to go on"):
            keys(backend)
        with pytest.raises(StorageError, match="not how to go on"):
            backend.infos([f"{number:02}" for number in range(11)])


def test_parts_grow_so_that_ten_thousand_suffice() -> None:
    options = UploadOptions()
    assert options.part_size(100 * MEBIBYTE) == options.part_bytes
    five_tebibytes = 5 * 1024**4
    assert -(-five_tebibytes // options.part_size(five_tebibytes)) <= 10_000


@pytest.mark.parametrize(
    ("chunks", "sizes"), [([], [0]), ([b"x" * 9], [9]), ([b"x" * 20], [10, 10]), ([b"x" * 7] * 3, [10, 10, 1])]
)
def test_content_is_cut_into_full_parts_and_what_is_left(chunks: list[bytes], sizes: list[int]) -> None:
    assert [len(piece.body) for piece in pieces(chunks, 10)] == sizes


@pytest.mark.parametrize("following", [{"NextPartNumberMarker": 1}, {"NextPartNumberMarker": 0}, {}])
def test_parts_that_are_listed_in_circles_are_an_error(following: dict[str, int]) -> None:
    asked: list[str] = []

    def call(operation: str, action: str, key: str, **arguments: object) -> dict[str, Any]:
        asked.append(operation)
        return (
            {"Parts": [{"PartNumber": 1, "ETag": '"e"'}, {}], "IsTruncated": True, **following}
            if len(asked) < 9
            else {}
        )

    with pytest.raises(StorageError, match="not how to go on"):
        Multipart(call, "large", "upload")
    assert len(asked) <= 2


def test_an_upload_of_a_killed_writer_is_aborted_by_its_tag(s3: S3Backend) -> None:
    upload = Multipart(s3._call, "data/large")
    record = s3._records.folder("test") + "killed"
    s3._call("put_object", "s3:PutObject", record, Body=json.dumps({"key": upload.key, "upload_id": upload.upload_id}))
    assert keys(s3) == []
    assert s3.remove_temporaries("other") == 0
    assert s3.remove_temporaries("test") == 1
    assert s3.remove_temporaries("test") == 0
    with pytest.raises(StorageError):
        upload.send([bytes(6 * MEBIBYTE)], 6 * MEBIBYTE, 5 * MEBIBYTE)


def test_a_record_that_names_a_key_outside_the_root_aborts_nothing(s3: S3Backend) -> None:
    upload = Multipart(s3._call, "elsewhere/large")
    record = s3._records.folder("test") + "forged"
    s3._call("put_object", "s3:PutObject", record, Body=json.dumps({"key": upload.key, "upload_id": upload.upload_id}))
    assert s3.remove_temporaries("test") == 1
    upload.send([bytes(6 * MEBIBYTE)], 6 * MEBIBYTE, 5 * MEBIBYTE)


def test_a_broken_upload_in_parts_keeps_no_record(s3: S3Backend) -> None:
    def chunks() -> Iterator[bytes]:
        yield bytes(6 * MEBIBYTE)
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError):
        s3.write("large", chunks(), size_bytes=20 * MEBIBYTE)
    assert next(s3._listing.pages(Prefix="data/")).get("Contents", []) == []


def test_an_upload_in_parts_that_a_restarted_server_forgot_may_be_tried_again(tmp_path: Path) -> None:
    with S3Server(tmp_path) as server:
        server.add_bucket("bucket")
        options = UploadOptions(5 * MEBIBYTE, 5 * MEBIBYTE)
        backend = S3Backend(s3_root(server, "bucket"), s3_access(server), tag="test", options=options)

        def chunks() -> Iterator[bytes]:
            yield bytes(6 * MEBIBYTE)
            server.stop()
            server.start()
            yield bytes(6 * MEBIBYTE)

        # Parts are sent while the next one is read: the server may be away, back without the upload, or
        # gone in the middle of a part. Each is told in other words, and each may be tried again.
        with pytest.raises(StorageError) as caught:
            backend.write("large", chunks(), size_bytes=12 * MEBIBYTE)
        assert caught.value.retryable
        backend.write("large", [bytes(12 * MEBIBYTE)], size_bytes=12 * MEBIBYTE)
        assert "large" in keys(backend)
