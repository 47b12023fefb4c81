"""Pages of a location's artifacts, read from real LaminDB databases: forth and back, sorted, searched, in few steps."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, text

from portal.errors import InputError
from portal.lamindb.registry.artifact_orders import Position
from portal.lamindb.registry.artifact_pages import Budget, read_page
from portal.lamindb.registry.artifact_queries import SORTS, ArtifactQuery
from portal.lamindb.registry.artifact_rows import ArtifactRow, list_branches, read_rows
from portal.lamindb.registry.opening import open_registry
from portal.lamindb.registry.ways import Way
from tests.clients.instances import World, ask, execute, execute_many

pytestmark = pytest.mark.dialects

#: Few rows are enough to be read in order, and the budget ends in the middle.
TIGHT = Budget(gathered=0, own=7, shared=5)
ROOMY = Budget(gathered=0)
GATHERED = Budget()
ALL = (-1, 0, 1)

_COPY = (
    "INSERT INTO lamindb_artifact (uid, key, description, suffix, size, hash, _hash_type, is_latest, _key_is_virtual,"
    " _overwrite_versions, branch_id, storage_id, created_by_id, is_locked, created_at, updated_at)"
    " SELECT :uid, :key, :description, '.csv', :size, :hash, 'md5', :latest, :yes, :no, :branch, storage_id,"
    " created_by_id, :no, created_at, updated_at FROM lamindb_artifact ORDER BY id LIMIT 1"
)

#: Keys that a careless statement or cursor trips over.
ODD = ("100%", "a_b", "back\\slash", "it's", '"quoted"', "Ünïcode", "日本", "x" * 1000, " lead", "", "a\nb", "<b>", "~")

#: Begins the uid of each row added here. LaminDB draws its own by chance; none begins with so many zeros.
ADDED = "Zz00000000"

WORDS = ("same", "SAME/k", "%", "_", "\\", "'", '"', "Ünït", "Run 1", "<b>", "日", "Zz00000", "h000")


@pytest.fixture
def many(lamin_database: Way) -> Way:
    """The filled database and some dozen rows more: odd keys, versions of one key, none, equal sizes and times."""
    rows: list[dict[str, Any]] = [{"key": key} for key in ODD]
    rows += [{"key": "same/key.csv"} for _ in range(20)]
    rows += [{"key": None, "description": f"Run {number} of Ünit"} for number in range(20)]
    rows += [{"key": None, "hash": None} for _ in range(5)]
    rows += [{"key": f"trash/{number}", "branch": -1} for number in range(3)]
    rows += [{"key": f"archive/{number}", "branch": 0} for number in range(3)]
    for number, row in enumerate(rows):
        values = {
            "uid": f"{ADDED}{number:010d}", "description": None, "size": 5 if number % 2 else None,
            "hash": f"h{number:021d}", "latest": number % 3 != 0, "branch": 1, "yes": True, "no": False,
        }  # fmt: skip
        rows[number] = {**values, **row}
    execute_many(lamin_database, _COPY, rows)
    return lamin_database


@pytest.fixture
def connection(many: Way) -> Iterator[Connection]:
    """A transaction that reads it."""
    with open_registry(many) as opened:
        yield opened


@pytest.fixture
def place(connection: Connection) -> int:
    """The row id of the location that got the rows."""
    return int(connection.scalar(text("SELECT storage_id FROM lamindb_artifact ORDER BY id LIMIT 1")) or 0)


def uids_there(connection: Connection, condition: str) -> set[str]:
    return {uid for (uid,) in connection.execute(text(f"SELECT uid FROM lamindb_artifact WHERE {condition}"))}


def forth(connection: Connection, query: ArtifactQuery, budget: Budget) -> list[ArtifactRow]:
    """Return all rows, page by page."""
    rows: list[ArtifactRow] = []
    for _ in range(1000):
        page = read_page(connection, query, budget)
        rows.extend(page.rows)
        if page.next is None:
            return rows
        query = replace(query, position=page.next)
    raise AssertionError("the pages never end")


def back(connection: Connection, query: ArtifactQuery, budget: Budget) -> list[ArtifactRow]:
    """Return all rows, read from the last page to the first."""
    page = read_page(connection, query, budget)
    pages = [page]
    while page.next is not None:
        page = read_page(connection, replace(query, position=page.next), budget)
        pages.append(page)
    rows = list(page.rows)
    while page.previous is not None:
        page = read_page(connection, replace(query, position=page.previous, is_backwards=True), budget)
        rows = [*page.rows, *rows]
    return rows


def test_pages_lose_and_double_nothing(connection: Connection, place: int) -> None:
    there = uids_there(connection, f"storage_id = {place}")
    for sort, falls, budget in itertools.product(SORTS, (False, True), (GATHERED, ROOMY, TIGHT)):
        query = ArtifactQuery(place, sort=sort, is_falling=falls, limit=4, branch_ids=ALL)
        uids = [row.uid for row in forth(connection, query, budget)]
        assert len(uids) == len(set(uids)), query
        assert set(uids) == there, query
        assert [row.uid for row in back(connection, query, budget)] == uids, query


def test_what_has_no_value_comes_last_both_ways(connection: Connection, place: int) -> None:
    values = {"size": "size_bytes", "created": "created_at", "updated": "updated_at"}
    for sort, falls, budget in itertools.product(values, (False, True), (GATHERED, ROOMY)):
        rows = forth(connection, ArtifactQuery(place, sort=sort, is_falling=falls), budget)
        found = [getattr(row, values[sort]) for row in rows]
        known = [each for each in found if each is not None]
        assert found == sorted(known, reverse=falls) + [None] * (len(found) - len(known))


def test_trash_and_archive_are_hidden_until_they_are_asked_for(connection: Connection, place: int) -> None:
    for budget in (GATHERED, ROOMY, TIGHT):
        shown = {row.branch_id for row in forth(connection, ArtifactQuery(place), budget)}
        assert shown == {1}
        trash = forth(connection, ArtifactQuery(place, branch_ids=(-1,)), budget)
        assert {row.uid for row in trash} == uids_there(connection, f"storage_id = {place} AND branch_id = -1")
        assert {row.branch for row in trash} == {"trash"}
    assert list_branches(connection)[0][1] == "main"


def test_filters_hold_whichever_way_it_is_read(connection: Connection, place: int) -> None:
    for budget in (GATHERED, ROOMY, TIGHT):
        latest = forth(connection, ArtifactQuery(place, is_latest_only=True, branch_ids=ALL), budget)
        assert {row.uid for row in latest} == uids_there(connection, f"storage_id = {place} AND is_latest")
        folders = forth(connection, ArtifactQuery(place, hash_kinds=("md5-d",), branch_ids=ALL), budget)
        assert {row.uid for row in folders} == uids_there(connection, f"storage_id = {place} AND _hash_type = 'md5-d'")
        assert folders
        none = forth(connection, ArtifactQuery(place, hash_kinds=("none", "other"), branch_ids=ALL), budget)
        rest = "(_hash_type IS NULL OR _hash_type NOT IN ('md5', 'md5-d', 'sha1-fl'))"
        assert {row.uid for row in none} == uids_there(connection, f"storage_id = {place} AND {rest}")


def test_a_search_finds_what_holds_the_words_and_nothing_else(connection: Connection, place: int) -> None:
    everything = forth(connection, ArtifactQuery(place, branch_ids=ALL, limit=500), GATHERED)
    for word, budget in itertools.product(WORDS, (GATHERED, ROOMY, TIGHT)):
        query = ArtifactQuery(place, text=word, branch_ids=ALL, limit=5)
        found = [row.uid for row in forth(connection, query, budget)]
        assert len(found) == len(set(found)), (word, budget)
        assert set(found) == {row.uid for row in everything if holds(row, word)}, (word, budget)
        assert [row.uid for row in back(connection, query, budget)] == found, (word, budget)


def holds(row: ArtifactRow, word: str) -> bool:
    inside = any(_fold(word) in _fold(told or "") for told in (row.key, row.description))
    return inside or (len(word) >= 4 and any((told or "").startswith(word) for told in (row.uid, row.hash)))


def _fold(text: str) -> str:
    """Return a text without the case of ASCII; SQLite knows no other."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


