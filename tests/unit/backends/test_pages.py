"""A listing's pages read in one pass, as botocore reads them."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.handlers import decode_list_object_v2
from botocore.model import ServiceModel
from botocore.parsers import RestXMLParser
from botocore.session import Session

from portal.backends.s3.client import read_timestamp
from portal.backends.s3.errors import Asked
from portal.backends.s3.listing import Listing
from portal.backends.s3.pages import RAW, following, read_page, take_page
from portal.errors import StorageError

PAGE = b"""<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>screens</Name><Prefix>a%2F</Prefix><Delimiter>/</Delimiter><MaxKeys>1000</MaxKeys><KeyCount>3</KeyCount>
  <EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>1ueG==</NextContinuationToken>
  <Contents><Key>a%2F+b%26.txt</Key><LastModified>2026-03-01T10:11:12.345Z</LastModified>
    <ETag>&quot;5d41402abc4b2a76b9719d911017c592&quot;</ETag><Size>5</Size><StorageClass>STANDARD</StorageClass>
    <Owner><ID>1</ID></Owner></Contents>
  <Contents><Key>a%2Fempty</Key><LastModified>2026-03-01T10:11:12.000Z</LastModified><ETag></ETag><Size>0</Size></Contents>
  <CommonPrefixes><Prefix>a%2Fsub%2F</Prefix></CommonPrefixes>
</ListBucketResult>"""

WANTED = {"Key", "Size", "ETag", "LastModified"}


def by_botocore(body: bytes) -> dict[str, Any]:
    model = ServiceModel(Session().get_service_data("s3"), "s3").operation_model("ListObjectsV2")
    parser = RestXMLParser(timestamp_parser=read_timestamp)
    page = parser.parse({"body": body, "headers": {}, "status_code": 200}, model.output_shape)
    decode_list_object_v2(page, {"encoding_type_auto_set": True})
    del page["ResponseMetadata"]
    contents = [{name: item[name] for name in WANTED & item.keys()} for item in page.get("Contents", [])]
    return unnamed({**page, **({"Contents": contents} if contents else {})})


def unnamed(page: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the page says of the question: botocore decodes that too, and nobody asks for it."""
    return {name: value for name, value in page.items() if name not in {"Prefix", "Delimiter"}}


def taken(name: str, status: int, body: bytes) -> tuple[dict[str, Any], bytes]:
    answer: dict[str, Any] = {"status_code": status, "body": body}
    page: dict[str, Any] = {}
    take_page(SimpleNamespace(name=name), answer, page)
    return page, answer["body"]


@pytest.mark.parametrize("namespace", [b' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', b""])
def test_a_page_says_what_botocore_reads_from_it(namespace: bytes) -> None:
    body = PAGE.replace(b' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', namespace)
    page = read_page(body, read_timestamp)
    assert page is not None
    assert unnamed(page) == by_botocore(body)
    assert page["Contents"][0]["LastModified"] == datetime(2026, 3, 1, 10, 11, 12, 345000, UTC)


def test_a_page_is_taken_out_of_the_answer() -> None:
    assert taken("ListObjectsV2", 200, PAGE) == ({RAW: PAGE}, b"")


@pytest.mark.parametrize(
    ("body", "token"),
    [
        (PAGE, "1ueG=="),
        (PAGE.replace(b"1ueG==", b"a&amp;b/&lt;"), "a&b/<"),
        (PAGE.replace(b"<IsTruncated>true", b"<IsTruncated>false"), None),
        (PAGE.replace(b"<NextContinuationToken>1ueG==</NextContinuationToken>", b""), None),
        (PAGE.replace(b"<IsTr", b"<s3:IsTr").replace(b"<NextC", b"<s3:NextC"), "1ueG=="),
    ],
    ids=["plain", "escaped", "last", "no token", "prefix"],
)
def test_the_page_after_is_known_before_all_is_read(body: bytes, token: str | None) -> None:
    assert following({RAW: body}) == token


def test_what_botocore_has_read_tells_the_page_after_too() -> None:
    assert following({"IsTruncated": True, "NextContinuationToken": "next"}) == "next"
    assert following({"IsTruncated": False, "NextContinuationToken": "next"}) is None


@pytest.mark.parametrize(
    ("name", "status", "body"),
    [
        ("ListObjectsV2", 200, PAGE[: len(PAGE) // 2]),
        ("ListObjectsV2", 200, b""),
        ("ListObjectsV2", 200, b"<html><body>Welcome</body></html>"),
        ("ListObjectsV2", 200, b"<Error><Code>SlowDown</Code></Error>"),
        ("ListObjectsV2", 503, PAGE),
        ("ListParts", 200, PAGE),
    ],
    ids=["cut off", "empty", "web page", "error", "503", "another question"],
)
def test_what_is_no_page_is_left_to_botocore(name: str, status: int, body: bytes) -> None:
    assert taken(name, status, body) == ({}, body)


@pytest.mark.parametrize(
    "body",
    [
        PAGE.replace(b"<Size>5</Size>", b"<Size>five</Size>"),
        PAGE.replace(b"<Key>a%2Fempty</Key>", b""),
        PAGE.replace(b"</Contents>", b"", 1),
    ],
    ids=["no size", "no key", "no XML"],
)
def test_a_page_that_cannot_be_read_is_an_error_of_the_server(body: bytes) -> None:
    listing = Listing(
        lambda *_, **__: {RAW: body}, "", Asked("s3:ListBucket", "screens", "", "us-east-1", "http://localhost", "")
    )
    with pytest.raises(StorageError):
        list(listing.objects(""))
