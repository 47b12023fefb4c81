"""Find migrations in the reach of an actor."""

from typing import Any

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import joinedload

from portal.errors import NotFound
from portal.models import Migration, Storage
from portal.permissions import Action, allows, require
from portal.planning.states import FINAL
from portal.services.access import storage_target, visible_storages
from portal.services.migrations.views import MigrationView, view_of
from portal.services.work import Work

#: Migrations a list shows at most.
MOST_ROWS = 200


def find_migration(work: Work, uid: str, action: Action = Action.STORAGE_READ, *, locks: bool = False) -> Migration:
    """Return a migration. `locks` keeps a runner's writes out until the transaction ends (PostgreSQL; SQLite always).

    Raises:
        NotFound: there is none, or its location is out of reach.
        PermissionDenied: the actor may see the location, but `action` needs more.
    """
    query = select(Migration).where(Migration.uid == uid)
    migration = work.session.scalar(query.with_for_update() if locks else query)
    if migration is None or not _is_in_reach(work, migration):
        raise NotFound(f"There is no migration {uid}, or you have no role on its storage location.")
    if migration.storage is not None:
        require(work.actor, action, storage_target(migration.storage))
    return migration


def _is_in_reach(work: Work, migration: Migration) -> bool:
    if migration.storage is None:
        return migration.created_by_id == work.actor.account_id
    return allows(work.actor, Action.STORAGE_READ, storage_target(migration.storage))


def get_migration(work: Work, uid: str) -> MigrationView:
    """Return a migration as a value.

    Raises:
        NotFound: there is none, or its location is out of reach.
    """
    return view_of(find_migration(work, uid))


def list_migrations(work: Work, *, storage_uid: str | None = None, only_live: bool = False) -> list[MigrationView]:
    """Return the migrations in reach, newest first, `MOST_ROWS` at most.

    `storage_uid`: those of that location only, and those that re-point another one's artifacts to it.
    """
    query = with_ends(reachable(work, Migration))
    if storage_uid is not None:
        query = query.where(or_(Storage.uid == storage_uid, Migration.target_storage_uid == storage_uid))
    if only_live:
        query = query.where(Migration.state.not_in(sorted(FINAL)))
    return [view_of(row) for row in work.session.scalars(query.order_by(Migration.id.desc()).limit(MOST_ROWS))]


def reachable(work: Work, *columns: Any) -> Select[Any]:
    """Return a query for columns of the migrations in reach."""
    own_orphans = and_(Migration.storage_id.is_(None), Migration.created_by_id == work.actor.account_id)
    return (
        select(*columns)
        .select_from(Migration)
        .outerjoin(Storage, Migration.storage_id == Storage.id)
        .where(or_(visible_storages(work.actor), own_orphans))
    )


def with_ends(query: Select[Any]) -> Select[Any]:
    """Return a query for migrations that brings along all that `view_of` takes."""
    return query.options(
        joinedload(Migration.storage),
        joinedload(Migration.created_by),
        joinedload(Migration.source_host),
        joinedload(Migration.target_host),
    )
