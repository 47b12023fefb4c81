"""Spaces: names, members, and who may change them."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from portal.errors import Conflict, InputError, NotFound, PermissionDenied, Refused
from portal.services import accounts, spaces
from portal.services.spaces import NewSpace
from portal.services.work import Work
from portal.values import Role
from tests.integration.world import World

As = Callable[..., AbstractContextManager[Work]]


def test_whoever_makes_one_is_its_admin(work_as: As, read_as: As) -> None:
    with work_as("otto") as work:
        spaces.create_space(work, NewSpace("  flow   data ", "Flow"))
    with read_as("otto") as work:
        row = next(row for row in spaces.list_spaces(work) if row.name == "flow data")
        assert (row.role, row.label, row.member_count) == (Role.ADMIN, "otto/flow data", 1)


@pytest.mark.parametrize("name", ["", "all", "ALL", "a/b", "x" * 101, "line\nbreak\x07"])
def test_it_refuses_names_that_cannot_be(work_as: As, name: str) -> None:
    with pytest.raises(InputError) as raised, work_as("ada") as work:
        spaces.create_space(work, NewSpace(name))
    assert raised.value.field == "name"


def test_one_owner_has_one_space_of_a_name_whatever_its_case(work_as: As) -> None:
    with pytest.raises(InputError), work_as("ada") as work:
        spaces.create_space(work, NewSpace("Imaging", owner="lab"))
    with work_as("ada") as work:
        assert spaces.create_space(work, NewSpace("Imaging")).id


def test_nobody_makes_one_in_another_name(work_as: As) -> None:
    for handle in ("erik", "otto"):
        with pytest.raises(NotFound), work_as(handle) as work:
            spaces.create_space(work, NewSpace("theirs", owner="lab"))


@pytest.mark.parametrize(
    ("handle", "error"), [("erik", PermissionDenied), ("rita", PermissionDenied), ("otto", NotFound)]
)
def test_only_its_admins_change_it(work_as: As, handle: str, error: type[Exception]) -> None:
    attempts: list[Callable[[Work], object]] = [
        lambda work: spaces.describe_space(work, "lab/imaging", "Mine"),
        lambda work: spaces.grant_space_role(work, "lab/imaging", handle, Role.ADMIN),
        lambda work: spaces.revoke_space_role(work, "lab/imaging", "ada"),
    ]
    for attempt in attempts:
        with pytest.raises(error), work_as(handle) as work:
            attempt(work)


def test_an_outsider_does_not_learn_that_it_exists(read_as: As, world: World) -> None:
    with read_as("otto") as work:
        messages = set()
        for reference in (world.imaging_uid, "lab/imaging", "lab/nothing"):
            with pytest.raises(NotFound) as raised:
                spaces.find_space(work, reference)
            messages.add(str(raised.value).replace(reference, "IT"))
        assert len(messages) == 1


def test_the_last_admin_stays_also_beside_a_closed_one(work_as: As) -> None:
    with work_as("ada") as work:
        spaces.grant_space_role(work, "lab/imaging", "erik", Role.ADMIN)
    with work_as("ada") as work:
        accounts.set_active(work, "erik", is_active=False)
    attempts: list[Callable[[Work], object]] = [
        lambda work: spaces.revoke_space_role(work, "lab/imaging", "ada"),
        lambda work: spaces.grant_space_role(work, "lab/imaging", "ada", Role.READ),
    ]
    for attempt in attempts:
        with pytest.raises(Conflict), work_as("ada") as work:
            attempt(work)


def test_all_takes_no_members_and_says_where_roles_are_granted(work_as: As) -> None:
    with pytest.raises(Refused, match="instance"), work_as("ada") as work:
        spaces.grant_space_role(work, "all", "erik", Role.READ)


def test_a_name_that_looks_like_another_spaces_uid_does_not_hide_it(work_as: As, world: World) -> None:
    with work_as("ada") as work:
        spaces.create_space(work, NewSpace(world.imaging_uid))
    with work_as("ada") as work:
        assert spaces.find_space(work, world.imaging_uid).name == "imaging"


def test_a_portal_admin_who_takes_a_role_leaves_an_event(work_as: As, read_as: As) -> None:
    from portal.services.event_log import EventQuery, list_events

    with work_as("otto") as work:
        spaces.create_space(work, NewSpace("own"))
    with work_as("ada") as work:
        spaces.grant_space_role(work, "otto/own", "ada", Role.READ)
    with read_as("otto") as work:
        row = list_events(work, EventQuery(actions=("space.role-granted",))).rows[0]
    assert (row.actor, row.after) == ("ada", {"handle": "ada", "role": "read"})
