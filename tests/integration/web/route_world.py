"""A world that every request of the route walk finds the same: what one of them changed is put back before the next."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import Connection, text
from werkzeug.test import TestResponse

from portal import database
from portal.app import create_app
from portal.config import Settings
from portal.database import db
from portal.models import Base
from portal.planning.roots import local_root, parse_root
from portal.services import connections, hosts, instances, migrations, server_grants, spaces
from portal.services.accounts import NewAccount, PreparedAccount, add_account, find_account
from portal.services.register import RegisterLocal
from portal.values import ConnectionKind, Role
from tests.integration.roots import register_as
from tests.integration.web.route_table import Route
from tests.integration.world import Portal, build_world, password_hash

Rows = dict[str, list[tuple[Any, ...]]]

#: Tables that a refused request may touch: tries are counted whoever makes them.
MAY_CHANGE = frozenset({"throttle"})

_PARAMETER = re.compile(r"<(?:[^:<>]*:)?(\w+)>")

#: An id of the right shape that nothing has.
NOWHERE = "nowhereatall"


@dataclass(frozen=True)
class RouteWorld:
    """A portal with one of everything.

    Attributes:
        names: what the paths and forms of the walk name: `imaging`, `managed`, `unmanaged`, `migration`, `base` …
        rows: every row of every table as the world was made.
    """

    portal: Portal
    names: Mapping[str, str]
    rows: Rows

    def path(self, rule: str, storage: str = "managed", **given: str) -> str:
        """Return a rule with its parameters filled in; `given` replaces what the world would say."""
        noun = rule.split("/")[1]
        held = {"storages": storage, "instances": "atlas", "spaces": "imaging"}
        uid = {**held, "migrations": "migration", "connections": "connection"}.get(noun, "")
        is_organisation = "/members" in rule or rule.endswith("/<handle>/edit")
        handle = "rita" if "remove" in rule else "lab" if is_organisation or "infrastructure" in rule else "erik"
        values = {
            "uid": self.names.get(uid, ""),
            "space_uid": self.names["clinical"],
            "handle": "lab" if noun == "people" and is_organisation else handle,
            "member": "erik",
            "name": "far",
            "grant_id": self.names["grant"],
            "token": "spent",
            "kind": "csv",
            **given,
        }
        return _PARAMETER.sub(lambda found: values[found[1]], rule)

    def form(self, route: Route) -> dict[str, str]:
        """Return what a POST sends."""
        return {name: value.format(**self.names) for name, value in route.data.items()}

    def send(self, client: FlaskClient, method: str, path: str, data: Mapping[str, str]) -> TestResponse:
        """Send one request and read the whole answer: an export only breaks while it is read."""
        answer = client.open(path, method=method, data=data if method == "POST" else None)
        answer.get_data()
        return answer

    def changed_tables(self) -> list[str]:
        """Return which tables are not as the world was made, and put them all back."""
        with self.portal.app.app_context(), db.engine.connect() as connection:
            now = read_rows(connection)
        changed = [name for name, rows in self.rows.items() if now[name] != rows]
        if changed:
            self._put_back()
        return [name for name in changed if name not in MAY_CHANGE]

    def _put_back(self) -> None:
        with self.portal.app.app_context(), database.write() as session:
            # Rows refer to each other in a circle: foreign keys rest until the end.
            is_sqlite = session.get_bind().dialect.name == "sqlite"
            pause = "PRAGMA defer_foreign_keys = ON" if is_sqlite else "SET LOCAL session_replication_role = replica"
            session.execute(text(pause))
            tables = Base.metadata.tables.values()
            # All go before any comes: a deletion takes what hangs on a row with it.
            for table in tables:
                session.execute(table.delete())
            for table in tables:
                if self.rows[table.name]:
                    names = [column.name for column in table.columns]
                    rows = [dict(zip(names, row, strict=True)) for row in self.rows[table.name]]
                    session.execute(table.insert(), rows)


def read_rows(connection: Connection) -> Rows:
    """Return every row of every table, in the order of its key."""
    tables = Base.metadata.tables.values()
    return {
        table.name: [tuple(row) for row in connection.execute(table.select().order_by(*table.primary_key))]
        for table in tables
    }


@contextmanager
def route_world(url: str, folder: Path) -> Iterator[RouteWorld]:
    """Make the world in a fresh database."""
    base = folder / "local"
    for name in ("cells", "notes", "own", "third"):
        (base / name).mkdir(parents=True)
        (base / name / "genes.csv").write_bytes(b"a,b\n1,2\n")
    app = create_app(
        Settings(
            data_dir=folder / "data",
            database_url=url,
            bind=("127.0.0.1", 8000),
            url="http://localhost",
            host="portal-host",
            local_bases=(base,),
            allowed_endpoints=("127.0.0.1",),
            log_level="ERROR",
        )
    )
    portal = Portal(app)
    names = {"base": str(base), **_fill(portal, base)}
    with app.app_context(), db.engine.connect() as connection:
        rows = read_rows(connection)
    yield RouteWorld(portal, names, rows)
    with app.app_context():
        db.engine.dispose()


def _fill(portal: Portal, base: Path) -> dict[str, str]:
    world = build_world(portal)
    with portal.write_as("ada") as work:
        for handle, is_admin in (("uma", False), ("pia", True)):
            account = NewAccount(handle, f"{handle}@example.org", is_portal_admin=is_admin)
            add_account(work, PreparedAccount(account, password_hash()))
        instances.grant_instance_role(work, "lab/atlas", "uma", Role.ADMIN)
        for space in ("lab/imaging", "lab/clinical"):
            spaces.grant_space_role(work, space, "uma", Role.ADMIN)
        hosts.add_host(work, "far", "Elsewhere")
        grant = server_grants.grant(work, "erik", local_root(str(base / "third"))).id
    places = {
        "managed": RegisterLocal(str(base / "cells"), space="lab/imaging", instance="lab/atlas", owner="lab"),
        "unmanaged": RegisterLocal(str(base / "notes"), space="lab/imaging", owner="lab"),
        "own": RegisterLocal(str(base / "own")),
    }
    uids = {name: register_as(portal, "ada", new).uid or "" for name, new in places.items()}
    with portal.write_as("ada") as work:
        moving = migrations.create_migration(work, migrations.NewMigration(uids["managed"], str(base / "moved"))).id
        connection = connections.add_connection(work, _unused_connection(find_account(work, "lab").id)).uid
    return {
        **uids,
        "migration": moving,
        "connection": connection,
        "grant": str(grant),
        "atlas": world.instance_uid,
        "imaging": world.imaging_uid,
        "clinical": world.clinical_uid,
    }


def _unused_connection(owner_id: int) -> connections.NewConnection:
    """Return a connection to an endpoint that no test may reach."""
    root = parse_root("s3://somewhere/atlas?endpoint_url=https://192.0.2.1", home="/", cwd="/")
    return connections.NewConnection(owner_id, ConnectionKind.ACCESS_KEY, root, None, "AKIAEXAMPLE00", "never/printed")
