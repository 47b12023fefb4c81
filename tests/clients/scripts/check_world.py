"""Read back everything `build_world` made, through lamindb, and write to each location."""

import shutil
from collections.abc import Iterator
from typing import Any

from tests.clients.scripts.build_world import describe, digests


def main(world: dict[str, Any], write: str | None) -> dict[str, Any]:
    """Compare the instance with what `build_world` returned.

    `write` names a new artifact that each location gets and gives back; None writes nothing. Returns `problems`, a
    sentence each; `roots`, by uid; `paths` of the artifacts, by uid.
    """
    import lamindb as ln

    problems: list[str] = []
    paths = {}
    for expected in world["artifacts"]:
        try:
            artifact = ln.Artifact.objects.get(uid=expected["uid"])
            paths[artifact.uid] = str(artifact.path)
            problems += differences(artifact, expected)
        except Exception as error:  # one broken artifact must not hide the others
            problems.append(f"{expected['key']} ({expected['uid']}): {type(error).__name__}: {error}")
    storages = [ln.Storage.get(uid=location["uid"]) for location in world["locations"]]
    for storage in storages:
        problems += marker_problems(storage)
        if write is not None:
            problems += write_problems(storage, write)
    return {"problems": problems, "roots": {each.uid: each.root for each in storages}, "paths": paths}


def differences(artifact: Any, expected: dict[str, Any]) -> Iterator[str]:
    """Say what is not as it was: columns, bytes, the client's own hash of them."""
    from lamindb_setup.core.hashing import hash_dir, hash_file

    told = f"{expected['key']} ({expected['uid']})"
    if artifact._overwrite_versions and not artifact.is_latest:
        yield from refusal_problems(artifact, told)
        files = expected["files"]
    else:
        path = artifact.cache()
        files = digests(path)
        found = hash_dir(path)[1] if path.is_dir() else hash_file(path)[1]
        if found != artifact.hash:
            yield f"{told}: the client's hash is {found}, the row says {artifact.hash}"
    now = describe(artifact, files)
    for name, value in expected.items():
        if now[name] != value:
            yield f"{told}: {name} was {value!r}, is {now[name]!r}"


def refusal_problems(artifact: Any, told: str) -> Iterator[str]:
    """Say so if the client gives out an old version of a folder, whose files the newer one replaced."""
    try:
        artifact.cache()
    except ValueError as error:
        if "overwritten" not in str(error):
            yield f"{told}: {error}"
    else:
        yield f"{told}: an old version of a folder was given out"


def marker_problems(storage: Any) -> Iterator[str]:
    """Say so if the location does not carry its own uid."""
    marker = storage.path / ".lamindb/storage_uid.txt"
    try:
        found = marker.read_text().splitlines()[0]
    except FileNotFoundError:
        found = None
    if found != storage.uid:
        yield f"{storage.root}: the marker says {found}, not {storage.uid}"


def write_problems(storage: Any, name: str) -> Iterator[str]:
    """Save a new artifact in the location and read it back from there, not from the cache."""
    import lamindb as ln

    content = f"{name} in {storage.uid}\n".encode()
    source = ln.settings.cache_dir / f"{name}-source.txt"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_bytes(content)
    artifact = ln.Artifact(source, key=f"after/{name}.txt", storage=storage, skip_hash_lookup=True).save()
    shutil.rmtree(ln.settings.cache_dir)
    if artifact.cache().read_bytes() != content:
        yield f"{storage.root}: a new artifact reads back otherwise"
    if not artifact.path.as_posix().startswith(storage.path.as_posix()):
        yield f"{storage.root}: a new artifact went to {artifact.path}"
