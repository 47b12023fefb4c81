"""Small helpers of planning a move: the server's own reach as a target, and errors on the target's field."""

from collections.abc import Iterator
from contextlib import contextmanager

from portal.errors import PortalError, Refused
from portal.services.server_grants import is_open
from portal.services.work import Work
from portal.values import Root


def require_open(work: Work, root: Root) -> None:
    """Refuse a root that only the server itself reaches and that no portal admin opened to the actor.

    Raises:
        Refused: with what a portal admin can do.
    """
    if not is_open(work, root):
        raise Refused(
            f"{root} is reached by the server itself, which is not open to you there.",
            hint="Ask a portal admin to open this directory or bucket to you.",
            field="target_root",
        )


@contextmanager
def at_target_field() -> Iterator[None]:
    """Put errors of the block that speak of a root on the target's field."""
    try:
        yield
    except PortalError as error:
        if error.field in {None, "root", "storage"}:
            error.field = "target_root"
        raise
