"""What a migration's moves are called in its story, and how a state says that a step did not work."""

from collections.abc import Mapping
from types import MappingProxyType

from portal.planning.states import Event, MigrationState

MOVE_WORDS: Mapping[Event, str] = MappingProxyType(
    {
        Event.CHECK: "checking",
        Event.PLAN_MADE: "planned",
        Event.START: "started",
        Event.PAUSE: "paused",
        Event.RESUME: "resumed",
        Event.COPY_DONE: "copied",
        Event.CHANGES_FOUND: "changes-found",
        Event.VERIFY_DONE: "verified",
        Event.CUT_OVER: "fenced",
        Event.FENCE_LIFTED: "fence-lifted",
        Event.SWITCHED: "cut-over",
        Event.SOAK: "soaking",
        Event.ROLL_BACK: "rolling-back",
        Event.ROLLBACK_STUCK: "rollback-stuck",
        Event.ROLLBACK_DONE: "rolled-back",
        Event.CANCEL: "cancelling",
        Event.CANCEL_DONE: "cancelled",
        Event.TROUBLE: "stopped",
        Event.FAIL: "failed",
        Event.RETRY: "retried",
        Event.RELEASE: "released",
    }
)

#: Elsewhere it is TROUBLE.
TROUBLES: Mapping[MigrationState, Event] = MappingProxyType(
    {MigrationState.FENCED: Event.FENCE_LIFTED, MigrationState.ROLLING_BACK: Event.ROLLBACK_STUCK}
)
