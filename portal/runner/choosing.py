"""Plan a pass of single objects and folders that a person chose to try again; nothing else is looked at or touched."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from heapq import merge
from itertools import groupby

from portal import database
from portal.backends.base import BULK, Backend
from portal.planning.actions import PlannedObject, decide_delta
from portal.planning.keys import KeyRules
from portal.planning.listings import key_order
from portal.planning.listings import merge as merge_listings
from portal.planning.outcomes import ObjectResult
from portal.planning.shards import ShardLimits, cut
from portal.runner.drive import Drive, Facts
from portal.runner.jobs import Ends
from portal.runner.passes import begin_pass
from portal.services.migrations import ledger
from portal.services.migrations.doors import RegistryDoor
from portal.services.migrations.ledger import FORWARD, ChosenShard, Plan, ShardPlan
from portal.services.migrations.registry_jobs import open_wanted
from portal.services.reach import check_way, opened
from portal.transfer.scan import key_rules
from portal.transfer.segments import latest_results, read_plan, read_results
from portal.transfer.shards import PlannedShard, shard_files, write_plan
from portal.transfer.summary import Counter


@dataclass(frozen=True, slots=True)
class ChosenJob:
    """The objects to try again, and where their pass is written.

    Attributes:
        folders: keys of whole folders, each ending in `/`: what changed below them since is taken along.
        known: result segments of each pass so far, oldest first; `doors` the registries that recorded hashes. Both are
            needed for folders alone.
    """

    ends: Ends
    ledger: str
    folder: str
    pass_number: int
    chosen: tuple[ChosenShard, ...]
    nested: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    known: tuple[tuple[str, ...], ...] = ()
    doors: tuple[RegistryDoor, ...] = ()


def plan_chosen(drive: Drive, facts: Facts) -> None:
    """Plan the present pass with the chosen objects alone."""
    folder, migration_id = str(drive.tools.settings.ledger_dir), drive.lease.migration_id
    with database.read() as session:
        chosen = ledger.chosen_shards(session, migration_id, folder)
        folders = ledger.chosen_folders(session, migration_id)
        known = ledger.known_paths(session, migration_id, folder) if folders else ()
    job = ChosenJob(
        facts.ends,
        folder,
        drive.folder,
        facts.pass_number,
        chosen,
        tuple(facts.plan.get("nested", ())),
        folders,
        known,
        facts.doors,
    )
    answer = drive.run(make_chosen_plan, job)
    if answer.error:
        drive.trouble_of(answer)
        return
    with drive.writing() as held:
        row = held.migration
        ledger.replace_plan(held.work.session, row, FORWARD, row.pass_number, answer.value, held.work.now)
        held.note(**{"pass": row.pass_number}, folders_again=row.pass_number if folders else None)
        begin_pass(held, answer.value, "chosen")


def make_chosen_plan(job: ChosenJob) -> Plan:
    """Look at each chosen object at the source, decide as for any change, and write the segments.

    Raises:
        StorageError: the source or the target cannot be reached.
    """
    check_way(job.ends.source)
    check_way(job.ends.target)
    counter, shards = Counter(), []
    with ExitStack() as stack:
        source = stack.enter_context(opened(job.ends.source, timeouts=BULK))
        target = stack.enter_context(opened(job.ends.target, timeouts=BULK))
        rules = key_rules(target, job.nested)
        streams = [_objects(each, source, rules) for each in job.chosen]
        streams.append(_below(job, source, rules))
        objects = _once(merge(*streams, key=lambda item: key_order(item.key)))
        for number, group in enumerate(cut(objects, ShardLimits(min_count=25))):
            for item in group:
                counter.plan(item)
            shard = PlannedShard(number, group)
            segment = write_plan(shard_files(f"{job.ledger}/{job.folder}", FORWARD, job.pass_number, number), shard)
            path = segment.path.removeprefix(f"{job.ledger}/")
            shards.append(ShardPlan(number, shard.object_count, shard.total_bytes, path, segment.digest))
        summary = counter.summary(target.free_bytes())
    return Plan(summary, tuple(shards), is_chosen=True)


def _objects(chosen: ChosenShard, source: Backend, rules: KeyRules) -> Iterator[PlannedObject]:
    """Yield what is to be done with the chosen objects of one shard, in order; one that is gone needs nothing."""
    results: dict[str, ObjectResult] = {}
    if chosen.result_path:
        results = {each.key: each for each in read_results(chosen.result_path) if each.key in chosen.keys}
    for planned in read_plan(chosen.plan_path):
        if planned.key not in chosen.keys:
            continue
        action = decide_delta(results.get(planned.key), source.info(planned.key), rules)
        if isinstance(action, PlannedObject):
            yield replace(action, recorded=planned.recorded)


def _below(job: ChosenJob, source: Backend, rules: KeyRules) -> Iterator[PlannedObject]:
    """Yield what is to be done below the chosen folders, in order: what changed there since, or is not good yet."""
    if not job.folders:
        return
    recorded = _recorded(job)
    folders = _outermost(job.folders)
    known = (result for result in latest_results(job.known) if result.key.startswith(folders))
    listed = (info for folder in folders for info in source.list_objects(folder))
    for then, now in merge_listings(known, listed):
        action = decide_delta(then, now, rules)
        if isinstance(action, PlannedObject):
            yield replace(action, recorded=recorded.get(action.key, ()))


def _recorded(job: ChosenJob) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return what registries recorded of single files below the chosen folders."""
    with open_wanted(job.doors) as wanted:
        return {
            one.key: tuple((each.kind, each.value) for each in one.recorded)
            for one in wanted
            if not one.is_folder and one.key.startswith(job.folders)
        }


def _outermost(folders: Iterable[str]) -> tuple[str, ...]:
    """Return folders in order, without those that lie inside another."""
    found: list[str] = []
    for folder in sorted(folders, key=key_order):
        if not found or not folder.startswith(found[-1]):
            found.append(folder)
    return tuple(found)


def _once(objects: Iterable[PlannedObject]) -> Iterator[PlannedObject]:
    """Yield each object once: one may be chosen itself and lie in a chosen folder."""
    for _, same in groupby(objects, key=lambda item: item.key):
        yield next(same)
