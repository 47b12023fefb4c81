"""What the portal left below a local root: folders of temporary files, and probes."""

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Final, Literal

from portal.backends.base import TEMPORARY_FOLDER
from portal.backends.leftovers import PROBE_FOLDER, Leftover
from portal.backends.local.errors import translated
from portal.backends.local.listing import changed_at
from portal.backends.local.paths import Tree
from portal.errors import ObjectNotFound

_MOST: Final = 1000

_FOLDERS: Final[tuple[tuple[Literal["temporaries", "probe"], str], ...]] = (
    ("temporaries", TEMPORARY_FOLDER),
    ("probe", PROBE_FOLDER),
)


def leftovers(tree: Tree) -> Iterator[Leftover]:
    """Yield what lies in the portal's own folders."""
    for kind, name in _FOLDERS:
        with suppress(ObjectNotFound), translated(name, action="read"), tree.opened(name.split("/")) as folder:
            for entry in sorted(islice(os.listdir(folder), _MOST)):
                with suppress(FileNotFoundError):
                    status = os.stat(entry, dir_fd=folder, follow_symlinks=False)
                    yield Leftover(kind, entry, changed_at(status))
