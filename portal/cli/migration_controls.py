"""`portal migration pause`, `resume`, `check`, `limit`, `schedule`, `errors`: what may be changed while a move runs."""

import csv
import sys
from dataclasses import asdict, replace
from typing import Any

import click

from portal.cli.context import Context
from portal.cli.main import json_option, pass_context, print_result, print_rows, reading_options
from portal.cli.migration_records import finish, follow, parse_times
from portal.cli.migrations import at_option, between_option, migration, wait_option, zone_option
from portal.planning.states import MigrationState
from portal.planning.throttle import parse_bandwidth, words_for_bandwidth
from portal.services import migrations
from portal.services.migrations import ExceptionQuery, Limits, MigrationView
from portal.services.migrations.exceptions import EXPORT_COLUMNS


@migration.command("pause")
@click.argument("uid", metavar="ID")
@wait_option
@json_option
@pass_context
def pause(context: Context, uid: str, wait: bool, as_json: bool) -> None:
    """Stop copying or verifying for now; what is done stays done."""
    with context.writing() as work:
        view = migrations.pause(work, uid)
    finish(follow(context, uid) if wait else view, as_json, wanted={MigrationState.PAUSED} if wait else None)


@migration.command("resume")
@click.argument("uid", metavar="ID")
@wait_option
@json_option
@pass_context
def resume(context: Context, uid: str, wait: bool, as_json: bool) -> None:
    """Go on where it was paused."""
    with context.writing() as work:
        view = migrations.resume(work, uid)
    finish(follow(context, uid) if wait else view, as_json, wanted={MigrationState.READY} if wait else None)


@migration.command("check")
@click.argument("uid", metavar="ID")
@wait_option
@json_option
@pass_context
def check(context: Context, uid: str, wait: bool, as_json: bool) -> None:
    """Check both sides again and make the plan anew, before copying has begun."""
    with context.writing() as work:
        view = migrations.check_again(work, uid)
    finish(follow(context, uid) if wait else view, as_json, wanted={MigrationState.PLANNED} if wait else None)


@migration.command("limit")
@click.argument("uid", metavar="ID")
@click.option("--bandwidth", metavar="RATE", help="Bytes a second of all workers, such as 50MiB/s; or none.")
@click.option("--concurrency", metavar="N", help="Objects at a time per worker; or none.")
@click.option("--workers", metavar="N", help="Worker processes at a time; or none.")
@click.option("--errors", metavar="N", help="Failing objects after a start or retry before it stops; or none.")
@json_option
@pass_context
def limit(context: Context, /, *, uid: str, bandwidth: str | None, as_json: bool, **numbers: str | None) -> None:
    """Change what a move may take, also while it runs; what is not named stays. Without options, show it."""
    changes: dict[str, Any] = {name: _number(name, text) for name, text in numbers.items() if text is not None}
    if bandwidth is not None:
        with reading_options():
            changes["bandwidth"] = parse_bandwidth(bandwidth)
    with context.writing() as work:
        view = migrations.get_migration(work, uid)
        if changes:
            view = migrations.set_limits(work, uid, replace(_limits_of(view), **changes))
    limits = asdict(_limits_of(view))
    shown = limits | {"bandwidth": words_for_bandwidth(view.bandwidth_bytes_per_second)}
    text = "\n".join(f"{name}: {'none' if value is None else value}" for name, value in shown.items())
    print_result({"id": uid, **limits}, as_json, text)


def _limits_of(view: MigrationView) -> Limits:
    return Limits(view.bandwidth_bytes_per_second, view.concurrency, view.worker_count, view.max_errors)


def _number(name: str, text: str) -> int | None:
    if text.strip().lower() == "none":
        return None
    if not text.strip().isdecimal():
        raise click.UsageError(f"--{name}: {text} is no whole number. Write one, or none.")
    return int(text)


@migration.command("schedule")
@click.argument("uid", metavar="ID")
@at_option
@between_option
@zone_option
@click.option("--none", "is_cleared", is_flag=True, help="Take both rules off: it may copy at any time.")
@json_option
@pass_context
def schedule(
    context: Context,
    /,
    *,
    uid: str,
    at: str | None,
    between: str | None,
    zone: str | None,
    is_cleared: bool,
    as_json: bool,
) -> None:
    """Let a move copy from a time on, or between two times of the day only; outside it waits by itself."""
    if not (at or between or is_cleared) or (is_cleared and (at or between)):
        raise click.UsageError("Say when it may copy: --at and --between, or --none.")
    with reading_options():
        times = parse_times(at, between, zone)
    with context.writing() as work:
        view = migrations.set_times(work, uid, times)
    finish(view, as_json)


@migration.command("errors")
@click.argument("uid", metavar="ID")
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Only of this kind; may be given again.")
@click.option("--search", default="", metavar="TEXT", help="Only with this text in key or reason.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a head.")
@json_option
@pass_context
def errors(context: Context, /, *, uid: str, kinds: tuple[str, ...], search: str, as_csv: bool, as_json: bool) -> None:
    """List the objects that need a look: key, kind, reason, and whether trying again may help by itself."""
    query = ExceptionQuery(kinds, search)
    found = migrations.iterate_exceptions(context.reading, uid, query)
    rows = [{name: getattr(row, name) for name in EXPORT_COLUMNS} for row in found]
    if as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(EXPORT_COLUMNS)
        writer.writerows(row.values() for row in rows)
        return
    if as_json:
        print_rows(rows, as_json)
        return
    print_rows(
        [
            {
                "kind": row["kind"],
                "object": row["key"],
                "may pass": "yes" if row["is_passing"] else "no",
                "reason": row["reason"],
            }
            for row in rows
        ],
        as_json,
    )
