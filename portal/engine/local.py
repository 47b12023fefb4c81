"""Processes on this machine that run shards.

Spawned, never forked: storage libraries hang after a fork. A worker ends as soon as the process that started it is
gone, so that nothing goes on writing after a runner was killed and another has taken over.

One interface for every engine, `concurrent.futures.Executor`: a Dask cluster gives one too
(`Client.get_executor(resources={"host:NAME": 1})`), whose workers need none of this file.
"""

import atexit
import ctypes
import gc
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import connection
from threading import Lock, Thread
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

#: The pipe to the parent tells of its end at once; its process id is looked at in case a copy of the pipe is open.
_LOOK_SECONDS = 1.0
_ORPHANED = 75

#: mallopt's name for the size from which a block is the system's own; setting it keeps it from growing.
_MMAP_THRESHOLD = -3
_LARGE_BYTES = 512 * 1024


class LocalExecutor(Executor):
    """A process pool that is made anew after a worker died.

    The futures that ran or waited then fail with `BrokenProcessPool`: run their shards again, on the same executor.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._lock = Lock()
        self._pool = _new_pool(workers)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `fn` in a worker. Function, arguments and result must be picklable."""
        with self._lock:
            try:
                return self._pool.submit(fn, *args, **kwargs)
            except BrokenProcessPool:
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._pool = _new_pool(self._workers)
                return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more work; with `wait` return when the workers are gone."""
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)


def open_executor(workers: int) -> LocalExecutor:
    """Return an executor with so many worker processes. Nothing starts before the first shard is submitted.

    Leave it by `with` or `shutdown`. Stopping a shard under way is the shard's own matter (its stop file).
    """
    return LocalExecutor(workers)


def _new_pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=_begin_worker, initargs=(os.getpid(),)
    )


def _begin_worker(parent_id: int) -> None:
    """Leave Ctrl-C to the parent, which stops its workers in order, and watch that parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _give_memory_back()
    # A shard makes many small values and no cycles: looking for those costs 4 % of its time at the usual 700.
    gc.set_threshold(20_000)
    # obstore may abort while the interpreter is taken down, when all work is done and told.
    atexit.register(os._exit, 0)
    Thread(target=_end_with, args=(parent_id,), name="watch-parent", daemon=True).start()


def _give_memory_back() -> None:
    """Have large blocks returned to the system when they are freed.

    glibc keeps what each of many threads has freed for that thread's next block, which adds up to a multiple of what
    is in use. Source: https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    with suppress(OSError, AttributeError):  # other C libraries have other ways
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)


def _end_with(parent_id: int) -> None:
    # Not PR_SET_PDEATHSIG: it fires when the parent's *thread* that started us ends.
    parent = multiprocessing.parent_process()
    while os.getppid() == parent_id:
        if parent is not None and connection.wait([parent.sentinel], timeout=_LOOK_SECONDS):
            break
    os._exit(_ORPHANED)
