"""A switch there or back, its steps as written down, and how to wait for what must happen."""

from collections.abc import Callable
from dataclasses import dataclass

from portal import database
from portal.runner.drive import Drive, Facts
from portal.runner.fencing import turned
from portal.runner.jobs import Answer
from portal.services.migrations import intents
from portal.services.migrations.doors import RegistryDoor
from portal.services.migrations.intents import IntentRow
from portal.services.migrations.ledger import BACK, FORWARD

#: Something that must happen and does not yet is tried so often, so far apart, before other moves get their turn.
_TRIES = 3
_AGAIN_SECONDS = 2.0

#: How long it is left alone then, at most.
REST_SECONDS = 60.0
UNTIL_IT_WORKS = "It is tried again until it works."


@dataclass(frozen=True, slots=True)
class Way:
    """A switch there or back.

    Attributes:
        direction: FORWARD or BACK.
        doors: registries, turned for the way back of re-pointed artifacts.
        verb: `switched` or `switched back`, for messages.
        again: what a person may do when it did not work.
    """

    direction: str
    doors: tuple[RegistryDoor, ...]
    verb: str
    again: str

    @property
    def decider(self) -> RegistryDoor | None:
        """Return the registry whose transaction decides; None: the portal's own does."""
        return next((door for door in self.doors if door.is_writer and door.can_write), None)


def way_of(facts: Facts, direction: str) -> Way:
    """Return the switch of a migration in one direction."""
    if direction == FORWARD:
        return Way(FORWARD, facts.doors, "switched", "Look at it, then cut over again or cancel.")
    doors = turned(facts.doors) if facts.is_repoint else facts.doors
    return Way(BACK, doors, "switched back", "Look at it, then roll back again.")


def latest_steps(drive: Drive, way: Way) -> list[IntentRow]:
    """Return the steps of the latest attempt in their order; none where there was no attempt."""
    with database.read() as session:
        return intents.latest(session, drive.lease.migration_id, way.direction)


def door_in(doors: tuple[RegistryDoor, ...], instance_id: int | None) -> RegistryDoor | None:
    """Return the registry of an instance; None where it was detached meanwhile."""
    return next((door for door in doors if door.instance_id == instance_id), None)


def insist(drive: Drive, ask: Callable[[], Answer], lead: str = "") -> Answer:
    """Return the answer to something that must happen before anything else, once it does.

    Raises:
        Later: it still does not; then it is tried again.
    """
    tries = 0
    while (answer := ask()).error:
        tries, message = tries + 1, f"{lead}{answer.error}"
        if tries == _TRIES:
            drive.put_off(message, UNTIL_IT_WORKS, REST_SECONDS)
        with drive.writing() as held:
            held.migration.message, held.migration.hint = message, UNTIL_IT_WORKS
        drive.tools.stopping.wait(_AGAIN_SECONDS)
        drive.tick()
    return answer
