"""The page that connects a bucket, as a browser without JavaScript sees it."""

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.models import Storage
from tests.integration.roots import ATLAS_MARKER, Bucket, new_bucket
from tests.integration.world import Portal, World
from tests.read_only import ReadOnlyEndpoint
from tests.servers import S3Server

ClientAs = Callable[[str | None], FlaskClient]


@pytest.fixture
def bucket(s3_server: S3Server) -> Bucket:
    """A fresh bucket with one object."""
    return new_bucket(s3_server)


def fields(bucket: Bucket, **changes: str) -> dict[str, str]:
    """Return what the form sends."""
    return {
        "root": bucket.root,
        "endpoint_url": bucket.server.endpoint_url,
        "access": "access key",
        "access_key_id": bucket.server.access_key,
        "secret_access_key": bucket.server.secret_key,
        "connection_uid": "",
        "instance": "lab/atlas",
        "space": "aaaaaaaaaaaa",
        "owner": "ada",
        "description": "Cells",
        "step": "save",
        **changes,
    }


def sealed_in(page: str) -> str:
    """Return the token in the hidden field."""
    found = re.search(r'name="sealed" [^>]*value="([^"]*)"', page)
    assert found is not None
    return found[1]


def test_a_good_bucket_is_connected_and_shown(client_as: ClientAs, bucket: Bucket) -> None:
    client = client_as("ada")
    assert client.get("/connect-s3").status_code == 200
    answer = client.post("/connect-s3", data=fields(bucket), follow_redirects=True)
    assert answer.status_code == 200
    assert re.fullmatch(r"/storages/[0-9A-Za-z]{12}", answer.request.path)
    assert bucket.server.secret_key not in answer.text
    assert "Connected." in answer.text


def test_a_wrong_secret_names_the_cause_and_never_shows_the_secret(client_as: ClientAs, bucket: Bucket) -> None:
    answer = client_as("ada").post("/connect-s3", data=fields(bucket, secret_access_key="wrongwrongwrong12345"))
    assert answer.status_code == 422
    assert "The key was refused." in answer.text
    assert "Was its secret pasted whole?" in answer.text
    assert "wrongwrongwrong12345" not in answer.text


def test_a_missing_bucket_is_named(client_as: ClientAs, bucket: Bucket) -> None:
    answer = client_as("ada").post("/connect-s3", data=fields(bucket, root="s3://no-such-bucket/atlas"))
    assert answer.status_code == 422
    assert "No bucket no-such-bucket exists." in answer.text


def test_a_read_only_key_is_connected_read_only_without_retyping(
    client_as: ClientAs, bucket: Bucket, read_only_endpoint: ReadOnlyEndpoint
) -> None:
    client = client_as("ada")
    first = client.post("/connect-s3", data=fields(bucket, endpoint_url=read_only_endpoint.endpoint_url))
    assert first.status_code == 422
    assert "Connect read-only" in first.text
    assert "s3:PutObject" in first.text
    again = fields(
        bucket,
        endpoint_url=read_only_endpoint.endpoint_url,
        secret_access_key="",
        sealed=sealed_in(first.text),
        step="read-only",
    )
    answer = client.post("/connect-s3", data=again, follow_redirects=True)
    assert answer.status_code == 200, answer.text
    assert "no put" in answer.text


def test_a_sealed_secret_serves_one_account_one_endpoint_and_one_bucket(
    client_as: ClientAs, bucket: Bucket, s3_server: S3Server
) -> None:
    sealed = sealed_in(client_as("ada").post("/connect-s3", data=fields(bucket, step="try")).text)
    other = new_bucket(s3_server)
    for who, data in (
        ("erik", fields(bucket, sealed=sealed, secret_access_key="", instance="", owner="erik")),
        ("ada", fields(other, sealed=sealed, secret_access_key="")),
        ("ada", fields(bucket, sealed=sealed, secret_access_key="", endpoint_url="http://localhost:1")),
        ("ada", fields(bucket, sealed=sealed[:40] + sealed[44:], secret_access_key="")),
    ):
        answer = client_as(who).post("/connect-s3", data=data)
        assert answer.status_code == 422
        assert "The secret access key is missing." in answer.text


def test_another_instances_marker_is_named(client_as: ClientAs, bucket: Bucket) -> None:
    bucket.put("atlas/.lamindb/storage_uid.txt", ATLAS_MARKER.encode())
    before = bucket.keys()
    answer = client_as("ada").post("/connect-s3", data=fields(bucket), follow_redirects=True)
    assert answer.status_code == 200
    assert "This root is written by acme/screens." in answer.text
    assert bucket.keys() == before


def test_only_trying_saves_nothing(client_as: ClientAs, portal: Portal, bucket: Bucket) -> None:
    answer = client_as("ada").post("/connect-s3", data=fields(bucket, step="try"))
    assert answer.status_code == 200
    assert "Nothing was saved yet." in answer.text
    with portal.read_as("ada") as work:
        assert work.session.scalar(select(Storage)) is None


def test_errors_stand_at_their_field(client_as: ClientAs, world: World, bucket: Bucket) -> None:
    answer = client_as("ada").post("/connect-s3", data=fields(bucket, root="s3://lab/.lamindb"))
    assert answer.status_code == 422
    assert "The root contains .lamindb" in answer.text
    answer = client_as("erik").post("/connect-s3", data=fields(bucket, owner="erik"))
    assert answer.status_code == 422  # lab/atlas is not offered to somebody who is no admin of it


def test_the_normal_form_shows_while_typing(client_as: ClientAs, bucket: Bucket) -> None:
    client = client_as("ada")
    said = client.post("/connect-s3/normalise", data={"root": "s3://lab-data//x/?endpoint_url=http://localhost:9"})
    assert "endpoint <code>http://localhost:9</code>" in said.text
    assert "contains .lamindb" in client.post("/connect-s3/normalise", data={"root": "s3://b/.lamindb"}).text
    client.post("/connect-s3", data=fields(bucket))
    said = client.post("/connect-s3/normalise", data={"root": bucket.root, "endpoint_url": bucket.server.endpoint_url})
    assert "registered already" in said.text


def test_nobody_gets_there_without_signing_in(client_as: ClientAs, bucket: Bucket) -> None:
    answer = client_as(None).post("/connect-s3", data=fields(bucket))
    assert answer.status_code == 303
    assert "/sign-in" in answer.location
