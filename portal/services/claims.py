"""What a migration that is not over holds: its location, and the one that it re-points artifacts to."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, or_, select

from portal.models import Migration, Storage
from portal.planning.states import FINAL
from portal.services.work import Work


def find_claim(work: Work, storage: Storage) -> Migration | None:
    """Return the migration that moves a location, or re-points artifacts to it; None where none does."""
    holds = or_(Migration.storage_id == storage.id, Migration.target_storage_uid == storage.uid)
    return work.session.scalar(select(Migration).where(holds, _is_live()).order_by(Migration.id).limit(1))


def is_moving(work: Work, storage: Storage) -> bool:
    """Tell whether a migration holds the location."""
    return find_claim(work, storage) is not None


def moving_ids(work: Work, storages: Collection[Storage]) -> set[int]:
    """Return the row ids of those locations that a migration holds."""
    rows = work.session.execute(select(Migration.storage_id, Migration.target_storage_uid).where(_is_live())).all()
    ids, uids = {row[0] for row in rows}, {row[1] for row in rows}
    return {storage.id for storage in storages if storage.id in ids or storage.uid in uids}


def _is_live() -> ColumnElement[bool]:
    return Migration.state.not_in(sorted(FINAL))
