"""Looking after a connection: what it may serve, and a new secret."""

from pathlib import Path

import pytest

from portal.errors import Conflict, InputError, NotFound, Refused
from portal.models import Connection, Event, Migration, Storage
from portal.services import connection_care, connection_removal
from portal.services.connection_care import NewSecret
from portal.services.connections import list_connections
from portal.services.migrations import NewMigration, create_migration
from tests.integration.roots import Bucket, connect_as, new_bucket, units_of
from tests.integration.world import Portal, World
from tests.servers import S3Server

WRONG = "wrongwrongwrongwrong1234"


@pytest.fixture
def bucket(portal: Portal, world: World, s3_server: S3Server) -> Bucket:
    """A bucket that ada has connected, into a space that rita reads."""
    bucket = new_bucket(s3_server)
    connect_as(portal, "ada", bucket.form(space="lab/imaging"))
    return bucket


def uid_of(portal: Portal) -> str:
    """Return ada's one connection."""
    with portal.read_as("ada") as work:
        return list_connections(work)[0].uid


def scopes_of(portal: Portal) -> tuple[str, ...]:
    with portal.read_as("ada") as work:
        return list_connections(work)[0].scopes


def events_of(portal: Portal) -> list[tuple[str, object, object]]:
    """Return what was recorded about connections, oldest first."""
    with portal.read_as("ada") as work:
        rows = work.session.query(Event).filter(Event.target_type == "connection").order_by(Event.id).all()
        return [(row.action, row.before, row.after) for row in rows]


def stored_secret(portal: Portal) -> tuple[str | None, str]:
    with portal.read_as("ada") as work:
        connection = work.session.query(Connection).one()
        return connection.access_key_id, work.vault.decrypt(connection.secret_encrypted or b"")


def test_it_is_shown_with_what_uses_it(portal: Portal, bucket: Bucket) -> None:
    with portal.read_as("ada") as work:
        view = connection_care.view_connection(work, uid_of(portal))
    assert [row.root.partition("?")[0] for row in view.locations] == [bucket.root]
    assert (view.row.scopes, view.row.storage_count, view.hidden_count) == ((bucket.name,), 1, 0)


@pytest.mark.parametrize("handle", ["erik", "rita", "otto"])
def test_nobody_else_learns_that_it_is_there(portal: Portal, bucket: Bucket, handle: str) -> None:
    uid = uid_of(portal)
    with portal.write_as(handle) as work:
        for ask in (
            lambda: connection_care.view_connection(work, uid),
            lambda: connection_care.add_scope(work, uid, "mine"),
            lambda: connection_care.remove_scope(work, uid, bucket.name),
        ):
            with pytest.raises(NotFound):
                ask()
    with pytest.raises(NotFound):
        connection_care.replace_secret(units_of(portal, handle), uid, NewSecret("key", "secret"))
    assert scopes_of(portal) == (bucket.name,)


@pytest.mark.parametrize("text", ["more/atlas", "s3://more/atlas/", "  more/atlas  "])
def test_a_prefix_is_added_and_taken_away_with_an_event_each(portal: Portal, bucket: Bucket, text: str) -> None:
    uid = uid_of(portal)
    with portal.write_as("ada") as work:
        assert connection_care.add_scope(work, uid, text) == "more/atlas"
    assert set(scopes_of(portal)) == {bucket.name, "more/atlas"}
    with portal.write_as("ada") as work:
        connection_care.remove_scope(work, uid, "more/atlas")
    assert scopes_of(portal) == (bucket.name,)
    assert events_of(portal)[1:] == [
        ("connection.scope-added", None, {"scope": "more/atlas"}),
        ("connection.scope-removed", {"scope": "more/atlas"}, None),
    ]


def test_what_it_serves_already_or_cannot_reach_is_not_added(portal: Portal, bucket: Bucket) -> None:
    uid = uid_of(portal)
    with portal.write_as("ada") as work:
        with pytest.raises(Conflict, match="already"):
            connection_care.add_scope(work, uid, f"{bucket.name}/deeper")
        for text in ("", "/nfs/data", "gs://bucket/x", "s3://b/x?endpoint_url=http://localhost:1"):
            with pytest.raises(InputError):
                connection_care.add_scope(work, uid, text)
    assert len(events_of(portal)) == 1


def test_what_a_location_uses_stays_and_the_location_is_named(portal: Portal, bucket: Bucket) -> None:
    uid = uid_of(portal)
    with portal.write_as("ada") as work:
        with pytest.raises(Conflict, match=f"is used by {bucket.root}"):
            connection_care.remove_scope(work, uid, bucket.name)
        with pytest.raises(NotFound):
            connection_care.remove_scope(work, uid, "never-there")
    assert scopes_of(portal) == (bucket.name,)


def test_what_another_scope_holds_too_can_go(portal: Portal, bucket: Bucket) -> None:
    uid = uid_of(portal)
    with portal.write_as("ada") as work:
        connection = work.session.query(Connection).one()
        connection.scopes[0].prefix = "atlas"
        connection_care.add_scope(work, uid, bucket.name)
        connection_care.remove_scope(work, uid, f"{bucket.name}/atlas")
    assert scopes_of(portal) == (bucket.name,)


