"""`portal migration …`."""

import sys
import time
from collections.abc import Mapping

import click

from portal.cli.context import Context
from portal.cli.main import cli, fail, json_option, pass_context, print_result, print_rows
from portal.errors import InputError
from portal.planning.roots import parse_root
from portal.planning.states import MigrationState
from portal.services import migrations
from portal.services.migrations import MigrationView
from portal.services.migrations.registry import change_for

#: How often `--wait` looks, seconds.
POLL_SECONDS = 0.5

_S = MigrationState

#: States in which nothing goes on until a person decides, or nothing ever again.
_RESTING = {_S.PLANNED, _S.READY, _S.PAUSED, _S.NEEDS_ATTENTION, _S.SOAKING}

connection_option = click.option(
    "--connection", metavar="UID", help="How to reach a bucket; default: the one that may."
)
host_option = click.option("--host", metavar="NAME", help="Host of a local TARGET; default: this one.")
wait_option = click.option(
    "--wait", is_flag=True, help="Follow it until it rests: ready, moved, or in need of a person."
)
registry_option = click.option(
    "--registry-changed", is_flag=True, help="The writing instance's own registry is changed as `show` says."
)


@cli.group()
def migration() -> None:
    """Moving roots."""


@migration.command("plan")
@click.argument("storage", metavar="UID_OR_ROOT")
@click.argument("target")
@connection_option
@host_option
@click.option("--wait/--no-wait", default=True, help="Wait for a runner to make the plan.")
@json_option
@pass_context
def plan(context: Context, /, *, storage: str, target: str, wait: bool, as_json: bool, **way: str | None) -> None:
    """Check both sides of a move and plan it; nothing is copied."""
    made = _create(context, storage, target, way)
    _finish(_follow(context, made.id) if wait else made, as_json, wanted={_S.PLANNED} if wait else None)


@migration.command("start")
@click.argument("storage", metavar="UID_OR_ROOT")
@click.argument("target", required=False)
@connection_option
@host_option
@wait_option
@click.option("--cut-over", "then_cut_over", is_flag=True, help="Go on to cut over as soon as it is ready.")
@registry_option
@json_option
@pass_context
def start(
    context: Context,
    /,
    *,
    storage: str,
    target: str | None,
    wait: bool,
    then_cut_over: bool,
    registry_changed: bool,
    as_json: bool,
    **way: str | None,
) -> None:
    """Move a location to TARGET: plan, copy and verify. Without TARGET, start the planned migration of that id."""
    uid = _create(context, storage, target, way).id if target else storage
    with context.writing() as work:
        view = migrations.start(work, uid)
    if not wait and not then_cut_over:
        _finish(view, as_json)
        return
    view = _follow(context, uid)
    if then_cut_over and view.state is _S.READY:
        try:
            _request_cut_over(context, uid, registry_changed)
        except InputError:
            _finish(view, as_json)  # everything is copied and waits: say which migration it is, then why
            raise
        view = _follow(context, uid)
    _finish(view, as_json, wanted={_S.SOAKING} if then_cut_over else {_S.READY})


@migration.command("show")
@click.argument("uid", metavar="ID")
@json_option
@pass_context
def show(context: Context, uid: str, as_json: bool) -> None:
    """Show a migration."""
    with context.reading() as work:
        view = migrations.get_migration(work, uid)
    _finish(view, as_json)


@migration.command("list")
@click.option("--live", is_flag=True, help="Only those that are not over.")
@json_option
@pass_context
def list_(context: Context, /, live: bool, as_json: bool) -> None:
    """List the migrations in your reach, newest first."""
    with context.reading() as work:
        views = migrations.list_migrations(work, only_live=live)
    if as_json:
        print_rows([view.as_dict() for view in views], as_json)
        return
    print_rows([_short(view) for view in views], as_json)


