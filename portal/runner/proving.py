"""What is proven between verifying and ready: folders against LaminDB's hashes, and a rehearsal of the new root."""

from portal import database
from portal.runner.drive import Drive, Facts
from portal.services.migrations import ledger
from portal.services.migrations.proof_jobs import FolderCheck, Rehearsal, check_folders, rehearse

_MOST_NAMED = 5


def is_proven(drive: Drive, facts: Facts) -> bool:
    """Tell whether nothing speaks against the new root; else the migration was stopped over it."""
    if not facts.doors:
        return True
    with database.read() as session:
        known = ledger.known_paths(session, drive.lease.migration_id, str(drive.tools.settings.ledger_dir))
    return _are_folders_sound(drive, facts, known) and _is_rehearsed(drive, facts, known)


def look_at_folders(drive: Drive, facts: Facts) -> bool:
    """Compare folders again that a person chose, also where others keep the move from being ready.

    False when the migration was stopped because that could not be done.
    """
    if facts.takes_rot or facts.plan.get("folders_again") != facts.pass_number:
        return True
    with database.read() as session:
        known = ledger.known_paths(session, drive.lease.migration_id, str(drive.tools.settings.ledger_dir))
    answer = drive.run(check_folders, facts.doors, known)
    if answer.error:
        drive.trouble_of(answer)
        return False
    with drive.writing() as held:
        ledger.keep_folders(held.work.session, held.migration.id, answer.value.rotten, held.work.now)
    return True


def _are_folders_sound(drive: Drive, facts: Facts, known: tuple[tuple[str, ...], ...]) -> bool:
    if facts.takes_rot:
        return True
    answer = drive.run(check_folders, facts.doors, known)
    if answer.error:
        drive.trouble_of(answer)
        return False
    found: FolderCheck = answer.value
    rotten = found.rotten
    if not rotten:
        with drive.writing() as held:
            held.note(folders_checked=found.sound_count)
        return True
    with drive.writing() as held:
        ledger.keep_folders(held.work.session, held.migration.id, rotten, held.work.now)
    count = "1 folder is" if len(rotten) == 1 else f"{len(rotten):,} folders are"
    drive.trouble(
        f"{count} not as LaminDB recorded: files are missing, changed or added since.",
        "Look at them below. Put them right at the source and retry, or retry and take them as they are.",
    )
    return False


def _is_rehearsed(drive: Drive, facts: Facts, known: tuple[tuple[str, ...], ...]) -> bool:
    answer = drive.run(rehearse, facts.doors, facts.ends.target, known)
    if answer.error:
        drive.trouble_of(answer)
        return False
    tried: Rehearsal = answer.value
    if tried.failures:
        drive.trouble(
            f"Of {tried.count} artifacts tried through the new root {len(tried.failures)} could not be opened: "
            f"{'; '.join(tried.failures[:_MOST_NAMED])}.",
            "Look at the target, then retry. Nothing was switched.",
        )
        return False
    with drive.writing() as held:
        held.note(rehearsal={"count": tried.count, "kinds": list(tried.kinds)})
    return True
