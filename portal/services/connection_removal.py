"""Deleting a connection that nothing uses any more, its secret with it. Nothing changes in any bucket."""

from sqlalchemy import func, or_, select, update

from portal.errors import Conflict
from portal.models import Connection, Migration, Storage
from portal.permissions import Action
from portal.planning.states import FINAL
from portal.services.connections import described, find_connection
from portal.services.events import Change, record
from portal.services.work import Work


def delete_connection(work: Work, uid: str) -> str:
    """Delete a connection with its secret and return its name; records of finished moves stay and forget it.

    Raises:
        Conflict: a location uses it, or a move that is not over.
        NotFound: there is none, or it is somebody else's.
    """
    connection = find_connection(work, uid, Action.CONNECTION_MANAGE)
    if using := what_uses(work, connection):
        raise Conflict(f"{connection.name} is used by {using}.", hint="Move or delete that first. Nothing was deleted.")
    for column in (Migration.source_connection_id, Migration.target_connection_id):
        work.session.execute(update(Migration).where(column == connection.id).values({column: None}))
    record(work, "connection.deleted", connection, Change(before=described(connection)))
    work.session.delete(connection)
    work.session.flush()
    return connection.name


def what_uses(work: Work, connection: Connection) -> str:
    """Return how many locations and unfinished moves use a connection, in words; empty for none."""
    storages = select(func.count()).where(Storage.connection_id == connection.id)
    moves = select(func.count()).where(
        or_(Migration.source_connection_id == connection.id, Migration.target_connection_id == connection.id),
        Migration.state.not_in(sorted(FINAL)),
    )
    counts = ((work.session.scalar(storages) or 0, "location"), (work.session.scalar(moves) or 0, "unfinished move"))
    return " and ".join(f"{count:,} {noun}{'' if count == 1 else 's'}" for count, noun in counts if count)
