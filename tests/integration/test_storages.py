"""Changing a location's record."""

from pathlib import Path

import pytest

from portal.errors import Conflict, InputError, NotFound, PermissionDenied
from portal.services.checks import list_batches, run_checks
from portal.services.register import RegisterLocal
from portal.services.storages import find_storage
from portal.services.storages.edit import StorageEdit, edit_storage, set_lock
from portal.services.storages.people import explain_person, list_reach
from portal.values import CheckStatus
from tests.integration.roots import register_as, units_of
from tests.integration.world import Portal, World


@pytest.fixture
def uid(portal: Portal, world: World, local_base: Path) -> str:
    """A writable local root of lab/atlas."""
    (local_base / "cells").mkdir()
    found = register_as(portal, "ada", RegisterLocal(f"{local_base}/cells", instance="lab/atlas", owner="lab")).uid
    assert found is not None
    return found


def test_a_writer_describes_and_only_an_admin_moves_it(portal: Portal, uid: str) -> None:
    with portal.write_as("erik") as work:
        edit_storage(work, uid, StorageEdit(description="Cells"))
    with portal.write_as("erik") as work, pytest.raises(PermissionDenied):
        edit_storage(work, uid, StorageEdit(space="lab/imaging"))
    with portal.write_as("rita") as work, pytest.raises(PermissionDenied):
        edit_storage(work, uid, StorageEdit(description="x"))
    with portal.write_as("ada") as work:
        edit_storage(work, uid, StorageEdit(space="lab/clinical"))
    with portal.read_as("erik") as work, pytest.raises(NotFound):
        find_storage(work, uid)


def test_a_new_default_takes_the_place_of_the_old_one(portal: Portal, uid: str, local_base: Path) -> None:
    (local_base / "more").mkdir()
    with portal.write_as("ada") as work:
        edit_storage(work, uid, StorageEdit(is_default=True))
    register_as(portal, "ada", RegisterLocal(f"{local_base}/more", instance="lab/atlas", is_default=True))
    with portal.read_as("ada") as work:
        assert not find_storage(work, uid).is_default
        assert find_storage(work, f"{local_base}/more").is_default


def test_what_cannot_be_written_cannot_be_the_default(portal: Portal, uid: str, local_base: Path) -> None:
    (local_base / "plain").mkdir()
    plain = register_as(portal, "ada", RegisterLocal(f"{local_base}/plain")).uid or ""
    with portal.write_as("ada") as work, pytest.raises(InputError):
        edit_storage(work, plain, StorageEdit(is_default=True))


def test_a_lock_and_an_old_version_refuse_edits(portal: Portal, uid: str) -> None:
    with portal.write_as("ada") as work:
        set_lock(work, uid, True)
    with portal.write_as("ada") as work, pytest.raises(Conflict, match="is locked"):
        edit_storage(work, uid, StorageEdit(description="x"))
    with portal.write_as("ada") as work:
        set_lock(work, uid, False)
    with portal.write_as("erik") as work, pytest.raises(Conflict, match="ada changed this"):
        edit_storage(work, uid, StorageEdit(description="x", version=1))


def test_a_missing_marker_is_drift(portal: Portal, uid: str, local_base: Path) -> None:
    assert run_checks(units_of(portal, "erik"), uid).status is CheckStatus.PASSED
    (local_base / "cells" / ".lamindb" / "storage_uid.txt").unlink()
    batch = run_checks(units_of(portal, "erik"), uid)
    assert (batch.status, batch.results[-1].reason) == (CheckStatus.WARNING, f"The marker of {uid} is gone.")
    with portal.read_as("rita") as work:
        assert len(list_batches(work, find_storage(work, uid))) == 3


def test_who_reaches_it_agrees_with_the_explanation(portal: Portal, uid: str) -> None:
    with portal.read_as("ada") as work:
        storage = find_storage(work, uid)
        found = {row.handle: row.role for row in list_reach(work, storage)}
        assert set(found) == {"ada", "erik", "rita"}
        for handle in ("ada", "erik", "rita", "otto"):
            assert explain_person(work, storage, handle).role == found.get(handle)
