"""Endpoints whose names lead elsewhere from one moment to the next: what was judged is what is connected to."""

import socket
from collections.abc import Mapping
from typing import Any

import pytest

from portal.backends.base import BULK, S3Access, Timeouts
from portal.backends.s3 import S3Backend, detect_region
from portal.backends.s3.quick import open_quick
from portal.errors import AccessRefused, Unreachable
from portal.planning.endpoints import EndpointRule
from portal.values import ConnectionKind, Root, StorageType
from tests.contract.canned import answering

NAME = "store.example.test"
TIMEOUTS = Timeouts(connect_seconds=2, read_seconds=2, attempts=1)
LISTING = b"<?xml version='1.0'?><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"


class Names:
    """A name server in which one name has the addresses that a test says; everything else is looked up as ever."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self._real = socket.getaddrinfo

    def look_up(self, host: Any, port: Any, *args: Any, **more: Any) -> Any:
        if host != NAME:
            return self._real(host, port, *args, **more)
        return [found for address in self.addresses for found in self._real(address, port, *args, **more)]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """The name leads to this machine."""
    made = Names("127.0.0.1")
    monkeypatch.setattr(socket, "getaddrinfo", made.look_up)
    return made


def backend_at(url: str, *allowed: str) -> S3Backend:
    root = Root(StorageType.S3, f"s3://bucket/data?endpoint_url={url}", bucket="bucket", path="data", endpoint_url=url)
    access = S3Access(
        ConnectionKind.ACCESS_KEY, "AKIAEXAMPLEEXAMPLE00", "the-secret-itself", guard=EndpointRule(url, allowed)
    )
    return S3Backend(root, access, timeouts=TIMEOUTS)


def test_a_name_that_leads_to_a_private_address_by_now_is_not_connected_to(names: Names) -> None:
    with answering(200, LISTING) as (url, asked):
        backend = backend_at(url.replace("127.0.0.1", NAME), "*.example.test")
        with pytest.raises(AccessRefused, match=f"{NAME} leads to the private address 127.0.0.1") as refusal:
            backend.list_folder()
    assert "PORTAL_ALLOWED_ENDPOINTS" in (refusal.value.hint or "")
    assert asked == []


def test_one_forbidden_address_among_several_refuses_them_all(names: Names) -> None:
    names.addresses = ("127.0.0.1", "169.254.169.254")
    with answering(200, LISTING) as (url, asked), pytest.raises(AccessRefused, match="not among the endpoints"):
        backend_at(url.replace("127.0.0.1", NAME), "127.0.0.0/8").list_folder()
    assert asked == []


def test_a_name_whose_addresses_are_listed_is_reached_under_its_name(names: Names) -> None:
    with answering(200, LISTING) as (url, asked):
        assert backend_at(url.replace("127.0.0.1", NAME), "127.0.0.0/8").list_folder().objects == ()
    assert asked


def test_the_next_address_is_tried_where_the_first_does_not_answer(names: Names) -> None:
    names.addresses = ("127.0.0.9", "127.0.0.1")
    with answering(200, LISTING) as (url, asked):
        backend_at(url.replace("127.0.0.1", NAME), "127.0.0.0/8").list_folder()
    assert asked


def test_a_name_that_nobody_knows_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Unreachable, match=f"No host named {NAME}"):
        backend_at(f"http://{NAME}:9000", "127.0.0.0/8").list_folder()


def test_nobody_is_asked_for_a_region_at_a_forbidden_address(names: Names) -> None:
    with answering(400, b"", {"x-amz-bucket-region": "eu-west-2"}) as (url, asked):
        there = url.replace("127.0.0.1", NAME)
        assert detect_region("bucket", there, TIMEOUTS, EndpointRule(there, ("127.0.0.1/32",))) == "eu-west-2"
        asked.clear()
        assert detect_region("bucket", there, TIMEOUTS, EndpointRule(there, ("*.example.test",))) is None
    assert asked == []


@pytest.mark.parametrize(
    ("url", "allowed", "is_quick"),
    [
        (None, "*.example.test", True),
        (f"https://{NAME}", "*.example.test", True),
        (f"http://{NAME}:9000", "*.example.test", False),
        (f"http://{NAME}:9000", "10.0.0.0/8", False),
        (f"http://{NAME}:9000", NAME, True),
        (f"http://{NAME}:9000", f"{NAME}:9000", True),
        ("http://10.0.0.5:9000", "10.0.0.0/8", True),
    ],
)
def test_the_client_that_looks_names_up_by_itself_serves_only_where_that_is_no_matter(
    url: str | None, allowed: str, is_quick: bool
) -> None:
    guard = EndpointRule(url, (allowed,)) if url else None
    access = S3Access(ConnectionKind.ACCESS_KEY, "AKIAEXAMPLEEXAMPLE00", "the-secret-itself", guard=guard)
    assert (open_quick("bucket", access, "us-east-1", url, BULK) is not None) is is_quick


@pytest.mark.parametrize(
    ("bucket", "region", "there"),
    [
        ("atlas", "eu-central-1", "https://atlas.s3.eu-central-1.amazonaws.com/key"),
        ("atlas.v2", "eu-central-1", "https://s3.eu-central-1.amazonaws.com/atlas.v2/key"),
        ("atlas", "cn-north-1", "https://atlas.s3.cn-north-1.amazonaws.com.cn/key"),
    ],
)
def test_small_objects_on_aws_are_asked_of_aws_whatever_the_environment_holds(
    bucket: str, region: str, there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    quick = open_quick(bucket, S3Access(ConnectionKind.ACCESS_KEY, "AKIAEXAMPLEEXAMPLE00", "s"), region, None, TIMEOUTS)
    assert quick is not None
    with pytest.raises(Exception, match=f"Error performing GET {there} "):
        quick._store.get("key")


def test_no_session_token_of_the_environment_goes_with_a_connections_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "the-server's-own")
    heard: list[Mapping[str, str]] = []
    access = S3Access(ConnectionKind.ACCESS_KEY, "AKIAEXAMPLEEXAMPLE00", "the-secret-itself")
    with answering(200, headers={"ETag": '"5d41402abc4b2a76b9719d911017c592"'}, heard=heard) as (url, _):
        quick = open_quick("bucket", access, "us-east-1", url, TIMEOUTS)
        assert quick is not None
        assert quick.put("key", b"hello") == "5d41402abc4b2a76b9719d911017c592"
    (headers,) = heard
    assert "AKIAEXAMPLEEXAMPLE00" in headers["authorization"]
    assert "x-amz-security-token" not in headers
