"""Following a migration from the command line, and what is printed of one."""

import sys
import time
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from portal.cli.context import Context
from portal.cli.main import fail, print_result
from portal.planning.estimates import words_for_range
from portal.planning.schedules import parse_hours, parse_start
from portal.planning.states import MigrationState
from portal.services import migrations
from portal.services.migrations import MigrationPage, MigrationView, Times
from portal.services.migrations.controls import find_zone

#: How often `--wait` looks, seconds.
POLL_SECONDS = 0.5

_S = MigrationState

#: States in which nothing goes on until a person decides, or nothing ever again.
_RESTING = {_S.PLANNED, _S.READY, _S.PAUSED, _S.NEEDS_ATTENTION, _S.SOAKING}

#: States in which a fence may be up.
_HELD = {_S.FENCED, _S.CUT_OVER, _S.ROLLING_BACK}


def follow(context: Context, uid: str) -> MigrationView:
    """Look until nothing goes on any more; progress goes to stderr, so that stdout holds the record alone."""
    said, told = "", set[str]()
    while True:
        with context.reading() as work:
            page = migrations.get_page(work, uid)
        view = page.view
        if not view.wish and (view.state.is_final or view.state in _RESTING):
            return view
        for notice in _notices(page):
            if notice not in told:
                click.echo(notice, err=True)
                told.add(notice)
        line = _progress_line(view)
        if page.is_waiting_for_runner:
            host = f" --host {page.needed_host}" if page.needed_host else ""
            line = f"{view.state.label}: no runner has reported lately. Start one: portal runner{host}"
        if line != said:
            click.echo(line, err=True)
            said = line
        time.sleep(POLL_SECONDS)


def _notices(page: MigrationPage) -> list[str]:
    """Return what is to be said once each while writers are held off."""
    view = page.view
    if view.state not in _HELD:
        return []
    until = (view.plan or {}).get("fence_until")
    is_held = any(row.can_write for row in page.instances)
    words = "Writers are held off until" if is_held else "Nothing holds writers off; the cut-over gives up at"
    notices = [f"{words} {until[11:16]} UTC."] if until else []
    notices += [f"Not held off: {row.name}: {row.why_not}" for row in page.instances if not row.can_write]
    if not page.instances:
        notices.append("Not held off: no attached instance has a row for this location. Stop writers by hand.")
    return [*notices, view.message] if view.message else notices


def page_dict(page: MigrationPage) -> dict[str, Any]:
    """Return a migration's page for JSON."""
    return page.view.as_dict() | {
        "instances": [asdict(row) for row in page.instances],
        "by_hand": [asdict(change) for change in page.by_hand],
        "tasks": [asdict(task) for task in page.tasks],
    }


def _progress_line(view: MigrationView) -> str:
    percent = "" if view.percent is None else f" {view.percent:.0f} %"
    if view.waits_until is not None:
        return f"{view.state.label}{percent}: waits until {words_for_moment(view.waits_until, view.zone)}"
    done = f"{view.copied_count} copied, {view.verified_count} verified of {view.pass_count}"
    left = (view.progress or {}) if view.state in {_S.COPYING, _S.VERIFYING} else {}
    if "low_seconds" in left:
        done += f", {words_for_range(left['low_seconds'], left['high_seconds'])} left"
    return f"{view.state.label}{percent}: {done}"


def words_for_moment(at: datetime, zone: str | None) -> str:
    """Return a moment on the clock of a zone; None: UTC."""
    return f"{at.astimezone(find_zone(zone or 'UTC')):%Y-%m-%d %H:%M} {zone or 'UTC'}"


def parse_times(at: str | None, between: str | None, zone: str | None) -> Times:
    """Return what --at, --between and --zone say.

    Raises:
        InputError: a text that is none.
    """
    name = zone or "UTC"
    found = find_zone(name)
    parse_hours(between or "", found)
    return Times(parse_start(at or "", found), between or "", name)


def finish(view: MigrationView, as_json: bool, wanted: set[MigrationState] | None = None) -> None:
    """Print the record; exit code 1 when it rests elsewhere than wanted."""
    text = "\n".join(f"{name}: {value}" for name, value in short(view).items())
    print_result(view.as_dict(), as_json, text)
    sys.stdout.flush()
    if wanted is not None and view.state not in wanted:
        fail(f"{view.message or view.state.label} {view.hint}".strip())


def short(view: MigrationView) -> dict[str, object]:
    """Return the few values of a migration that fit a line or a list."""
    return {
        "id": view.id,
        "state": view.state.value,
        "storage": view.storage_uid,
        "from": view.source_root,
        "to": view.target_root,
        "objects": view.planned_count,
        "bytes": view.planned_bytes,
        "message": view.message,
    }
