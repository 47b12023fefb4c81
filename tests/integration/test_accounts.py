"""Accounts: adding, closing, portal admins, one-time links, throttling."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from portal.config import Settings
from portal.errors import Conflict, InputError, NotFound, PermissionDenied, Throttled
from portal.services import accounts, one_time_links, people, throttle
from portal.services.accounts import NewAccount, PreparedAccount
from portal.services.work import Work
from portal.values import AccountKind
from tests.integration.test_database import run_at_once
from tests.integration.world import Portal, World, password_hash

As = Callable[..., AbstractContextManager[Work]]
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def somebody(handle: str, email: str | None = None) -> PreparedAccount:
    return PreparedAccount(NewAccount(handle, email), password_hash())


def test_the_first_account_becomes_portal_admin_and_needs_no_actor(portal: Portal) -> None:
    with portal.write_as(None) as work:
        assert accounts.add_account(work, somebody("first")).is_portal_admin
    with portal.write_as(None) as work, pytest.raises(PermissionDenied):
        accounts.add_account(work, somebody("second"))


@pytest.mark.parametrize("handle", ["erik", "rita", "otto"])
def test_nobody_but_a_portal_admin_administers_people(work_as: As, handle: str) -> None:
    attempts: list[Callable[[Work], object]] = [
        lambda work: accounts.add_account(work, somebody("new-one")),
        lambda work: accounts.set_portal_admin(work, handle, is_portal_admin=True),
        lambda work: accounts.set_active(work, "ada", is_active=False),
        lambda work: one_time_links.make_password_link(work, "ada"),
    ]
    for attempt in attempts:
        with pytest.raises(PermissionDenied), work_as(handle) as work:
            attempt(work)


@pytest.mark.parametrize(
    ("handle", "email", "field"),
    [
        ("erik", None, "handle"),
        ("infrastructure", None, "handle"),
        ("Ada", None, "handle"),
        ("a--b", None, "handle"),
        ("new-one", "ERIK@example.org", "email"),
        ("new-one", "no address", "email"),
    ],
)
def test_it_refuses_names_that_are_taken_or_cannot_be(work_as: As, handle: str, email: str | None, field: str) -> None:
    with pytest.raises(InputError) as raised, work_as("ada") as work:
        accounts.add_account(work, accounts.prepare_account(NewAccount(handle, email)))
    assert raised.value.field == field


def test_the_last_portal_admin_stays(work_as: As) -> None:
    with pytest.raises(Conflict), work_as("ada") as work:
        accounts.set_portal_admin(work, "ada", is_portal_admin=False)
    with pytest.raises(Conflict), work_as("ada") as work:
        accounts.set_active(work, "ada", is_active=False)
    with work_as("ada") as work:
        accounts.set_portal_admin(work, "erik", is_portal_admin=True)
    with work_as("ada") as work:
        assert not accounts.set_portal_admin(work, "ada", is_portal_admin=False).is_portal_admin


def test_two_admins_who_close_each_other_at_once_leave_one(portal: Portal, world: World) -> None:
    with portal.write_as("ada") as work:
        accounts.set_portal_admin(work, "erik", is_portal_admin=True)

    def close(number: int) -> None:
        with portal.write_as(("ada", "erik")[number]) as work:
            accounts.set_active(work, ("erik", "ada")[number], is_active=False)

    raised = run_at_once(2, close)
    assert [type(error) for error in raised] == [Conflict]
    with portal.read_as("rita") as work:
        admins = [row for row in people.list_people(work) if row.is_portal_admin and row.is_active]
    assert len(admins) == 1


def test_two_first_accounts_at_once_make_one_admin(portal: Portal) -> None:
    def add(number: int) -> None:
        with portal.write_as(None) as work:
            accounts.add_account(work, somebody(f"first-{number}"))

    assert [type(error) for error in run_at_once(2, add)] == [PermissionDenied]


def test_a_link_sets_a_password_once_within_its_time(work_as: As) -> None:
    with work_as("ada", NOW) as work:
        token = one_time_links.make_password_link(work, "erik")
    with work_as(None, NOW + timedelta(hours=73)) as work, pytest.raises(NotFound):
        one_time_links.find_link(work, token)
    with work_as(None, NOW + timedelta(hours=71)) as work:
        epoch = one_time_links.use_password_link(work, token, password_hash()).session_epoch
    assert epoch == 1
    with work_as(None, NOW + timedelta(hours=71)) as work, pytest.raises(NotFound):
        one_time_links.use_password_link(work, token, password_hash())


def test_a_new_link_or_a_closed_account_ends_older_links(work_as: As) -> None:
    with work_as("ada") as work:
        first = one_time_links.make_password_link(work, "erik")
    with work_as("ada") as work:
        second = one_time_links.make_password_link(work, "erik")
    with work_as(None) as work:
        with pytest.raises(NotFound):
            one_time_links.find_link(work, first)
        assert one_time_links.find_link(work, second).account_id is not None
    with work_as("ada") as work:
        accounts.set_active(work, "erik", is_active=False)
    with work_as("ada") as work:
        accounts.set_active(work, "erik", is_active=True)
    with work_as(None) as work, pytest.raises(NotFound):
        one_time_links.find_link(work, second)


def test_an_organisation_gets_no_link_and_is_not_closed(work_as: As) -> None:
    with pytest.raises(InputError), work_as("ada") as work:
        one_time_links.make_password_link(work, "lab")
    with pytest.raises(InputError), work_as("ada") as work:
        accounts.set_active(work, "lab", is_active=False)
    with pytest.raises(InputError), work_as("ada") as work:
        accounts.set_portal_admin(work, "lab", is_portal_admin=True)


def test_an_address_is_known_to_portal_admins_and_its_owner(read_as: As) -> None:
    for handle, known in (("ada", {"ada", "erik", "rita", "otto"}), ("erik", {"erik"}), ("otto", {"otto"})):
        with read_as(handle) as work:
            rows = people.list_people(work)
        assert {row.handle for row in rows} == {"ada", "erik", "rita", "otto"}
        assert {row.handle for row in rows if row.email} == known
        assert {row.kind for row in rows} == {AccountKind.PERSON}


def test_ones_own_details_can_be_changed(work_as: As, read_as: As) -> None:
    with work_as("erik") as work:
        accounts.change_own_details(work, name=" Erik E. ", email="erik.e@example.org")
    with read_as("erik") as work:
        row = people.find_person(work, "erik")
        assert (row.name, row.email) == ("Erik E.", "erik.e@example.org")
    with pytest.raises(InputError), work_as("erik") as work:
        accounts.change_own_details(work, name="Erik", email="ADA@example.org")


LIMIT = throttle.Limit("test", burst=3, refill_seconds=60)


def test_tries_are_counted_across_processes(portal: Portal, new_app: Callable[..., Flask], settings: Settings) -> None:
    other = Portal(new_app(settings))
    for who in (portal, other, portal):
        with who.write_as(None, NOW) as work:
            throttle.take(work, LIMIT, "erik")
    with pytest.raises(Throttled) as raised, other.write_as(None, NOW) as work:
        throttle.take(work, LIMIT, "erik")
    assert raised.value.retry_after_seconds in {60, 61}
    with other.write_as(None, NOW) as work:
        throttle.take(work, LIMIT, "rita")
    with portal.write_as(None, NOW + timedelta(seconds=61)) as work:
        throttle.take(work, LIMIT, "erik")


def test_tries_that_arrive_together_each_take_a_token(portal: Portal) -> None:
    def take(_number: int) -> None:
        with portal.write_as(None, NOW) as work:
            throttle.take(work, LIMIT, "erik")

    assert [type(error) for error in run_at_once(8, take)] == [Throttled] * 5
