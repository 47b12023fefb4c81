"""Hosts: the machines that see local roots."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from portal.errors import InputError, NotFound
from portal.models import Host, Storage
from portal.permissions import Action, PortalTarget, require
from portal.planning.names import check_host_name
from portal.services.access import visible_storages
from portal.services.events import Change, record
from portal.services.work import Work

#: A host's "last seen" is written at most this often, so that a polling runner is no steady writer.
TOUCH_SECONDS = 30


@dataclass(frozen=True, slots=True)
class HostRow:
    """A host in a list.

    Attributes:
        name: unique.
        description: what the machine is, by people.
        is_here: the machine this portal runs on; it is listed even when no root on it was ever registered.
        last_seen_at: when a runner on it last reported; None: never.
        storage_count: locations on it that the actor may see.
    """

    name: str
    description: str
    is_here: bool
    last_seen_at: datetime | None
    storage_count: int


def list_hosts(work: Work) -> list[HostRow]:
    """Return all hosts, this machine first, then by name."""
    require(work.actor, Action.PEOPLE_READ, PortalTarget())
    counts = dict(
        work.session.execute(
            select(Storage.host_id, func.count()).where(visible_storages(work.actor)).group_by(Storage.host_id)
        ).all()
    )
    here = work.settings.host
    rows = [
        HostRow(host.name, host.description, host.name == here, host.last_seen_at, counts.get(host.id, 0))
        for host in work.session.scalars(select(Host))
    ]
    if not any(row.is_here for row in rows):
        rows.append(HostRow(here, "", True, None, 0))
    return sorted(rows, key=lambda row: (not row.is_here, row.name))


def find_host(work: Work, name: str) -> Host:
    """Return the host of a name.

    Raises:
        NotFound: there is none.
    """
    host = work.session.scalar(select(Host).where(Host.name == name.strip()))
    if host is None:
        raise NotFound(
            f"There is no host {name}.", hint="A portal admin adds hosts, and a runner adds its own.", field="host"
        )
    return host


def ensure_host(work: Work, name: str) -> Host:
    """Return the host of a name, making it when it is new.

    For this machine and for runners, which announce their own; people add hosts by `add_host`.

    Raises:
        InputError: the name cannot be used.
    """
    wanted = select(Host).where(Host.name == check_host_name(name))
    host = work.session.scalar(wanted)
    if host is not None:
        return host
    host = Host(name=name.strip(), created_at=work.now)
    try:
        with work.session.begin_nested():
            work.session.add(host)
    except IntegrityError:
        # Somebody announced it at the same moment.
        return work.session.scalars(wanted).one()
    record(work, "host.added", host, Change(after=_described(host)))
    return host


def add_host(work: Work, name: str, description: str = "") -> Host:
    """Add a host.

    Raises:
        InputError: the name cannot be used or is taken.
        PermissionDenied: the actor is no portal admin.
    """
    require(work.actor, Action.PORTAL_ADMINISTER, PortalTarget())
    name = check_host_name(name)
    if work.session.scalar(select(Host.id).where(func.lower(Host.name) == name.lower())) is not None:
        raise InputError(f"There is a host {name} already.", field="name")
    host = Host(name=name, description=description.strip(), created_at=work.now)
    work.session.add(host)
    try:
        work.session.flush()
    except IntegrityError as error:
        raise InputError(f"There is a host {name} already.", field="name") from error
    record(work, "host.added", host, Change(after=_described(host)))
    return host


def describe_host(work: Work, name: str, description: str) -> Host:
    """Change a host's description.

    Raises:
        NotFound: no such host.
        PermissionDenied: the actor is no portal admin.
    """
    require(work.actor, Action.PORTAL_ADMINISTER, PortalTarget())
    host = ensure_host(work, name) if name == work.settings.host else find_host(work, name)
    before = _described(host)
    host.description = description.strip()
    record(work, "host.changed", host, Change(before, _described(host)))
    return host


def touch(work: Work, name: str) -> None:
    """Note that a runner on this host is alive; no event, and a row is written at most every half minute."""
    host = ensure_host(work, name)
    if host.last_seen_at is None or work.now - host.last_seen_at >= timedelta(seconds=TOUCH_SECONDS):
        host.last_seen_at = work.now


def _described(host: Host) -> dict[str, object]:
    return {"name": host.name, "description": host.description}
