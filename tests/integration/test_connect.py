"""Connecting buckets of a real S3 server: proof first, then everything or nothing."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from portal.errors import Conflict, InputError, NotFound, PermissionDenied, Refused, Unreachable
from portal.models import Check, Connection, Event, Storage
from portal.services import marking
from portal.services.storages import StorageView, find_storage, view_of
from portal.values import CheckStatus, ConnectionKind, Mode, ModeReason
from tests.integration.roots import ATLAS_MARKER, Bucket, connect_as, new_bucket
from tests.integration.world import Portal, World
from tests.read_only import ReadOnlyEndpoint
from tests.servers import S3Server

MARKER = "atlas/.lamindb/storage_uid.txt"


@pytest.fixture
def bucket(s3_server: S3Server) -> Bucket:
    """A fresh bucket with one object."""
    return new_bucket(s3_server)


@pytest.fixture
def stopped_server(tmp_path: Path) -> Iterator[S3Server]:
    """A server of the test's own, which it may stop."""
    folder = tmp_path / "own-s3"
    folder.mkdir()
    with S3Server(folder) as server:
        yield server


def view(portal: Portal, uid: str | None, handle: str = "ada") -> StorageView:
    """Return a saved location."""
    assert uid is not None
    with portal.read_as(handle) as work:
        return view_of(work, find_storage(work, uid))


def count(portal: Portal, table: type) -> int:
    """Return how many rows a table has."""
    with portal.read_as("ada") as work:
        return work.session.scalar(select(func.count()).select_from(table)) or 0


def test_it_connects_a_bucket_with_its_marker(portal: Portal, world: World, bucket: Bucket) -> None:
    outcome = connect_as(portal, "ada", bucket.form(instance="lab/atlas", is_default=True, description=" Cells "))
    found = view(portal, outcome.uid)
    assert (found.mode, found.mode_reason, found.is_default) == (Mode.WRITABLE, ModeReason.NONE, True)
    assert found.root == f"s3://{bucket.name}/atlas?endpoint_url={bucket.server.endpoint_url}"
    assert (found.instance, found.instance_uid, found.description) == ("lab/atlas", world.instance_uid, "Cells")
    assert found.connection is not None
    assert found.connection.scopes == (bucket.name,)
    lines = bucket.keys()[MARKER].decode().split("\n")
    assert lines[:3] == [found.uid, "creation info:", "instance_slug=lab/atlas"]
    assert lines[4] == f"instance_uid={world.instance_uid}"
    assert set(bucket.keys()) == {"atlas/genes.csv", MARKER}


def test_every_right_was_tried_and_is_kept(portal: Portal, world: World, bucket: Bucket) -> None:
    connect_as(portal, "ada", bucket.form(instance="lab/atlas"))
    with portal.read_as("ada") as work:
        rows = work.session.scalars(select(Check).order_by(Check.position)).all()
        tried = [(row.name, row.status) for row in rows]
    assert tried == [
        (name, CheckStatus.PASSED) for name in ("marker", "list", "get", "put", "read-back", "delete", "gone")
    ]


def test_without_an_instance_it_is_unmanaged_and_unmarked(portal: Portal, world: World, bucket: Bucket) -> None:
    before = bucket.keys()
    found = view(portal, connect_as(portal, "erik", bucket.form()).uid, "erik")
    assert (found.mode, found.instance, found.instance_uid) == (Mode.UNMANAGED, None, None)
    assert bucket.keys() == before


def test_a_wrong_secret_saves_nothing(portal: Portal, world: World, bucket: Bucket) -> None:
    outcome = connect_as(portal, "ada", bucket.form(secret_access_key="wrong" * 8))
    assert outcome.uid is None
    assert outcome.trial is not None
    assert not outcome.trial.offers_read_only
    assert "key was refused" in outcome.trial.failed(is_write=False)[0].reason
    assert count(portal, Storage) == count(portal, Connection) == 0


def test_a_missing_bucket_saves_nothing(portal: Portal, world: World, bucket: Bucket) -> None:
    outcome = connect_as(portal, "ada", bucket.form(root="s3://no-such-bucket-here/atlas"))
    assert outcome.uid is None
    assert outcome.trial is not None
    assert any("No bucket no-such-bucket-here exists" in check.reason for check in outcome.trial.checks)
    assert count(portal, Storage) == 0


