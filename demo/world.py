"""The demo's people, instances, spaces and storage locations, made by the portal's own services."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask

from demo.objects import fill
from demo.s3 import ACCESS_KEY_ID
from demo.state import DemoState
from portal import database
from portal.config import Settings
from portal.services import accounts, instances, organisations, spaces
from portal.services.access import load_actor
from portal.services.accounts import NewAccount, find_account
from portal.services.connect import ConnectS3, connect_s3
from portal.services.connections import list_connections
from portal.services.register import RegisterLocal, register_local
from portal.services.units import Units
from portal.services.work import Work
from portal.values import Actor, Role

NAMES = {"admin": "Maria Ortiz", "editor": "Jonas Weber", "viewer": "Priya Raman", "outsider": "Otto Lang"}

_SPACES = {
    "clinical": "Identifiable data, agreement DTA-114",
    "imaging": "Microscopy core and partners",
    "sequencing": "Landing zone of the sequencers",
}

FOREIGN_MARKER = (
    "f0rE1gnMark3\ncreation info:\ninstance_slug=acme/screens\n"
    "instance_id=5b4f0c1de6fb5e0c9c4e0b6d4b9f7a21\ninstance_uid=7hQzR2mK0aLx"
)


@dataclass(frozen=True)
class DemoWorld:
    """A demo folder with its app. `build` may be called on a finished world: it then changes nothing."""

    app: Flask
    settings: Settings
    folder: Path
    state: DemoState

    def build(self) -> None:
        """Make everything. Objects that lie there already are left alone."""
        self._fill()
        self._add_people()
        self._add_places()
        self._add_storages()

    @contextmanager
    def acting(self, handle: str | None) -> Iterator[Work]:
        """Give a writing unit of work as somebody; None: nobody, who may add the first account."""
        with self.app.app_context(), database.write() as session:
            actor = Actor(account_id=None, handle="demo", via="cli")
            work = Work(session, actor, datetime.now(UTC), self.settings, self.app.extensions["portal_vault"])
            if handle is not None:
                actor = load_actor(session, find_account(work, handle), via="cli")
            yield replace(work, actor=actor)

    @property
    def endpoint_url(self) -> str:
        """Return the demo's S3 endpoint."""
        return f"http://127.0.0.1:{self.state.s3_port}"

    def _fill(self) -> None:
        """Write the objects, laid out as LaminDB does."""
        buckets, nfs = self.folder / "buckets", self.folder / "nfs"
        fill(buckets / "genomics" / "atlas", seed=1, managed_count=90, real_count=60, array_chunks=40)
        fill(buckets / "genomics" / "restricted", seed=2, managed_count=24, real_count=6, array_chunks=0)
        fill(buckets / "imaging" / "raw", seed=3, managed_count=0, real_count=80, array_chunks=0)
        fill(buckets / "imaging" / "screens", seed=4, managed_count=12, real_count=4, array_chunks=0)
        (buckets / "imaging" / "screens" / ".lamindb" / "storage_uid.txt").write_text(FOREIGN_MARKER)
        fill(nfs / "sequencing", seed=5, managed_count=60, real_count=80, array_chunks=64)
        fill(nfs / "flow-cytometry", seed=6, managed_count=0, real_count=40, array_chunks=0)

    def _add_people(self) -> None:
        for position, (handle, name) in enumerate(NAMES.items()):
            password = self.state.passwords[handle]
            new = NewAccount(handle, f"{handle}@example.org", name, password, is_portal_admin=handle == "admin")
            prepared = accounts.prepare_account(new)
            with self.acting("admin" if position else None) as work:
                accounts.add_account(work, prepared)

    def _add_places(self) -> None:
        with self.acting("admin") as work:
            organisations.create_organisation(work, organisations.NewOrganisation("lab", "Genome lab"))
        with self.acting("admin") as work:
            for name, text in (("atlas", "Reference atlas, single-cell and spatial"), ("flow", "Flow cytometry")):
                instances.create_instance(work, instances.NewInstance(name, text, "lab"))
            for name, text in _SPACES.items():
                spaces.create_space(work, spaces.NewSpace(name, text, "lab"))
        with self.acting("admin") as work:
            for handle, role in (("editor", Role.WRITE), ("viewer", Role.READ)):
                instances.grant_instance_role(work, "lab/atlas", handle, role)
                spaces.grant_space_role(work, "lab/sequencing", handle, role)
            spaces.grant_space_role(work, "lab/imaging", "editor", Role.WRITE)
            spaces.grant_space_role(work, "lab/clinical", "editor", Role.READ)

    def _add_storages(self) -> None:
        units = Units(lambda: self.acting("admin"), lambda: self.acting("admin"))
        for new in self._buckets():
            connect_s3(units, replace(new, connection_uid=self._connection_of(new.root)))
        for folder, space, instance, text in (
            ("sequencing", "lab/sequencing", "lab/atlas", "Landing zone of the sequencers"),
            ("flow-cytometry", "lab/imaging", "", "Old plates, read by everybody"),
        ):
            path = str(self.folder / "nfs" / folder)
            register_local(units, RegisterLocal(path, "", space, instance, text, owner="lab"))

    def _connection_of(self, root: str) -> str:
        """Return the connection that a root before made for the same bucket; empty for none."""
        with self.acting("admin") as work:
            return {row.name: row.uid for row in list_connections(work)}.get(root.split("/")[2], "")

    def _buckets(self) -> Iterator[ConnectS3]:
        for root, space, instance, text, is_default in (
            ("s3://genomics/atlas", "all", "lab/atlas", "Reference atlas, written by the ingest pipelines", True),
            ("s3://genomics/restricted", "lab/clinical", "lab/atlas", "Identifiable data, agreement DTA-114", False),
            ("s3://imaging/raw", "lab/imaging", "", "Microscopes write here themselves", False),
            ("s3://imaging/screens", "lab/imaging", "lab/flow", "Shared with us by acme", False),
        ):
            yield ConnectS3(
                root=root,
                endpoint_url=self.endpoint_url,
                access_key_id=ACCESS_KEY_ID,
                secret_access_key=self.state.s3_secret,
                space=space,
                instance=instance,
                description=text,
                is_default=is_default,
                owner="lab",
            )
