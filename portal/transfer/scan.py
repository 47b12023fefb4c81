"""Make a plan: list both roots side by side, decide each key, write the shards. Reads only; nothing is changed.

One for each kind of pass: `scan` for the first, `scan_delta` for what changed since, `scan_rollback` for the way back,
`scan_stragglers` for what came to the old root too late. Memory does not grow with the roots.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from portal.backends.base import Backend
from portal.planning.actions import (
    Act,
    Action,
    Excluded,
    PlannedObject,
    decide,
    decide_delta,
    decide_rollback,
    is_beside,
    is_target_unchanged,
)
from portal.planning.keys import FolderClashes, KeyRules, Reason
from portal.planning.listings import Entry, key_order, merge
from portal.planning.manifest import Manifest, Wanted
from portal.planning.outcomes import THERE, ObjectResult
from portal.planning.shards import ShardLimits, cut
from portal.transfer.shards import PlannedShard
from portal.transfer.summary import Counter, PlanSummary

WriteShard = Callable[[PlannedShard], None]

#: Opening a bucket costs a worker some tenths of a second, so a shard has some objects at least.
SHARD_LIMITS: Final = ShardLimits(min_count=200, aim_count=8)


def _go_on() -> None:
    return


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """How a scan works.

    Attributes:
        nested: prefixes of other registered roots inside the source (`planning.overlaps.nested_prefixes`).
        limits: how large shards get.
        check: called for every object; raises to end the scan, or keeps a lease alive.
        manifest: what registries refer to below the source; None where none is known.
        leaves_unreferenced: objects that nothing refers to stay behind.
        keeps_to_known: a rollback leaves alone what the move did not bring.
    """

    nested: tuple[str, ...] = ()
    limits: ShardLimits = field(default_factory=ShardLimits)
    check: Callable[[], None] = _go_on
    manifest: Manifest | None = None
    leaves_unreferenced: bool = False
    keeps_to_known: bool = False


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a move has done before a way back, or a look at the old root.

    Attributes:
        known: the latest results of the move (`segments.latest_results` of every pass so far).
        back: those of ways back that stopped.
        tag: names a rollback in the keys of rewritten objects; it begins with the migration's uid.
        looks_again: what a way back has brought and is unchanged is only counted, as `Act.LEAVE`; else it is proven.
    """

    known: Iterable[ObjectResult]
    back: Iterable[ObjectResult] = ()
    tag: str = ""
    looks_again: bool = False


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
    decided = ((here, decide(here, there, rules)) for here, there in pairs)
    actions = _referenced(decided, options, counter)
    return _write(_held(actions, rules), target, options, write_shard, counter)


def scan_delta(
    source: Backend, target: Backend, known: Iterable[ObjectResult], options: ScanOptions, write_shard: WriteShard
) -> PlanSummary:
    """Plan what changed at the source since the results `known` (`segments.latest_results` of every pass so far).

    Raises:
        StorageError: as `scan`.
    """
    rules = key_rules(target, options.nested)
    counter = Counter()
    decided = ((now, decide_delta(then, now, rules)) for then, now in merge(known, source.list_objects()))
    actions = _referenced(decided, options, counter)
    return _write(_held(actions, rules), target, options, write_shard, counter)


def scan_rollback(
    new: Backend, old: Backend, earlier: Earlier, options: ScanOptions, write_shard: WriteShard
) -> PlanSummary:
    """Plan what must go back from the `new` root to the `old` one: written or rewritten there since the cut-over.

    Copy its shards with `ShardJob(source=new, target=old)`.

    Raises:
        StorageError: as `scan`.
    """
    rules = key_rules(old, options.nested)
    counter = Counter()

    def actions() -> Iterator[Action | None]:
        pairs = merge(earlier.known, new.list_objects())
        for then, now, back in _with_third(pairs, earlier.back):
            if then is None and options.keeps_to_known:
                continue
            action = decide_rollback(then, now, back, rules, earlier.tag)
            if earlier.looks_again and isinstance(action, PlannedObject) and action.act is Act.PROVE:
                counter.plan(replace(action, act=Act.LEAVE))
            else:
                yield action

    return _write(_held(actions(), rules), old, options, write_shard, counter)


