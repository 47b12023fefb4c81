"""Ask for pages of the tab, and take the time."""

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from flask.testing import FlaskClient

from portal.app import create_app
from portal.config import Settings
from portal.database import upgrade
from portal.lamindb.registry.artifact_orders import Position
from portal.services.artifacts import write_position
from portal.services.registries.apply import take_over
from portal.services.registries.attach import AttachInstance, attach_instance
from portal.services.units import Units
from tests.integration.world import Portal, build_world


@dataclass(frozen=True, slots=True)
class Measured:
    """One page: what it is, the median in milliseconds."""

    page: str
    ms: float


def _at(position: Position) -> str:
    return f"after={write_position(position)}"


_DEEP_KEY = _at(Position(0, "data/200/plate-14/cell-0500000.csv", 1))

#: What is asked of the large location.
LARGE = (
    ("first page", ""),
    ("deep page", _DEEP_KEY),
    ("deep page, backwards", _DEEP_KEY.replace("after", "before")),
    ("artifacts without a key", _at(Position(1, "80", 1))),
    ("largest first", "sort=-size"),
    ("by size, deep", "sort=size&" + _at(Position(0, 1_000_000_000, 1))),
    ("newest first", "sort=-created"),
    ("last changed first", "sort=-updated"),
    ("search, whole uid", "q={uid}"),
    ("search, beginning of many keys", "q=data/2"),
    ("search, beginning of few keys", "q=data/399/plate-36/cell-04"),
    ("search within, one step: common", "q=Sample"),
    ("search within, one step: rare", "q=cell-0012345"),
    ("search within, one step: nothing", "q=no+such+words"),
    ("trash", "branch=-1"),
    ("archive, one step", "branch=0"),
    ("latest with a rare hash, one step", "latest=1&hash=sha1-fl"),
)

#: What is asked of the one with few.
SMALL = (
    ("first page", ""),
    ("largest first", "sort=-size"),
    ("newest first", "sort=-created"),
    ("search", "q=cell"),
    ("search, nothing", "q=no+such+words"),
    ("trash", "branch=-1"),
)


def measure(folder: Path, way: dict[str, str], rounds: int) -> list[Measured]:
    """Return the pages in order, of the large location, then of the small one."""
    portal, uids = _portal(folder, way)
    client = portal.client_as("ada")
    uid = _uid_in(client, uids[0])
    found = []
    for name, location, pages in (("", uids[0], LARGE), ("10 of them: ", uids[-1], SMALL)):
        for page, query in pages:
            path = f"/storages/{location}/artifacts?{query.format(uid=uid)}"
            found.append(Measured(f"{name}{page}", _median_ms(client, path, rounds)))
    return found


def _portal(folder: Path, way: dict[str, str]) -> tuple[Portal, tuple[str, ...]]:
    url = f"sqlite:///{folder}/portal.db"
    upgrade(url)
    settings = Settings(
        data_dir=folder / "data", database_url=url, bind=("127.0.0.1", 8000), url="http://localhost", host="here",
        local_bases=(folder / "bases",), allowed_endpoints=("127.0.0.0/8",), log_level="ERROR",
    )  # fmt: skip
    portal = Portal(create_app(settings))
    build_world(portal)
    units = Units(lambda: portal.read_as("ada"), lambda: portal.write_as("ada"))
    done = attach_instance(units, AttachInstance("lab/atlas", way.get("path", ""), way.get("url", "")))
    if done.uid is None:
        raise RuntimeError(str(done.examination.error))
    return portal, tuple(take_over(units, "lab/atlas").new_uids)


def _uid_in(client: FlaskClient, location: str) -> str:
    page = client.get(f"/storages/{location}/artifacts?{_DEEP_KEY}").text
    return page.partition('id="object-')[2].partition('"')[0]


def _median_ms(client: FlaskClient, path: str, rounds: int) -> float:
    took = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        answer = client.get(path)
        took.append((time.perf_counter() - started) * 1000)
        if answer.status_code != 200 or "Try again" in answer.text:
            raise RuntimeError(f"{path} answered {answer.status_code} and showed no list.")
    # The first warms up.
    return statistics.median(took[1:])
