"""A bucket that was taken over from an attached instance has no connection until somebody gives it one."""

import pytest
from sqlalchemy import select

from portal.errors import Conflict
from portal.models import Connection, Storage
from portal.services import contents
from portal.services.checks import run_checks
from portal.services.connections import drop_if_unused
from portal.services.units import Units
from portal.values import CheckStatus, Mode
from tests.integration.roots import Bucket, connect_as, new_bucket
from tests.integration.world import Portal, World
from tests.servers import S3Server


@pytest.fixture
def bucket(s3_server: S3Server) -> Bucket:
    """A fresh bucket with one object."""
    return new_bucket(s3_server)


@pytest.fixture
def unconnected(portal: Portal, world: World, bucket: Bucket) -> str:
    """The uid of a writable location without a connection, as taking over makes it."""
    uid = connect_as(portal, "ada", bucket.form(instance="lab/atlas", owner="lab")).uid or ""
    with portal.write_as("ada") as work:
        storage = work.session.scalars(select(Storage).where(Storage.uid == uid)).one()
        connection, storage.connection_id = storage.connection, None
        work.session.flush()
        assert connection is not None
        drop_if_unused(work, connection)
    return uid


def units(portal: Portal, handle: str) -> Units:
    return Units(lambda: portal.read_as(handle), lambda: portal.write_as(handle))


def test_the_servers_own_identity_never_opens_it(portal: Portal, unconnected: str) -> None:
    with pytest.raises(Conflict, match="has no connection yet"):
        contents.browse(units(portal, "ada"), unconnected, "", None)
    [check] = run_checks(units(portal, "ada"), unconnected).results
    assert (check.status, "has no connection yet" in check.reason) == (CheckStatus.FAILED, True)


def test_it_gets_the_connection_and_keeps_the_rest(portal: Portal, unconnected: str, bucket: Bucket) -> None:
    tried = connect_as(portal, "ada", bucket.form(), dry_run=True)
    assert tried.uid is None
    assert connect_as(portal, "ada", bucket.form()).uid == unconnected
    with portal.read_as("ada") as work:
        storage = work.session.scalars(select(Storage)).one()
        assert storage.connection is not None
        assert (storage.mode, storage.instance_slug, storage.owner.handle) == (Mode.WRITABLE, "lab/atlas", "lab")
        assert storage.last_check_status is CheckStatus.PASSED
    assert contents.browse(units(portal, "ada"), unconnected, "", None) is not None


def test_a_connected_one_is_registered_already(portal: Portal, unconnected: str, bucket: Bucket) -> None:
    connect_as(portal, "ada", bucket.form())
    with pytest.raises(Conflict, match="registered already"):
        connect_as(portal, "ada", bucket.form())


@pytest.mark.parametrize("handle", ["erik", "rita", "otto"])
def test_only_an_admin_of_it_connects_it(portal: Portal, unconnected: str, bucket: Bucket, handle: str) -> None:
    with pytest.raises(Conflict, match="registered already"):
        connect_as(portal, handle, bucket.form())
    with portal.read_as("ada") as work:
        assert work.session.scalars(select(Connection)).all() == []
