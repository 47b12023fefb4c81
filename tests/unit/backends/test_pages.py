"""A listing's pages read in one pass, as botocore reads them."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.model import ServiceModel
from botocore.parsers import RestXMLParser
from botocore.session import Session

from portal.backends.s3.client import read_timestamp
from portal.backends.s3.pages import read_page, take_page

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
    del page["ResponseMetadata"]
    contents = [{name: item[name] for name in WANTED & item.keys()} for item in page.get("Contents", [])]
    return {**page, **({"Contents": contents} if contents else {})}


def taken(name: str, status: int, body: bytes) -> tuple[dict[str, Any], bytes]:
    answer: dict[str, Any] = {"status_code": status, "body": body}
    page: dict[str, Any] = {}
    take_page(SimpleNamespace(name=name), answer, page, read_timestamp)
    return page, answer["body"]


@pytest.mark.parametrize("namespace", [b' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', b""])
def test_a_page_says_what_botocore_reads_from_it(namespace: bytes) -> None:
    body = PAGE.replace(b' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', namespace)
    page = read_page(body, read_timestamp)
    assert page == by_botocore(body)
    assert page is not None
    assert page["Contents"][0]["LastModified"] == datetime(2026, 3, 1, 10, 11, 12, 345000, UTC)


def test_a_page_is_taken_out_of_the_answer() -> None:
    page, left = taken("ListObjectsV2", 200, PAGE)
    assert page["KeyCount"] == 3
    assert left == b""


@pytest.mark.parametrize(
    ("name", "status", "body"),
    [
        ("ListObjectsV2", 200, PAGE[: len(PAGE) // 2]),
        ("ListObjectsV2", 200, b""),
        ("ListObjectsV2", 200, b"<html><body>Welcome</body></html>"),
        ("ListObjectsV2", 200, b"<Error><Code>SlowDown</Code></Error>"),
        ("ListObjectsV2", 200, PAGE.replace(b"<Size>5</Size>", b"<Size>five</Size>")),
        ("ListObjectsV2", 200, PAGE.replace(b"<Key>a%2Fempty</Key>", b"")),
        ("ListObjectsV2", 503, PAGE),
        ("ListParts", 200, PAGE),
    ],
    ids=["cut off", "empty", "web page", "error", "no size", "no key", "503", "another question"],
)
def test_what_is_no_page_is_left_to_botocore(name: str, status: int, body: bytes) -> None:
    assert taken(name, status, body) == ({}, body)