def test_a_read_only_key_is_offered_read_only(
    portal: Portal, world: World, bucket: Bucket, read_only_endpoint: ReadOnlyEndpoint
) -> None:
    new = bucket.form(endpoint_url=read_only_endpoint.endpoint_url, instance="lab/atlas")
    outcome = connect_as(portal, "ada", new)
    assert outcome.uid is None
    assert outcome.trial is not None
    assert outcome.trial.offers_read_only
    assert [check.missing_action for check in outcome.trial.failed(is_write=True)] == ["s3:PutObject"]
    accepted = bucket.form(endpoint_url=new.endpoint_url, instance="lab/atlas", or_read_only=True)
    found = view(portal, connect_as(portal, "ada", accepted).uid)
    assert (found.mode, found.mode_reason, found.instance_uid) == (Mode.READ_ONLY, ModeReason.NO_PUT, None)


def test_another_instances_marker_is_read_first_and_nothing_is_written(
    portal: Portal, world: World, bucket: Bucket
) -> None:
    bucket.put(MARKER, ATLAS_MARKER.encode())
    before = bucket.keys()
    outcome = connect_as(portal, "ada", bucket.form(instance="lab/atlas", is_default=True))
    found = view(portal, outcome.uid)
    assert bucket.keys() == before
    assert (found.uid, found.mode_reason, found.written_by) == ("abcDEF123456", ModeReason.FOREIGN, "acme/screens")
    assert (found.instance, found.is_default) == (None, False)
    assert outcome.trial is not None
    assert "acme/screens" in outcome.trial.summary


def test_a_marker_without_an_instance_is_foreign_too(portal: Portal, world: World, bucket: Bucket) -> None:
    bucket.put(MARKER, b"abcDEF123456")
    found = view(portal, connect_as(portal, "ada", bucket.form(instance="lab/atlas")).uid)
    assert (found.mode_reason, found.instance_uid) == (ModeReason.FOREIGN, "__unknown__")


def test_its_own_marker_is_adopted_with_its_uid(portal: Portal, world: World, bucket: Bucket) -> None:
    first = connect_as(portal, "ada", bucket.form(instance="lab/atlas")).uid
    with portal.write_as("ada") as work:
        work.session.delete(find_storage(work, first or ""))
    before = bucket.keys()
    assert connect_as(portal, "ada", bucket.form(instance="lab/atlas")).uid == first
    assert bucket.keys() == before


def test_a_copied_marker_does_not_take_over_a_uid(portal: Portal, world: World, bucket: Bucket) -> None:
    connect_as(portal, "ada", bucket.form(instance="lab/atlas"))
    bucket.put("copy/.lamindb/storage_uid.txt", bucket.keys()[MARKER])
    with pytest.raises(Conflict, match="belongs to"):
        connect_as(portal, "ada", bucket.form(root=f"s3://{bucket.name}/copy", instance="lab/atlas"))


def test_a_dry_run_saves_nothing(portal: Portal, world: World, bucket: Bucket) -> None:
    before = bucket.keys()
    outcome = connect_as(portal, "ada", bucket.form(instance="lab/atlas"), dry_run=True)
    assert outcome.uid is None
    assert outcome.trial is not None
    assert outcome.trial.can_save
    assert bucket.keys() == before
    assert count(portal, Storage) == count(portal, Connection) == 0


def test_equal_and_nested_writable_roots_are_refused(portal: Portal, world: World, bucket: Bucket) -> None:
    connect_as(portal, "ada", bucket.form(instance="lab/atlas"))
    with pytest.raises(Conflict, match="registered already"):
        connect_as(portal, "ada", bucket.form(root=bucket.root + "/"))
    with pytest.raises(Conflict, match="inside s3://"):
        connect_as(portal, "ada", bucket.form(root=bucket.root + "/deep", instance="lab/atlas"))
    outcome = connect_as(portal, "ada", bucket.form(root=bucket.root + "/deep"), dry_run=True)
    assert outcome.trial is not None
    assert "inside" in outcome.trial.warnings[0]


def test_nothing_is_written_inside_of_what_another_instance_writes_to(
    portal: Portal, world: World, bucket: Bucket
) -> None:
    bucket.put(MARKER, ATLAS_MARKER.encode())
    connect_as(portal, "ada", bucket.form())
    before = bucket.keys()
    with pytest.raises(Conflict, match="Two roots that are written to must not share objects"):
        connect_as(portal, "ada", bucket.form(root=bucket.root + "/deep", instance="lab/atlas"))
    assert bucket.keys() == before
    assert connect_as(portal, "ada", bucket.form(root=bucket.root + "/deep", read_only=True)).uid is not None


