"""The changes of a switch in instances' own databases. Each is one transaction, and may be run again after a crash.

The transaction of the writing instance decides. Where its database lies in the root that moves, the new database is
published first, sealed; the transaction that seals the old one decides; then the new one is opened. At no moment do two
take writes.
"""

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from portal.errors import RegistryBusy, RegistryChanged
from portal.lamindb.registry import fence, repointing, seal
from portal.lamindb.registry.changes import RootChange, change_root
from portal.lamindb.registry.database_file import publish_copy
from portal.lamindb.registry.opening import BULK, Limits, open_registry
from portal.lamindb.registry.rows import find_storage
from portal.lamindb.registry.ways import DATABASE_KEY, SqliteWay
from portal.services.migrations.doors import RegistryDoor
from portal.services.registries import ways

#: Long enough for a busy instance, short enough to leave the fence its time.
_LIMITS = Limits(connect_seconds=10.0, lock_seconds=10.0, statement_seconds=None)


@dataclass(frozen=True, slots=True)
class Switch:
    """What changes in one registry.

    Attributes:
        change: the row's old and new root.
        words: the seal's sentence, for those who open the old database later.
        tag: of the migration; names what is put beside on the way back.
        stop_path: of the lease under which it is done: nothing is decided once this file exists.
    """

    change: RootChange
    words: str = ""
    tag: str = ""
    stop_path: str = ""


def seal_sentence(new_root: str) -> str:
    """Return what an old database that was moved says to whoever writes to it."""
    return (
        f"This database has moved with its storage location to {new_root}. Nothing was written here."
        f" Set lamindb_instance_storage_root={new_root} in the instance's settings file."
    )


def _copy_sentence(switch: Switch) -> str:
    """Return what a database that was published says until it is opened; only that of this migration says so."""
    change = switch.change
    return (
        f"This database is a copy for the move of its storage location to {change.new_root} (migration {switch.tag})"
        f" and is not in use yet. Nothing was written here. Try again in a minute: until then the instance is in"
        f" {change.old_root}."
    )


def change_row(door: RegistryDoor, switch: Switch, needs_fence: bool) -> bool:
    """Let a registry's row name the new root, and lift the fence; False where it did already.

    Raises:
        RegistryChanged: the row is another, the fence has lifted itself, or the lease is another's now. Nothing was
            changed.
    """
    with ways.opened(door.entry, writes=True, limits=_LIMITS) as connection:
        is_changed = change_root(connection, switch.change, needs_fence=needs_fence, now=datetime.now(UTC))
        fence.lift_fence(connection, door.row_id)
        _refuse_when_overtaken(switch.stop_path)
    return is_changed


def _refuse_when_overtaken(stop_path: str) -> None:
    """Refuse, as the last thing before a commit, for a runner that slept while another took its lease over."""
    if stop_path and Path(stop_path).exists():
        raise RegistryChanged("Another runner has taken the migration over.", hint="It goes on there.")


def is_changed(door: RegistryDoor, switch: Switch) -> bool:
    """Tell whether a registry names the new root already."""
    with ways.opened(door.entry, limits=_LIMITS) as connection:
        row = find_storage(connection, door.row_id)
        return row is not None and row.root == switch.change.new_root


def move_database(door: RegistryDoor, switch: Switch) -> bool:
    """Publish the database below the new root, its row changed there, then seal the old one: that decides.

    Nobody writes to the old one from before the copy until after the seal. What is published is sealed as well, until
    `open_database`. Killed in between, the old one is as it was and what was published is replaced by the next try.
    False: it was sealed already.

    Raises:
        RegistryChanged: the fence has lifted itself, the row is another, or a database at the new place takes writes.
            Nothing was decided.
        RegistryBusy: a session has the file at the new place open.
    """
    final = _final(switch)
    with ways.opened(door.entry, writes=True, limits=_LIMITS) as connection:
        if seal.seal_words(connection) == switch.words:
            return False
        fence.require_fence(connection, door.row_id)
        _put_beside(final, switch)
        temporary = f"{final}.new-{switch.tag}"
        publish_copy(_path(door), temporary, lambda copy: _edit(copy, door, switch), final, replaces=True)
        fence.require_fence(connection, door.row_id)
        fence.lift_fence(connection, door.row_id)
        seal.seal(connection, switch.words)
        _refuse_when_overtaken(switch.stop_path)
    return True


def _final(switch: Switch) -> str:
    return f"{switch.change.new_root}/{DATABASE_KEY}"


def _edit(copy: Connection, door: RegistryDoor, switch: Switch) -> None:
    fence.lift_fence(copy, door.row_id)
    change_root(copy, switch.change, needs_fence=False, now=datetime.now(UTC))
    seal.seal(copy, _copy_sentence(switch))


