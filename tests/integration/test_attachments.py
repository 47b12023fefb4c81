"""A location may be placed in a space its instance does not have yet: that attaches the space, for the same rights."""

from pathlib import Path

import pytest
from sqlalchemy import select

from portal.errors import PortalError
from portal.models import Event, InstanceSpace, Storage
from portal.services import spaces
from portal.services.register import RegisterLocal, register_local
from portal.services.spaces import NewSpace
from portal.values import Role
from tests.integration.roots import units_of
from tests.integration.world import Portal, World


def _register(portal: Portal, handle: str, path: Path) -> str | None:
    path.mkdir()
    new = RegisterLocal(str(path), space="ada/fresh", instance="lab/atlas")
    return register_local(units_of(portal, handle), new).uid


def test_placing_a_location_attaches_the_space_and_says_so(portal: Portal, world: World, local_base: Path) -> None:
    with portal.write_as("ada") as work:
        space_id = spaces.create_space(work, NewSpace("fresh")).id
    uid = _register(portal, "ada", local_base / "one")
    with portal.read_as("ada") as work:
        storage = work.session.scalars(select(Storage).where(Storage.uid == uid)).one()
        assert work.session.get(InstanceSpace, (storage.instance_id, space_id)) is not None
        after = work.session.scalars(select(Event.after).where(Event.action == "instance.space-attached")).all()
    assert "fresh" in [values["space"] for values in after if values]


def test_who_is_not_admin_of_both_attaches_nothing(portal: Portal, world: World, local_base: Path) -> None:
    with portal.write_as("ada") as work:
        space_id = spaces.create_space(work, NewSpace("fresh")).id
        spaces.grant_space_role(work, "ada/fresh", "erik", Role.ADMIN)
    with pytest.raises(PortalError):
        _register(portal, "erik", local_base / "two")
    with portal.read_as("ada") as work:
        assert work.session.scalars(select(InstanceSpace).where(InstanceSpace.space_id == space_id)).all() == []
