"""The portal is killed at every step of a cut-over and of a rollback; whoever comes after ends it, everywhere."""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from portal.lamindb.registry.opening import open_registry
from portal.lamindb.registry.seal import seal_words
from portal.planning.states import MigrationState
from portal.runner.drive import Drive, Held
from portal.services import migrations
from portal.services.migrations.leases import LEASE
from tests.clients.instances import Instance, ask, assert_world_whole, sqlite_way
from tests.clients.moves.conftest import Desk

pytestmark = [pytest.mark.kills, pytest.mark.dialects]

#: Cut-over and rollback of a location pass so many points at least.
MOST_POINTS = 40

KillPoints = Callable[[int], list[int]]


@pytest.fixture
def kill_points() -> KillPoints:
    """Give some points of a number, other ones for every seed; all of them when there is no end."""
    count = int(os.environ.get("KILL_POINTS", "3"))
    seed = int(os.environ.get("SOAK_SEED", "20261123"))

    def choose(most: int) -> list[int]:
        if count >= most:
            return list(range(1, most + 1))
        return sorted(random.Random(seed).sample(range(1, most + 1), count))

    return choose


class Killed(BaseException):
    """What a kill looks like from inside: nothing of ours runs any more."""


@contextmanager
def killed_at(point: int) -> Iterator[Callable[[], int]]:
    """Kill the runner at its `point`-th deed: before or after a job, before or after a transaction.

    Gives how many points were passed; fewer than `point`: it was not killed.
    """
    passed = 0

    def pass_point() -> None:
        nonlocal passed
        passed += 1
        if passed == point:
            raise Killed

    run, writing = Drive.run, Drive.writing

    def run_or_die(self: Drive, call: Callable[..., Any], *arguments: Any, is_short: bool = False) -> Any:
        pass_point()
        answer = run(self, call, *arguments, is_short=is_short)
        pass_point()
        return answer

    @contextmanager
    def write_or_die(self: Drive) -> Iterator[Held]:
        pass_point()
        with writing(self) as held:
            yield held
        pass_point()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Drive, "run", run_or_die)
        patch.setattr(Drive, "writing", write_or_die)
        yield lambda: passed


def end_leases(desk: Desk, migration: str) -> None:
    """Let the dead runner's lease run out."""
    with desk.moves.row(migration) as row:
        if row.lease_expires_at is not None:
            row.lease_expires_at -= 2 * LEASE


def wish(desk: Desk, service: Any, migration: str, *given: object) -> None:
    with desk.moves.portal.write_as("ada") as work:
        service(work, migration, *given)


def there_and_back(desk: Desk, uid: str, roots: tuple[str, str], point: int, where: Callable[[], str]) -> bool:
    """Move a location and roll it back, killed once at a point of cut-over and rollback; tell whether it was killed.

    `where` returns the root that the instance names.
    """
    migration, was_killed = desk.ready(uid, roots[1]), False
    for service, given, state, root in (
        (migrations.request_cut_over, (migrations.CutOver(Path(roots[0]).name),), MigrationState.SOAKING, roots[1]),
        (migrations.request_rollback, (), MigrationState.ROLLED_BACK, roots[0]),
    ):
        wish(desk, service, migration, *given)
        if not was_killed:
            with killed_at(point) as passed:
                try:
                    desk.moves.drive()
                except Killed:
                    was_killed = True
            point -= passed()
        if was_killed:
            end_leases(desk, migration)
            desk.moves.drive()
        view = desk.moves.view(migration)
        assert view.state is state, (point, view.state, view.message, view.hint)
        assert (desk.moves.storage(uid).root, where()) == (root, root), point
    return was_killed


def root_there(instance: Instance, uid: str) -> str:
    [(root,)] = ask(instance.way, "SELECT root FROM lamindb_storage WHERE uid = :uid", uid=uid)
    return str(root)


def test_a_location_is_in_one_place_everywhere_whenever_the_portal_is_killed(
    desk: Desk, instance: Instance, tmp_path: Path, kill_points: KillPoints
) -> None:
    roots = (str(tmp_path / "second"), str(tmp_path / "third"))
    uid = instance.location(roots[0])["uid"]
    desk.attach(instance)
    for point in kill_points(MOST_POINTS):
        assert there_and_back(desk, uid, roots, point, lambda: root_there(instance, uid)), "the point is too far"
    assert_world_whole(instance.client, instance.world)


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_database_that_moves_along_is_whole_whenever_the_portal_is_killed(
    database_kind: str, desk: Desk, instance: Instance, tmp_path: Path, kill_points: KillPoints
) -> None:
    roots = (str(tmp_path / "main"), str(tmp_path / "moved"))
    uid = instance.location(roots[0])["uid"]
    desk.attach(instance)

    def root_in_use() -> str:
        """Return the root of the one database that is not sealed."""
        [root] = [root for root in roots if not is_sealed(root)]
        [(named,)] = ask(sqlite_way(root), "SELECT root FROM lamindb_storage WHERE uid = :uid", uid=uid)
        return str(named)

    for number, point in enumerate(kill_points(MOST_POINTS)):
        roots = (roots[0], str(tmp_path / f"moved {number}"))
        assert there_and_back(desk, uid, roots, point, root_in_use), "the point is too far"
    assert_world_whole(instance.client, instance.world)


def is_sealed(root: str) -> bool:
    """Tell whether the database of a root is sealed, or not there."""
    if not Path(root, ".lamindb/lamin.db").exists():
        return True
    with open_registry(sqlite_way(root)) as connection:
        return seal_words(connection) is not None
