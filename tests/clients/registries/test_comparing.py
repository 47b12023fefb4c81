"""What an attached instance says is shown beside what the portal says, and taken over when somebody says so."""

from collections.abc import Sequence

import pytest
from sqlalchemy import func, select

from portal.errors import Conflict, InputError, NotFound, PermissionDenied, RegistryError
from portal.lamindb.registry.ways import SqliteWay
from portal.models import Event, Instance, Reference, Space, Storage
from portal.planning.reconcile import Difference, Kind
from portal.services.registries.apply import keep_comparison, take_over
from portal.services.registries.care import detach_instance
from portal.services.registries.compare import Comparison, compare, look
from portal.services.storages.edit import StorageEdit, edit_storage
from portal.values import Mode, ModeReason
from tests.clients.instances import World, execute
from tests.clients.registries.conftest import HOST, Desk
from tests.clients.registries.test_attaching import dump, registries


def compared(desk: Desk) -> Comparison:
    return compare(desk.units(), desk.slug)


def kinds(found: Sequence[Difference]) -> list[str]:
    return [each.kind.value for each in found]


def storages(desk: Desk) -> dict[str, Storage]:
    with desk.portal.read_as("ada") as work:
        rows = {storage.uid: storage for storage in work.session.scalars(select(Storage))}
        for storage in rows.values():
            assert storage.space.name
            assert storage.host is None or storage.host.name == HOST
        work.session.expunge_all()
        return rows


def counted(desk: Desk, table: type) -> int:
    with desk.portal.read_as("ada") as work:
        return work.session.scalar(select(func.count()).select_from(table)) or 0


@pytest.fixture
def taken(attached: Desk) -> Desk:
    """An attached instance whose locations were all taken over."""
    take_over(attached.units(), attached.slug)
    return attached


def test_what_the_portal_does_not_know_is_proposed(attached: Desk, lamin_world: World) -> None:
    found = compared(attached)
    assert kinds(found.differences) == ["new", "new", "new"]
    assert {each.root for each in found.differences} == {each["root"] for each in lamin_world["locations"]}
    assert all(each.can_take for each in found.differences)
    assert counted(attached, Storage) == 0


def test_all_of_it_is_taken_over_and_the_second_time_nothing_is_left(attached: Desk, lamin_world: World) -> None:
    before = dump(attached.way)
    done = take_over(attached.units(), attached.slug)
    assert len(done.new_uids) == 3
    assert compared(attached).differences == ()
    assert compared(attached).same_count == 3
    rows = storages(attached)
    assert {(uid, row.root) for uid, row in rows.items()} == {
        (each["uid"], each["root"]) for each in lamin_world["locations"]
    }
    assert {row.mode for row in rows.values()} == {Mode.WRITABLE}
    assert {row.instance_id for row in rows.values()} == {attached.people.instance_id}
    assert {row.owner_id for row in rows.values()} == {attached.people.accounts["lab"]}
    events = counted(attached, Event)
    assert take_over(attached.units(), attached.slug).differences == ()
    assert (counted(attached, Event), counted(attached, Storage), counted(attached, Reference)) == (events, 3, 3)
    assert registries(attached)[0].difference_count == 0
    assert dump(attached.way) == before


def test_a_reference_knows_how_much_lies_there(taken: Desk, lamin_world: World) -> None:
    with taken.portal.read_as("ada") as work:
        found = {each.uid: (each.artifact_count, each.total_bytes) for each in work.session.scalars(select(Reference))}
    for location in lamin_world["locations"]:
        count, total = found[location["uid"]]
        assert count > 0
        assert total > 0


def test_no_default_is_guessed_where_the_database_lies_elsewhere(taken: Desk) -> None:
    assert not any(row.is_default for row in storages(taken).values())


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_the_root_a_sqlite_database_lies_below_is_the_default(attached: Desk) -> None:
    assert isinstance(attached.way, SqliteWay)
    root = attached.way.default_root
    first = "WHERE id = (SELECT min(id) FROM lamindb_storage)"
    execute(attached.way, f"UPDATE lamindb_storage SET root = :root {first}", root=root)
    take_over(attached.units(), attached.slug)
    assert [row.root for row in storages(attached).values() if row.is_default] == [root]


def test_one_difference_alone_can_be_taken(attached: Desk) -> None:
    first = compared(attached).differences[0]
    done = take_over(attached.units(), attached.slug, [first.key])
    assert [each.uid for each in done.differences] == [first.uid]
    assert kinds(compared(attached).differences) == ["new", "new"]