def open_database(door: RegistryDoor, switch: Switch) -> bool:
    """Let the database that was published take writes, once that is decided; False where it does or has moved on.

    Raises:
        RegistryChanged: the lease is another's now. Nothing was changed.
    """
    entry = replace(door.entry, way=SqliteWay(_final(switch)))
    with ways.opened(entry, writes=True, limits=_LIMITS) as connection:
        if seal.seal_words(connection) != _copy_sentence(switch):
            return False
        seal.unseal(connection)
        _refuse_when_overtaken(switch.stop_path)
    return True


def is_moved(door: RegistryDoor, switch: Switch) -> bool:
    """Tell whether the old database is sealed: the move of the database is decided."""
    with ways.opened(door.entry, limits=_LIMITS) as connection:
        return seal.seal_words(connection) == switch.words


def _path(door: RegistryDoor) -> str:
    way = door.entry.way
    if not isinstance(way, SqliteWay):
        raise RegistryChanged(f"{door.slug} has its database on a server now.", hint="Plan the migration again.")
    return way.path


def _put_beside(final: str, switch: Switch) -> None:
    """Keep a sealed database that lies at the new place, as on the way back; what a try before published is not.

    Its name leads to a whole database at every moment: it gets a second name now, the first one is replaced later.
    One that takes writes is never replaced: it may hold what is nowhere else.
    """
    for side in ("-wal", "-journal"):
        if Path(f"{final}{side}").exists():
            raise RegistryBusy(
                f"{final} is in use: {Path(final).name}{side} lies beside it.",
                hint="Close the sessions that have it open, then try again.",
                retryable=True,
            )
    if not Path(final).exists():
        return
    with open_registry(SqliteWay(final)) as connection:
        words = seal.seal_words(connection)
    if words is None:
        raise RegistryChanged(
            f"There is a database already that takes writes: {final}.",
            hint="Look what was written there; move it away when nobody needs it.",
        )
    beside = Path(f"{final}.sealed-{switch.tag}")
    if words != _copy_sentence(switch) and not beside.exists():
        os.link(final, beside)


def repoint(door: RegistryDoor, ids_path: str, stop_path: str = "") -> int:
    """Give all artifacts to the target location, having written down which; return how many.

    Raises:
        RegistryChanged: the fence has lifted itself, the target has one of them already, or the lease is another's.
            Nothing was changed.
    """
    target_row_id = _target(door)
    with ways.opened(door.entry, writes=True, limits=BULK) as connection:
        ids = repointing.artifact_ids(connection, door.row_id)
        if ids or not Path(ids_path).exists():
            _write_ids(ids_path, ids)
        count = repointing.repoint_artifacts(connection, door.row_id, target_row_id, needs_fence=True)
        fence.lift_fence(connection, door.row_id)
        _refuse_when_overtaken(stop_path)
    return count


def repoint_back(door: RegistryDoor, ids_path: str, stop_path: str = "") -> int:
    """Give the artifacts that were re-pointed back to where they were; others of the target stay there.

    `door` is turned: its row is that of the target.
    """
    home_row_id = _target(door)
    ids = [int(line) for line in Path(ids_path).read_text().split()]
    with ways.opened(door.entry, writes=True, limits=BULK) as connection:
        count = repointing.repoint_some(connection, ids, door.row_id, home_row_id)
        fence.lift_fence(connection, door.row_id)
        _refuse_when_overtaken(stop_path)
    return count


def is_repointed(door: RegistryDoor, ids_path: str) -> bool:
    """Tell whether the artifacts were given to the target: written down, and none is left."""
    with ways.opened(door.entry, limits=_LIMITS) as connection:
        return Path(ids_path).exists() and not repointing.artifact_ids(connection, door.row_id, limit=1)


def is_repointed_back(door: RegistryDoor, ids_path: str) -> bool:
    """Tell whether none of the artifacts that were re-pointed is in the target any more."""
    ids = {int(line) for line in Path(ids_path).read_text().split()}
    with ways.opened(door.entry, limits=_LIMITS) as connection:
        return ids.isdisjoint(repointing.artifact_ids(connection, door.row_id))


def _target(door: RegistryDoor) -> int:
    if door.target_row_id is None:
        raise RegistryChanged(f"{door.slug} has no row for the target any more.", hint="Plan the migration again.")
    return door.target_row_id


def _write_ids(path: str, ids: list[int]) -> None:
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".{final.name}.tmp")
    with temporary.open("w") as file:
        file.writelines(f"{row_id}\n" for row_id in ids)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(final)
