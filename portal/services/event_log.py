"""Reading the audit log: who may see which event, filters, keyset pages, and batches for exports."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, true

from portal.errors import InputError
from portal.models import Account, Event, Storage
from portal.permissions import Action, PortalTarget, allows
from portal.services.access import visible_storages
from portal.services.work import Work

PAGE_ROWS = 50
EXPORT_ROWS = 500

#: What an event can be about, as `services/events.py` writes it.
TARGET_TYPES = ("account", "connection", "host", "instance", "migration", "space", "storage")


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events are wanted; empty fields do not narrow.

    Attributes:
        actions: such as `space.created`.
        actor: handle.
        target_types: any of TARGET_TYPES.
        text: found in the target's name, whatever its case.
        since, until: first and last day, UTC.
        storage_id, space_id, instance_id: events about one record.
        before_id: only older events than this one (the next page).
        after_id: only newer ones, the nearest first (the page before); not together with `before_id`.
        limit: most rows of a page.
    """

    actions: tuple[str, ...] = ()
    actor: str = ""
    target_types: tuple[str, ...] = ()
    text: str = ""
    since: date | None = None
    until: date | None = None
    storage_id: int | None = None
    space_id: int | None = None
    instance_id: int | None = None
    before_id: int | None = None
    after_id: int | None = None
    limit: int = PAGE_ROWS

    def check(self) -> None:
        """Refuse values that contradict each other.

        Raises:
            InputError: naming the field.
        """
        if self.since is not None and self.until is not None and self.until < self.since:
            raise InputError("The last day is before the first.", field="until")
        if self.before_id is not None and self.after_id is not None:
            raise InputError("A page is before or after an event, not both.", field="before")


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that an event changed; None: there was no value."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event. `address` is empty for whoever may not know it; `actor_name` without a name or account."""

    id: int
    at: datetime
    actor: str
    action: str
    target_type: str
    target_uid: str
    target_name: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    reason: str
    via: str
    address: str
    request_id: str
    actor_name: str = ""

    @property
    def changes(self) -> list[FieldChange]:
        """Return the fields whose value changed, in the order they were written."""
        before, after = self.before or {}, self.after or {}
        names = dict.fromkeys([*before, *after])
        found = [FieldChange(name, before.get(name), after.get(name)) for name in names]
        return [change for change in found if change.before != change.after]


@dataclass(frozen=True, slots=True)
class EventPage:
    """One page, newest first. `newer_id`, `older_id`: where the neighbours begin; None: there is none."""

    rows: list[EventRow]
    newer_id: int | None
    older_id: int | None


def list_events(work: Work, query: EventQuery) -> EventPage:
    """Return one page of the events the actor may see.

    Raises:
        InputError: the query contradicts itself.
    """
    query.check()
    backwards = query.after_id is not None
    order = Event.id.asc() if backwards else Event.id.desc()
    found = list(work.session.scalars(_matching(work, query).order_by(order).limit(query.limit + 1)))
    has_more = len(found) > query.limit
    found = found[: query.limit]
    if backwards:
        found.reverse()
    first, last = (found[0].id, found[-1].id) if found else (None, None)
    has_newer = has_more if backwards else query.before_id is not None
    has_older = True if backwards else has_more
    names = _names(work, found)
    rows = [_row(work, event, names) for event in found]
    return EventPage(rows, first if has_newer else None, last if has_older else None)


def read_batch(work: Work, query: EventQuery, before_id: int | None) -> list[EventRow]:
    """Return the next batch of an export, newest first: each is a short read of its own; empty at the end."""
    return list_events(work, replace(query, before_id=before_id, after_id=None, limit=EXPORT_ROWS)).rows


def list_actions(work: Work) -> list[str]:
    """Return every action that was ever recorded, by name.

    Steps from one value of the index to the next instead of reading the whole log.
    """
    first = select(func.min(Event.action).label("action")).cte("actions", recursive=True)
    following = select(func.min(Event.action)).where(Event.action > first.c.action).correlate(first).scalar_subquery()
    steps = first.union_all(select(following).where(first.c.action.is_not(None)))
    return list(work.session.scalars(select(steps.c.action).where(steps.c.action.is_not(None))))


def visible_events(work: Work) -> ColumnElement[bool]:
    """Return the condition on `Event` for what the actor may see: all for a portal admin; for others one's own, and
    those about storage locations, spaces, instances and owner accounts in reach.
    """
    actor = work.actor
    if allows(actor, Action.PORTAL_ADMINISTER, PortalTarget()):
        return true()
    return or_(
        Event.actor_id == actor.account_id,
        Event.storage_id.in_(select(Storage.id).where(visible_storages(actor))),
        Event.space_id.in_(list(actor.spaces)),
        Event.instance_id.in_(list(actor.instances)),
        Event.owner_id.in_(sorted(actor.owners)),
    )


def _matching(work: Work, query: EventQuery) -> Select[Event]:
    conditions = [visible_events(work)]
    for column, wanted in (
        (Event.storage_id, query.storage_id),
        (Event.space_id, query.space_id),
        (Event.instance_id, query.instance_id),
    ):
        if wanted is not None:
            conditions.append(column == wanted)
    if query.actor.strip():
        conditions.append(_by_actor(work, query.actor.strip()))
    if query.actions:
        conditions.append(Event.action.in_(query.actions))
    if query.target_types:
        conditions.append(Event.target_type.in_(query.target_types))
    if query.text.strip():
        conditions.append(func.lower(Event.target_name).contains(query.text.strip().lower(), autoescape=True))
    return select(Event).where(*conditions, *_bounds(query))


def _by_actor(work: Work, handle: str) -> ColumnElement[bool]:
    """Ask by the account's id, which is indexed; the names of actors without an account, by their text."""
    account_id = work.session.scalar(select(Account.id).where(Account.handle == handle.lower()))
    return Event.actor_handle == handle if account_id is None else Event.actor_id == account_id


def _bounds(query: EventQuery) -> list[ColumnElement[bool]]:
    bounds: list[ColumnElement[bool]] = []
    if query.since is not None:
        bounds.append(Event.at >= datetime.combine(query.since, time(), UTC))
    if query.until is not None:
        bounds.append(Event.at < datetime.combine(query.until + timedelta(days=1), time(), UTC))
    if query.before_id is not None:
        bounds.append(Event.id < query.before_id)
    if query.after_id is not None:
        bounds.append(Event.id > query.after_id)
    return bounds


def _names(work: Work, events: list[Event]) -> dict[int, str]:
    wanted = {event.actor_id for event in events if event.actor_id is not None}
    accounts = work.session.scalars(select(Account).where(Account.id.in_(sorted(wanted))))
    return {account.id: account.name for account in accounts}


def _row(work: Work, event: Event, names: Mapping[int, str]) -> EventRow:
    is_own = event.actor_id is not None and event.actor_id == work.actor.account_id
    may_know = is_own or allows(work.actor, Action.PORTAL_ADMINISTER, PortalTarget())
    return EventRow(
        id=event.id,
        at=event.at,
        actor=event.actor_handle,
        action=event.action,
        target_type=event.target_type,
        target_uid=event.target_uid,
        target_name=event.target_name,
        before=event.before,
        after=event.after,
        reason=event.reason,
        via=event.via,
        address=event.address if may_know else "",
        request_id=event.request_id if may_know else "",
        actor_name=names.get(event.actor_id or 0, ""),
    )
