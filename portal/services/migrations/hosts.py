"""Which hosts see what a move needs there: its local roots, and the database files of the instances it concerns."""

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from portal.models import Host, Migration, Reference, Registry


def is_seen_from(host_id: int) -> ColumnElement[bool]:
    """Return the condition on migrations that a runner on this host may drive.

    Local roots decide. Where both are buckets, it is left to a host that has a database file, if there is one: where
    several have one, no runner sees all, and one that tries says so.
    """
    sides = (Migration.source_host_id, Migration.target_host_id)
    files = (
        select(Registry.id)
        .join(Reference, Reference.instance_id == Registry.instance_id)
        .where(Reference.storage_id == Migration.storage_id, Registry.host_id.is_not(None))
    )
    return and_(
        *(or_(side.is_(None), side == host_id) for side in sides),
        or_(
            *(side.is_not(None) for side in sides),
            ~exists(files.correlate(Migration)),
            exists(files.where(Registry.host_id == host_id).correlate(Migration)),
        ),
    )


def hosts_of(session: Session, migration: Migration) -> list[Host]:
    """Return the hosts whose runners may drive a migration, by name; none: any may."""
    host = migration.source_host or migration.target_host
    if host is not None:
        return [host]
    query = (
        select(Host)
        .join(Registry, Registry.host_id == Host.id)
        .join(Reference, Reference.instance_id == Registry.instance_id)
        .where(Reference.storage_id == migration.storage_id)
        .distinct()
        .order_by(Host.name)
    )
    return list(session.scalars(query))
