"""What is in one folder, in the byte order of keys, however much that is."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from heapq import merge
from itertools import chain, islice
from typing import IO, Final

from portal.backends.base import key_order
from portal.errors import StorageError

#: So many names of a folder are sorted in memory, some 25 MiB; of more, so many at a time.
MOST_HELD: Final = 100_000

#: Read at once from each sorted run: a folder of 100 million names has a thousand runs, which then hold 20 MiB.
_BLOCK_BYTES: Final = 4 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder. `key` of a folder ends in `/`; `is_link` when it is reached through a symbolic link."""

    key: str
    name: str
    is_folder: bool
    is_link: bool


class Entries:
    """The entries of one folder, read to their end and sorted like full keys: a sub-folder as `name/`.

    More than `most` of them are written down in sorted runs and merged from there: into a file without a name in the
    system's temporary directory (`TMPDIR`, else /tmp), since the portal may write there whatever a root allows. It is
    gone with `close`, and with the process.

    Attributes:
        held_count: how many are held in memory until `close`.
    """

    def __init__(self, found: Iterator[Entry], folder: str, most: int = MOST_HELD) -> None:
        """Read `found`.

        Raises:
            StorageError: the temporary directory cannot hold the names.
        """
        self._held = _sorted(islice(found, most))
        following = next(found, None) if len(self._held) == most else None
        self._runs = None if following is None else self._spilled(folder, chain((following,), found), most)
        self.held_count = len(self._held)

    def _spilled(self, folder: str, found: Iterator[Entry], most: int) -> "_Runs":
        """Write down what is held, then what else is found, a run at a time."""
        runs = _Runs(folder)
        try:
            while self._held:
                runs.add(self._held)
                self._held.clear()
                self._held = _sorted(islice(found, most))
        except BaseException:
            runs.close()
            raise
        return runs

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._held) if self._runs is None else self._runs.merged()

    def close(self) -> None:
        """Let go of everything; doing it again is harmless."""
        if self._runs is not None:
            self._runs.close()


class _Runs:
    """Sorted runs of one folder's entries, one behind the other in a temporary file.

    An entry is what it sorts by (its name, a sub-folder's with `/`), NUL, `@` for a link, NUL: no name holds a NUL.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._ends = [0]
        with self._told():
            self._file: IO[bytes] = tempfile.TemporaryFile(prefix="portal-names-")  # noqa: SIM115 - see `close`

    def add(self, run: Iterable[Entry]) -> None:
        """Write a sorted run."""
        with self._told():
            self._file.writelines(_line(entry) for entry in run)
            self._file.flush()
            self._ends.append(self._file.tell())

    def merged(self) -> Iterator[Entry]:
        """Yield the entries of all runs in order."""
        runs = (self._read(start, end) for start, end in zip(self._ends, self._ends[1:], strict=False))
        for ordered, mark in merge(*runs):
            name = ordered.decode("utf-8", "surrogateescape")
            yield Entry(self._folder + name, name.removesuffix("/"), name.endswith("/"), bool(mark))

    def _read(self, start: int, end: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries of one run, as they lie there."""
        rest = b""
        while start < end:
            with self._told():
                block = os.pread(self._file.fileno(), min(_BLOCK_BYTES, end - start), start)
            start += len(block)
            parts = (rest + block).split(b"\0")
            whole = (len(parts) - 1) // 2 * 2
            yield from zip(parts[0:whole:2], parts[1:whole:2], strict=True)
            rest = b"\0".join(parts[whole:])

    def close(self) -> None:
        # What a full disk did not take is tried again here.
        with suppress(OSError):
            self._file.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn an error of the temporary directory into one that says so: it is no fault of the root."""
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"The many names of {self._folder or 'the root'} could not be sorted in the temporary directory.",
                hint="Free some space there, or name a larger directory in TMPDIR, which the portal may write to.",
                server_message=error.strerror or type(error).__name__,
            ) from error


def _sorted(found: Iterable[Entry]) -> list[Entry]:
    return sorted(found, key=lambda entry: key_order(entry.key))


def _line(entry: Entry) -> bytes:
    ordered = key_order(f"{entry.name}/" if entry.is_folder else entry.name)
    return ordered + (b"\0@\0" if entry.is_link else b"\0\0")
