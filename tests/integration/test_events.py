"""The audit log: who sees what, pages, filters."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from portal.errors import InputError
from portal.services import event_log, server_grants, spaces
from portal.services.event_log import EventQuery
from portal.services.register import RegisterLocal
from portal.services.work import Work
from portal.values import Role
from tests.integration.roots import register_as
from tests.integration.world import Portal, World

pytestmark = pytest.mark.dialects

As = Callable[..., AbstractContextManager[Work]]
SOME_DAY = datetime(2026, 3, 14, 12, tzinfo=UTC)


def rename(work_as: As, count: int) -> None:
    for number in range(count):
        with work_as("ada", SOME_DAY + timedelta(days=number)) as work:
            spaces.describe_space(work, "lab/clinical", f"version {number}")


def test_a_portal_admin_sees_every_event(read_as: As) -> None:
    with read_as("ada") as work:
        actions = {row.action for row in event_log.list_events(work, EventQuery(limit=100)).rows}
    assert {"account.created", "organisation.created", "space.created", "instance.role-granted"} <= actions


def test_a_portal_admin_without_a_role_audits_a_location_and_opens_nothing_of_it(
    portal: Portal, work_as: As, read_as: As, local_base: Path
) -> None:
    (local_base / "own").mkdir()
    with work_as("ada") as work:
        server_grants.grant(work, "otto", server_grants.parse_grant_root(work.settings, f"{local_base}/own"))
    uid = register_as(portal, "otto", RegisterLocal(str(local_base / "own"))).uid
    assert uid is not None
    with read_as("ada") as work:
        rows = event_log.list_events(work, EventQuery(actor="otto", actions=("storage.registered",))).rows
    assert [row.target_uid for row in rows] == [uid]
    for tab in ("", "/contents", "/events", "/checks", "/access"):
        assert portal.client_as("ada").get(f"/storages/{uid}{tab}").status_code == 404


def test_people_see_what_they_did_and_what_is_about_things_in_their_reach(read_as: As, world: World) -> None:
    def names(handle: str) -> set[tuple[str, str]]:
        with read_as(handle) as work:
            rows = event_log.list_events(work, EventQuery(limit=100)).rows
            return {(row.target_type, row.target_name) for row in rows}

    assert names("rita") == {("account", "rita"), ("instance", "lab/atlas"), ("space", "imaging")}
    assert names("otto") == {("account", "otto")}


def test_the_address_is_for_portal_admins_and_ones_own_events(work_as: As, read_as: As) -> None:
    with work_as("erik") as work:
        spaces.create_space(work, spaces.NewSpace("own"))
    with work_as("erik") as work:
        spaces.grant_space_role(work, "erik/own", "rita", Role.READ)
    query = EventQuery(actor="erik")
    for handle, address in (("ada", "127.0.0.1"), ("erik", "127.0.0.1"), ("rita", "")):
        with read_as(handle) as work:
            rows = event_log.list_events(work, query).rows
            assert rows
            assert {row.address for row in rows} == {address}, handle


def test_pages_lead_to_the_end_and_back_without_gap_or_repetition(work_as: As, read_as: As) -> None:
    rename(work_as, 7)
    with read_as("ada") as work:
        everything = [row.id for row in event_log.list_events(work, EventQuery(limit=100)).rows]
        page = event_log.list_events(work, EventQuery(limit=3))
        assert page.newer_id is None
        pages = [page]
        while page.older_id is not None:
            page = event_log.list_events(work, EventQuery(limit=3, before_id=page.older_id))
            pages.append(page)
        assert [row.id for page in pages for row in page.rows] == everything
        back = [pages[-1]]
        while back[0].newer_id is not None:
            back.insert(0, event_log.list_events(work, EventQuery(limit=3, after_id=back[0].newer_id)))
        assert [row.id for page in back for row in page.rows] == everything


def test_batches_of_an_export_hold_every_event_once(work_as: As, read_as: As) -> None:
    rename(work_as, 3)
    with read_as("ada") as work:
        everything = [row.id for row in event_log.list_events(work, EventQuery(limit=100)).rows]
        first = event_log.read_batch(work, EventQuery(limit=2), None)
        assert [row.id for row in first] == everything
        assert event_log.read_batch(work, EventQuery(), first[-1].id) == []


@pytest.mark.parametrize(
    ("query", "count"),
    [
        (EventQuery(actions=("space.changed",)), 4),
        (EventQuery(actions=("space.changed",), since=date(2026, 3, 15)), 3),
        (EventQuery(actions=("space.changed",), until=date(2026, 3, 14)), 1),
        (EventQuery(since=date(2026, 3, 15), until=date(2026, 3, 16)), 2),
        (EventQuery(text="CLINI", actions=("space.changed",)), 4),
        (EventQuery(text="clin%"), 0),
        (EventQuery(text="clin_cal"), 0),
        (EventQuery(target_types=("host",)), 0),
        (EventQuery(target_types=("space",), actor="ada", actions=("space.changed",)), 4),
        (EventQuery(actor="erik"), 0),
    ],
)
def test_filters_narrow(work_as: As, read_as: As, query: EventQuery, count: int) -> None:
    rename(work_as, 4)
    with read_as("ada") as work:
        assert len(event_log.list_events(work, query).rows) == count


def test_events_of_one_record(read_as: As, world: World) -> None:
    with read_as("ada") as work:
        rows = event_log.list_events(work, EventQuery(space_id=world.imaging_id)).rows
    assert [row.action for row in rows] == ["space.role-granted", "space.role-granted", "space.created"]


def test_a_change_names_only_the_fields_that_changed(work_as: As, read_as: As) -> None:
    rename(work_as, 1)
    with read_as("ada") as work:
        (row,) = event_log.list_events(work, EventQuery(actions=("space.changed",))).rows
    assert [(change.name, change.before, change.after) for change in row.changes] == [
        ("description", "Patients", "version 0")
    ]


def test_contradictions_are_refused(read_as: As) -> None:
    with read_as("ada") as work:
        for query in (EventQuery(since=date(2026, 3, 2), until=date(2026, 3, 1)), EventQuery(before_id=1, after_id=1)):
            with pytest.raises(InputError):
                event_log.list_events(work, query)


def test_actions_are_listed_once_and_sorted(read_as: As) -> None:
    with read_as("otto") as work:
        actions = event_log.list_actions(work)
    assert actions == sorted(set(actions))
    assert "space.created" in actions
