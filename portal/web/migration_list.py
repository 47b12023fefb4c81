"""The list of migrations in words: its query from the address, its filter, and what a row says."""

from typing import Any

from werkzeug.datastructures import MultiDict

from portal.planning.states import WORKING, MigrationState
from portal.services.migrations import MigrationList, MigrationQuery, MigrationView
from portal.services.migrations.waiting import waits_until
from portal.web.filters import format_count
from portal.web.migration_pace import words_for_moment

_S = MigrationState

#: How often a list asks again while a runner works on one of its rows.
POLL_SECONDS = 10

_WITH_PERCENT = frozenset({_S.COPYING, _S.VERIFYING, _S.PAUSED})


def parse_query(args: MultiDict[str, str]) -> MigrationQuery:
    """Return the query an address asks for."""
    states = tuple(state for state in args.getlist("state") if state)
    return MigrationQuery(states, args.get("q", ""), args.get("after"), args.get("before"))


def context(found: MigrationList, query: MigrationQuery, args: MultiDict[str, str]) -> dict[str, Any]:
    """Return what the templates of the list take. `live` in an address marks a poll; nothing links to it."""
    kept = MultiDict([(name, value) for name, value in args.items(multi=True) if name != "live"])
    return {
        "found": found,
        "query": query,
        "args": kept,
        "is_poll": "live" in args,
        "poll_seconds": POLL_SECONDS if any(row.wish or row.state in WORKING for row in found.rows) else None,
        "state_options": _options(found, query),
        "summary": _summary(found, query),
        "label": label,
        "waits": lambda row: _waits(row, found),
    }


def label(view: MigrationView) -> str:
    """Return the state as a badge says it: `Copying 43 %` while that is counted."""
    words = view.state.label.capitalize()
    if view.percent is None or view.state not in _WITH_PERCENT:
        return words
    return f"{words} {int(view.percent)}\N{NO-BREAK SPACE}%"


def _waits(view: MigrationView, found: MigrationList) -> str:
    """Return until when a move waits by itself; empty where it does not."""
    until = waits_until(view, found.now)
    return f"until {words_for_moment(until, view, found.now)}" if until else ""


def _options(found: MigrationList, query: MigrationQuery) -> list[tuple[str, str, int, bool]]:
    """Return the filter's choices in the order of a move; one that was chosen stays to be taken off."""
    shown = [state for state in _S if found.state_counts.get(state) or state in query.states]
    known = [(state.value, state.label.capitalize(), found.state_counts.get(state, 0)) for state in shown]
    unknown = [(name, name, 0) for name in query.states if name not in set(_S)]
    return [(*option, option[0] in query.states) for option in (*known, *unknown)]


def _summary(found: MigrationList, query: MigrationQuery) -> str:
    noun = "migration" if found.total == 1 else "migrations"
    if query.is_filtered:
        return f"{format_count(found.match_count)} of {format_count(found.total)} {noun} match"
    is_whole = not found.next_after and not found.previous_before
    return f"{format_count(found.total)} {noun}" + (", all shown" if is_whole else "")
