"""Make the directory of a local root. Backends never do: a missing mount would go unseen."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from portal.backends.local.errors import translated
from portal.values import MANAGED_FOLDER, Root


def missing_folders(root: Root) -> tuple[str, ...]:
    """Return the directories, outermost first, that making this local root and writing below it will make."""
    missing: list[str] = []
    path = f"{root.path}/{MANAGED_FOLDER}"
    while not os.path.lexists(path):
        missing.insert(0, path)
        path = os.path.dirname(path)
    return tuple(missing)


def create_local_root(root: Root) -> tuple[str, ...]:
    """Make the directory of a local root, with those above it, and return those that were made, outermost first.

    Raises:
        StorageError: the directory cannot be made.
    """
    made: list[str] = []
    path = root.path
    while not os.path.lexists(path):
        made.insert(0, path)
        path = os.path.dirname(path)
    with translated(root.path, action="write"):
        os.makedirs(root.path, exist_ok=True)
    return tuple(made)


def remove_made(paths: Sequence[str]) -> None:
    """Remove directories that `create_local_root` made, innermost first, as far as they are empty.

    An empty `.lamindb` in them is what trying to write has left.
    """
    with suppress(OSError, IndexError):
        os.rmdir(f"{paths[-1]}/{MANAGED_FOLDER}")
    with suppress(OSError):
        for path in reversed(paths):
            os.rmdir(path)


@contextmanager
def made_root(root: Root) -> Iterator[tuple[str, ...]]:
    """Make a root's directory and give what was made, which goes again, as far as it is empty, if the block fails.

    Raises:
        StorageError: the directory cannot be made.
    """
    made = create_local_root(root)
    try:
        yield made
    except BaseException:
        remove_made(made)
        raise
