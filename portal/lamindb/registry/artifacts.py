"""The artifacts of one location: a stream of all keys in order, and a few of every kind to try."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, case, collate, func, literal, or_, select

from portal.lamindb.hashes import can_recompute
from portal.lamindb.paths import STEM_LENGTH, ArtifactFacts, key_of
from portal.lamindb.registry.tables import ARTIFACT
from portal.planning.manifest import Recorded, Wanted
from portal.values import MANAGED_FOLDER

#: Rows fetched at a time.
_CHUNK: Final = 5_000

_A: Final = ARTIFACT.c

#: As `ArtifactFacts` wants them, then what is recorded of the content.
_COLUMNS: Final = (
    _A.uid,
    _A.key,
    _A["_real_key"],
    _A.suffix,
    _A["_key_is_virtual"],
    _A["_overwrite_versions"],
    _A.n_files,
    _A.is_latest,
    _A.size,
    _A.hash,
    _A["_hash_type"],
)


def key_expression() -> ColumnElement[str]:
    """Return `paths.key_of` in SQL; a test compares the two."""
    stem = case((_A["_overwrite_versions"], func.substr(_A.uid, 1, STEM_LENGTH)), else_=_A.uid)
    managed = literal(f"{MANAGED_FOLDER}/") + stem + _A.suffix
    return case(
        (_A["_real_key"].is_not(None), func.rtrim(_A["_real_key"], "/")),
        (or_(_A.key.is_(None), _A["_key_is_virtual"]), managed),
        else_=func.rtrim(_A.key, "/"),
    )


def is_folder_expression() -> ColumnElement[bool]:
    """Return `ArtifactFacts.is_folder` in SQL."""
    return or_(_A.n_files.is_not(None), _A["_overwrite_versions"])


def stream_wanted(connection: Connection, storage_row_id: int) -> Iterator[Wanted]:
    """Yield every key and folder the artifacts of a location refer to, in the order of keys, each once.

    All branches and versions. The database sorts; rows come in chunks, so memory does not grow with their number.
    """
    place = key_expression() + case((is_folder_expression(), literal("/")), else_=literal(""))
    binary = "BINARY" if connection.dialect.name == "sqlite" else "C"
    query = select(*_COLUMNS).where(_A.storage_id == storage_row_id).order_by(collate(place, binary), _A.id)
    rows: Any = connection.execution_options(stream_results=True, yield_per=_CHUNK).execute(query)
    for (key, is_folder), group in groupby(rows, key=_place_of):
        yield _wanted(key, is_folder, list(group))


def sample(connection: Connection, storage_row_id: int, count: int) -> list[Wanted]:
    """Return some artifacts of different kinds: by suffix, folder or not, real key or not, branch; newest first.

    Only those whose bytes are still theirs: of folders the latest version.
    """
    kind = (_A.suffix, is_folder_expression(), _A["_key_is_virtual"], _A.branch_id)
    rank = func.row_number().over(partition_by=kind, order_by=_A.id.desc()).label("rank")
    ranked = (
        select(*_COLUMNS, rank)
        .where(_A.storage_id == storage_row_id, or_(_A.is_latest, ~_A["_overwrite_versions"]))
        .subquery()
    )
    names = [column.name for column in _COLUMNS]
    query = select(*(ranked.c[name] for name in names)).order_by(ranked.c.rank, ranked.c.uid).limit(count)
    return [_wanted(*_place_of(row), [row]) for row in connection.execute(query)]


def count_artifacts(connection: Connection, storage_row_id: int) -> int:
    """Return the number of artifacts of a location, of every branch and version."""
    query: Select[Any] = select(func.count()).select_from(ARTIFACT).where(_A.storage_id == storage_row_id)
    return int(connection.scalar(query) or 0)


def _place_of(row: Any) -> tuple[str, bool]:
    uid, key, real_key, suffix, key_is_virtual, overwrites, file_count = row[:7]
    facts = ArtifactFacts(uid, key, real_key, suffix, bool(key_is_virtual), bool(overwrites), file_count)
    return key_of(facts), facts.is_folder


def _wanted(key: str, is_folder: bool, rows: list[Any]) -> Wanted:
    # Of an artifact whose versions overwrite each other only the latest has its bytes still.
    current = [row for row in rows if bool(row[7]) or not bool(row[5])] or rows
    recorded = {Recorded(row[10], row[9]) for row in current if row[9] and can_recompute(row[10])}
    if len({bool(row[9]) for row in current}) > 1:
        recorded = set()  # one of them has no hash, so any bytes may be right
    sizes = {row[8] for row in current}
    return Wanted(
        key=key,
        is_folder=is_folder,
        recorded=tuple(sorted(recorded, key=lambda one: (one.kind, one.value))),
        artifact_uid=current[-1][0],
        size_bytes=sizes.pop() if len(sizes) == 1 else None,
    )
