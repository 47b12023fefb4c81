"""Find one storage location in the reach of an actor."""

from sqlalchemy import select

from portal.errors import InputError, NotFound
from portal.models import Storage
from portal.permissions import Action, require
from portal.services.access import storage_target, visible_storages
from portal.services.work import Work


def find_storage(work: Work, reference: str, action: Action = Action.STORAGE_READ) -> Storage:
    """Return the location named by its uid or its root; what names the endpoint may be left out, as pages do.

    Raises:
        InputError: the same path is a root on several hosts, or the same bucket on several servers.
        NotFound: there is none, or the actor may not know of it.
        PermissionDenied: the actor may see it, but `action` needs more.
    """
    bare = reference.rstrip("/")
    named = [Storage.uid == reference, Storage.root == reference, Storage.root == bare]
    if bare.startswith("s3://") and "?" not in bare:
        named.append(Storage.root.startswith(f"{bare}?", autoescape=True))
    for condition in named:
        found = work.session.scalars(select(Storage).where(condition, visible_storages(work.actor)).limit(2)).all()
        if len(found) > 1:
            where = "servers" if bare.startswith("s3://") else "hosts"
            raise InputError(f"{reference} is a root on several {where}.", hint="Give its uid.", field="storage")
        if found:
            require(work.actor, action, storage_target(found[0]))
            return found[0]
    raise NotFound(f"There is no storage location {reference}, or you have no role on it.", field="storage")
