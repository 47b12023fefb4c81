"""Where a location came from and where its artifacts went: what is left of moves that were cut over."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload

from portal.lamindb.registry.ways import DATABASE_KEY
from portal.models import Migration, Reference, Registry, Storage
from portal.planning.states import SWITCHED
from portal.services.access import visible_storages
from portal.services.migrations.doors import REPOINT, REWRITE
from portal.services.migrations.switch_jobs import seal_sentence
from portal.services.work import Work

#: Traces shown at most; a search for an old root needs so many characters.
MOST_TRACES, LEAST_CHARACTERS = 3, 3

MOVED, WENT, CAME = "moved", "went", "came"


@dataclass(frozen=True, slots=True)
class Trace:
    """One move that a location took part in.

    Attributes:
        kind: `moved`: its root was `old_root`; `went`: its artifacts are in `new_root` now; `came`: artifacts of
            `old_root` are here now.
        migration: uid of the move.
        storage_uid: of the location that moved.
        other_uid: of the location at the other end, where artifacts were re-pointed; None else, or out of reach.
        seal: what the old database says to who writes to it; empty where none was moved.
    """

    kind: str
    migration: str
    storage_uid: str
    other_uid: str | None
    old_root: str
    new_root: str
    at: datetime
    seal: str = ""


def list_traces(work: Work, storage: Storage) -> tuple[Trace, ...]:
    """Return the moves of a location, and of artifacts to it, newest first. The caller has found the location."""
    query = (
        select(Migration)
        .where(
            or_(Migration.storage_id == storage.id, Migration.target_storage_uid == storage.uid),
            Migration.state.in_(sorted(SWITCHED)),
            Migration.cut_over_at.is_not(None),
            or_(Migration.strategy == REPOINT, Migration.source_root != storage.root),
        )
        .options(joinedload(Migration.storage))
        .order_by(Migration.cut_over_at.desc())
        .limit(MOST_TRACES)
    )
    moves = work.session.scalars(query).all()
    uids = {row.target_storage_uid for row in moves} | {row.storage.uid for row in moves if row.storage}
    seen = _visible(work, uids)
    return tuple(_trace(work, row, storage, seen) for row in moves)


def find_moved(work: Work, text: str) -> tuple[Trace, ...]:
    """Return the locations in reach that a root once belonged to: the newest whose old root holds `text`.

    Only for what looks like a root, which has a slash: other searches are spared the query.
    """
    wanted = text.strip().rstrip("/")
    if len(wanted) < LEAST_CHARACTERS or "/" not in wanted:
        return ()
    query = (
        select(Migration)
        .join(Storage, Migration.storage_id == Storage.id)
        .where(
            Migration.strategy == REWRITE,
            Migration.state.in_(sorted(SWITCHED)),
            Migration.cut_over_at.is_not(None),
            Migration.source_root.icontains(wanted, autoescape=True),
            Storage.root != Migration.source_root,
            visible_storages(work.actor),
        )
        .options(joinedload(Migration.storage))
        .order_by(Migration.cut_over_at.desc())
        .limit(MOST_TRACES)
    )
    return tuple(_trace(work, row, row.storage, frozenset()) for row in work.session.scalars(query) if row.storage)


def find_by_old_root(work: Work, root: str) -> str | None:
    """Return the uid of the one location in reach that had exactly this root; None where there is none, or several."""
    query = (
        select(Storage.uid)
        .join(Migration, Migration.storage_id == Storage.id)
        .where(
            Migration.strategy == REWRITE,
            Migration.state.in_(sorted(SWITCHED)),
            Migration.cut_over_at.is_not(None),
            Migration.source_root == (root.strip().rstrip("/") or root),
            Storage.root != Migration.source_root,
            visible_storages(work.actor),
        )
        .distinct()
        .limit(2)
    )
    found = work.session.scalars(query).all()
    return found[0] if len(found) == 1 else None


def _visible(work: Work, uids: set[str | None]) -> frozenset[str]:
    query = select(Storage.uid).where(Storage.uid.in_([uid for uid in uids if uid]), visible_storages(work.actor))
    return frozenset(work.session.scalars(query))


def _trace(work: Work, row: Migration, storage: Storage, seen: frozenset[str]) -> Trace:
    is_repoint, is_source = row.strategy == REPOINT, row.storage_id == storage.id
    source_uid = row.storage.uid if row.storage else ""
    other = row.target_storage_uid if is_source else source_uid
    return Trace(
        kind=MOVED if not is_repoint else WENT if is_source else CAME,
        migration=row.uid,
        storage_uid=source_uid,
        other_uid=other if other in seen else None,
        old_root=row.source_root,
        new_root=row.target_root if is_repoint or row.storage is None else row.storage.root,
        at=row.cut_over_at or row.updated_at,
        seal="" if is_repoint or not _moved_database(work, row) else seal_sentence(row.target_root),
    )


def _moved_database(work: Work, row: Migration) -> bool:
    """Tell whether an attached instance's database lies in the new root, so a sealed one in the old."""
    query = (
        select(Registry.id)
        .join(Reference, Reference.instance_id == Registry.instance_id)
        .where(Reference.storage_id == row.storage_id, Registry.path == f"{row.target_root}/{DATABASE_KEY}")
    )
    return work.session.scalar(query.limit(1)) is not None
