"""What a migration that is not over holds: its location, the one that it re-points artifacts to, and both of its roots.

A location's row holds the root it names. The other root of a move, where it goes or what it keeps for its rollback, is
named by no row, so whoever compares roots asks here too.
"""

from collections.abc import Collection, Iterator

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import joinedload

from portal.models import Host, Migration, Storage
from portal.permissions import Action, allows
from portal.planning.overlaps import Place
from portal.planning.roots import parse_root
from portal.planning.states import FINAL
from portal.services.access import storage_target
from portal.services.work import Work
from portal.values import StorageType


def find_claim(work: Work, storage: Storage) -> Migration | None:
    """Return the migration that moves a location, or re-points artifacts to it; None where none does."""
    holds = or_(Migration.storage_id == storage.id, Migration.target_storage_uid == storage.uid)
    return work.session.scalar(select(Migration).where(holds, _is_live()).order_by(Migration.id).limit(1))


def live_move(work: Work, storage: Storage) -> tuple[str | None, str | None]:
    """Return uid and state of the location's own move; None twice where it does not move."""
    query = select(Migration.uid, Migration.state).where(Migration.storage_id == storage.id, _is_live())
    found = work.session.execute(query.limit(1)).one_or_none()
    return (found.uid, found.state) if found else (None, None)


def is_moving(work: Work, storage: Storage) -> bool:
    """Tell whether a migration holds the location."""
    return find_claim(work, storage) is not None


def moving_ids(work: Work, storages: Collection[Storage]) -> set[int]:
    """Return the row ids of those locations that a migration holds."""
    rows = work.session.execute(select(Migration.storage_id, Migration.target_storage_uid).where(_is_live())).all()
    ids, uids = {row[0] for row in rows}, {row[1] for row in rows}
    return {storage.id for storage in storages if storage.id in ids or storage.uid in uids}


def places_in_use(work: Work) -> list[Place]:
    """Return both ends of every migration that is not over."""
    rows = work.session.scalars(select(Migration).where(_is_live()))
    return [_place(*end) for row in rows for end in _ends(row)]


def unnamed_places(work: Work, kind: StorageType, *, but: int | None = None) -> list[Place]:
    """Return the roots of one kind that moves hold and no row names; by name only where the actor may know of the move.

    `but`: row id of a location whose own move does not count.
    """
    query = (
        select(Migration)
        .where(_is_live(), Migration.target_storage_uid.is_(None))
        .where(or_(Migration.source_type == kind, Migration.target_type == kind))
        .options(joinedload(Migration.storage), joinedload(Migration.source_host), joinedload(Migration.target_host))
    )
    rows = [row for row in work.session.scalars(query) if row.storage_id != but]
    return [place for row in rows if row.storage for place in _unnamed(work, row, row.storage)]


def _unnamed(work: Work, row: Migration, storage: Storage) -> Iterator[Place]:
    is_visible = allows(work.actor, Action.STORAGE_READ, storage_target(storage))
    for (root, host), deed in zip(_ends(row), ("keeps for its rollback", "moves to"), strict=True):
        if (root, host) != (storage.root, storage.host):
            visible, hidden = f"{root}, which migration {row.uid} {deed}", f"a root that another migration {deed}"
            yield _place(root, host, visible if is_visible else hidden)


def _is_live() -> ColumnElement[bool]:
    return Migration.state.not_in(sorted(FINAL))


def _ends(row: Migration) -> tuple[tuple[str, Host | None], tuple[str, Host | None]]:
    return (row.source_root, row.source_host), (row.target_root, row.target_host)


def _place(root: str, host: Host | None, name: str = "") -> Place:
    """Return an end for comparing. The portal itself writes there, whoever else does."""
    return Place(parse_root(root, home="/", cwd="/"), host=host.name if host else None, name=name)
