"""A migration in words and steps for its page. Decides nothing; only says."""

from portal.planning.certificates import evidence_words
from portal.planning.estimates import guess
from portal.planning.states import MOVES, SWITCHED, WORKING, Event, MigrationState
from portal.services.migrations import MigrationPage, MigrationView
from portal.services.migrations.certificate import has_certificate
from portal.web import migration_pace
from portal.web.filters import format_count, format_duration

_S = MigrationState

#: The steps people see, and which of them a state is in.
STEPS = ("Check", "Plan", "Copy", "Verify", "Cut over", "Soak", "Release")
_PLACE = {
    _S.DRAFT: 0,
    _S.PREFLIGHT: 0,
    _S.PLANNED: 1,
    _S.COPYING: 2,
    _S.PAUSED: 2,
    _S.VERIFYING: 3,
    _S.READY: 4,
    _S.FENCED: 4,
    _S.CUT_OVER: 4,
    _S.SOAKING: 5,
    _S.ROLLING_BACK: 5,
    _S.ROLLED_BACK: 5,
    _S.RELEASED: 7,
}
#: How the step that a state is in looks, where it is not simply under way: only what went wrong is loud.
_MARKS = {
    _S.NEEDS_ATTENTION: "waits",
    _S.FAILED: "stopped",
    _S.CANCELLED: "ended",
    _S.CANCELLING: "ended",
    _S.ROLLED_BACK: "ended",
}

_UNDER_WAY = frozenset(
    {_S.COPYING, _S.PAUSED, _S.VERIFYING, _S.FENCED, _S.NEEDS_ATTENTION, _S.CANCELLING, _S.ROLLING_BACK}
)

_PROVEN = frozenset({_S.READY, _S.CUT_OVER, _S.SOAKING, _S.RELEASED})

_WISHES = {
    Event.START: "Starting",
    Event.PAUSE: "Pausing",
    Event.RESUME: "Resuming",
    Event.RETRY: "Retrying",
    Event.CHECK: "Checking again",
    Event.CANCEL: "Cancelling",
    Event.CUT_OVER: "Cutting over",
    Event.ROLL_BACK: "Rolling back",
}


def steps(page: MigrationPage) -> list[tuple[str, str, str]]:
    """Return the stepper's entries."""
    view = page.view
    place = _PLACE.get(
        view.state, 0 if view.plan is None or "summary" not in view.plan else 2 if view.started_at else 1
    )
    notes = {
        "Plan": f"{format_count(view.planned_count)} objects" if view.planned_count else "",
        "Copy": f"pass {view.pass_number}" if view.started_at else "",
        "Soak": "both roots are kept",
    }
    here = _MARKS.get(view.state, "now")
    states = ["done" if at < place else here if at == place else "next" for at in range(len(STEPS))]
    return [(name, notes.get(name, ""), state) for name, state in zip(STEPS, states, strict=True)]


def wish_words(page: MigrationPage) -> str:
    """Return what was asked for and is not done yet; empty for nothing."""
    view = page.view
    if view.wish == Event.RETRY and view.state is _S.READY:
        return "Copying what changed …"
    return f"{_WISHES.get(Event(view.wish), view.wish)} …" if view.wish else ""


def poll_seconds(page: MigrationPage) -> int | None:
    """Return how often the page asks again; None when nothing will change any more."""
    if page.view.state.is_final:
        return None
    return 2 if is_busy(page.view) and not migration_pace.waiting(page) else 30


def is_busy(view: MigrationView) -> bool:
    """Tell whether a runner is at work, or about to be."""
    return bool(view.wish) or view.state in WORKING or view.state is _S.DRAFT


def is_under_way(page: MigrationPage) -> bool:
    """Tell whether the progress of the present pass is what matters."""
    return page.view.state in _UNDER_WAY


def is_proven(page: MigrationPage) -> bool:
    """Tell whether every object of the move was verified, with nothing left open."""
    return page.view.state in _PROVEN and page.view.manifest_digest is not None and not page.exceptions


def is_certified(page: MigrationPage) -> bool:
    """Tell whether there is a certificate to look at."""
    return has_certificate(page.view.state, page.view.plan)


def evidence(page: MigrationPage) -> str:
    """Return how the objects were verified, from their results alone."""
    return evidence_words(((page.view.plan or {}).get("manifest") or {}).get("counts") or {})


def guessed(page: MigrationPage) -> str:
    """Return what copying and verifying the plan may take, before anything was measured."""
    return f"{guess(page.view.planned_count, page.view.planned_bytes)}, copying and verifying"


def can(page: MigrationPage, event: Event) -> bool:
    """Tell whether the actor may press the button of an event now."""
    return page.may_move and not page.view.wish and event in MOVES[page.view.state]


def can_take_back(page: MigrationPage) -> bool:
    """Tell whether a start that waits for its time may be taken back."""
    return page.may_move and page.view.wish == Event.START and bool(migration_pace.waiting(page))


def can_cancel(page: MigrationPage) -> bool:
    """Tell whether cancelling is offered; it replaces another wish."""
    return Event.CANCEL in MOVES[page.view.state] and page.view.wish != Event.CANCEL


def is_switched(page: MigrationPage) -> bool:
    """Tell whether the location names the new root."""
    return page.view.state in SWITCHED


def silence(page: MigrationPage) -> str:
    """Return what to say when nobody is there to do the next step; empty when somebody is."""
    if not page.is_waiting_for_runner:
        return ""
    where = f" on host {page.needed_host}" if page.needed_host else ""
    start = f"portal runner --host {page.needed_host}" if page.needed_host else "portal runner"
    if page.runner_seen_at is None:
        return f"No runner{where} has ever reported. Start one: {start}"
    silent_ms = (page.now - page.runner_seen_at).total_seconds() * 1000
    return f"No runner{where} has reported for {format_duration(silent_ms)}. Start one: {start}"
