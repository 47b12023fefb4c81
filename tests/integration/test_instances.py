"""Instances: making them, collaborators, attached spaces."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from portal.errors import Conflict, InputError, NotFound, PermissionDenied, Refused
from portal.models import Storage
from portal.services import attachments, instances, spaces
from portal.services.instances import NewInstance
from portal.services.work import Work
from portal.values import Mode, Role, StorageType
from tests.integration.world import World

As = Callable[..., AbstractContextManager[Work]]


def test_the_id_of_an_instance_is_the_one_lamindb_derives(read_as: As, world: World) -> None:
    with read_as("rita") as work:
        instance = instances.find_instance(work, "lab/atlas")
        # Computed with lamindb-setup 1.27 for the same owner and name.
        assert (instance.uuid, instance.uid) == ("79020fd5-1094-5537-ae1f-76989f54eb6c", "35g5V9aubeiq")


def test_an_outsider_finds_no_instance(read_as: As, world: World) -> None:
    with read_as("otto") as work, pytest.raises(NotFound):
        instances.find_instance(work, "lab/atlas")


@pytest.mark.parametrize(
    ("handle", "error"), [("erik", PermissionDenied), ("rita", PermissionDenied), ("otto", NotFound)]
)
def test_only_its_admins_change_it(work_as: As, handle: str, error: type[Exception]) -> None:
    attempts: list[Callable[[Work], object]] = [
        lambda work: instances.describe_instance(work, "lab/atlas", "Mine"),
        lambda work: instances.grant_instance_role(work, "lab/atlas", handle, Role.ADMIN),
        lambda work: instances.revoke_instance_role(work, "lab/atlas", "ada"),
        lambda work: attachments.attach_space(work, "lab/atlas", "lab/imaging"),
        lambda work: attachments.detach_space(work, "lab/atlas", "lab/imaging"),
    ]
    for attempt in attempts:
        with pytest.raises(error), work_as(handle) as work:
            attempt(work)


@pytest.mark.parametrize("name", ["", "a b", "a--b", "-a", "a/b", "x" * 101])
def test_it_refuses_names_lamindb_cannot_hold(work_as: As, name: str) -> None:
    with pytest.raises(InputError) as raised, work_as("ada") as work:
        instances.create_instance(work, NewInstance(name))
    assert raised.value.field == "name"


def test_an_owner_has_one_instance_of_a_name(work_as: As) -> None:
    with pytest.raises(InputError), work_as("ada") as work:
        instances.create_instance(work, NewInstance("Atlas", owner="lab"))
    with pytest.raises(NotFound), work_as("otto") as work:
        instances.create_instance(work, NewInstance("mine", owner="lab"))
    with work_as("otto") as work:
        assert instances.create_instance(work, NewInstance("atlas")).slug == "otto/atlas"


def test_the_last_admin_stays(work_as: As) -> None:
    with pytest.raises(Conflict), work_as("ada") as work:
        instances.revoke_instance_role(work, "lab/atlas", "ada")


def test_attaching_needs_admin_on_both(work_as: As) -> None:
    with work_as("erik") as work:
        spaces.create_space(work, spaces.NewSpace("own"))
        instances.create_instance(work, NewInstance("own"))
    # erik is admin of the space, not of the instance; and the other way round.
    with pytest.raises(PermissionDenied), work_as("erik") as work:
        attachments.attach_space(work, "lab/atlas", "erik/own")
    with pytest.raises(PermissionDenied), work_as("erik") as work:
        attachments.attach_space(work, "erik/own", "lab/imaging")
    with work_as("erik") as work:
        attachments.attach_space(work, "erik/own", "erik/own")
    with pytest.raises(Conflict), work_as("erik") as work:
        attachments.attach_space(work, "erik/own", "erik/own")
    with pytest.raises(Refused), work_as("erik") as work:
        attachments.attach_space(work, "erik/own", "all")


def test_a_space_that_holds_locations_of_the_instance_is_not_detached(work_as: As, world: World) -> None:
    with work_as("ada") as work:
        location = Storage(
            root="s3://acme/imaging",
            type=StorageType.S3,
            mode=Mode.WRITABLE,
            owner_id=world.accounts["lab"],
            space_id=world.imaging_id,
            instance_id=world.instance_id,
            created_by_id=world.accounts["ada"],
            created_at=work.now,
            updated_at=work.now,
        )
        work.session.add(location)
    with pytest.raises(Conflict, match="1 storage location"), work_as("ada") as work:
        attachments.detach_space(work, "lab/atlas", "lab/imaging")
    with work_as("ada") as work:
        attachments.detach_space(work, "lab/atlas", "lab/clinical")
        instance = instances.find_instance(work, "lab/atlas")
        assert [row.label for row in attachments.list_attached_spaces(work, instance)] == ["lab/imaging"]


def test_the_list_shows_what_is_in_reach(read_as: As) -> None:
    for handle, role, count in (("ada", Role.ADMIN, 3), ("rita", Role.READ, 3)):
        with read_as(handle) as work:
            (row,) = instances.list_instances(work)
        assert (row.slug, row.role, row.collaborator_count) == ("lab/atlas", role, count)
    with read_as("otto") as work:
        assert instances.list_instances(work) == []
