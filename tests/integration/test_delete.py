"""Deleting locations: refused while LaminDB's objects are in them; row and marker go together or stay together."""

from pathlib import Path

import pytest
from sqlalchemy import select

from portal.errors import Conflict, InputError, NotFound, PermissionDenied
from portal.models import Connection
from portal.services import deletion
from portal.services.deletion import emptiness, execution
from portal.services.register import RegisterLocal
from portal.services.storages import find_storage
from portal.services.storages.edit import StorageEdit, edit_storage, set_lock
from tests.integration.roots import ATLAS_MARKER, connect_as, new_bucket, register_as, units_of
from tests.integration.world import Portal, World
from tests.servers import S3Server


@pytest.fixture
def uid(portal: Portal, world: World, local_base: Path) -> str:
    """A writable local root that holds one file of a person's own."""
    (local_base / "cells").mkdir()
    (local_base / "cells" / "mine.txt").write_text("mine")
    found = register_as(portal, "ada", RegisterLocal(f"{local_base}/cells", instance="lab/atlas")).uid
    assert found is not None
    return found


def test_user_files_stay_and_the_marker_goes(portal: Portal, uid: str, local_base: Path) -> None:
    plan = deletion.plan_deletion(units_of(portal, "ada"), uid)
    assert (plan.may_go, [kind.count for kind in plan.kinds]) == (True, [None, 0, 1])
    deletion.delete_storage(units_of(portal, "ada"), uid, "cells")
    assert [path.name for path in (local_base / "cells").rglob("*") if path.is_file()] == ["mine.txt"]
    with portal.read_as("ada") as work, pytest.raises(NotFound):
        find_storage(work, uid)


def test_managed_objects_block(portal: Portal, uid: str, local_base: Path) -> None:
    (local_base / "cells" / ".lamindb" / "abc.csv").write_text("data")
    with pytest.raises(Conflict, match=r"Not empty: 1 object in \.lamindb/"):
        deletion.delete_storage(units_of(portal, "ada"), uid, "cells")


def test_where_counting_stops_the_number_says_so(
    portal: Portal, uid: str, local_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emptiness, "MOST_COUNTED", 3)
    for number in range(4):
        (local_base / "cells" / ".lamindb" / f"{number}.csv").write_text("data")
    plan = deletion.plan_deletion(units_of(portal, "ada"), uid)
    assert plan.kinds[1].count_label == "3 or more"
    assert plan.refusals == ("Not empty: 3 or more objects in .lamindb/. Move them first.",)


def test_default_and_locked_locations_are_refused(portal: Portal, uid: str) -> None:
    with portal.write_as("ada") as work:
        edit_storage(work, uid, StorageEdit(is_default=True))
        set_lock(work, uid, True)
    with pytest.raises(Conflict, match="default location") as caught:
        deletion.delete_storage(units_of(portal, "ada"), uid, "cells")
    assert "locked" in caught.value.message


def test_it_needs_the_right_and_the_typed_name(portal: Portal, uid: str) -> None:
    with pytest.raises(InputError, match="Type cells to confirm"):
        deletion.delete_storage(units_of(portal, "ada"), uid, "Cells")
    with pytest.raises(PermissionDenied):
        deletion.delete_storage(units_of(portal, "erik"), uid, "cells")
    with pytest.raises(NotFound):
        deletion.delete_storage(units_of(portal, "otto"), uid, "cells")


def test_a_failed_delete_puts_the_marker_back(
    portal: Portal, uid: str, local_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = local_base / "cells" / ".lamindb" / "storage_uid.txt"
    before = marker.read_bytes()

    def fail(*_: object) -> None:
        assert not marker.exists()
        raise RuntimeError("the power went")

    monkeypatch.setattr(execution, "_delete_record", fail)
    with pytest.raises(RuntimeError):
        deletion.delete_storage(units_of(portal, "ada"), uid, "cells")
    assert marker.read_bytes() == before


def test_of_a_foreign_bucket_only_the_row_and_the_unused_secret_go(
    portal: Portal, world: World, s3_server: S3Server
) -> None:
    bucket = new_bucket(s3_server)
    bucket.put("atlas/.lamindb/storage_uid.txt", ATLAS_MARKER.encode())
    bucket.put("atlas/.lamindb/theirs.csv")
    before = bucket.keys()
    uid = connect_as(portal, "ada", bucket.form()).uid or ""
    deletion.delete_storage(units_of(portal, "ada"), uid, "atlas")
    assert bucket.keys() == before
    with portal.read_as("ada") as work:
        assert work.session.scalar(select(Connection)) is None
