"""The file of a backup: a gzipped tar with a SHA-256 of everything in it, whole or not there at all.

Nothing is taken out by a name that the archive chooses: only the names below are known, and all are checked first.
"""

import gzip
import io
import json
import os
import re
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, cast

from portal.errors import ContentMismatch, InputError

FORMAT = "storage-portal/backup/1"
MANIFEST, DATABASE, INVENTORY, SIGNING_KEY = "manifest.json", "database.sqlite", "inventory.json", "certificate.key"

#: Segments are packed already, so more effort saves little.
_GZIP_LEVEL = 1

_CHUNK_BYTES = 1024 * 1024
_PART = r"(?!\.)[^/\0]+"
_NAMES = re.compile(
    rf"{re.escape(DATABASE)}|{re.escape(INVENTORY)}|{re.escape(SIGNING_KEY)}|tables/[a-z_]+\.jsonl|ledger/{_PART}(/{_PART})*"
)


class _Hashed(io.RawIOBase):
    """A file of which so many bytes are read and hashed on the way: it may grow meanwhile."""

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file, self._left, self.digest = file, size_bytes, sha256()

    def read(self, size: int = -1) -> bytes:
        """Return what comes next."""
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        self.digest.update(data)
        return data


class Writer:
    """Adds files to a backup that is being made."""

    def __init__(self, tar: tarfile.TarFile, made_at: datetime) -> None:
        self._tar, self._made_at = tar, made_at
        self.files: dict[str, dict[str, Any]] = {}

    def add(self, name: str, path: Path) -> None:
        """Add a file as it is now."""
        with path.open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            self._put(name, _Hashed(file, size_bytes), size_bytes)

    def add_json(self, name: str, value: Any) -> None:
        """Add a JSON document."""
        data = json.dumps(value, indent=2, sort_keys=True).encode() + b"\n"
        self._put(name, _Hashed(io.BytesIO(data), len(data)), len(data))

    def _put(self, name: str, source: _Hashed, size_bytes: int) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size_bytes, 0o600, int(self._made_at.timestamp())
        self._tar.addfile(info, cast(BinaryIO, source))
        self.files[name] = {"sha256": source.digest.hexdigest(), "bytes": size_bytes}


@contextmanager
def writing(path: Path, made_at: datetime) -> Iterator[Writer]:
    """Give a writer; the archive is there, for this account alone, once the block has ended well.

    Raises:
        InputError: there is such a file already, or it cannot be written.
    """
    if path.exists():
        raise InputError(f"{path} is there already.", hint="Choose another name, or a folder.", field="file")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            with (
                gzip.GzipFile(fileobj=file, mode="wb", compresslevel=_GZIP_LEVEL, filename="") as packed,
                tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
            ):
                yield Writer(tar, made_at)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}.", field="file") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def unpack(path: Path, folder: Path) -> dict[str, Any]:
    """Unpack a backup below a new folder, check every digest, and return its manifest.

    Raises:
        InputError: it cannot be read, or is no backup this version knows.
        ContentMismatch: a part is damaged, missing or one too many.
    """
    digests: dict[str, str] = {}
    manifest: dict[str, Any] = {}
    try:
        with tarfile.open(path, "r|gz") as tar:
            for info in tar:
                stream = tar.extractfile(info)
                if not info.isreg() or stream is None:
                    raise ContentMismatch(f"{path} holds {info.name!r}, which is no file.")
                if info.name == MANIFEST:
                    manifest = json.loads(stream.read())
                elif _NAMES.fullmatch(info.name) and info.name not in digests:
                    digests[info.name] = _take(stream.read, folder / info.name)
                else:
                    raise ContentMismatch(f"{path} holds {info.name!r}, which no backup holds.")
    except OSError as error:
        if error.errno is not None:
            raise InputError(f"{path} cannot be read: {error.strerror}.", field="file") from error
        raise ContentMismatch(f"{path} is damaged or cut off: {error}.", hint="Take another backup.") from error
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise ContentMismatch(f"{path} is damaged or cut off: {error}.", hint="Take another backup.") from error
    _compare(path, manifest, digests)
    return manifest


def _take(read: Callable[[int], bytes], path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest = sha256()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        while data := read(_CHUNK_BYTES):
            digest.update(data)
            file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _compare(path: Path, manifest: dict[str, Any], digests: dict[str, str]) -> None:
    if manifest.get("format") != FORMAT:
        raise InputError(
            f"{path} is no backup of a portal that this version knows.",
            hint="Give a file that `portal backup` made; one that was cut off has no list of its contents.",
            field="file",
        )
    expected = {name: entry["sha256"] for name, entry in manifest["files"].items()}
    wrong = sorted(name for name in expected.keys() | digests.keys() if expected.get(name) != digests.get(name))
    if wrong:
        raise ContentMismatch(
            f"{path} is damaged: {', '.join(wrong[:3])} is not what was put in.", hint="Take another backup."
        )


def sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
