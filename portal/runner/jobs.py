"""What worker processes do besides copying and verifying: look at both sides, list, copy the marker, clean up.

Functions and values here are picklable. Errors come back as values: an exception with arguments of its own would not
survive the trip between processes.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from portal.backends.base import BULK, Proof
from portal.backends.leftovers import checksum_probe
from portal.backends.local import made_root, missing_folders
from portal.errors import Conflict, ContentMismatch, InputError, PortalError, Refused
from portal.lamindb.marker import LEGACY_KEY, read_marker
from portal.lamindb.registry.ways import DATABASE_KEY
from portal.runner.sides import look_at_source, probe, refuse_database, refuse_foreign
from portal.services.migrations.doors import RegistryDoor
from portal.services.migrations.ledger import Plan, ShardPlan
from portal.services.migrations.registry_jobs import look, open_manifest, refuse_database_move
from portal.services.reach import Door, check_way, opened
from portal.transfer.scan import SHARD_LIMITS, Earlier, ScanOptions, scan, scan_delta, scan_rollback, scan_stragglers
from portal.transfer.segments import latest_results
from portal.transfer.shards import PlannedShard, shard_files, write_plan
from portal.transfer.work import ledger_fault
from portal.values import MARKER_KEY, StorageType

_MOST_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What a job gave, or why it could not. `is_refused`: trying again unchanged will not help."""

    value: Any = None
    error: str = ""
    hint: str = ""
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class Ends:
    """Both sides of a move; for a rollback `source` is the new root."""

    source: Door
    target: Door

    def turned(self) -> "Ends":
        """Return the way back."""
        return Ends(self.target, self.source)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a look at both sides found.

    Attributes:
        warnings: for people; nothing in them refuses.
        proof: which checksums of the target are evidence.
    """

    warnings: tuple[str, ...]
    proof: Proof


@dataclass(frozen=True, slots=True)
class PlanJob:
    """One pass to plan.

    Attributes:
        kind: the first pass, what changed since, the way back, or a look at the old root after the cut-over.
        ledger: folder of all migrations' segments; `folder` is this one's, relative to it.
        known: paths of result segments of each pass so far, oldest first; `back` those of ways back that stopped.
        looks_again: on the way back, only what is new or changed since the pass before is planned.
        tag: names a rollback in the keys of rewritten objects.
        stop_path: listing ends as soon as this file exists.
        doors: registries that say what belongs to the source; none for the way back.
        leaves_unreferenced: objects that none of them refers to stay behind.
        nested: prefixes of other registered roots inside the source.
        keeps_to_known: what the move did not bring is no business of the way back: it belongs to the target's location.
    """

    kind: Literal["first", "delta", "back", "sweep"]
    ends: Ends
    ledger: str
    folder: str
    pass_number: int
    known: tuple[tuple[str, ...], ...] = ()
    back: tuple[tuple[str, ...], ...] = ()
    looks_again: bool = False
    tag: str = ""
    stop_path: str = ""
    doors: tuple[RegistryDoor, ...] = ()
    leaves_unreferenced: bool = False
    nested: tuple[str, ...] = ()
    keeps_to_known: bool = False


@dataclass(frozen=True, slots=True)
class Aims:
    """What a move is to do, as far as a look at both sides depends on it.

    Attributes:
        storage_uid: of the location; `target_uid` of the one its artifacts are re-pointed to, else None.
        doors: the registries it concerns.
    """

    storage_uid: str
    target_uid: str | None = None
    doors: tuple[RegistryDoor, ...] = ()


def own_tag(storage_uid: str) -> str:
    """Return the tag of what a move writes at the target beside its shards: a probe, the marker."""
    return f"move-{storage_uid}"


def guarded(call: Callable[..., Any], *arguments: Any) -> Answer:
    """Return what `call` gives, its errors as a value."""
    try:
        return Answer(call(*arguments))
    except PortalError as error:
        return Answer(None, error.message, error.hint or "", isinstance(error, Refused | Conflict | InputError))
    except OSError as error:
        fault = ledger_fault(error)
        return Answer(None, fault.message, fault.hint or "")


def inspect(ends: Ends, aims: Aims) -> Inspection:
    """Look at both sides and try every right a move needs. At the target a probe is written, read back and deleted.

    Raises:
        Refused: the source holds a LaminDB database that cannot move along, the target is another location's, or both
            are one place.
        RegistryError: an attached instance cannot be reached, or says something else than the portal.
        StorageError: a side cannot be reached or a right is missing.
    """
    source_root, target_root = ends.source.root, ends.target.root
    is_repoint = aims.target_uid is not None
    refuse_database_move(aims.doors, source_root.text, target_root.type, is_repoint=is_repoint)
    told = look(aims.doors, source_root.text, ends.target, is_repoint)
    moves_database = not is_repoint and any(door.lies_in(source_root.text) for door in aims.doors)
    check_way(ends.source)
    check_way(ends.target)
    with (
        _made_for(ends.target),
        opened(ends.source, timeouts=BULK) as source,
        opened(ends.target, timeouts=BULK, tag=own_tag(aims.storage_uid)) as target,
    ):
        if not moves_database and not is_repoint:
            refuse_database(source)
        if moves_database and target.info(DATABASE_KEY) is not None:
            raise Refused(f"{target.root} holds a database of LaminDB already.", hint="Choose an empty folder.")
        warnings = look_at_source(source, aims.storage_uid)
        refuse_foreign(target, aims.target_uid or aims.storage_uid)
        target.remove_temporaries(own_tag(aims.storage_uid))
        probe(source, target, aims.storage_uid)
        proof = target.prove(aims.storage_uid)
    return Inspection((*told, *warnings), proof)


def _made_for(target: Door) -> AbstractContextManager[object]:
    return made_root(target.root) if target.root.type is StorageType.LOCAL else nullcontext()


def missing_at(target: Door) -> tuple[str, ...]:
    """Return the directories that `inspect` will make at a target, outermost first; none for a bucket.

    Raises:
        Refused: the directory is not open to this portal.
    """
    if target.root.type is not StorageType.LOCAL:
        return ()
    check_way(target)
    return missing_folders(target.root)


def make_plan(job: PlanJob) -> Plan:
    """List, decide and write the segments of one pass.

    Raises:
        StorageError: a listing failed; segments written so far are of no use.
        Conflict: told to stop.
    """
    check_way(job.ends.source)
    check_way(job.ends.target)
    shards: list[ShardPlan] = []
    beside, beside_count = list[str](), 0
    direction = "back" if job.kind == "back" else "forward"

    def keep(shard: PlannedShard) -> None:
        nonlocal beside_count
        files = shard_files(f"{job.ledger}/{job.folder}", direction, job.pass_number, shard.number)
        segment = write_plan(files, shard)
        path = str(Path(segment.path).relative_to(job.ledger))
        shards.append(ShardPlan(shard.number, shard.object_count, shard.total_bytes, path, segment.digest))
        # Of what is new: those of a try before were told then.
        rewritten = [item.target_key for item in shard.objects if item.target_key and item.ours_digest is None]
        beside_count += len(rewritten)
        beside.extend(rewritten[: _MOST_EXAMPLES - len(beside)])

    with ExitStack() as stack:
        source = stack.enter_context(opened(job.ends.source, timeouts=BULK))
        target = stack.enter_context(opened(job.ends.target, timeouts=BULK))
        options = ScanOptions(
            limits=SHARD_LIMITS,
            check=lambda: refuse_when_stopped(job.stop_path),
            manifest=stack.enter_context(open_manifest(job.doors)),
            leaves_unreferenced=job.leaves_unreferenced,
            nested=job.nested,
            keeps_to_known=job.keeps_to_known,
        )
        if job.kind == "first":
            summary = scan(source, target, options, keep)
        elif job.kind == "delta":
            summary = scan_delta(source, target, latest_results(job.known), options, keep)
        else:
            scan_late = scan_stragglers if job.kind == "sweep" else scan_rollback
            summary = scan_late(source, target, earlier_of(job), options, keep)
    return Plan(summary, tuple(shards), tuple(beside), beside_count)


def earlier_of(job: PlanJob) -> Earlier:
    """Return what the move has done before."""
    return Earlier(latest_results(job.known), latest_results(job.back), job.tag, job.looks_again)


def refuse_when_stopped(stop_path: str) -> None:
    """End a job that was told to stop.

    Raises:
        Conflict: the file is there.
    """
    if stop_path and Path(stop_path).exists():
        raise Conflict("Told to stop.")


def copy_marker(ends: Ends, storage_uid: str) -> bool:
    """Copy the marker as it is; tell whether there is one. Doing it twice is the same as once.

    Raises:
        Refused: the target is marked as another location's.
        ContentMismatch: it reads back differently.
    """
    tag = own_tag(storage_uid)
    with opened(ends.source, timeouts=BULK) as source, opened(ends.target, timeouts=BULK, tag=tag) as target:
        target.remove_temporaries(tag)
        marker = read_marker(source)
        if marker is not None and read_marker(target) == marker:
            return True
        refuse_foreign(target, storage_uid)
        if marker is None:
            return False
        key = MARKER_KEY if source.info(MARKER_KEY) is not None else LEGACY_KEY
        with source.open_read(key) as stream:
            target.replace(MARKER_KEY, stream.read())
        if read_marker(target) != marker:
            raise ContentMismatch("The copied marker reads back differently.", hint="Look at that server, then retry.")
        return True


def remove_marker(door: Door, storage_uid: str) -> None:
    """Remove a location's own marker from a root that is not its root (any more); another's stays."""
    with opened(door, timeouts=BULK) as backend:
        marker = read_marker(backend)
        if marker is not None and marker.storage_uid == storage_uid:
            backend.delete(MARKER_KEY)


def remove_temporaries(door: Door, tags: tuple[str, ...], storage_uid: str) -> int:
    """Remove what killed writes and killed probes left behind; return how many writes."""
    with opened(door, timeouts=BULK) as backend:
        for name in (storage_uid, checksum_probe(storage_uid)):
            backend.remove_probe(name)
        return sum(backend.remove_temporaries(tag) for tag in (own_tag(storage_uid), *tags))
