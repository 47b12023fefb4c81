"""An instance's own spaces, found for the portal's."""

from sqlalchemy import Connection, func, or_, select

from portal.errors import Conflict
from portal.lamindb.registry.tables import SPACE


def space_id_of(connection: Connection, slug: str, uid: str, name: str) -> int:
    """Return an instance's row id of a space, by uid, else by name.

    Raises:
        Conflict: the instance has no such space.
    """
    query = select(SPACE.c.id).where(or_(SPACE.c.uid == uid, func.lower(SPACE.c.name) == name.lower()))
    # The uid wins over a name that another space has.
    found = connection.scalar(query.order_by((SPACE.c.uid == uid).desc()).limit(1))
    if found is None:
        raise Conflict(
            f"{slug} has no space {name}. Nothing was changed.",
            hint=f'Make it there first: ln.Space(name="{name}").save()',
            field="space",
        )
    return int(found)
