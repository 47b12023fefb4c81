"""Ways of making life hard for one worker, as functions that run in it. Each undoes what it did."""

import importlib
import itertools
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from portal.transfer.jobs import ShardJob, ShardResult

_NOBODY = 65534


def with_few_files(call: Callable[[ShardJob], ShardResult], job: ShardJob, more: int) -> ShardResult:
    """Run a shard where only `more` files can be opened than are open now."""
    _import_everything()
    with _limited(resource.RLIMIT_NOFILE, _end_of_free(more)):
        return call(job)


def with_small_files(call: Callable[[ShardJob], ShardResult], job: ShardJob, most_bytes: int) -> ShardResult:
    """Run a shard where no file can grow beyond `most_bytes`, as with a quota."""
    with _limited(resource.RLIMIT_FSIZE, most_bytes):
        return call(job)


def without_rights(call: Callable[[ShardJob], ShardResult], job: ShardJob) -> ShardResult:
    """Run a shard as an account that permissions hold for: root may do everything."""
    if os.geteuid() != 0:
        return call(job)
    _import_everything()
    os.setegid(_NOBODY)
    os.seteuid(_NOBODY)
    try:
        return call(job)
    finally:
        os.seteuid(0)
        os.setegid(0)


def _end_of_free(count: int) -> int:
    """Return the number below which so many files can still be opened: numbers of files that are closed are free."""
    free = (number for number in itertools.count() if not os.path.lexists(f"/proc/self/fd/{number}"))
    return next(itertools.islice(free, count - 1, None)) + 1


@contextmanager
def _limited(what: int, soft: int) -> Iterator[None]:
    before, hard = resource.getrlimit(what)
    resource.setrlimit(what, (soft, hard))
    try:
        yield
    finally:
        resource.setrlimit(what, (before, hard))


def _import_everything() -> None:
    # What is imported only when it is needed could not be then.
    for name in ("portal.backends.local", "portal.backends.s3", "obstore.store"):
        importlib.import_module(name)