def test_the_target_of_an_unfinished_move_stays(portal: Portal, bucket: Bucket, s3_server: S3Server) -> None:
    uid, other = uid_of(portal), new_bucket(s3_server)
    with portal.write_as("ada") as work:
        connection_care.add_scope(work, uid, other.name)
        location = connection_care.view_connection(work, uid).locations[0].uid
        create_migration(work, NewMigration(location, f"s3://{other.name}/moved", target_connection_uid=uid))
    with portal.write_as("ada") as work, pytest.raises(Conflict, match="the move to"):
        connection_care.remove_scope(work, uid, other.name)


def test_a_wrong_secret_is_refused_and_nothing_is_saved(portal: Portal, bucket: Bucket) -> None:
    before = stored_secret(portal)
    with pytest.raises(Refused, match="Nothing was saved") as refusal:
        connection_care.replace_secret(
            units_of(portal, "ada"), uid_of(portal), NewSecret(bucket.server.access_key, WRONG)
        )
    assert WRONG not in str(refusal.value)
    assert stored_secret(portal) == before
    assert [action for action, _, _ in events_of(portal)] == ["connection.created"]


def test_a_right_secret_takes_the_place_of_the_old_one(portal: Portal, bucket: Bucket) -> None:
    with portal.write_as("ada") as work:
        connection = work.session.query(Connection).one()
        connection.access_key_id, connection.secret_encrypted = "AKIAOLD", work.vault.encrypt("old")
    new = NewSecret(f" {bucket.server.access_key} ", bucket.server.secret_key + "\n")
    tried = connection_care.replace_secret(units_of(portal, "ada"), uid_of(portal), new)
    assert tried.startswith(bucket.root)
    assert stored_secret(portal) == (bucket.server.access_key, bucket.server.secret_key)
    assert events_of(portal)[-1] == ("connection.secret-replaced", None, None)
    assert bucket.server.secret_key not in repr(new)


def test_an_unused_connection_is_tried_on_what_it_may_serve(portal: Portal, bucket: Bucket) -> None:
    with portal.write_as("ada") as work:
        connection = work.session.query(Connection).one()
        other = Connection(
            name="spare",
            owner_id=connection.owner_id,
            kind=connection.kind,
            endpoint_url=connection.endpoint_url,
            access_key_id="AKIAOLD",
            secret_encrypted=connection.secret_encrypted,
            created_by_id=connection.owner_id,
            created_at=work.now,
            updated_at=work.now,
        )
        work.session.add(other)
        work.session.flush()
        uid = other.uid
    right = NewSecret(bucket.server.access_key, bucket.server.secret_key)
    with pytest.raises(Refused, match="nothing to try"):
        connection_care.replace_secret(units_of(portal, "ada"), uid, right)
    with portal.write_as("ada") as work:
        connection_care.add_scope(work, uid, bucket.name)
    before = bucket.keys()
    assert connection_care.replace_secret(units_of(portal, "ada"), uid, right).startswith(f"s3://{bucket.name}")
    assert bucket.keys() == before


def test_a_used_connection_stays_and_the_uses_are_counted(portal: Portal, bucket: Bucket) -> None:
    with portal.write_as("ada") as work, pytest.raises(Conflict, match=r"is used by 1 location\. Move or delete that"):
        connection_removal.delete_connection(work, uid_of(portal))


@pytest.mark.parametrize("state", ["cancelled", "planned"])
def test_an_unused_connection_goes_with_its_secret_unless_a_move_still_needs_it(
    portal: Portal, bucket: Bucket, local_base: Path, state: str
) -> None:
    uid = uid_of(portal)
    with portal.write_as("ada") as work:
        storage = work.session.query(Storage).one()
        made = create_migration(work, NewMigration(storage.uid, str(local_base / "moved"))).id
        work.session.query(Migration).filter(Migration.uid == made).one().state = state
        storage.connection = None
    if state == "planned":
        with portal.write_as("ada") as work, pytest.raises(Conflict, match="is used by 1 unfinished move"):
            connection_removal.delete_connection(work, uid)
        return
    with portal.write_as("ada") as work:
        name = connection_removal.delete_connection(work, uid)
    with portal.read_as("ada") as work:
        assert work.session.query(Connection).count() == 0
        assert work.session.query(Migration).one().source_connection_id is None
    action, before, after = events_of(portal)[-1]
    assert (action, after) == ("connection.deleted", None)
    assert isinstance(before, dict)
    assert (before["name"], "secret" in str(before)) == (name, False)


@pytest.mark.parametrize("handle", ["erik", "rita", "otto"])
def test_nobody_else_deletes_it(portal: Portal, bucket: Bucket, handle: str) -> None:
    with portal.write_as(handle) as work, pytest.raises(NotFound):
        connection_removal.delete_connection(work, uid_of(portal))
