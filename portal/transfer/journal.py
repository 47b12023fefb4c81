"""What a worker has done in a shard so far, kept beside the result so that a kill loses nothing.

It answers two questions after a restart: which objects need not be read again, and which of the equal objects found at
the target are our own. One JSON line an event, appended; a torn last line is ignored. Kept until the migration is over.
"""

import json
import os
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Final, Self

from portal.planning.outcomes import ObjectResult
from portal.transfer.segments import encode, result_of

_JSON: Final = json.JSONEncoder(separators=(",", ":"))

#: Small objects whose end is not noted yet, at most: after a kill they are read again.
_MOST_HELD: Final = 64
_SMALL_BYTES: Final = 1024 * 1024


class Journal:
    """The journal of one shard. Safe for many threads.

    Attributes:
        finished: results of earlier runs by the key at the source.
    """

    def __init__(self, path: str) -> None:
        self.finished: dict[str, ObjectResult] = {}
        self._streamed: dict[str, str] = {}
        self._lock = Lock()
        self._held: list[bytes] = []
        self._load(path)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def was_tried(self, key: str) -> bool:
        """Tell whether a create-only write of this key came to its end before, so that an equal object is ours."""
        return key in self._streamed

    def stream(self, key: str, digest: str) -> None:
        """Note the digest (`ObjectResult.digest`) of what is about to be published under this key."""
        self._streamed[key] = digest
        self._append(_JSON.encode({"stream": key, "digest": digest}).encode())

    def streamed(self, key: str) -> str | None:
        """Return the hash of what we may have published under this key; None when nothing got so far."""
        return self._streamed.get(key)

    def disown(self, key: str) -> None:
        """Note that what lies under this key was there before our write."""
        self._forget(key)
        self._append(_JSON.encode({"disown": key}).encode())

    def finish(self, result: ObjectResult) -> None:
        """Note the result of one object; those of small ones are written together."""
        line = b'{"finish":' + encode(result).rstrip() + b"}"
        if result.size_bytes > _SMALL_BYTES:
            self._append(line)
            return
        with self._lock:
            self._held.append(line)
            is_full = len(self._held) >= _MOST_HELD
        if is_full:
            self._write_held()

    def close(self) -> None:
        """Close the file; it stays."""
        try:
            self._write_held()
        finally:
            os.close(self._file)

    def _write_held(self) -> None:
        with self._lock:
            lines, self._held = self._held, []
        if lines:
            self._append(b"\n".join(lines))

    def _forget(self, key: str) -> None:
        self._streamed.pop(key, None)

    def _append(self, line: bytes) -> None:
        # A line break first: a torn line of a killed run then spoils nothing after it.
        data = b"\n" + line
        with self._lock:
            while data:
                data = data[os.write(self._file, data) :]

    def _load(self, path: str) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if not Path(path).exists():
            return
        with Path(path).open("rb") as file:
            for line in file:
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            if "disown" in event:
                self._forget(event["disown"])
            elif "stream" in event:
                self._streamed[event["stream"]] = event["digest"]
            else:
                result = result_of(event["finish"])
                self.finished[result.key] = result
        except (ValueError, KeyError, TypeError):
            return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def journal_path(result_path: str) -> str:
    """Return where the journal of a result segment lies."""
    return f"{result_path}.journal"
