"""Plan a pass of single objects that a person chose to try again; nothing is listed and nothing else is touched."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from heapq import merge

from portal import database
from portal.backends.base import BULK, Backend
from portal.planning.actions import PlannedObject, decide_delta
from portal.planning.keys import KeyRules
from portal.planning.listings import key_order
from portal.planning.outcomes import ObjectResult
from portal.planning.shards import ShardLimits, cut
from portal.runner.drive import Drive, Facts
from portal.runner.jobs import Ends
from portal.runner.passes import begin_pass
from portal.services.migrations import ledger
from portal.services.migrations.ledger import FORWARD, ChosenShard, Plan, ShardPlan
from portal.services.reach import check_way, opened
from portal.transfer.scan import key_rules
from portal.transfer.segments import read_plan, read_results
from portal.transfer.shards import PlannedShard, shard_files, write_plan
from portal.transfer.summary import Counter


@dataclass(frozen=True, slots=True)
class ChosenJob:
    """The objects to try again, and where their pass is written."""

    ends: Ends
    ledger: str
    folder: str
    pass_number: int
    chosen: tuple[ChosenShard, ...]
    nested: tuple[str, ...] = ()


def plan_chosen(drive: Drive, facts: Facts) -> None:
    """Plan the present pass with the chosen objects alone."""
    with database.read() as session:
        chosen = ledger.chosen_shards(session, drive.lease.migration_id, str(drive.tools.settings.ledger_dir))
    job = ChosenJob(
        facts.ends,
        str(drive.tools.settings.ledger_dir),
        drive.folder,
        facts.pass_number,
        chosen,
        tuple(facts.plan.get("nested", ())),
    )
    answer = drive.run(make_chosen_plan, job)
    if answer.error:
        drive.trouble_of(answer)
        return
    with drive.writing() as held:
        row = held.migration
        ledger.replace_plan(held.work.session, row, FORWARD, row.pass_number, answer.value, held.work.now)
        held.note(**{"pass": row.pass_number})
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
        per_shard = [_objects(each, source, rules) for each in job.chosen]
        objects = merge(*per_shard, key=lambda item: key_order(item.key))
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
