"""The manifest that a certificate carries the root of: written before a move is ready, and again after late changes."""

from portal import database
from portal.runner.drive import Drive, Facts
from portal.services.migrations import ledger
from portal.transfer.manifest import Manifest, ManifestJob, write_manifest


def has_manifest(drive: Drive, facts: Facts) -> bool:
    """Tell whether a manifest of every pass so far is written; writes it. False: the migration was stopped over it.

    Raises:
        Interrupted, LeaseLost: as `Drive.run`.
    """
    job = _job(drive, facts)
    if job is None:
        return True
    answer = drive.run(write_manifest, job)
    if answer.error:
        drive.trouble_of(answer)
        return False
    manifest: Manifest = answer.value
    with drive.writing() as held:
        held.note(manifest=manifest.as_dict())
        held.migration.manifest_digest = manifest.root
    return True


def _job(drive: Drive, facts: Facts) -> ManifestJob | None:
    """Return what is to be written; None where the present manifest holds every pass."""
    folder, present = str(drive.tools.settings.ledger_dir), facts.plan.get("manifest")
    migration_id = drive.lease.migration_id
    with database.read() as session:
        newest = ledger.newest_pass(session, migration_id)
        if present and int(present["pass_number"]) >= newest:
            return None
        return ManifestJob(
            ledger=folder,
            folder=drive.folder,
            pass_number=newest,
            passes=ledger.known_paths(session, migration_id, folder),
            base=present["path"] if present else None,
            newer=ledger.known_paths(session, migration_id, folder, int(present["pass_number"])) if present else (),
            stop_path=str(drive.stop_path),
        )
