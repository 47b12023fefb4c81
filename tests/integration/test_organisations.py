"""Organisations: owners, members, and who may change them."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from portal.errors import Conflict, InputError, NotFound, PermissionDenied, PortalError
from portal.services import instances, organisations, people, spaces
from portal.services.organisations import NewOrganisation
from portal.services.work import Work
from portal.values import MembershipRole
from tests.integration.test_database import run_at_once
from tests.integration.world import Portal, World

As = Callable[..., AbstractContextManager[Work]]
OWNER, MEMBER = MembershipRole.OWNER, MembershipRole.MEMBER


def test_whoever_makes_one_owns_it_and_acts_for_it(work_as: As, read_as: As) -> None:
    with work_as("otto") as work:
        organisations.create_organisation(work, NewOrganisation("Otto-Works", "Otto works"))
    with work_as("otto") as work:
        assert spaces.create_space(work, spaces.NewSpace("own", owner="otto-works")).id
        rows = organisations.list_organisation_members(work, "otto-works")
        assert [(row.handle, row.role) for row in rows] == [("otto", OWNER)]
    with read_as("rita") as work:
        found = {row.handle: row.role for row in people.list_organisations(work)}
        assert found == {"lab": None, "otto-works": None}


@pytest.mark.parametrize("handle", ["erik", "lab", "settings", "a--b", ""])
def test_its_handle_shares_the_names_of_people_and_routes(work_as: As, handle: str) -> None:
    with pytest.raises(InputError), work_as("otto") as work:
        organisations.create_organisation(work, NewOrganisation(handle))


def test_members_do_not_act_for_it_and_owners_do(work_as: As) -> None:
    with work_as("ada") as work:
        organisations.set_member(work, "lab", "rita", MEMBER)
        organisations.set_member(work, "lab", "erik", OWNER)
    with pytest.raises(NotFound), work_as("rita") as work:
        instances.create_instance(work, instances.NewInstance("mine", owner="lab"))
    with work_as("erik") as work:
        assert instances.create_instance(work, instances.NewInstance("mine", owner="lab")).slug == "lab/mine"


@pytest.mark.parametrize("handle", ["rita", "otto"])
def test_nobody_but_its_owners_and_portal_admins_changes_it(work_as: As, handle: str) -> None:
    with work_as("ada") as work:
        organisations.set_member(work, "lab", "rita", MEMBER)
    attempts: list[Callable[[Work], object]] = [
        lambda work: organisations.set_member(work, "lab", handle, OWNER),
        lambda work: organisations.remove_member(work, "lab", "ada"),
        lambda work: organisations.describe_organisation(work, "lab", "Mine"),
    ]
    for attempt in attempts:
        with pytest.raises(PermissionDenied), work_as(handle) as work:
            attempt(work)


def test_the_last_owner_stays(work_as: As) -> None:
    attempts: list[Callable[[Work], object]] = [
        lambda work: organisations.remove_member(work, "lab", "ada"),
        lambda work: organisations.set_member(work, "lab", "ada", MEMBER),
    ]
    for attempt in attempts:
        with pytest.raises(Conflict), work_as("ada") as work:
            attempt(work)


def test_owners_who_remove_each_other_at_once_leave_one(portal: Portal, world: World) -> None:
    with portal.write_as("ada") as work:
        organisations.set_member(work, "lab", "erik", OWNER)

    def remove(number: int) -> None:
        with portal.write_as(("ada", "erik")[number]) as work:
            organisations.remove_member(work, "lab", ("erik", "ada")[number])

    assert len(run_at_once(2, remove)) == 1
    with portal.read_as("rita") as work:
        rows = organisations.list_organisation_members(work, "lab")
    assert [row.role for row in rows] == [OWNER]


@pytest.mark.parametrize("handle", ["lab", "nobody-here"])
def test_only_people_can_be_in_one(work_as: As, handle: str) -> None:
    with pytest.raises(PortalError) as raised, work_as("ada") as work:
        organisations.set_member(work, "lab", handle, MEMBER)
    assert raised.value.field == "handle"
