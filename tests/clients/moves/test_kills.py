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
from portal.runner import switching
from portal.runner.drive import Drive, Held
from portal.services import migrations
from portal.services.migrations import switch_jobs
from portal.services.migrations.leases import LEASE
from tests.clients.instances import Instance, ask, assert_world_whole, sqlite_way
from tests.clients.moves.conftest import Desk

pytestmark = [pytest.mark.kills, pytest.mark.dialects]

#: Cut-over and rollback of a location pass so many points at least.
MOST_POINTS = 40

#: Points that are always tried, in both directions: around the one write that decides, and after the portal's own.
AT_THE_DECISION = ("before the decision", "after the decision", "after the portal followed")

#: What decides, by the way of a move and the kind of its database.
_DECISIONS = frozenset(
    {switch_jobs.move_database, switch_jobs.repoint, switch_jobs.repoint_back, switch_jobs.change_row}
)

Point = int | str
KillPoints = Callable[[int], list[Point]]


@pytest.fixture
def kill_points() -> KillPoints:
    """Give those at the decision and some of a number, other ones for every seed; all of them when there is no end."""
    count = int(os.environ.get("KILL_POINTS", "3"))
    seed = int(os.environ.get("SOAK_SEED", "20261123"))

    def choose(most: int) -> list[Point]:
        if count >= most:
            return [*AT_THE_DECISION, *range(1, most + 1)]
        return [*AT_THE_DECISION, *sorted(random.Random(seed).sample(range(1, most + 1), count))]

    return choose


class Killed(BaseException):
    """What a kill looks like from inside: nothing of ours runs any more."""


@contextmanager
def killed_at(point: Point) -> Iterator[Callable[[], int]]:
    """Kill the runner at its `point`-th deed, before or after a job or a transaction; or at one of `AT_THE_DECISION`.

    Gives how many points were passed; fewer than `point`: it was not killed.
    """
    passed = 0

    def pass_point(name: str = "") -> None:
        nonlocal passed
        passed += 1
        if point in {passed, name}:
            raise Killed

    run, writing, complete = Drive.run, Drive.writing, switching._complete

    def run_or_die(self: Drive, call: Callable[..., Any], *arguments: Any, is_short: bool = False) -> Any:
        # A row that only follows is changed by the same job.
        decides = call in _DECISIONS and (call is not switch_jobs.change_row or arguments[-1] is True)
        pass_point("before the decision" if decides else "")
        answer = run(self, call, *arguments, is_short=is_short)
        pass_point("after the decision" if decides else "")
        return answer

    @contextmanager
    def write_or_die(self: Drive) -> Iterator[Held]:
        pass_point()
        with writing(self) as held:
            yield held
        pass_point()

    def complete_and_die(*arguments: Any) -> None:
        complete(*arguments)
        if point == "after the portal followed":
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(switching, "_complete", complete_and_die)
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


def there_and_back(desk: Desk, uid: str, roots: tuple[str, str], point: Point, where: Callable[[], str]) -> bool:
    """Move a location and roll it back, killed at a point of cut-over and rollback; tell whether it was killed.

    A point with a name is one of each of the two, a number one of both together. `where` returns the root that the
    instance names.
    """
    migration, was_killed = desk.ready(uid, roots[1]), False
    for service, given, state, root in (
        (migrations.request_cut_over, (migrations.CutOver(Path(roots[0]).name),), MigrationState.SOAKING, roots[1]),
        (migrations.request_rollback, (), MigrationState.ROLLED_BACK, roots[0]),
    ):
        wish(desk, service, migration, *given)
        if isinstance(point, str) or not was_killed:
            was_killed = False
            with killed_at(point) as passed:
                try:
                    desk.moves.drive()
                except Killed:
                    was_killed = True
            if isinstance(point, int):
                point -= passed()
            else:
                assert was_killed, f"{point}, on the way to {root}: it was never there"
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
