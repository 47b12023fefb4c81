"""The tests' own servers do what the tests rely on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError
from sqlalchemy import create_engine, inspect, text

from tests.read_only import ReadOnlyEndpoint
from tests.servers import S3Server


def s3_client(server: S3Server, endpoint_url: str | None = None, secret_key: str | None = None) -> Any:
    """Return a client that tries once."""
    session: Any = botocore.session.get_session()
    return session.create_client(
        "s3",
        endpoint_url=endpoint_url or server.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=server.access_key,
        aws_secret_access_key=secret_key or server.secret_key,
        config=Config(retries={"total_max_attempts": 1}, response_checksum_validation="when_required"),
    )


def test_an_s3_server_keeps_bytes_on_disk_and_refuses_a_wrong_secret(s3_server: S3Server) -> None:
    folder = s3_server.add_bucket("kept")
    s3_client(s3_server).put_object(Bucket="kept", Key="a/b.txt", Body=b"bytes")
    assert (folder / "a" / "b.txt").read_bytes() == b"bytes"
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        s3_client(s3_server, secret_key="wrong").list_objects_v2(Bucket="kept")


def test_a_stopped_s3_server_comes_back_with_the_same_port_and_objects(tmp_path: Path) -> None:
    with S3Server(tmp_path) as server:
        (server.add_bucket("outage") / "a.txt").write_bytes(b"bytes")
        client = s3_client(server)
        server.stop()
        with pytest.raises(EndpointConnectionError):
            client.list_objects_v2(Bucket="outage")
        server.start()
        assert client.get_object(Bucket="outage", Key="a.txt")["Body"].read() == b"bytes"


def test_the_secret_is_not_in_the_process_list(s3_server: S3Server) -> None:
    assert s3_server.secret_key not in " ".join(s3_server.command())


def test_a_read_only_key_lists_and_reads(s3_server: S3Server, read_only_endpoint: ReadOnlyEndpoint) -> None:
    (s3_server.add_bucket("only-read") / "a.txt").write_bytes(b"bytes")
    client = s3_client(s3_server, read_only_endpoint.endpoint_url)
    assert client.list_objects_v2(Bucket="only-read")["KeyCount"] == 1
    assert client.head_object(Bucket="only-read", Key="a.txt")["ContentLength"] == 5
    assert client.get_object(Bucket="only-read", Key="a.txt")["Body"].read() == b"bytes"


def test_a_read_only_key_is_refused_every_write(s3_server: S3Server, read_only_endpoint: ReadOnlyEndpoint) -> None:
    folder = s3_server.add_bucket("never-written")
    (folder / "a.txt").write_bytes(b"bytes")
    client = s3_client(s3_server, read_only_endpoint.endpoint_url)
    writes: list[Callable[[], object]] = [
        lambda: client.put_object(Bucket="never-written", Key="b.txt", Body=b"x" * 200_000),
        lambda: client.delete_object(Bucket="never-written", Key="a.txt"),
        lambda: client.create_multipart_upload(Bucket="never-written", Key="b.txt"),
        lambda: client.delete_objects(Bucket="never-written", Delete={"Objects": [{"Key": "a.txt"}]}),
    ]
    for write in writes:
        with pytest.raises(ClientError) as refused:
            write()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        assert refused.value.response["Error"]["Code"] == "AccessDenied"
    assert [path.name for path in folder.iterdir()] == ["a.txt"]


def test_each_database_is_new_and_has_the_portals_tables(new_database: Callable[[], str]) -> None:
    first, second = new_database(), new_database()
    assert first != second
    for url in (first, second):
        engine = create_engine(url)
        with engine.begin() as connection:
            assert "storage" in inspect(connection).get_table_names()
            connection.execute(text("CREATE TABLE mark (id INTEGER)"))
        engine.dispose()


def test_an_empty_database_has_no_table(empty_database_url: str) -> None:
    engine = create_engine(empty_database_url)
    assert inspect(engine).get_table_names() == []
    engine.dispose()