@migration.command("cancel")
@click.argument("uid", metavar="ID")
@wait_option
@json_option
@pass_context
def cancel(context: Context, uid: str, wait: bool, as_json: bool) -> None:
    """End a migration before its cut-over; what was copied stays at the target."""
    with context.writing() as work:
        view = migrations.cancel(work, uid)
    _finish(_follow(context, uid) if wait else view, as_json, wanted={_S.CANCELLED} if wait else None)


@migration.command("cut-over")
@click.argument("uid", metavar="ID")
@wait_option
@registry_option
@json_option
@pass_context
def cut_over(context: Context, uid: str, wait: bool, registry_changed: bool, as_json: bool) -> None:
    """Bring over what is new and give the location its new root."""
    view = _request_cut_over(context, uid, registry_changed)
    _finish(_follow(context, uid) if wait else view, as_json, wanted={_S.SOAKING} if wait else None)


@migration.command("rollback")
@click.argument("uid", metavar="ID")
@wait_option
@json_option
@pass_context
def rollback(context: Context, uid: str, wait: bool, as_json: bool) -> None:
    """Copy back what was written since the cut-over and give the location its old root again."""
    with context.writing() as work:
        view = migrations.request_rollback(work, uid)
    _finish(_follow(context, uid) if wait else view, as_json, wanted={_S.ROLLED_BACK} if wait else None)


@migration.command("release")
@click.argument("uid", metavar="ID")
@json_option
@pass_context
def release(context: Context, uid: str, as_json: bool) -> None:
    """End the soak; the objects at the old root stay where they are."""
    with context.writing() as work:
        view = migrations.release(work, uid)
    _finish(view, as_json)


def _create(context: Context, storage: str, target: str, way: Mapping[str, str | None]) -> MigrationView:
    """Write the move down. `way` holds the options `connection` and `host`."""
    new = migrations.NewMigration(storage, target, way["connection"], way["host"])
    with context.writing() as work:
        return migrations.create_migration(work, new)


def _request_cut_over(context: Context, uid: str, registry_changed: bool) -> MigrationView:
    """Ask for the cut-over. Giving the command is the confirmation; the registry's change must be confirmed besides."""
    with context.writing() as work:
        found = migrations.find_migration(work, uid)
        name = parse_root(found.source_root, home="/", cwd="/").name
        change = change_for(found)
        if change is not None and not registry_changed:
            raise InputError(
                f"{change.instance} has its own registry, where the root must change too:\n{change.sql}\n",
                hint=f"Run this there, then: portal migration cut-over {uid} --registry-changed",
                field="registry_changed",
            )
        return migrations.request_cut_over(work, uid, migrations.CutOver(name, registry_changed))


def _follow(context: Context, uid: str) -> MigrationView:
    """Look until nothing goes on any more; progress goes to stderr, so that stdout holds the record alone."""
    said = ""
    while True:
        with context.reading() as work:
            page = migrations.get_page(work, uid)
        view = page.view
        if not view.wish and (view.state.is_final or view.state in _RESTING):
            return view
        line = _progress_line(view)
        if page.is_waiting_for_runner:
            host = f" --host {page.needed_host}" if page.needed_host else ""
            line = f"{view.state.label}: no runner has reported lately. Start one: portal runner{host}"
        if line != said:
            click.echo(line, err=True)
            said = line
        time.sleep(POLL_SECONDS)


def _progress_line(view: MigrationView) -> str:
    percent = "" if view.percent is None else f" {view.percent:.0f} %"
    return (
        f"{view.state.label}{percent}: {view.copied_count} copied, {view.verified_count} verified of {view.pass_count}"
    )


def _finish(view: MigrationView, as_json: bool, wanted: set[MigrationState] | None = None) -> None:
    """Print the record; exit code 1 when it rests elsewhere than wanted."""
    text = "\n".join(f"{name}: {value}" for name, value in _short(view).items())
    print_result(view.as_dict(), as_json, text)
    sys.stdout.flush()
    if wanted is not None and view.state not in wanted:
        fail(f"{view.message or view.state.label} {view.hint}".strip())


def _short(view: MigrationView) -> dict[str, object]:
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
