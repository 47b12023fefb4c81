"""Connections: what they may serve, for whom."""

import pytest

from portal.errors import NotFound, Refused
from portal.services.connections import find_connection, list_connections
from tests.integration.roots import Bucket, connect_as, new_bucket
from tests.integration.world import Portal, World
from tests.servers import S3Server


@pytest.fixture
def bucket(portal: Portal, world: World, s3_server: S3Server) -> Bucket:
    """A bucket that ada has connected."""
    bucket = new_bucket(s3_server)
    connect_as(portal, "ada", bucket.form())
    return bucket


def uid_of(portal: Portal) -> str:
    """Return ada's one connection."""
    with portal.read_as("ada") as work:
        return list_connections(work)[0].uid


def test_a_connection_serves_another_root_without_its_secret_being_typed(portal: Portal, bucket: Bucket) -> None:
    uid = uid_of(portal)
    new = bucket.form(
        root=bucket.root + "/deep", connection_uid=uid, access_key_id="", secret_access_key="", read_only=True
    )
    assert connect_as(portal, "ada", new).uid is not None
    with portal.read_as("ada") as work:
        rows = list_connections(work)
    assert [(row.uid, row.storage_count, row.key_hint) for row in rows] == [(uid, 2, "LE00")]


def test_another_bucket_or_endpoint_is_refused(portal: Portal, bucket: Bucket) -> None:
    uid = uid_of(portal)
    with pytest.raises(Refused, match="may serve"):
        connect_as(portal, "ada", bucket.form(root="s3://another-bucket/x", connection_uid=uid))
    with pytest.raises(Refused, match="belongs to"):
        connect_as(portal, "ada", bucket.form(endpoint_url="http://localhost:1", connection_uid=uid))


def test_nobody_else_can_use_it(portal: Portal, bucket: Bucket) -> None:
    uid = uid_of(portal)
    with portal.read_as("erik") as work:
        assert list_connections(work) == []
        with pytest.raises(NotFound):
            find_connection(work, uid)
    with pytest.raises(NotFound):
        connect_as(portal, "erik", bucket.form(root=bucket.root + "/deep", connection_uid=uid))
