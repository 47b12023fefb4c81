"""The ways out of a migration: rolled back, or cancelled. What was copied stays where it is."""

from collections.abc import Mapping
from typing import Any

from portal.backends.local import remove_made
from portal.planning.states import Event
from portal.runner.drive import Drive, Facts
from portal.runner.following import follow
from portal.runner.jobs import remove_marker, remove_temporaries
from portal.runner.planning import objects, plan_back
from portal.runner.shards import shard_tag
from portal.runner.switching import switch
from portal.runner.ways import way_of
from portal.services.migrations import ledger
from portal.services.migrations.ledger import BACK

#: Listings on the way back until nothing has changed any more.
MOST_BACK_ROUNDS = 3


def roll_back(drive: Drive, facts: Facts, number: int) -> None:
    """Plan the way back; when everything is back, list again until nothing is new; switch; then tidy up."""
    way = way_of(facts, BACK)
    if facts.plan.get("switched_back") == number:
        follow(drive, facts, way)
        _finish_rollback(drive, facts)
    elif int(facts.plan.get("back_rounds", 0)) >= MOST_BACK_ROUNDS:
        drive.trouble(
            "Objects at the new root keep changing, so the location was not switched back.",
            "Stop everything that writes there, then roll back again.",
        )
    elif facts.plan.get("planned_back") != number or facts.plan.get("clean_back") != number:
        plan_back(drive, facts, number)
    else:
        switch(drive, facts, way)


def _finish_rollback(drive: Drive, facts: Facts) -> None:
    """Take our marker from the root that is the location's no more, so that nobody is misled by it."""
    answer = drive.run(remove_marker, facts.ends.target, facts.storage_uid, is_short=True)
    with drive.writing() as held:
        row = held.migration
        row.finished_at = held.work.now
        held.move(
            Event.ROLLBACK_DONE,
            _rolled_back_words(facts.uid, facts.plan),
            f"The objects at {row.target_root} were kept.",
        )
        if answer.error:
            row.hint += f" The marker there could not be removed: {answer.error}"


def _rolled_back_words(uid: str, plan: Mapping[str, Any]) -> str:
    """Say what was copied back, each object once, and where those lie whose key was taken."""
    summary = plan.get("back_summary") or {}
    beside = summary.get("beside") or {"count": 0, "examples": []}
    count, examples = beside["count"], beside["examples"][:3]
    words = f"Rolled back. New since, copied back and verified: {objects(summary.get('count', 0) - count)}."
    if count:
        named = f"{', such as' if count > len(examples) else ':'} {', '.join(examples)}."
        words += f" Rewritten since, put beside the old ones as KEY.rewritten-{uid}-…: {objects(count)}{named}"
    return words


def clean_up(drive: Drive, facts: Facts) -> None:
    """End a cancelled migration: temporaries go, and a marker that a cut-over had copied; objects stay."""
    problems, passes = [], int(facts.plan.get("pass", 0))
    with drive.writing() as held:
        tags = tuple(
            shard_tag(held.migration.uid, *shard) for shard in ledger.open_shards(held.work.session, held.migration.id)
        )
    for call, arguments in (
        (remove_temporaries, (facts.ends.target, tags, facts.storage_uid)),
        (remove_marker, (facts.ends.target, facts.storage_uid)),
    ):
        if call is remove_temporaries and not tags and passes == 1:
            continue  # before there is a plan a probe may have been left, in a fence half a marker
        if call is remove_marker and passes < 2:
            continue  # a marker is copied in a fence only, which begins another pass
        answer = drive.run(call, *arguments, is_short=True)
        if answer.error:
            problems.append(answer.error)
    if made := facts.plan.get("made"):
        drive.run(remove_made, made, is_short=True)  # what is in use by now stays
    with drive.writing() as held:
        row = held.migration
        copied = ledger.copied_by_pass(held.work.session, row.id)
        row.finished_at = held.work.now
        words = "Cancelled before anything was copied."
        if row.started_at is not None:
            words = f"Cancelled. The source is unchanged.{_kept_words(row.target_root, copied, is_cut_off=bool(tags))}"
        held.move(Event.CANCEL_DONE, words, " ".join(problems))


def _kept_words(target_root: str, copied: dict[int, int], *, is_cut_off: bool) -> str:
    """Say what stays at the target. `is_cut_off`: shards were ended in the middle, and nobody counted theirs.

    `copied` is by pass. Where several copied something, some of it may be the same object, copied again or removed.
    """
    count, words = sum(copied.values()), f" What was copied to {target_root} stays there"
    if not count or (is_cut_off and len(copied) > 1):
        return f"{words}."
    if is_cut_off:
        return f"{words}: {objects(count)} and more."
    return f"{words}: {'at most ' if len(copied) > 1 else ''}{objects(count)}."
