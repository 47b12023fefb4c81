"""Make a plan: list both roots side by side, decide each key, write the shards. Reads only; nothing is changed.

Three kinds, one for each pass: `scan` for the first, `scan_delta` for what changed since, `scan_rollback` for the way
back. Memory does not grow with the roots.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from portal.backends.base import Backend
from portal.planning.actions import Act, Action, Excluded, PlannedObject, decide, decide_delta, decide_rollback
from portal.planning.keys import FolderClashes, KeyRules, Reason
from portal.planning.listings import merge
from portal.planning.outcomes import ObjectResult
from portal.planning.shards import ShardLimits, cut
from portal.transfer.shards import PlannedShard
from portal.transfer.summary import Counter, PlanSummary

WriteShard = Callable[[PlannedShard], None]


def _go_on() -> None:
    return


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """How a scan works.

    Attributes:
        nested: prefixes of other registered roots inside the source (`planning.overlaps.nested_prefixes`).
        limits: how large shards get.
        check: called for every object; raises to end the scan, or keeps a lease alive.
    """

    nested: tuple[str, ...] = ()
    limits: ShardLimits = field(default_factory=ShardLimits)
    check: Callable[[], None] = _go_on


def scan(source: Backend, target: Backend, options: ScanOptions, write_shard: WriteShard) -> PlanSummary:
    """Plan the first pass: hand each shard to `write_shard` as soon as it is cut, and return the numbers.

    Raises:
        StorageError: a listing failed or was out of order; shards handed over before that are of no use.
    """
    rules = key_rules(target, options.nested)
    pairs = merge(source.list_objects(), target.list_objects())
    counter = Counter()
    for key, reason in source.list_skipped():
        counter.skip(key, reason)
    actions = (decide(here, there, rules) for here, there in pairs)
    return _write(_held(actions, rules), target, options, write_shard, counter)


def scan_delta(
    source: Backend, target: Backend, known: Iterable[ObjectResult], options: ScanOptions, write_shard: WriteShard
) -> PlanSummary:
    """Plan what changed at the source since the results `known` (`segments.latest_results` of every pass so far).

    Raises:
        StorageError: as `scan`.
    """
    rules = key_rules(target, options.nested)
    actions = (decide_delta(then, now, rules) for then, now in merge(known, source.list_objects()))
    return _write(_held(actions, rules), target, options, write_shard, Counter())


def scan_rollback(
    new: Backend, old: Backend, known: Iterable[ObjectResult], tag: str, options: ScanOptions, write_shard: WriteShard
) -> PlanSummary:
    """Plan what must go back from the `new` root to the `old` one: written or rewritten there since the cut-over.

    `known` are the latest results of the move; `tag` names this rollback in the keys of rewritten objects. Copy its
    shards with `ShardJob(source=new, target=old)`.

    Raises:
        StorageError: as `scan`.
    """
    rules = key_rules(old, options.nested)
    actions = (decide_rollback(then, now, rules, tag) for then, now in merge(known, new.list_objects()))
    return _write(_held(actions, rules), old, options, write_shard, Counter())


def key_rules(target: Backend, nested: tuple[str, ...] = ()) -> KeyRules:
    """Return which keys can move to `target`."""
    can = target.capabilities
    return KeyRules(nested, can.max_key_bytes, can.max_part_bytes, can.holds_folder_keys)


def _held(actions: Iterable[Action | None], rules: KeyRules) -> Iterator[Action]:
    """Leave out objects inside an object, where the target is a directory."""
    clashes = FolderClashes()
    for action in actions:
        if action is None:
            continue
        if rules.holds_folder_keys or isinstance(action, Excluded) or action.act in {Act.LEAVE, Act.REMOVE}:
            yield action
        elif clash := clashes.folder_that_is_object(action.key):
            yield Excluded(action.key, action.size_bytes, Reason.NAME, f"{clash} is an object, so it can be no folder")
        else:
            yield action


def _write(
    actions: Iterable[Action], target: Backend, options: ScanOptions, write_shard: WriteShard, counter: Counter
) -> PlanSummary:
    def planned() -> Iterator[PlannedObject]:
        for action in actions:
            options.check()
            if isinstance(action, Excluded):
                counter.exclude(action)
            else:
                counter.plan(action)
                yield action

    for number, objects in enumerate(cut(planned(), options.limits)):
        write_shard(PlannedShard(number, objects))
        counter.shard_count += 1
    return counter.summary(target.free_bytes())
