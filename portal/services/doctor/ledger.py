"""The ledger: segments that are missing or damaged, folders of no migration, what killed writes left."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from sqlalchemy import select

from portal.errors import ContentMismatch
from portal.models import Migration, Shard
from portal.planning.states import FINAL, MigrationState
from portal.services.doctor.findings import Case, Finding, error, warning
from portal.services.migrations.certificate import has_certificate
from portal.transfer.manifest import read_index
from portal.transfer.segments import digest_of

#: How long digests are worked out; what is left is only looked whether it is there.
_MOST_SECONDS = 20.0

#: No worker hangs so long and then goes on.
_HANGS = timedelta(days=1)

_MOST_NAMED = 3


def look_at_ledger(case: Case) -> Iterator[Finding]:
    """Yield what is wrong in the ledger."""
    ledger, until = case.settings.ledger_dir, case.clock() + _MOST_SECONDS
    rows = case.session.execute(select(Migration.id, Migration.uid, Migration.state, Migration.plan)).all()
    for migration_id, uid, state_text, plan in rows:
        state = MigrationState(state_text)
        if not state.is_final:
            faults = list(_faulty(case, ledger, migration_id, until))
            if faults:
                what = f"The ledger of migration {uid} is not whole: {_named(faults)}."
                yield error(
                    "segment", what, f"Put {ledger / uid} back from a backup, or: portal migration cancel {uid}"
                )
        if has_certificate(state, plan):
            broken = _broken_manifest(ledger, plan["manifest"])
            if broken:
                what = f"The manifest of migration {uid} is not whole: {broken} Its objects cannot be proven."
                yield error("manifest", what, f"Put {ledger / uid / 'manifest'} back from a backup.")
    yield from _strangers(ledger, {uid for _, uid, _, _ in rows})
    yield from _left_over(case, ledger, {uid for _, uid, state, _ in rows if state in FINAL})


def _faulty(case: Case, ledger: Path, migration_id: int, until: float) -> Iterator[str]:
    query = select(
        Shard.plan_path, Shard.plan_digest, Shard.copy_path, Shard.copy_digest, Shard.verify_path, Shard.verify_digest
    ).where(Shard.migration_id == migration_id)
    for row in case.session.execute(query):
        for path, digest in ((row[0], row[1]), (row[2], row[3]), (row[4], row[5])):
            if path is None:
                continue
            if not (ledger / path).exists():
                yield f"{path} is missing"
            elif case.clock() < until and not _is_whole(ledger / path, digest):
                yield f"{path} is damaged"


def _is_whole(path: Path, digest: str | None) -> bool:
    try:
        return digest_of(str(path)) == digest
    except (ContentMismatch, OSError):
        return False


def _broken_manifest(ledger: Path, manifest: dict[str, str]) -> str:
    """Return what is wrong with a manifest; empty for nothing. Its segments are looked for, not read."""
    try:
        if sha256((ledger / manifest["path"]).read_bytes()).hexdigest() != manifest["digest"]:
            return f"{manifest['path']} is damaged."
        missing = [each.path for each in read_index(str(ledger), manifest["path"]) if not (ledger / each.path).exists()]
    except (OSError, ContentMismatch):
        return f"{manifest['path']} is missing or damaged."
    return f"{_named(missing)} is missing." if missing else ""


def _strangers(ledger: Path, known: set[str]) -> Iterator[Finding]:
    for folder in _folders(ledger):
        if folder.name not in known:
            what = f"The folder {folder} in the ledger belongs to no migration of this database."
            yield warning("ledger-folder", what, f"If no other database needs it: rm -r {folder}")


def _left_over(case: Case, ledger: Path, ended: set[str]) -> Iterator[Finding]:
    """Yield what workers left in folders of moves that are over: nothing reads it any more."""
    for folder in _folders(ledger):
        if folder.name not in ended:
            continue
        files = [path for path in folder.rglob("*") if path.is_file() and _is_temporary(path, case.now)]
        if files:
            fixed = ""
            if case.fix:
                for path in files:
                    with suppress(FileNotFoundError):
                        path.unlink()
                fixed = f"{len(files)} files were removed."
            what = f"{len(files)} temporary files of migration {folder.name}, which is over, lie in {folder}."
            yield warning("ledger-temporary", what, "portal doctor --fix", fixed)


def _is_temporary(path: Path, now: datetime) -> bool:
    """Tell whether nobody needs a file any more: a stop file is looked for by workers that hang."""
    name = path.name
    if name.startswith("stop-"):
        return now.timestamp() - path.stat().st_mtime > _HANGS.total_seconds()
    return name.startswith("progress-") or (name.startswith(".") and name.endswith(".tmp"))


def _folders(ledger: Path) -> list[Path]:
    return sorted(path for path in ledger.iterdir() if path.is_dir()) if ledger.is_dir() else []


def _named(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - _MOST_NAMED} more" if len(every) > _MOST_NAMED else ""
    return ", ".join(every[:_MOST_NAMED]) + more