def scan_stragglers(
    old: Backend, new: Backend, earlier: Earlier, options: ScanOptions, write_shard: WriteShard
) -> PlanSummary:
    """Plan what sessions that had not noticed the switch wrote to the `old` root since.

    Only keys that the move did not know are brought over. What changed or vanished there is counted in the summary,
    as `planning.actions.Act.CONFLICT` and `REMOVE`, and nothing is done about it: the new root is the one that counts.
    Nor is anything done about what a way back that stopped has put there.

    Raises:
        StorageError: as `scan`.
    """
    rules = key_rules(new, options.nested)
    counter = Counter()

    def new_ones() -> Iterator[tuple[Entry | None, Action | None]]:
        for then, now in merge(earlier.known, _without_ours(old, earlier)):
            action = decide_delta(then, now, rules)
            is_known = then is not None and then.outcome in THERE
            if action is None or isinstance(action, Excluded) or not is_known:
                yield now, action if not isinstance(action, PlannedObject) or action.act is Act.COPY else None
            else:
                counter.plan(replace(action, act=Act.REMOVE if now is None else Act.CONFLICT))
                yield now, None

    actions = _referenced(new_ones(), options, counter)
    return _write(_held(actions, rules), new, options, write_shard, counter)


def _without_ours(old: Backend, earlier: Earlier) -> Iterator[Entry]:
    """Yield what lies at the old root, without what ways back have put there and nobody has touched since."""
    back = (result for result in earlier.back if result.target_key is None)
    for brought, now in merge(back, old.list_objects()):
        if now is None or is_beside(now.key, earlier.tag.partition("-")[0]):
            continue
        if brought is None or not is_target_unchanged(now, brought):
            yield now


_Pair = tuple[ObjectResult | None, Entry | None]


def _with_third(
    pairs: Iterable[_Pair], results: Iterable[ObjectResult]
) -> Iterator[tuple[ObjectResult | None, Entry | None, ObjectResult | None]]:
    """Merge a third listing into one of pairs; all are in the order of keys."""
    thirds = iter(results)
    third = next(thirds, None)
    for then, now in pairs:
        key = next(entry.key for entry in (then, now) if entry is not None)
        while third is not None and key_order(third.key) < key_order(key):
            yield None, None, third
            third = next(thirds, None)
        if third is not None and third.key == key:
            yield then, now, third
            third = next(thirds, None)
        else:
            yield then, now, None
    while third is not None:
        yield None, None, third
        third = next(thirds, None)


def _referenced(
    decided: Iterable[tuple[Entry | None, Action | None]], options: ScanOptions, counter: Counter
) -> Iterator[Action | None]:
    """Say of each object of the source what refers to it; count what nothing refers to, and what is missing.

    Without a manifest the actions pass as they are.
    """
    manifest = options.manifest
    if manifest is not None:
        manifest.miss = lambda wanted: counter.miss(f"{wanted.place} ({wanted.artifact_uid})", wanted.size_bytes or 0)
    for entry, action in decided:
        if manifest is None or entry is None:
            yield action
            continue
        wanted = manifest.reference_of(entry.key)
        if wanted is None:
            yield _unreferenced(action, options, counter)
        else:
            counter.reference(entry.key, entry.size_bytes)
            yield _with_hash(_although_nested(entry, action), wanted)
    if manifest is not None:
        manifest.finish()


def _unreferenced(action: Action | None, options: ScanOptions, counter: Counter) -> Action | None:
    if not isinstance(action, PlannedObject) or action.act is Act.REMOVE:
        return action
    if options.leaves_unreferenced:
        return Excluded(action.key, action.size_bytes, Reason.UNREFERENCED)
    counter.unreferenced(action.key, action.size_bytes)
    return action


def _although_nested(entry: Entry, action: Action | None) -> Action | None:
    """Take along what an artifact of this location refers to inside another registered root: it belongs to both."""
    if isinstance(action, Excluded) and action.reason is Reason.NESTED:
        return PlannedObject(entry.key, entry.size_bytes, entry.modified_at, entry.etag, Act.PROVE)
    return action


def _with_hash(action: Action | None, wanted: Wanted) -> Action | None:
    """Note what the registry recorded of a file's content. A folder's hash is over all its files."""
    if not isinstance(action, PlannedObject) or wanted.is_folder or not wanted.recorded:
        return action
    return replace(action, recorded=tuple((one.kind, one.value) for one in wanted.recorded))


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
