import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import InputError
from portal.planning.roots import expand_local, is_local, local_root, parse_root
from portal.values import StorageType

HOME, CWD = "/home/ada", "/projects/here"


def normal(text: str) -> str:
    return parse_root(text, home=HOME, cwd=CWD).text


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("/nfs/data", "/nfs/data"),
        ("/nfs/data/", "/nfs/data"),
        ("/a//b/../c/", "/a/c"),
        ("//a/b", "/a/b"),
        ("rel", "/projects/here/rel"),
        ("./rel/", "/projects/here/rel"),
        ("../up", "/projects/up"),
        ("~", "/home/ada"),
        ("~/x", "/home/ada/x"),
        ("/Data/Ä b", "/Data/Ä b"),
        ("  /nfs/data  ", "/nfs/data"),
        ("file:///x/", "/x"),
        ("file://localhost/x", "/x"),
        ("/has?mark", "/has?mark"),
        ("s3://bucket/", "s3://bucket"),
        ("s3://bucket/p/", "s3://bucket/p"),
        ("S3://bucket/P", "s3://bucket/P"),
        ("s3://bkt/p/?endpoint_url=http://e:9000", "s3://bkt/p?endpoint_url=http://e:9000"),
        ("s3://bkt/p?endpoint_url=http://e:9000/", "s3://bkt/p?endpoint_url=http://e:9000/"),
        ("s3://bkt?region=eu&endpoint_url=https://E.org", "s3://bkt?endpoint_url=https://E.org"),
        ("s3://bkt/p?region=eu", "s3://bkt/p"),
        ("s3://bkt/p?endpoint_url=", "s3://bkt/p"),
        ("s3://bkt//a//b/", "s3://bkt//a//b"),
        ("gs://bkt/p/", "gs://bkt/p"),
        ("hf://datasets/a/b/", "hf://datasets/a/b"),
        ("https://example.org/data/?a=1", "https://example.org/data/?a=1"),
        ("http://example.org/data/", "http://example.org/data"),
        ("https://bucket.s3.eu-central-1.amazonaws.com/p/q/", "s3://bucket/p/q"),
        ("https://bucket.s3.amazonaws.com", "s3://bucket"),
        ("https://my.bucket.s3-us-west-2.amazonaws.com/a%20b", "s3://my.bucket/a b"),
        ("https://s3.eu-central-1.amazonaws.com/bucket/p", "s3://bucket/p"),
        ("https://s3.console.aws.amazon.com/s3/buckets/bucket?prefix=a/b/&region=x", "s3://bucket/a/b"),
        ("https://eu-west-1.console.aws.amazon.com/s3/buckets/bucket", "s3://bucket"),
        ("https://console.cloud.google.com/storage/browser/bkt/a%20b", "gs://bkt/a b"),
        ("arn:aws:s3:::bucket", "s3://bucket"),
        ("arn:aws:s3:::bucket/prefix/*", "s3://bucket/prefix"),
    ],
)
def test_it_normalises_a_root_as_lamindb_does(typed: str, expected: str) -> None:
    assert normal(typed) == expected


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "working directory"),
        ("   ", "working directory"),
        ("/", "whole file system"),
        ("/a/..", "whole file system"),
        ("ftp://x/y", "no storage of protocol ftp"),
        ("az://x/y", "no storage of protocol az"),
        ("gcs://x/y", "no storage of protocol gcs"),
        ("s3a://x/y", "no storage of protocol s3a"),
        ("zip::s3://bucket/x", "no storage of protocol zip"),
        ("s3:bucket", "without //"),
        ("s3:/bucket", "without //"),
        ("C:\\data", "Windows"),
        ("create-s3", "LaminHub"),
        ("~bob/x", "another account"),
        ("file://server/x", "another machine"),
        ("/a/.lamindb", ".lamindb"),
        ("/a/.lamindb/b", ".lamindb"),
        ("s3://bucket/x.lamindb", ".lamindb"),
        ("https://bucket.s3.amazonaws.com/%2elamindb", ".lamindb"),
        ("/a\nb", "control character"),
        ("/a\x7f", "control character"),
        ("/a\udc80", "not UTF-8"),
        ("/" + "x" * 255, "256 characters"),
        ("s3://", "names no bucket"),
        ("s3:///p", "names no bucket"),
        ("s3://Upper/p", "name of a bucket"),
        ("s3://ab", "name of a bucket"),
        ("s3://a..b", "name of a bucket"),
        ("s3://192.168.1.1/p", "name of a bucket"),
        ("s3://bucket/a/../b", ". or .."),
        ("s3://bkt?endpoint_url=http://a&endpoint_url=http://b", "more than once"),
        ("s3://bkt?endpoint_url=ftp://a", "not the address"),
        ("s3://bkt?endpoint_url=http://a:99999", "not the address"),
        ("s3://bkt?endpoint_url=http://u:p@a", "user name"),
        ("https://u:p@example.org/x", "user name"),
        ("https://bucket.s3.amazonaws.com/k?X-Amz-Signature=ab", "signed link"),
        ("https://bucket.s3.amazonaws.com/a%3Fb", "question mark"),
        ("https://[bad", "cannot be read"),
        ("arn:aws:iam::123456789012:role/x", "not the ARN"),
    ],
)
def test_it_refuses_what_cannot_be_a_root(typed: str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        normal(typed)
    assert reason in str(caught.value)
    assert caught.value.field == "root"
    assert caught.value.hint


def test_it_keeps_bucket_path_and_endpoint_apart() -> None:
    root = parse_root("s3://bkt/a/b?endpoint_url=http://e:9000/", home=HOME, cwd=CWD)
    assert (root.type, root.bucket, root.path) == (StorageType.S3, "bkt", "a/b")
    assert root.endpoint_url == "http://e:9000/"


def test_it_takes_a_root_of_exactly_255_characters() -> None:
    assert len(normal("/" + "x" * 254)) == 255


def test_it_leaves_dot_dot_in_a_path_that_a_caller_resolves() -> None:
    assert expand_local("link/../x", home=HOME, cwd=CWD) == "/projects/here/link/../x"


def test_it_refuses_a_relative_path_as_resolved() -> None:
    with pytest.raises(InputError, match="not an absolute path"):
        local_root("a/b")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("/a", True), ("a", True), ("~", True), ("file:///a", True), ("s3://b", False), ("arn:aws:s3:::b", False)],
)
def test_it_tells_paths_from_addresses(typed: str, expected: bool) -> None:
    assert is_local(typed) is expected


@given(st.text(max_size=60), st.sampled_from(["", "/", "s3://bucket/", "gs://bkt/", "https://h.org/"]))
def test_what_it_accepts_it_accepts_again_unchanged(rest: str, start: str) -> None:
    try:
        root = parse_root(start + rest, home=HOME, cwd=CWD)
    except InputError:
        return
    assert parse_root(root.text, home=HOME, cwd=CWD) == root
    assert root.type not in {StorageType.LOCAL, StorageType.S3, StorageType.GS} or not root.text.endswith("/")
