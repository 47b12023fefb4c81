"""The same root, opened in every kind there is."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.backends import open_backend
from portal.backends.base import BULK, INTERACTIVE, Backend, S3Access
from portal.backends.memory import MemoryBackend
from portal.backends.s3 import S3Backend
from portal.backends.s3.uploads import UploadOptions
from portal.values import ConnectionKind, Root, StorageType
from tests.servers import S3Server

MEBIBYTE = 1024 * 1024

#: So small that tests of uploads in parts are quick; S3 takes no smaller parts.
SMALL_PARTS = UploadOptions(single_bytes=8 * MEBIBYTE, part_bytes=5 * MEBIBYTE)


def s3_root(server: S3Server, bucket: str, path: str = "data") -> Root:
    """Return a root on the test server."""
    folder = f"s3://{bucket}/{path}".rstrip("/")
    text = f"{folder}?endpoint_url={server.endpoint_url}"
    return Root(StorageType.S3, text, bucket=bucket, path=path, endpoint_url=server.endpoint_url)


def s3_access(server: S3Server, *, secret: str | None = None) -> S3Access:
    """Return the test server's key, or one with another secret."""
    return S3Access(ConnectionKind.ACCESS_KEY, server.access_key, secret or server.secret_key)


@pytest.fixture
def s3_bucket(s3_server: S3Server) -> str:
    """A fresh, empty bucket."""
    name = f"bucket-{secrets.token_hex(6)}"
    s3_server.add_bucket(name)
    return name


@pytest.fixture
def s3(s3_server: S3Server, s3_bucket: str) -> Iterator[S3Backend]:
    """An empty folder in a fresh bucket."""
    root = s3_root(s3_server, s3_bucket)
    backend = S3Backend(root, s3_access(s3_server), timeouts=BULK, tag="test", options=SMALL_PARTS)
    yield backend
    backend.close()


@pytest.fixture(params=["memory", "local", "s3"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """An empty root, in each kind."""
    if request.param == "s3":
        yield request.getfixturevalue("s3")
        return
    if request.param == "memory":
        yield MemoryBackend(Root(StorageType.LOCAL, "/memory", path="/memory"))
        return
    root = tmp_path / "root"
    root.mkdir()
    opened = open_backend(Root(StorageType.LOCAL, str(root), path=str(root)), timeouts=INTERACTIVE, tag="test")
    yield opened
    opened.close()
