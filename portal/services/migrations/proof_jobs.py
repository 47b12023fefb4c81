"""What speaks for a new root before anything is switched: artifacts opened through it, folders with LaminDB's hash.

Jobs of worker processes, picklable; they read only.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from portal.backends.base import BULK as BULK_TIMEOUTS
from portal.backends.base import Backend
from portal.errors import PortalError
from portal.lamindb.hashes import MD5_FOLDER, encode, folder_hash
from portal.lamindb.registry import artifacts
from portal.lamindb.registry.opening import BULK
from portal.planning.listings import key_order
from portal.planning.manifest import Wanted
from portal.planning.outcomes import ObjectResult
from portal.services.migrations.doors import RegistryDoor
from portal.services.migrations.registry_jobs import open_wanted
from portal.services.reach import Door, opened
from portal.services.registries import ways
from portal.transfer.segments import latest_results

#: How many artifacts are opened through the new root before the fence.
REHEARSED = 50


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Artifacts tried through the new root: how many, of how many kinds of suffix, and what did not work."""

    count: int
    kinds: tuple[str, ...]
    failures: tuple[str, ...]


def rehearse(doors: tuple[RegistryDoor, ...], target: Door, known: tuple[tuple[str, ...], ...]) -> Rehearsal:
    """Resolve artifacts of different kinds by LaminDB's rules and open them below the new root.

    Only what the passes so far brought over is tried: `known` are their result segments.
    """
    sampled: list[Wanted] = []
    for door in doors:
        with ways.opened(door.entry, limits=BULK) as connection:
            sampled.extend(artifacts.sample(connection, door.row_id, REHEARSED))
    sampled = _brought_over(sampled[:REHEARSED], latest_results(known))
    with opened(target, timeouts=BULK_TIMEOUTS) as backend:
        failures = [words for wanted in sampled if (words := _try(backend, wanted))]
    kinds = sorted({"folder" if wanted.is_folder else _suffix(wanted.key) for wanted in sampled})
    return Rehearsal(len(sampled), tuple(kinds), tuple(failures))


def _suffix(key: str) -> str:
    name = key.rsplit("/", 1)[-1]
    return f".{name.rsplit('.', 1)[-1]}" if "." in name else "no suffix"


def _brought_over(sampled: list[Wanted], results: Iterable[ObjectResult]) -> list[Wanted]:
    files = {wanted.key for wanted in sampled if not wanted.is_folder}
    folders = tuple(wanted.place for wanted in sampled if wanted.is_folder)
    found: set[str] = set()
    for result in results:
        if result.key in files:
            found.add(result.key)
        elif folders and result.key.startswith(folders):
            found.update(place for place in folders if result.key.startswith(place))
    return [wanted for wanted in sampled if wanted.place in found]


def _try(backend: Backend, wanted: Wanted) -> str:
    """Return what kept an artifact from being opened; empty for nothing."""
    try:
        info = next(backend.list_objects(wanted.place), None) if wanted.is_folder else backend.info(wanted.key)
        if info is None:
            return f"{wanted.place}: not there"
        if not wanted.is_folder and wanted.size_bytes is not None and info.size_bytes != wanted.size_bytes:
            return f"{wanted.key}: {info.size_bytes:,} bytes, LaminDB recorded {wanted.size_bytes:,}"
        with backend.open_read(info.key) as stream:
            stream.read(1)
    except PortalError as error:
        return f"{wanted.place}: {error.message}"
    return ""


@dataclass(frozen=True, slots=True)
class FolderCheck:
    """Folders compared with the hash LaminDB recorded: how many have it, and what is wrong with the others."""

    sound_count: int
    rotten: tuple[str, ...]


def check_folders(doors: tuple[RegistryDoor, ...], known: tuple[tuple[str, ...], ...]) -> FolderCheck:
    """Compare folders with the hash LaminDB recorded; those that are not so come as sentences `key: what is wrong`.

    Files without a hash in the results (left behind, failed) leave their folder out.
    """
    with open_wanted(doors) as wanted:
        found = (_rot_of(folder, hashes) for folder, hashes in _folders(wanted, latest_results(known)))
        checked = [words for words in found if words is not None]
    rotten = tuple(words for words in checked if words)
    return FolderCheck(len(checked) - len(rotten), rotten)


def _rot_of(wanted: Wanted, hashes: list[str | None]) -> str | None:
    """Return what is wrong with a folder; empty for nothing, None where it cannot be compared."""
    recorded = [one.value for one in wanted.recorded if one.kind == MD5_FOLDER]
    known = [value for value in hashes if value is not None]
    if not recorded or not hashes or len(known) != len(hashes):
        return None
    found = folder_hash(known)
    if found in recorded:
        return ""
    return f"{wanted.key}/: LaminDB recorded the {MD5_FOLDER} {' or '.join(recorded)}, its files have {found}."


def _folders(wanted: Iterator[Wanted], results: Iterable[ObjectResult]) -> Iterator[tuple[Wanted, list[str | None]]]:
    """Yield each folder with LaminDB's hashes of all files below it: one walk, one folder's hashes in memory."""
    open_folders: list[tuple[Wanted, list[str | None]]] = []
    folders = (one for one in wanted if one.is_folder)
    upcoming = next(folders, None)
    for result in results:
        while open_folders and not result.key.startswith(open_folders[-1][0].place):
            yield open_folders.pop()
        while upcoming is not None and key_order(upcoming.place) <= key_order(result.key):
            if result.key.startswith(upcoming.place):
                open_folders.append((upcoming, []))
            upcoming = next(folders, None)
        if result.outcome.value in {"removed", "left"}:
            continue
        for _, hashes in open_folders:
            hashes.append(_lamin_hash(result))
    while open_folders:
        yield open_folders.pop()


def _lamin_hash(result: ObjectResult) -> str | None:
    if result.lamin_hash is not None:
        return result.lamin_hash
    return encode(bytes.fromhex(result.md5)) if result.md5 else None
