"""Buckets and directories for tests of storage locations, and short ways to connect and register them."""

import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from portal.services import connect, register
from portal.services.connect import ConnectS3, Outcome
from portal.services.register import RegisterLocal
from portal.services.units import Units
from tests.integration.world import Portal
from tests.servers import S3Server

ATLAS_MARKER = (
    "abcDEF123456\ncreation info:\ninstance_slug=acme/screens\n"
    "instance_id=0123456789abcdef0123456789abcdef\ninstance_uid=XXXXXXXXXXXX"
)


def units_of(portal: Portal, handle: str) -> Units:
    """Return one person's ways of opening units of work."""
    return Units(lambda: portal.read_as(handle), lambda: portal.write_as(handle))


@dataclass(frozen=True)
class Bucket:
    """A fresh bucket of the test server and its folder on disk."""

    server: S3Server
    name: str
    folder: Path

    @property
    def root(self) -> str:
        """Return the root as a person types it."""
        return f"s3://{self.name}/atlas"

    def form(self, **changes: object) -> ConnectS3:
        """Return the input that connects the folder `atlas` with the right key."""
        new = ConnectS3(
            root=self.root,
            endpoint_url=self.server.endpoint_url,
            access_key_id=self.server.access_key,
            secret_access_key=self.server.secret_key,
        )
        return replace(new, **changes)  # type: ignore[arg-type]  # names of fields, checked by the dataclass

    def keys(self) -> dict[str, bytes]:
        """Return everything in the bucket."""
        files = (path for path in sorted(self.folder.rglob("*")) if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in files}

    def put(self, key: str, data: bytes = b"data") -> None:
        """Put an object behind the portal's back."""
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def new_bucket(server: S3Server) -> Bucket:
    """Make a bucket with one object below `atlas`."""
    name = f"lab-{secrets.token_hex(6)}"
    bucket = Bucket(server, name, server.add_bucket(name))
    bucket.put("atlas/genes.csv", b"a,b\n1,2\n")
    return bucket


def connect_as(portal: Portal, handle: str, new: ConnectS3, *, dry_run: bool = False) -> Outcome:
    """Connect a bucket as somebody."""
    return connect.connect_s3(units_of(portal, handle), new, dry_run=dry_run)


def register_as(portal: Portal, handle: str, new: RegisterLocal) -> Outcome:
    """Register a directory as somebody."""
    return register.register_local(units_of(portal, handle), new)
