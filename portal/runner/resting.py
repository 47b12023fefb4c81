"""Which migrations a runner leaves alone for now, so that it can do others meanwhile."""

from time import monotonic
from typing import Final

#: How long the first time; twice as long each time after.
FIRST_SECONDS: Final = 2.0


class Resting:
    """Rests by migration, by a clock that nobody sets back."""

    def __init__(self) -> None:
        self._until: dict[int, float] = {}
        self._tries: dict[int, int] = {}

    def leave(self, migration_id: int, seconds: float) -> None:
        """Leave a migration alone for so long."""
        self._until[migration_id] = monotonic() + seconds

    def put_off(self, migration_id: int, most_seconds: float) -> None:
        """Leave a migration alone whose step did not work yet, longer each time in a row."""
        tries = self._tries[migration_id] = self._tries.get(migration_id, 0) + 1
        self.leave(migration_id, min(most_seconds, FIRST_SECONDS * 2 ** min(tries - 1, 10)))

    def forget(self, migration_id: int) -> None:
        """Begin to count anew: a step worked."""
        self._tries.pop(migration_id, None)

    def ids(self) -> frozenset[int]:
        """Return which migrations to leave alone now."""
        now = monotonic()
        self._until = {key: until for key, until in self._until.items() if until > now}
        return frozenset(self._until)
