"""Changing the host of a local location: machines get renamed, the directory stays where it is."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.errors import Conflict, InputError, NotFound, PermissionDenied, Refused
from portal.models import Event, Migration
from portal.planning.roots import local_root
from portal.services import migrations
from portal.services.hosts import add_host
from portal.services.migrations import NewMigration
from portal.services.register import RegisterLocal
from portal.services.registries.write_through import Edited, edit_through
from portal.services.server_grants import grant, revoke
from portal.services.storages import find_storage, view_of
from portal.services.storages.edit import StorageEdit, set_lock
from portal.values import Mode
from tests.integration.command_line import CommandLine
from tests.integration.roots import ATLAS_MARKER, Bucket, connect_as, new_bucket, register_as, units_of
from tests.integration.world import Portal, World
from tests.servers import S3Server

MARKER = ".lamindb/storage_uid.txt"


@pytest.fixture
def uid(portal: Portal, world: World, local_base: Path) -> str:
    """A writable local root of lab/atlas on this machine."""
    (local_base / "cells").mkdir()
    found = register_as(portal, "ada", RegisterLocal(f"{local_base}/cells", instance="lab/atlas", owner="lab")).uid
    assert found is not None
    return found


@pytest.fixture
def node(portal: Portal, world: World) -> str:
    """Another machine the portal knows."""
    with portal.write_as("ada") as work:
        add_host(work, "node-7")
    return "node-7"


@pytest.fixture
def afar(portal: Portal, node: str, local_base: Path) -> str:
    """The same path, registered on the other machine."""
    (local_base / "cells").mkdir(exist_ok=True)
    found = register_as(portal, "ada", RegisterLocal(f"{local_base}/cells", host=node)).uid
    assert found is not None
    return found


def rehost(portal: Portal, uid: str, host: str, handle: str = "ada") -> Edited:
    return edit_through(units_of(portal, handle), uid, StorageEdit(host=host))


def host_of(portal: Portal, uid: str) -> str | None:
    with portal.read_as("ada") as work:
        return view_of(work, find_storage(work, uid)).host


def test_a_renamed_machine_is_named_and_alone_reaches_the_root(portal: Portal, uid: str, node: str) -> None:
    done = rehost(portal, uid, node)
    assert done.notes == ("It is reachable from node-7 alone now. Start a runner there: portal runner --host node-7",)
    with portal.read_as("ada") as work:
        view = view_of(work, find_storage(work, uid))
        event = work.session.scalars(select(Event).where(Event.storage_id == view.id).order_by(Event.id.desc())).first()
        assert event is not None
        said = (event.action, event.before, event.after)
    assert said == ("storage.changed", {"host": "portal-host"}, {"host": node})
    assert (view.host, view.is_here, view.mode, view.last_check_at) == (node, False, Mode.WRITABLE, None)


def test_it_may_become_this_machine_again(portal: Portal, uid: str, node: str) -> None:
    rehost(portal, uid, node)
    assert rehost(portal, uid, "portal-host").notes == ()
    assert host_of(portal, uid) == "portal-host"


def test_the_same_host_changes_nothing(portal: Portal, uid: str) -> None:
    with portal.read_as("ada") as work:
        before = find_storage(work, uid).version
    rehost(portal, uid, "portal-host")
    with portal.read_as("ada") as work:
        assert find_storage(work, uid).version == before


def test_only_a_portal_admin_names_a_machine_nobody_registered(portal: Portal, uid: str, local_base: Path) -> None:
    with portal.write_as("ada") as work:
        grant(work, "erik", local_root(str(local_base)))
    (local_base / "own").mkdir()
    own = register_as(portal, "erik", RegisterLocal(f"{local_base}/own")).uid or ""
    with pytest.raises(NotFound, match="no host unheard-of"):
        rehost(portal, own, "unheard-of", "erik")
    rehost(portal, uid, "unheard-of")
    assert host_of(portal, uid) == "unheard-of"


def test_it_needs_the_role_admin_and_the_directory_to_be_open(
    portal: Portal, uid: str, node: str, local_base: Path
) -> None:
    with pytest.raises(PermissionDenied):
        rehost(portal, uid, node, "erik")
    with portal.write_as("ada") as work:
        opened_id = grant(work, "erik", local_root(str(local_base))).id
    (local_base / "own").mkdir()
    own = register_as(portal, "erik", RegisterLocal(f"{local_base}/own")).uid or ""
    with portal.write_as("ada") as work:
        revoke(work, opened_id)
    with pytest.raises(Refused, match="is not open to you"):
        rehost(portal, own, node, "erik")


def test_a_path_is_one_location_on_each_host(portal: Portal, uid: str, afar: str, node: str) -> None:
    with pytest.raises(Conflict, match="on node-7 already"):
        rehost(portal, uid, node)
    with pytest.raises(Conflict, match="on portal-host already"):
        rehost(portal, afar, "portal-host")
    assert (host_of(portal, uid), host_of(portal, afar)) == ("portal-host", node)


def test_what_is_here_is_looked_at_before_it_counts_as_here(portal: Portal, afar: str, local_base: Path) -> None:
    (local_base / "cells" / ".lamindb").mkdir()
    (local_base / "cells" / MARKER).write_text(ATLAS_MARKER)
    with pytest.raises(Conflict, match="marked as abcDEF123456"):
        rehost(portal, afar, "portal-host")
    (local_base / "cells" / MARKER).unlink()
    (local_base / "cells" / ".lamindb").rmdir()
    (local_base / "cells").rmdir()
    with pytest.raises(InputError, match="There is no directory"):
        rehost(portal, afar, "portal-host")
    (local_base / "elsewhere").mkdir()
    (local_base / "cells").symlink_to(local_base / "elsewhere")
    with pytest.raises(Conflict, match="leads to"):
        rehost(portal, afar, "portal-host")


def test_a_root_outside_of_the_base_directories_does_not_become_ours(portal: Portal, node: str) -> None:
    secret = register_as(portal, "ada", RegisterLocal("/srv/secrets", host=node)).uid or ""
    with pytest.raises(Refused, match="is not allowed"):
        rehost(portal, secret, "portal-host")


def test_a_live_migration_keeps_the_host(portal: Portal, uid: str, node: str, local_base: Path) -> None:
    with portal.write_as("ada") as work:
        made = migrations.create_migration(work, NewMigration(uid, f"{local_base}/new")).id
    with pytest.raises(Conflict, match="is being moved"):
        rehost(portal, uid, node)
    with portal.write_as("ada") as work:
        work.session.scalars(select(Migration).where(Migration.uid == made)).one().state = "cancelled"
    rehost(portal, uid, node)
    assert host_of(portal, uid) == node


@pytest.mark.parametrize("host", ["", "two words"])
def test_a_name_that_is_none_is_refused(portal: Portal, uid: str, host: str) -> None:
    with pytest.raises(InputError) as caught:
        rehost(portal, uid, host)
    assert caught.value.field == "host"


def test_a_bucket_has_no_host(portal: Portal, world: World, s3_server: S3Server, node: str) -> None:
    bucket: Bucket = new_bucket(s3_server)
    uid = connect_as(portal, "ada", bucket.form()).uid or ""
    with pytest.raises(InputError, match="Only a local root has a host"):
        rehost(portal, uid, node)


def test_a_locked_record_keeps_its_host(portal: Portal, uid: str, node: str) -> None:
    with portal.write_as("ada") as work:
        set_lock(work, uid, True)
    with pytest.raises(Conflict, match="is locked"):
        rehost(portal, uid, node)


def test_the_form_changes_it_without_javascript(
    portal: Portal, client_as: Callable[[str | None], FlaskClient], uid: str, node: str
) -> None:
    page = client_as("ada").get(f"/storages/{uid}/edit").text
    assert 'name="host"' in page
    assert f'<option value="{node}">' in page
    assert 'name="host"' not in client_as("erik").get(f"/storages/{uid}/edit").text
    sent = {"description": "Cells", "branch": "main", "host": node}
    refused = client_as("erik").post(f"/storages/{uid}/edit", data=sent)
    assert (refused.status_code, host_of(portal, uid)) == (303, "portal-host")
    wrong = client_as("ada").post(f"/storages/{uid}/edit", data={**sent, "host": "two words"})
    assert wrong.status_code == 422
    answer = client_as("ada").post(f"/storages/{uid}/edit", data=sent, follow_redirects=True)
    assert "reachable from node-7 alone" in answer.text
    assert host_of(portal, uid) == node


def test_the_command_changes_it(portal: Portal, uid: str, node: str) -> None:
    typing = CommandLine(portal)
    assert typing.record("storage", "edit", uid, "--host", node)["host"] == node
    assert typing.run("storage", "edit", uid, "--host", "portal-host", actor="rita").code == 1
