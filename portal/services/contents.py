"""Browse a location by folder: one page at a time, never the whole root."""

from dataclasses import dataclass

from portal.backends.base import INTERACTIVE, FolderPage
from portal.errors import InputError
from portal.permissions import Action
from portal.services.reach import door_of, opened, within
from portal.services.storages.find import find_storage
from portal.services.units import Units

PAGE_ROWS = 200

#: How long a page may take, seconds: a person waits for it.
PAGE_SECONDS = 12.0


@dataclass(frozen=True, slots=True)
class Contents:
    """One page of a folder. `folder` is empty for the root, else ends in `/`."""

    folder: str
    page: FolderPage

    @property
    def parents(self) -> list[tuple[str, str]]:
        """Return (name, folder) from the first folder below the root down to this one."""
        parts = self.folder.rstrip("/").split("/") if self.folder else []
        return [(part, "/".join(parts[: position + 1]) + "/") for position, part in enumerate(parts)]


def browse(units: Units, reference: str, folder: str = "", after: str | None = None) -> Contents:
    """Return one page of a folder of a location.

    Raises:
        Conflict: the root lies on another host.
        InputError: the folder leads out of the root.
        NotFound: the actor has no role on the location.
        Refused, StorageError: it cannot be reached.
    """
    folder = clean_folder(folder)
    with units.reading() as work:
        door = door_of(work, find_storage(work, reference, Action.STORAGE_READ))

    def read() -> FolderPage:
        with opened(door, timeouts=INTERACTIVE) as backend:
            return backend.list_folder(folder, after=after or None, limit=PAGE_ROWS)

    return Contents(folder, within(PAGE_SECONDS, read, f"{door.root} did not answer within {PAGE_SECONDS:.0f} s."))


def clean_folder(folder: str) -> str:
    """Return a folder's key prefix: empty, or ending in `/`.

    Raises:
        InputError: it is absolute or has `.` or `..` as a part.
    """
    if not folder:
        return ""
    if folder.startswith("/") or "\0" in folder or any(part in {".", ".."} for part in folder.split("/")):
        raise InputError(f"{folder} is no folder below the root.", hint="Start from the root.", field="folder")
    return folder if folder.endswith("/") else folder + "/"