def test_an_outsider_learns_no_name_of_what_overlaps(portal: Portal, world: World, bucket: Bucket) -> None:
    connect_as(portal, "ada", bucket.form(instance="lab/atlas"))
    outcome = connect_as(portal, "otto", bucket.form(root=bucket.root + "/deep"), dry_run=True)
    assert outcome.trial is not None
    assert outcome.trial.warnings == (
        "The root lies inside a location you have no role on. Objects below both are seen twice.",
    )


def test_two_people_who_connect_one_root_at_once_make_one_location(
    portal: Portal, world: World, bucket: Bucket
) -> None:
    ends: list[object] = []

    def run() -> None:
        try:
            ends.append(connect_as(portal, "ada", bucket.form(instance="lab/atlas")).uid)
        except Exception as error:
            ends.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    saved = [end for end in ends if isinstance(end, str)]
    assert len(saved) == 1, ends
    assert [type(end) for end in ends if end not in saved] == [Conflict], ends
    assert bucket.keys()[MARKER].decode().startswith(saved[0])
    assert count(portal, Storage) == count(portal, Connection) == 1


def test_a_failed_insert_takes_the_marker_back(
    portal: Portal, world: World, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bucket.keys()

    def fail(*_: object) -> None:
        written = bucket.keys()
        assert MARKER in written
        raise RuntimeError("the power went")

    monkeypatch.setattr(marking, "insert_storage", fail)
    with pytest.raises(RuntimeError):
        connect_as(portal, "ada", bucket.form(instance="lab/atlas"))
    assert bucket.keys() == before
    assert count(portal, Storage) == count(portal, Connection) == 0


def test_a_stopped_server_is_said_so(portal: Portal, world: World, stopped_server: S3Server) -> None:
    bucket = new_bucket(stopped_server)
    stopped_server.stop()
    outcome = connect_as(portal, "ada", bucket.form())
    assert outcome.uid is None
    assert outcome.trial is not None
    assert "Nobody answers" in outcome.trial.checks[0].reason


def test_an_unlisted_endpoint_is_not_contacted(portal: Portal, world: World, bucket: Bucket) -> None:
    with pytest.raises(Refused, match="not among the endpoints"):
        connect_as(portal, "ada", bucket.form(endpoint_url="http://[::1]:9000"))
    with pytest.raises(Unreachable, match="No host is named"):
        connect_as(portal, "ada", bucket.form(endpoint_url="http://nowhere.invalid"))


def test_the_servers_own_identity_needs_a_grant(portal: Portal, world: World, bucket: Bucket) -> None:
    with pytest.raises(Refused, match="not open to you"):
        connect_as(portal, "erik", bucket.form(access=ConnectionKind.AMBIENT))


def test_only_an_admin_of_the_instance_marks_for_it(portal: Portal, world: World, bucket: Bucket) -> None:
    with pytest.raises(PermissionDenied):
        connect_as(portal, "erik", bucket.form(instance="lab/atlas"))
    with pytest.raises(NotFound):
        connect_as(portal, "otto", bucket.form(instance="lab/atlas"))
    with pytest.raises(NotFound):
        connect_as(portal, "erik", bucket.form(owner="ada"))
    with pytest.raises(NotFound):
        connect_as(portal, "erik", bucket.form(space="lab/clinical"))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"root": "/nfs/data"}, "root"),
        ({"root": "gs://bucket/a"}, "root"),
        ({"root": "s3://bucket/.lamindb"}, "root"),
        ({"root": "s3://lab/a?endpoint_url=http://other:1"}, "endpoint_url"),
        ({"secret_access_key": ""}, "secret_access_key"),
        ({"access_key_id": "two words"}, "access_key_id"),
        ({"is_default": True}, "is_default"),
    ],
)
def test_it_names_the_field_at_fault(
    portal: Portal, world: World, bucket: Bucket, changes: dict[str, object], field: str
) -> None:
    with pytest.raises(InputError) as caught:
        connect_as(portal, "ada", bucket.form(**changes))
    assert caught.value.field == field


def test_the_secret_is_in_no_repr_event_or_row(portal: Portal, world: World, bucket: Bucket) -> None:
    new = bucket.form(instance="lab/atlas")
    outcome = connect_as(portal, "ada", new)
    secret = bucket.server.secret_key
    assert secret not in repr(new) + repr(outcome)
    with portal.read_as("ada") as work:
        for event in work.session.scalars(select(Event)):
            assert secret not in f"{event.before}{event.after}{event.target_name}"
        connection = work.session.scalars(select(Connection)).one()
        assert connection.secret_encrypted is not None
        assert secret.encode() not in connection.secret_encrypted
