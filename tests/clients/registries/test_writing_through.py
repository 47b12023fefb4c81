"""What is edited or made in the portal is written into the attached instance too, in both or in neither."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from portal.errors import Conflict, PermissionDenied, RegistryChanged
from portal.models import Reference, Storage
from portal.services import marking
from portal.services.hosts import add_host
from portal.services.register import RegisterLocal, register_local
from portal.services.registries import write_through
from portal.services.registries.apply import take_over
from portal.services.registries.care import detach_instance
from portal.services.registries.compare import compare
from portal.services.registries.write_through import count_artifacts, edit_through
from portal.services.storages import find_storage, view_of
from portal.services.storages.edit import StorageEdit
from portal.values import Branch
from tests.clients.instances import World, ask, execute
from tests.clients.registries.conftest import HOST, Desk
from tests.clients.registries.test_attaching import dump
from tests.clients.registries.test_comparing import storages

NEW_SPACE = "INSERT INTO lamindb_space (id, name, uid) VALUES (7, 'imaging', 'OtherUid1234')"


@pytest.fixture
def taken(attached: Desk) -> Desk:
    """An attached instance whose locations were all taken over."""
    take_over(attached.units(), attached.slug)
    return attached


@pytest.fixture
def uid(lamin_world: World) -> str:
    """One of the locations."""
    return str(lamin_world["locations"][1]["uid"])


def row(desk: Desk, uid: str) -> tuple[object, ...]:
    [found] = ask(desk.way, "SELECT description, branch_id, space_id FROM lamindb_storage WHERE uid = :uid", uid=uid)
    return found


def test_an_edit_is_written_to_both(taken: Desk, uid: str) -> None:
    execute(taken.way, NEW_SPACE)
    before = ask(taken.way, "SELECT updated_at FROM lamindb_storage WHERE uid = :uid", uid=uid)
    edit = StorageEdit(description="Slides", branch=Branch.ARCHIVE, space="lab/imaging")
    done = edit_through(taken.units(), uid, edit)
    assert (done.written, done.notes) == (("lab/atlas",), ())
    assert row(taken, uid) == ("Slides", 0, 7)
    assert ask(taken.way, "SELECT updated_at FROM lamindb_storage WHERE uid = :uid", uid=uid) != before
    assert storages(taken)[uid].description == "Slides"
    assert compare(taken.units(), taken.slug).differences == ()
    edit_through(taken.units(), uid, StorageEdit(description=""))
    assert row(taken, uid) == (None, 0, 7)


def test_artifacts_go_along_into_the_space_when_asked(taken: Desk, uid: str) -> None:
    execute(taken.way, NEW_SPACE)
    count = count_artifacts(taken.units(), uid)["lab/atlas"]
    assert count > 0
    done = edit_through(taken.units(), uid, StorageEdit(space="lab/imaging"), with_artifacts=True)
    assert done.notes == (f"{count} artifacts in lab/atlas went along.",)
    spaces = ask(
        taken.way,
        "SELECT space_id, count(*) FROM lamindb_artifact WHERE storage_id = "
        "(SELECT id FROM lamindb_storage WHERE uid = :uid) GROUP BY space_id",
        uid=uid,
    )
    assert spaces == [(7, count)]


def test_artifacts_stay_in_their_space_otherwise(taken: Desk, uid: str) -> None:
    execute(taken.way, NEW_SPACE)
    edit_through(taken.units(), uid, StorageEdit(space="lab/imaging"))
    assert ask(taken.way, "SELECT DISTINCT space_id FROM lamindb_artifact") == [(1,)]


def test_a_space_the_instance_lacks_changes_nothing(taken: Desk, uid: str) -> None:
    before = dump(taken.way)
    with pytest.raises(Conflict, match="lab/atlas has no space clinical"):
        edit_through(taken.units(), uid, StorageEdit(description="x", space="lab/clinical"))
    assert dump(taken.way) == before
    assert storages(taken)[uid].description == ""


def test_a_row_that_was_changed_under_us_changes_nothing(taken: Desk, uid: str) -> None:
    execute(taken.way, "UPDATE lamindb_storage SET description = 'Theirs' WHERE uid = :uid", uid=uid)
    with pytest.raises(RegistryChanged, match="description in lab/atlas is Theirs, not empty as here"):
        edit_through(taken.units(), uid, StorageEdit(description="Ours"))
    assert row(taken, uid)[0] == "Theirs"
    assert storages(taken)[uid].description == ""


def test_the_row_is_put_back_when_the_portals_half_fails(
    taken: Desk, uid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = row(taken, uid)

    def fail(*_given: object) -> str:
        assert row(taken, uid)[0] == "Ours"
        raise Conflict("Somebody was quicker.")

    monkeypatch.setattr(write_through, "_edit", fail)
    with pytest.raises(Conflict, match="quicker"):
        edit_through(taken.units(), uid, StorageEdit(description="Ours"))
    assert row(taken, uid) == before


def region(desk: Desk, uid: str) -> object:
    [(found,)] = ask(desk.way, "SELECT region FROM lamindb_storage WHERE uid = :uid", uid=uid)
    return found


@pytest.fixture
def renamed(taken: Desk) -> str:
    """The new name of the machine, which the portal knows."""
    with taken.portal.write_as("ada") as work:
        add_host(work, "node-7")
    return "node-7"


@pytest.mark.parametrize("named", [HOST, None])
def test_a_new_host_is_written_to_both(taken: Desk, uid: str, renamed: str, named: str | None) -> None:
    execute(taken.way, "UPDATE lamindb_storage SET region = :named WHERE uid = :uid", uid=uid, named=named)
    done = edit_through(taken.units(), uid, StorageEdit(host=renamed, description="Slides"))
    assert done.written == ("lab/atlas",)
    assert (region(taken, uid), row(taken, uid)[0]) == (renamed, "Slides")
    assert host_of(taken, uid) == renamed
    assert compare(taken.units(), taken.slug).differences == ()


def test_a_host_the_instance_says_otherwise_changes_nothing(taken: Desk, uid: str, renamed: str) -> None:
    execute(taken.way, "UPDATE lamindb_storage SET region = 'far' WHERE uid = :uid", uid=uid)
    with pytest.raises(RegistryChanged, match=f"host in lab/atlas is far, not {HOST} as here"):
        edit_through(taken.units(), uid, StorageEdit(host=renamed))
    assert (region(taken, uid), host_of(taken, uid)) == ("far", HOST)


def test_the_host_is_put_back_when_the_portals_half_fails(
    taken: Desk, uid: str, renamed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = region(taken, uid)

    def fail(*_given: object) -> str:
        assert region(taken, uid) == renamed
        raise Conflict("Somebody was quicker.")

    monkeypatch.setattr(write_through, "_edit", fail)
    with pytest.raises(Conflict, match="quicker"):
        edit_through(taken.units(), uid, StorageEdit(host=renamed))
    assert region(taken, uid) == before


def host_of(desk: Desk, uid: str) -> str | None:
    with desk.portal.read_as("ada") as work:
        return view_of(work, find_storage(work, uid)).host


def test_what_the_portal_refuses_never_reaches_the_instance(taken: Desk, uid: str) -> None:
    before = dump(taken.way)
    with pytest.raises(PermissionDenied):
        edit_through(taken.units("rita"), uid, StorageEdit(description="Ours"))
    with pytest.raises(Conflict):
        edit_through(taken.units(), uid, StorageEdit(description="Ours", version=99))
    assert dump(taken.way) == before


def test_an_instance_attached_read_only_keeps_its_own_values(taken: Desk, uid: str) -> None:
    with taken.portal.write_as("ada") as work:
        detach_instance(work, taken.slug, "atlas")
    taken.attach(is_read_only=True)
    take_over(taken.units(), taken.slug)
    before = dump(taken.way)
    done = edit_through(taken.units(), uid, StorageEdit(description="Ours"))
    assert done.notes == ("lab/atlas is attached read-only: it keeps its own values.",)
    assert dump(taken.way) == before
    assert storages(taken)[uid].description == "Ours"


@pytest.fixture
def new_directory(tmp_path: Path) -> str:
    """A directory that nobody registered."""
    (tmp_path / "fresh").mkdir()
    return str(tmp_path / "fresh")


@pytest.fixture
def known(desk: Desk, facts: dict[str, str]) -> Desk:
    """Attached with the id the marker of a new location needs."""
    assert desk.attach(instance_id_hex=facts["id"]).uid is not None
    return desk


def test_a_new_location_gets_its_row(known: Desk, new_directory: str, facts: dict[str, str]) -> None:
    new = RegisterLocal(new_directory, instance="lab/atlas", owner="lab", description="Fresh")
    uid = register_local(known.units(), new).uid
    [found] = ask(
        known.way,
        "SELECT s.uid, s.type, s.region, s.description, s.instance_uid, s.run_id, u.handle, u.uid "
        "FROM lamindb_storage s JOIN lamindb_user u ON u.id = s.created_by_id WHERE s.root = :root",
        root=new_directory,
    )
    with known.portal.read_as("ada") as work:
        account = work.session.scalars(select(Storage).where(Storage.uid == uid)).one().created_by
        assert found == (uid, "local", HOST, "Fresh", facts["uid"], None, "ada", account.uid)
        assert work.session.scalars(select(Reference).where(Reference.uid == uid)).one().root == new_directory
    marker = Path(new_directory, ".lamindb/storage_uid.txt").read_text()
    assert f"instance_id={facts['id']}" in marker
    assert uid not in {each.uid for each in compare(known.units(), known.slug).differences}


def test_the_row_goes_again_when_the_portals_half_fails(
    known: Desk, new_directory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ask(known.way, "SELECT * FROM lamindb_storage")

    def fail(*_given: object) -> None:
        assert len(ask(known.way, "SELECT * FROM lamindb_storage")) == len(before) + 1
        raise Conflict("Somebody was quicker.")

    monkeypatch.setattr(marking, "insert_storage", fail)
    with pytest.raises(Conflict, match="quicker"):
        register_local(known.units(), RegisterLocal(new_directory, instance="lab/atlas"))
    assert ask(known.way, "SELECT * FROM lamindb_storage") == before
    assert not Path(new_directory, ".lamindb/storage_uid.txt").exists()


def test_a_root_the_instance_has_on_another_host_is_told_before_anything_is_written(
    known: Desk, new_directory: str
) -> None:
    execute(
        known.way,
        "UPDATE lamindb_storage SET root = :root, region = 'far' WHERE id = (SELECT max(id) FROM lamindb_storage)",
        root=new_directory,
    )
    with pytest.raises(Conflict, match=r"on the host far\. LaminDB takes each root once"):
        register_local(known.units(), RegisterLocal(new_directory, instance="lab/atlas"))
    assert not Path(new_directory, ".lamindb/storage_uid.txt").exists()


def test_nothing_is_added_to_an_instance_attached_read_only(
    desk: Desk, new_directory: str, facts: dict[str, str], storage_count: Callable[[], int]
) -> None:
    desk.attach(instance_id_hex=facts["id"], is_read_only=True)
    count = storage_count()
    out = register_local(desk.units(), RegisterLocal(new_directory, instance="lab/atlas"))
    assert out.trial is not None
    assert "is attached read-only: the location is not added" in " ".join(out.trial.warnings)
    assert storage_count() == count


@pytest.fixture
def storage_count(desk: Desk) -> Callable[[], int]:
    """How many locations the instance has."""
    return lambda: len(ask(desk.way, "SELECT id FROM lamindb_storage"))
