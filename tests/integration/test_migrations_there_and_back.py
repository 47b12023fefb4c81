"""Moving roots with a real runner, real workers and a real S3 server, in all four directions and back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from portal.planning.states import MigrationState as State
from portal.services import migrations
from portal.services.checks import list_batches, run_checks
from portal.services.storages.find import find_storage
from portal.services.units import Units
from portal.values import MARKER_KEY, Root, StorageType
from tests.integration.move_fixtures import bucket_name, executor, marker_of, moves
from tests.integration.moves import OBJECTS, Moves, contents, fill, picture

__all__ = ["bucket_name", "executor", "moves"]

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("way", ["local-s3", "s3-local", "s3-s3", "local-local"])
def test_a_root_moves_there_and_back_with_every_byte(
    moves: Moves, local_base: Path, bucket_name: Callable[[], str], way: str
) -> None:
    ends: list[Root | Path] = []
    folders: list[Path] = []
    for kind, name in zip(way.split("-"), ("old", "new"), strict=True):
        if kind == "s3":
            root, folder = moves.bucket(bucket_name())
            ends.append(root)
        else:
            folder = local_base / name
            ends.append(folder)
        folders.append(folder)
    old, new = folders
    fill(old)
    uid = moves.register(ends[0])
    fill(old, {MARKER_KEY: marker_of(uid)})
    before = picture(old)

    made = moves.copy(uid, str(ends[1]))
    view = moves.view(made)
    assert (view.state, view.message) == (State.READY, view.message)
    assert contents(new) == OBJECTS
    assert (view.verified_count, view.attention_count, view.percent) == (len(OBJECTS), 0, 100.0)
    assert view.manifest_digest is not None

    view = moves.cut_over(made, folders[0].name)
    assert view.state is State.SOAKING, view.message
    moved = moves.storage(uid)
    assert (moved.root, moved.run) == (view.target_root, made)
    assert moved.type is (StorageType.S3 if way.endswith("s3") else StorageType.LOCAL)
    assert (moved.connection_id is None, moved.host_id is None) == (way.endswith("local"), way.endswith("s3"))
    assert contents(new) == OBJECTS | {MARKER_KEY: marker_of(uid)}

    fill(new, {"written/since.txt": b"new", "README.md": b"rewritten since"})
    view = moves.wish(migrations.request_rollback, made)
    assert view.state is State.ROLLED_BACK, view.message
    back = moves.storage(uid)
    assert (back.root, back.run) == (view.source_root, None)
    after = picture(old)
    assert {key: after[key] for key in before} == before
    assert contents(old)["written/since.txt"] == b"new"
    assert [data for key, data in contents(old).items() if key.startswith("README.md.")] == [b"rewritten since"]
    assert MARKER_KEY not in contents(new)


def test_the_soak_counts_what_a_rollback_would_copy_back(moves: Moves, local_base: Path) -> None:
    old, new = local_base / "old", local_base / "new"
    fill(old)
    made = moves.copy(moves.register(old), new)
    moves.cut_over(made, "old")

    def look() -> tuple[int, int]:
        with moves.row(made) as row:
            row.sweep_at = datetime.now(UTC) - timedelta(seconds=1)
        moves.drive()
        written = (moves.view(made).plan or {})["sweep"]["written"]
        return written["count"], written["bytes"]

    assert look() == (0, 0)
    fill(new, {"written/since.txt": b"new", "README.md": b"rewritten since"})
    fill(old, {"straggler.txt": b"brought over, and no news"})
    before = picture(new)
    assert look() == (2, 18)
    assert look() == (2, 18)
    assert {key: found for key, found in picture(new).items() if key in before} == before


def test_what_was_checked_at_the_old_root_says_nothing_of_the_new_one(moves: Moves, local_base: Path) -> None:
    old = local_base / "old"
    fill(old)
    uid = moves.register(old)
    units = Units(lambda: moves.portal.read_as("ada"), lambda: moves.portal.write_as("ada"))

    def checked() -> tuple[bool, int]:
        with moves.portal.read_as("ada") as work:
            storage = find_storage(work, uid)
            return storage.last_check_at is not None, len(list_batches(work, storage))

    run_checks(units, uid)
    assert checked() == (True, 1)
    made = moves.copy(uid, local_base / "new")
    moves.cut_over(made, "old")
    assert checked() == (False, 0)
    run_checks(units, uid)
    assert checked()[0]
    moves.wish(migrations.request_rollback, made)
    assert checked() == (False, 0)
