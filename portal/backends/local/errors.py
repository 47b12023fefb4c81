"""Operating-system errors turned into the portal's own."""

import errno
from typing import Final

from portal.errors import (
    AccessRefused,
    BucketNotFound,
    NameRefused,
    ObjectNotFound,
    OutOfSpace,
    StorageError,
    Unreachable,
)

_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_BAD_NAME: Final = {errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EILSEQ, errno.EINVAL}
_NO_HANDLE: Final = {errno.EMFILE, errno.ENFILE}
_AWAY: Final = {errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENOTCONN, errno.EIO}


class translated:  # noqa: N801 - used like a function; a generator in its place costs a small file a tenth of its time
    """Turn an `OSError` about `key` into a `StorageError`; `action` is the right at stake: `read`, `write`, `list`."""

    __slots__ = ("_action", "_key")

    def __init__(self, key: str, *, action: str) -> None:
        self._key, self._action = key, action

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, at: object) -> None:
        if isinstance(error, OSError):
            raise translate(error, self._key, self._action) from error


def translate(error: OSError, key: str, action: str) -> StorageError:
    """Return the portal's error for an operating-system error."""
    said = error.strerror or type(error).__name__
    if error.errno == errno.ENOENT or (action == "list" and error.errno in {errno.ENOTDIR, errno.ELOOP}):
        return ObjectNotFound(f"There is nothing at {key}.", server_message=said)
    if error.errno in _NO_ROOM:
        return OutOfSpace(f"There is no room left for {key}.", hint="Free some space.", server_message=said)
    if error.errno in _NO_HANDLE:
        return StorageError(
            f"Too many files are open to {action} {key or 'the root'}.",
            hint="Raise the limit of open files (ulimit -n), or let fewer objects be copied at a time.",
            retryable=True,
            server_message=said,
        )
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return AccessRefused(
            f"This host does not let the portal {action} {key or 'the root'}.",
            hint=f"Give the portal's user the right to {action} there.",
            server_message=said,
            missing_action=action,
        )
    if error.errno == errno.ELOOP:
        return NameRefused(f"{key} leads through a symbolic link that cannot be followed.", server_message=said)
    if error.errno in _BAD_NAME:
        return NameRefused(f"This directory cannot hold an object named {key}.", server_message=said)
    if error.errno in _AWAY:
        return Unreachable(f"The file system of {key or 'the root'} does not answer.", server_message=said)
    return StorageError(f"This host could not {action} {key or 'the root'}.", server_message=said)


def root_missing(path: str) -> BucketNotFound:
    """Return the error for a root whose directory is not there: perhaps a file system that is not mounted."""
    return BucketNotFound(
        f"There is no directory {path} on this host.", hint="Create it, or mount its file system, then retry."
    )
