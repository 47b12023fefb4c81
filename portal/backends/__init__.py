"""Storage kinds behind one contract: `base.Backend`. One module a kind; `open_backend` picks it by the root."""

from portal.backends.base import INTERACTIVE, Backend, S3Access, Timeouts
from portal.errors import Refused
from portal.values import Root, StorageType


def open_backend(
    root: Root, access: S3Access | None = None, *, timeouts: Timeouts = INTERACTIVE, tag: str = ""
) -> Backend:
    """Open a root. The kind's module is imported here and not before: its libraries take a second or two.

    `tag` marks what this opener writes, so that `remove_temporaries(tag)` finds the leftovers of a killed process.

    Raises:
        Refused: the portal cannot open roots of this kind.
        BucketNotFound: a local root's directory is not there.
    """
    match root.type:
        case StorageType.LOCAL:
            from portal.backends.local import LocalBackend

            return LocalBackend(root, tag=tag)
        case StorageType.S3:
            from portal.backends.s3 import S3Backend

            return S3Backend(root, access, timeouts=timeouts, tag=tag)
        case _:
            raise Refused(f"The portal cannot open roots of type {root.type} yet.", hint="Use a local or an S3 root.")
