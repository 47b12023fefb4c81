"""Instances that are copies of one the real client made: files, database and settings, at other roots.

The client takes seconds to make and fill an instance, and most tests want the same one. That the client works in a copy
whose roots were rewritten is what `test_client_moves.py` shows on instances that are no copies.
"""

import json
import re
import secrets
import shutil
import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from portal.lamindb.registry.ways import PostgresWay
from tests.clients.instances import Instance, ask, execute, plain_url, postgres_way, sqlite_way
from tests.clients.lamin import LaminClient
from tests.clients.moving import MARKER
from tests.servers import PostgresServer


class Make(Protocol):
    """Makes an instance on a kind of database, whose maker's home is `home`; see `tests.clients.conftest`."""

    def __call__(self, kind: str, home: Path, root: str, fill: Sequence[str] | None = None) -> Instance: ...


@dataclass
class Originals:
    """What was made so far, by kind of database, names of home and folders, and whether it is filled.

    Attributes:
        folder: where originals are kept; nobody works in them.
    """

    folder: Path
    make: Make
    _made: dict[tuple[object, ...], tuple[Path, Instance]] = field(default_factory=dict)

    def copy(
        self, kind: str, home: Path, root: str, fill: Sequence[str] | None, server: PostgresServer | None
    ) -> Instance:
        """Return an instance as `make` would, below the folder that holds `home`."""
        base = home.parent
        names = tuple(str(Path(each).relative_to(base)) for each in (root, *(fill or ())))
        key = (kind, home.name, names, fill is None)
        if key not in self._made:
            place = self.folder / f"original-{len(self._made)}"
            place.mkdir()
            places = [str(place / name) for name in names]
            made = self.make(kind, place / home.name, places[0], None if fill is None else places[1:])
            self._made[key] = (place, made)
        place, original = self._made[key]
        return _copied(original, place, base, home, names, server)


def _copied(
    original: Instance, place: Path, base: Path, home: Path, names: Sequence[str], server: PostgresServer | None
) -> Instance:
    for name in names:
        shutil.copytree(place / name, base / name, symlinks=True, dirs_exist_ok=True)
    words = {str(place): str(base)}
    way: Any = sqlite_way(str(base / names[0]))
    if isinstance(original.way, PostgresWay):
        assert server is not None
        url = plain_url(server.new_database(template=original.way.url.rpartition("/")[2]))
        words[original.way.url] = url
        way = postgres_way(url)
    # A uid of its own for each location: buckets of tests are named after them.
    rows = ask(way, "SELECT id, uid, root FROM lamindb_storage")
    words |= {uid: _new_uid() for _, uid, _ in rows}
    statement = "UPDATE lamindb_storage SET uid = :uid, root = :root WHERE id = :row_id"
    for row_id, uid, root in rows:
        moved = _replaced(root, words)
        assert execute(way, statement, uid=words[uid], root=moved, row_id=row_id) == 1
        marker = Path(moved, MARKER)
        marker.write_text(_replaced(marker.read_text(), words))
    client = _client(original.client, home, words)
    world = json.loads(_replaced(json.dumps(original.world), words))
    return Instance(client, way, json.loads(_replaced(json.dumps(original.facts), words)), world)


def _client(original: LaminClient, home: Path, words: dict[str, str]) -> LaminClient:
    """Return the same person's machine at another home, whose settings name the new roots and database."""
    shutil.copytree(original.home, home, symlinks=True, ignore=shutil.ignore_patterns("cache", "*.log"))
    for path in home.rglob("*.env"):
        path.write_text(_replaced(path.read_text(), words))
    client = LaminClient(home, original.environment)
    client.instance = original.instance
    return client


def _replaced(text: str, words: dict[str, str]) -> str:
    return re.sub("|".join(map(re.escape, words)), lambda found: words[found[0]], text)


def _new_uid() -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(12))
