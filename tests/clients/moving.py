"""A move by hand, by copying and plain SQL: what the real client needs of one, before the portal's own is asked."""

import shutil
from pathlib import Path

from portal.lamindb.registry.ways import Way
from tests.clients.instances import execute
from tests.servers import S3Server

MARKER = ".lamindb/storage_uid.txt"


def folder_of(root: str, server: S3Server | None = None) -> Path:
    """Return the folder on disk that holds a root's files, for a root on `server` too."""
    if not root.startswith("s3://"):
        return Path(root)
    assert server is not None
    return server.buckets / root.removeprefix("s3://").partition("?")[0]


def carry(source: Path, target: Path, *, marker: bool = True) -> None:
    """Move every file below `source` to `target`; without `marker` that file stays behind and is lost."""
    if not marker:
        (source / MARKER).unlink()
    shutil.copytree(source, target, dirs_exist_ok=True)
    shutil.rmtree(source)


def rewrite_root(way: Way, uid: str, root: str, *, region: str | None = None) -> None:
    """Write a location's new root, with the type and region that belong to it."""
    kind = "s3" if root.startswith("s3://") else "local"
    statement = "UPDATE lamindb_storage SET root = :root, type = :kind, region = :region WHERE uid = :uid"
    assert execute(way, statement, root=root, kind=kind, region=region, uid=uid) == 1
