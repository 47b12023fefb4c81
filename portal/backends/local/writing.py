"""Writes files so that a reader sees the whole file or none, and never one over another.

The bytes go to a temporary file on the same file system (`.lamindb/_portal/<tag>/`), are synced, and get their name by
`link`, which fails when the name is taken. Where links are unknown (FAT, some FUSE) a locked folder and a look do.
"""

import ctypes
import errno
import fcntl
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from portal.backends.base import TEMPORARY_FOLDER
from portal.backends.local.errors import translated
from portal.backends.local.paths import Tree
from portal.errors import ContentMismatch, NameRefused, ObjectExists, OutOfSpace

#: What `link` answers where a file system has no hard links.
_NO_LINKS: Final = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS, errno.EXDEV}

#: Absent from C libraries other than newer glibc.
_renameat2: Final = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
_NO_REPLACE: Final = 1

#: Folders may be pruned by a delete between their making and their use; then the step is done again.
_TRIES: Final = 4

Publish = Callable[[int, str, int, str], None]


def temporary_parts(tag: str) -> list[str]:
    """Return the parts of the folder where writes with `tag` keep their temporary files."""
    return [*TEMPORARY_FOLDER.split("/"), tag or "untagged"]


def create_file(folder: int, name: str) -> int:
    """Create a file in an open folder and return its descriptor."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, 0o666, dir_fd=folder)


def write_file(tree: Tree, parts: list[str], chunks: Iterable[bytes], size_bytes: int | None, tag: str) -> None:
    """Create the file `parts` from `chunks`; with `size_bytes` None replace what is there, whatever its size.

    Raises:
        ObjectExists: something is under the name (never when replacing).
        ContentMismatch: the chunks do not sum to `size_bytes`.
        StorageError: the disk refuses. Errors of `chunks` pass through as they are.
    """
    key = "/".join(parts)
    with _temporary(tree, tag, key) as (folder, name, descriptor):
        fill(descriptor, chunks, size_bytes, key)
        with translated(key, action="write"):
            os.fsync(descriptor)
            _publish(tree, parts, _replace if size_bytes is None else create, folder, name)


def _publish(tree: Tree, parts: list[str], publish: Publish, folder: int, name: str) -> None:
    """Give the finished file its name, making the folders it needs."""
    for _ in range(_TRIES):
        with suppress(FileNotFoundError), tree.opened(parts[:-1], create=True) as target:
            publish(folder, name, target, parts[-1])
            os.fsync(target)
            return
    raise FileNotFoundError(errno.ENOENT, "the folder vanishes again and again")


@contextmanager
def _temporary(tree: Tree, tag: str, key: str) -> Iterator[tuple[int, str, int]]:
    """Give a folder's descriptor, the temporary file's name in it and the opened file; removes the name at the end."""
    name = secrets.token_hex(16)
    with translated(key, action="write"):
        folder, descriptor = _open_temporary(tree, tag, name)
    try:
        yield folder, name, descriptor
    finally:
        # What it could tell is known since the sync, or of no matter any more.
        with suppress(OSError):
            os.close(descriptor)
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)
        os.close(folder)


def _open_temporary(tree: Tree, tag: str, name: str) -> tuple[int, int]:
    """Create a temporary file; return its folder's descriptor and its own."""
    for _ in range(_TRIES):
        with suppress(FileNotFoundError), tree.opened(temporary_parts(tag), create=True) as opened:
            descriptor = create_file(opened, name)
            return os.dup(opened), descriptor
    raise FileNotFoundError(errno.ENOENT, "the folder of temporary files vanishes again and again")


def fill(descriptor: int, chunks: Iterable[bytes], size_bytes: int | None, key: str) -> None:
    """Write the chunks into an open file.

    Raises:
        ContentMismatch: they do not sum to `size_bytes`; None to take any number.
        StorageError: the disk refuses. Errors of `chunks` pass through as they are.
    """
    written = 0
    for chunk in chunks:
        written += len(chunk)
        if size_bytes is not None and written > size_bytes:
            break
        _write_all(descriptor, chunk, key)
    if size_bytes is not None and written != size_bytes:
        raise ContentMismatch(
            f"{key} was announced with {size_bytes:,} bytes, but other content came.",
            hint="The source changed meanwhile: read it again.",
            retryable=True,
        )


def _write_all(descriptor: int, chunk: bytes, key: str) -> None:
    view = memoryview(chunk)
    while view:
        with translated(key, action="write"):
            done = os.write(descriptor, view)
        if not done:
            raise OutOfSpace(f"There is no room left for {key}.", hint="Free some space.")
        view = view[done:]


def move(folder: int, name: str, target: int, final: str) -> None:
    """Give the temporary file its name unless that is taken; its temporary name is gone then.

    One step where the system has it: the two of `create` and an unlink take twice as long.
    Source: https://man7.org/linux/man-pages/man2/rename.2.html (RENAME_NOREPLACE)
    """
    names = os.fsencode(name), os.fsencode(final)
    if _renameat2 is not None and not _renameat2(folder, names[0], target, names[1], _NO_REPLACE):
        return
    code = ctypes.get_errno() if _renameat2 is not None else errno.ENOSYS
    if code == errno.EEXIST:
        raise taken(target, final)
    if code not in {errno.EINVAL, *_NO_LINKS}:
        raise OSError(code, os.strerror(code), final)
    create(folder, name, target, final)
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def create(folder: int, name: str, target: int, final: str) -> None:
    """Give the temporary file its name unless that is taken."""
    try:
        os.link(name, final, src_dir_fd=folder, dst_dir_fd=target, follow_symlinks=False)
    except FileExistsError as error:
        raise taken(target, final) from error
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _create_locked(folder, name, target, final)


def _create_locked(folder: int, name: str, target: int, final: str) -> None:
    """Do the same without links. Only the portal's writers on this host take the lock: others could slip in unseen."""
    lock = os.open("..", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if exists(target, final):
            raise taken(target, final)
        os.rename(name, final, src_dir_fd=folder, dst_dir_fd=target)
    finally:
        os.close(lock)


def _replace(folder: int, name: str, target: int, final: str) -> None:
    os.replace(name, final, src_dir_fd=folder, dst_dir_fd=target)


def exists(folder: int, name: str) -> bool:
    """Tell whether a name is taken, be it by a dangling link."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def taken(folder: int, name: str) -> ObjectExists | NameRefused:
    """Return the error for a name that is taken: an object is in the way, or a folder, which is another matter."""
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if (status.st_mode & 0o170000) == 0o040000:
        return NameRefused(f"{name} is a folder here, so no object can have that name.")
    return ObjectExists(f"There is something under the name {name} already. Nothing was changed.")