def test_what_was_changed_since_it_was_shown_is_not_taken(taken: Desk) -> None:
    execute(taken.way, "UPDATE lamindb_storage SET description = 'first'")
    keys = [each.key for each in compared(taken).differences]
    execute(taken.way, "UPDATE lamindb_storage SET description = 'second'")
    with pytest.raises(Conflict, match="changed since the comparison"):
        take_over(taken.units(), taken.slug, keys)
    assert {row.description for row in storages(taken).values()} == {""}


def test_both_sides_are_shown_and_the_instances_taken(taken: Desk, lamin_world: World) -> None:
    uid = lamin_world["locations"][1]["uid"]
    with taken.portal.write_as("ada") as work:
        edit_storage(work, uid, StorageEdit(description="Here"))
    execute(
        taken.way,
        "UPDATE lamindb_storage SET description = 'There', is_locked = :yes, branch_id = 0 WHERE uid = :uid",
        uid=uid, yes=True,
    )  # fmt: skip
    [found] = compared(taken).differences
    assert found.kind is Kind.CHANGED
    assert {field.name: (field.theirs, field.ours) for field in found.fields} == {
        "description": ("There", "Here"),
        "branch": ("archive", "main"),
        "locked": ("yes", "no"),
    }
    take_over(taken.units(), taken.slug, [found.key])
    row = storages(taken)[uid]
    assert (row.description, row.branch_id, row.is_locked) == ("There", 0, True)
    assert compared(taken).differences == ()


def test_a_row_that_is_gone_takes_its_reference_along_and_nothing_else(taken: Desk, lamin_world: World) -> None:
    last = lamin_world["locations"][2]
    execute(taken.way, "DELETE FROM lamindb_artifact WHERE storage_id = :row", row=last["id"])
    execute(taken.way, "DELETE FROM lamindb_storage WHERE id = :row", row=last["id"])
    found = compared(taken)
    assert kinds(found.differences) == ["gone"]
    take_over(taken.units(), taken.slug)
    assert last["uid"] in storages(taken)
    assert counted(taken, Reference) == 2
    assert f"{last['root']} is a location of this instance here" in " ".join(compared(taken).notes)


def test_a_known_location_is_linked(taken: Desk) -> None:
    with taken.portal.write_as("ada") as work:
        detach_instance(work, taken.slug, "atlas")
    taken.attach()
    assert kinds(compared(taken).differences) == ["linked"] * 3
    assert take_over(taken.units(), taken.slug).new_uids == ()
    assert (counted(taken, Storage), counted(taken, Reference)) == (3, 3)


def test_an_unmanaged_location_of_two_instances_is_one_with_two_references(taken: Desk, lamin_world: World) -> None:
    # Another instance of the portal refers to it already, under a uid of its own.
    uid = lamin_world["locations"][2]["uid"]
    execute(taken.way, "UPDATE lamindb_storage SET instance_uid = NULL, uid = 'AAAAAAAAAAAA' WHERE uid = :uid", uid=uid)
    with taken.portal.write_as("ada") as work:
        storage = work.session.scalars(select(Storage).where(Storage.uid == uid)).one()
        storage.instance_id = storage.instance_uid = None
        storage.mode = Mode.UNMANAGED
        other = work.session.scalars(select(Reference).where(Reference.uid == uid)).one()
        screens = Instance(
            uuid="x", uid="screens-uid", owner_id=storage.owner_id, name="screens", slug="lab/screens",
            created_by_id=storage.created_by_id, created_at=work.now, updated_at=work.now,
        )  # fmt: skip
        work.session.add(screens)
        work.session.flush()
        other.instance_id = screens.id
    [found] = compared(taken).differences
    assert found.kind is Kind.LINKED
    assert any("Its uid there is AAAAAAAAAAAA" in note for note in found.notes)
    take_over(taken.units(), taken.slug)
    assert (counted(taken, Storage), counted(taken, Reference)) == (3, 4)
    assert compared(taken).differences == ()


def test_what_no_instance_and_what_another_writes_to_is_told_apart(attached: Desk, lamin_world: World) -> None:
    one, two = (each["uid"] for each in lamin_world["locations"][1:])
    execute(attached.way, "UPDATE lamindb_storage SET instance_uid = NULL WHERE uid = :uid", uid=one)
    execute(attached.way, "UPDATE lamindb_storage SET instance_uid = 'BBBBBBBBBBBB' WHERE uid = :uid", uid=two)
    take_over(attached.units(), attached.slug)
    rows = storages(attached)
    assert (rows[one].mode, rows[one].instance_id, rows[one].instance_uid) == (Mode.UNMANAGED, None, None)
    foreign = rows[two]
    assert (foreign.mode, foreign.mode_reason) == (Mode.READ_ONLY, ModeReason.FOREIGN)
    assert (foreign.instance_id, foreign.instance_uid) == (None, "BBBBBBBBBBBB")
    assert compared(attached).differences == ()