def test_what_begins_with_the_words_is_found_first(connection: Connection, place: int) -> None:
    page = read_page(connection, ArtifactQuery(place, text="same/key", limit=20), ROOMY)
    assert {row.key for row in page.rows} == {"same/key.csv"}
    by_uid = read_page(connection, ArtifactQuery(place, text=f"{ADDED}{3:010d}"), ROOMY)
    assert by_uid.rows[0].uid == f"{ADDED}{3:010d}"
    by_hash = read_page(connection, ArtifactQuery(place, text=f"h{4:021d}"), ROOMY)
    assert by_hash.rows[0].hash == f"h{4:021d}"


def test_a_search_that_is_cut_tells_how_far_it_came(connection: Connection, place: int) -> None:
    query = ArtifactQuery(place, text="no such words", branch_ids=ALL)
    page = read_page(connection, query, TIGHT)
    assert (page.rows, page.is_cut, page.next is not None) == ((), True, True)
    told = [page.searched_count]
    while page.next is not None:
        page = read_page(connection, replace(query, position=page.next), TIGHT)
        told.append(page.searched_count)
    assert told == sorted(told, key=lambda count: count or 0)
    assert 0 < (told[0] or 0) < (told[-1] or 0)


def test_only_the_spaces_somebody_sees_are_shown(many: Way) -> None:
    execute(
        many,
        "INSERT INTO lamindb_space (uid, name, created_by_id)"
        " SELECT 'hiddenspace1', 'hidden', min(id) FROM lamindb_user",
    )
    [(hidden,)] = ask(many, "SELECT id FROM lamindb_space WHERE uid = 'hiddenspace1'")
    [(place,)] = ask(many, "SELECT storage_id FROM lamindb_artifact ORDER BY id LIMIT 1")
    execute(many, f"UPDATE lamindb_artifact SET space_id = {hidden} WHERE key = 'same/key.csv'")
    with open_registry(many) as connection:
        for budget in (GATHERED, ROOMY, TIGHT):
            seen = forth(connection, ArtifactQuery(place, text="same", space_ids=(1,)), budget)
            assert seen == []
        uids = [f"{ADDED}{number:010d}" for number in range(40)]
        assert len(read_rows(connection, place, uids)) == 40
        assert len(read_rows(connection, place, uids, (1,))) == 20


def test_another_location_shows_its_own_alone(connection: Connection, lamin_world: World) -> None:
    for location in lamin_world["locations"]:
        there = {each["uid"] for each in lamin_world["artifacts"] if each["storage_uid"] == location["uid"]}
        for budget in (GATHERED, ROOMY, TIGHT):
            rows = forth(connection, ArtifactQuery(location["id"], branch_ids=ALL, limit=7), budget)
            assert {row.uid for row in rows if not row.uid.startswith(ADDED)} == there


def test_an_address_of_another_list_is_refused(connection: Connection, place: int) -> None:
    for position in (Position(9, "a", 1), Position(0, 5, 1), Position(2, "text", 1)):
        with pytest.raises(InputError, match="another list"):
            read_page(connection, ArtifactQuery(place, position=position), ROOMY)
    with pytest.raises(InputError, match="another list"):
        read_page(connection, ArtifactQuery(place, sort="created", position=Position(0, "a/key", 1)), ROOMY)
