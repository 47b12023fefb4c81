"""Fill an instance with one artifact of every sort whose bytes a move could lose, in each of its locations."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

BIG_BYTES = 50 * 2**20 + 4321  # above 50 MiB the client's hash is another: sha1-fl
# é once composed, once decomposed: two names that look the same.
ODD_NAMES = ["with space", "compos\u00e9d", "decompose\u0301d", "hash#tag", "per%20cent", "plus+plus", "it's", 'a "b"']
TRASH, ARCHIVE = -1, 0


def main(roots: list[str], big: bool) -> dict[str, Any]:
    """Register `roots` beside the default location, fill all of them; with `big`, the last gets a file above 50 MiB."""
    import lamindb as ln

    default = ln.Storage.get(root=ln.setup.settings.instance.storage.root_as_str)
    storages = [default, *(ln.Storage(root=root).save() for root in roots)]
    records = []
    for storage in storages:
        with TemporaryDirectory() as folder:
            maker = Maker(storage, Path(folder))
            records += [*maker.files(), *maker.odd_files(), *maker.versions(), *maker.folders(), *maker.in_place()]
            if big and storage is storages[-1]:
                records.append(maker.big())
    return {
        "locations": [{"uid": each.uid, "id": each.id, "root": each.root} for each in storages],
        "artifacts": [describe(record, files) for record, files in records],
    }


class Maker:
    """Makes artifacts in one location; every content names the location and is there once."""

    def __init__(self, storage: Any, folder: Path) -> None:
        self.storage = storage
        self.folder = folder
        self.count = 0

    def content(self, label: str) -> bytes:
        """Return bytes that no other artifact has."""
        return f"{label} of {self.storage.uid}\n".encode()

    def save(self, source: Path, **fields: Any) -> Any:
        """Save an artifact of a file or folder; return it and the digests of what was given."""
        import lamindb as ln

        artifact = ln.Artifact(source, storage=self.storage, skip_hash_lookup=True, **fields).save()
        return artifact, digests(source)

    def file(self, content: bytes, **fields: Any) -> Any:
        """Save an artifact of a new local file."""
        self.count += 1
        source = self.folder / f"{self.count}.txt"
        source.write_bytes(content)
        return self.save(source, **fields)

    def files(self) -> Iterator[Any]:
        """Make files: with a virtual key, a real one, none; an empty one; one in the trash, one in the archive."""
        yield self.file(self.content("virtual"), key="notes/virtual.txt")
        yield self.file(self.content("real"), key="notes/real.txt", _key_is_virtual=False)
        yield self.file(self.content("deep"), key="a/b/c/d/deep.txt", _key_is_virtual=False)
        yield self.file(self.content("keyless"), description="A file without a key")
        yield self.file(b"", key="notes/empty.txt", _key_is_virtual=False)
        for branch_id, name in ((TRASH, "trash"), (ARCHIVE, "archive")):
            artifact, files = self.file(self.content(name), key=f"notes/{name}.txt")
            artifact.branch_id = branch_id
            yield artifact.save(), files

    def odd_files(self) -> Iterator[Any]:
        """Make files whose names are trouble somewhere, on disk as they are."""
        for name in ODD_NAMES:
            yield self.file(self.content(name), key=f"odd names/{name}.txt", _key_is_virtual=False)

    def versions(self) -> Iterator[Any]:
        """Make three versions of a file and two of a folder."""
        for number in (1, 2, 3):
            yield self.file(self.content(f"version {number}"), key="notes/versions.txt")
        for number in (1, 2):
            yield self.save(self.tree(f"folder {number}"), key="folders/versions")

    def folders(self) -> Iterator[Any]:
        """Make folders: with a virtual key, of a storage format, with a real key."""
        yield self.save(self.tree("virtual folder"), key="folders/virtual")
        yield self.save(self.array(), key="folders/array.zarr")
        yield self.save(self.tree("real folder"), key="folders/real", _key_is_virtual=False)

    def in_place(self) -> Iterator[Any]:
        """Put files into the location and register them where they are; one under another key, one a folder."""
        base = self.storage.path
        for name, fields in (("plain", {}), ("renamed", {"key": "shown/elsewhere.txt"})):
            path = base / f"in place/{name}.txt"
            write(path, self.content(f"in place {name}"))
            yield self.save(path, **fields)
        folder = base / "in place/folder"
        for name in ("one.txt", "sub/two.txt"):
            write(folder / name, self.content(f"in place {name}"))
        yield self.save(folder)

    def array(self) -> Path:
        """Return a new Zarr store with a few chunks."""
        import numpy
        import zarr

        store = self.folder / "array.zarr"
        group = zarr.open_group(store, mode="w")
        values = numpy.frombuffer(self.content("array"), dtype="u1")
        group.create_array("values", shape=values.shape, chunks=(8,), dtype=values.dtype)[:] = values
        return store

    def tree(self, label: str) -> Path:
        """Return a new folder of three files, one of them empty."""
        self.count += 1
        folder = self.folder / str(self.count)
        for name, content in {
            "one.txt": self.content(label),
            "sub/two.bin": label.encode() * 500,
            "sub/.no": b"",
        }.items():
            write(folder / name, content)
        return folder

    def big(self) -> Any:
        """Make a file above 50 MiB."""
        block = hashlib.sha256(self.content("big")).digest() * 2**15
        content = (block * (BIG_BYTES // len(block) + 1))[:BIG_BYTES]
        return self.file(content, key="notes/big.txt", _key_is_virtual=False)


def write(path: Any, content: bytes) -> None:
    """Write a local file or an object."""
    if isinstance(path, Path):
        path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def digests(path: Any) -> dict[str, str]:
    """Return the SHA-256 of a file (under the name "") or of each file of a folder, by its relative name."""
    if path.is_file():
        return {"": hashlib.sha256(path.read_bytes()).hexdigest()}
    start = len(path.as_posix()) + 1
    files = [each for each in path.rglob("*") if each.is_file()]
    return {each.as_posix()[start:]: hashlib.sha256(each.read_bytes()).hexdigest() for each in files}


def describe(artifact: Any, files: dict[str, str]) -> dict[str, Any]:
    """Return what must be the same after a move."""
    import lamindb as ln

    row = ln.Artifact.objects.get(uid=artifact.uid)  # a newer version made this one's `is_latest` false since
    names = ["uid", "key", "_real_key", "_key_is_virtual", "suffix", "size", "hash", "_hash_type", "n_files"]
    names += ["branch_id", "is_latest", "_overwrite_versions"]
    return {**{name: getattr(row, name) for name in names}, "storage_uid": row.storage.uid, "files": files}
