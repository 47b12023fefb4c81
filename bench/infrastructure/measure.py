"""Ask for each page in turns and take the medians."""

import gc
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select

from bench.infrastructure import rival
from bench.infrastructure.data import TERMS
from portal import database
from portal.app import create_app
from portal.config import Settings
from portal.database import db
from portal.models import Account, Storage
from portal.services.access import load_actor, visible_storages
from portal.services.storage_list.orders import Order

PEOPLE = ("admin", "member")
ROWS = 50
#: Number of the deep page, counted from 0; the last page where there are fewer.
DEEP_PAGE = 999

CASES: dict[str, dict[str, Any]] = {
    "first page": {},
    "deep page": {"deep": "after"},
    "deep page, backwards": {"deep": "before"},
    **{f"search, {name}": {"text": term} for name, term in TERMS.items()},
    "sort by type": {"sort": "type"},
    "sort by space": {"sort": "space"},
    "sort by instance": {"sort": "instance"},
    "sort by last check, newest": {"sort": "-checked"},
    "sort by creator": {"sort": "by"},
    "search common, sort by creator": {"text": TERMS["common"], "sort": "by"},
}


@dataclass(frozen=True, slots=True)
class Sample:
    """Median milliseconds and queries of one case for one person: ours, then the other's."""

    ours_ms: float
    ours_queries: int
    their_ms: float
    their_queries: int


def measure(urls: Mapping[int, str], rounds: int) -> dict[int, dict[tuple[str, str], Sample]]:
    """Return the samples of every (case, person) on each database.

    The databases too are asked in turns, so that growth is no matter of what else the machine did meanwhile.
    """
    with ExitStack() as stack:
        apps = {count: stack.enter_context(_app(url)) for count, url in urls.items()}
        samples: dict[int, dict[tuple[str, str], Sample]] = {count: {} for count in apps}
        for person in PEOPLE:
            clients = {count: _client(app, person) for count, app in apps.items()}
            for name, case in CASES.items():
                asked = {
                    (count, which): (clients[count], address)
                    for count, app in apps.items()
                    for which, address in enumerate(_addresses(app, person, case))
                }
                queries = {key: _query_count(apps[key[0]], *page) for key, page in asked.items()}
                times = _times(asked, rounds)
                for count in apps:
                    ours, theirs = (count, 0), (count, 1)
                    samples[count][name, person] = Sample(
                        times[ours], queries[ours], times[theirs], queries[theirs]
                    )  # fmt: skip
        return samples


@contextmanager
def _app(url: str) -> Iterator[Flask]:
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Settings(Path(folder), url, ("127.0.0.1", 0), "http://localhost", "bench", log_level="ERROR"))
        rival.register(app)
        yield app
        with app.app_context():
            db.engine.dispose()


def _query_count(app: Flask, client: FlaskClient, address: str) -> int:
    with _counted(app) as counted:
        answer = client.get(address)
    assert answer.status_code == 200, f"{address} gave {answer.status_code}"
    return len(counted)


def _times(asked: Mapping[tuple[int, int], tuple[FlaskClient, str]], rounds: int) -> dict[tuple[int, int], float]:
    """Return the median milliseconds of each page; the order changes from round to round.

    Garbage is collected before each page and not within it, as `timeit` does: else it would fall on the same page in
    every round.
    """
    times: dict[tuple[int, int], list[float]] = {key: [] for key in asked}
    for number in range(rounds):
        for key in sorted(asked, reverse=bool(number % 2)):
            client, address = asked[key]
            gc.collect()
            gc.disable()
            begin = time.perf_counter()
            client.get(address)
            times[key].append((time.perf_counter() - begin) * 1000)
            gc.enable()
    return {key: statistics.median(found) for key, found in times.items()}


def _client(app: Flask, person: str) -> FlaskClient:
    client = app.test_client()
    with app.app_context(), database.read() as session:
        account = session.scalars(select(Account).where(Account.handle == person)).one()
        cookie_id = f"{account.uid}:{account.session_epoch}"
    with client.session_transaction() as cookie:
        cookie["_user_id"], cookie["_fresh"] = cookie_id, True
    return client


def _addresses(app: Flask, person: str, case: dict[str, Any]) -> tuple[str, str]:
    """Return our address of a case and the other's."""
    asked = {"q": case.get("text"), "sort": case.get("sort")}
    if "deep" in case:
        page, cursor = _deep_page(app, person, case["deep"])
        asked, case = {case["deep"]: cursor}, {"page": page}
    query = urlencode({name: value for name, value in asked.items() if value})
    return f"/infrastructure?{query}", rival.address(case)


def _deep_page(app: Flask, person: str, direction: str) -> tuple[int, str]:
    """Return the number of the deep page and the cursor of the row before it, or after it."""
    with app.app_context(), database.read() as session:
        account = session.scalars(select(Account).where(Account.handle == person)).one()
        seen = (visible_storages(load_actor(session, account, via="bench")), Storage.branch_id >= 1)
        rows = session.execute(select(Storage.root, Storage.id).where(*seen).order_by(Storage.root, Storage.id)).all()
    page = min(DEEP_PAGE, max(len(rows) - 1, 0) // ROWS)
    at = page * ROWS - 1 if direction == "after" else min((page + 1) * ROWS, len(rows) - 1)
    root, row_id = rows[max(at, 0)]
    return page, Order("root", "root").cursor_of(root, root, row_id)


@contextmanager
def _counted(app: Flask) -> Iterator[list[str]]:
    """Collect the queries that are sent; beginnings of transactions are none."""
    found: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith("BEGIN"):
            found.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)