def test_a_bucket_is_taken_over_without_a_connection(attached: Desk) -> None:
    execute(
        attached.way,
        "UPDATE lamindb_storage SET root = 's3://atlas/data?endpoint_url=https://s3.example.org', type = 's3', "
        "region = 'eu-central-1' WHERE id = (SELECT max(id) FROM lamindb_storage)",
    )
    done = take_over(attached.units(), attached.slug)
    assert done.unconnected == ("s3://atlas/data?endpoint_url=https://s3.example.org",)
    [row] = [row for row in storages(attached).values() if row.type == "s3"]
    assert (row.region, row.connection_id, row.host_id) == ("eu-central-1", None, None)


@pytest.mark.parametrize(
    ("root", "said"),
    [
        ("", "means the working directory"),
        ("relative", "means another directory"),
        ("/proc/self", "/proc is not allowed"),
        ("/srv/elsewhere", "not allowed"),
    ],
)
def test_a_root_that_the_portal_does_not_take_is_shown_with_the_reason(attached: Desk, root: str, said: str) -> None:
    where = "WHERE id = (SELECT max(id) FROM lamindb_storage)"
    execute(attached.way, f"UPDATE lamindb_storage SET root = :root {where}", root=root)
    [found] = [each for each in compared(attached).differences if not each.can_take]
    assert said in found.why_not
    with pytest.raises(InputError, match="cannot be taken over"):
        take_over(attached.units(), attached.slug, [found.key])
    done = take_over(attached.units(), attached.slug)
    assert (len(done.new_uids), len(done.left)) == (2, 1)


def test_a_root_in_another_form_is_shown_as_such(attached: Desk, lamin_world: World) -> None:
    last = lamin_world["locations"][2]
    execute(attached.way, "UPDATE lamindb_storage SET root = root || '/' WHERE uid = :uid", uid=last["uid"])
    [found] = [each for each in compared(attached).differences if each.uid == last["uid"]]
    assert found.notes[0] == f"Its root is not in LaminDB's normal form, which is {last['root']}."
    take_over(attached.units(), attached.slug)
    assert storages(attached)[last["uid"]].root == last["root"]
    assert compared(attached).differences == ()


def test_a_space_that_is_not_here_is_made_and_attached(attached: Desk) -> None:
    execute(
        attached.way,
        "INSERT INTO lamindb_space (id, name, uid) VALUES (7, 'Cohort', 'CohortSpace1')",
    )
    execute(attached.way, "UPDATE lamindb_storage SET space_id = 7")
    assert "The space Cohort is not in the portal" in compared(attached).notes[0]
    take_over(attached.units(), attached.slug)
    assert {row.space.name for row in storages(attached).values()} == {"Cohort"}
    with attached.portal.read_as("ada") as work:
        assert work.session.scalars(select(Space).where(Space.uid == "CohortSpace1")).one().name == "Cohort"
    assert compared(attached).differences == ()


def test_a_space_of_the_owner_is_found_by_its_name(attached: Desk) -> None:
    execute(attached.way, "INSERT INTO lamindb_space (id, name, uid) VALUES (7, 'Imaging', 'OtherUid1234')")
    execute(attached.way, "UPDATE lamindb_storage SET space_id = 7")
    take_over(attached.units(), attached.slug)
    assert {row.space_id for row in storages(attached).values()} == {attached.people.imaging_id}
    assert compared(attached).differences == ()


def test_a_registry_opens_no_directory_to_anybody(attached: Desk) -> None:
    from portal.services.instances import grant_instance_role
    from portal.values import Role

    with attached.portal.write_as("ada") as work:
        grant_instance_role(work, "lab/atlas", "erik", Role.ADMIN)
    found = compare(attached.units("erik"), attached.slug)
    assert {each.can_take for each in found.differences} == {False}
    assert "not open to you" in found.differences[0].why_not
    assert take_over(attached.units("erik"), attached.slug).new_uids == ()
    assert counted(attached, Storage) == 0


@pytest.mark.parametrize(
    ("handle", "error"), [("erik", PermissionDenied), ("rita", PermissionDenied), ("otto", NotFound)]
)
def test_only_an_admin_compares(attached: Desk, handle: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        compare(attached.units(handle), attached.slug)
    with pytest.raises(error):
        take_over(attached.units(handle), attached.slug)


def test_a_database_that_has_gone_is_told(attached: Desk) -> None:
    execute(attached.way, "ALTER TABLE lamindb_storage RENAME TO moved_away")
    with pytest.raises(RegistryError):
        compared(attached)


def test_a_comparison_is_kept_without_taking_anything(attached: Desk) -> None:
    assert keep_comparison(attached.units(), attached.slug, look(attached.units(), attached.slug)) == 3
    assert registries(attached)[0].difference_count == 3
    assert counted(attached, Storage) == 0
