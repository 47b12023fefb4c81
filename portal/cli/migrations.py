"""`portal migration …`."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click

from portal.cli.context import Context
from portal.cli.main import cli, json_option, pass_context, print_result, print_rows, reading_options
from portal.cli.migration_records import finish, follow, page_dict, parse_times, short
from portal.errors import InputError
from portal.planning.states import MigrationState
from portal.services import migrations
from portal.services.migrations import MigrationView
from portal.services.migrations.doors import REPOINT, REWRITE

_S = MigrationState

connection_option = click.option(
    "--connection", metavar="UID", help="How to reach a bucket; default: the one that may."
)
host_option = click.option("--host", metavar="NAME", help="Host of a local TARGET; default: this one.")
strategy_option = click.option(
    "--strategy",
    type=click.Choice([REWRITE, REPOINT]),
    default=REWRITE,
    help="Rewrite the root (default), or re-point the artifacts to the registered location TARGET, by uid or root.",
)
leave_option = click.option(
    "--leave-unreferenced",
    is_flag=True,
    help="Leave objects behind that no attached instance's artifact refers to.",
)
at_option = click.option("--at", metavar="TIME", help="Copy nothing before, such as 2026-12-01T20:00+01:00.")
between_option = click.option("--between", metavar="20:00-06:00", help="Copy between these times of the day only.")
zone_option = click.option("--zone", metavar="NAME", help="Time zone of both, such as Europe/Berlin; default: UTC.")
wait_option = click.option(
    "--wait", is_flag=True, help="Follow it until it rests: ready, moved, or in need of a person."
)
registry_option = click.option(
    "--registry-changed", is_flag=True, help="You change rows that the portal cannot change, right after the cut-over."
)


@cli.group()
def migration() -> None:
    """Moving roots."""


@migration.command("plan")
@click.argument("storage", metavar="UID_OR_ROOT")
@click.argument("target")
@connection_option
@host_option
@strategy_option
@leave_option
@click.option("--wait/--no-wait", default=True, help="Wait for a runner to make the plan.")
@json_option
@pass_context
def plan(context: Context, /, *, storage: str, target: str, wait: bool, as_json: bool, **way: Any) -> None:
    """Check both sides of a move and plan it; nothing is copied."""
    made = _create(context, storage, target, way)
    finish(follow(context, made.id) if wait else made, as_json, wanted={_S.PLANNED} if wait else None)


@migration.command("start")
@click.argument("storage", metavar="UID_OR_ROOT")
@click.argument("target", required=False)
@connection_option
@host_option
@strategy_option
@leave_option
@at_option
@between_option
@zone_option
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
    **way: Any,
) -> None:
    """Move a location to TARGET: plan, copy and verify. Without TARGET, start the planned migration of that id."""
    with reading_options():
        times = parse_times(way["at"], way["between"], way["zone"]) if way["at"] or way["between"] else None
    uid = _create(context, storage, target, way).id if target else storage
    with context.writing() as work:
        if times is not None:
            migrations.set_times(work, uid, times)
        view = migrations.start(work, uid)
    if not wait and not then_cut_over:
        finish(view, as_json)
        return
    view = follow(context, uid)
    if then_cut_over and view.state is _S.READY:
        try:
            _request_cut_over(context, uid, registry_changed)
        except InputError:
            finish(view, as_json)  # everything is copied and waits: say which migration it is, then why
            raise
        view = follow(context, uid)
    finish(view, as_json, wanted={_S.SOAKING} if then_cut_over else {_S.READY})


@migration.command("strategies")
@click.argument("storage", metavar="UID_OR_ROOT")
@json_option
@pass_context
def strategies(context: Context, storage: str, as_json: bool) -> None:
    """Say which ways to move fit a location, and why the other does not."""
    with context.reading() as work:
        found = migrations.list_strategies(work, storage)
    if as_json:
        print_result({each.name: asdict(each) for each in found}, as_json, "")
        return
    for each in found:
        click.echo(f"{each.name}: {'does not fit. ' + each.why_not if each.why_not else 'fits'}")
        for line in (*each.remarks, *(f"{uid}  {root}" for uid, root in each.targets)):
            click.echo(f"  {line}")


@migration.command("show")
@click.argument("uid", metavar="ID")
@json_option
@pass_context
def show(context: Context, uid: str, as_json: bool) -> None:
    """Show a migration, the instances it concerns, and after its cut-over what only people can do."""
    with context.reading() as work:
        page = migrations.get_page(work, uid)
    if as_json:
        print_result(page_dict(page), as_json, "")
        return
    finish(page.view, as_json)
    for task in page.tasks:
        click.echo(f"\n{task.title}\n{task.text}" + (f"\n{task.code}" if task.code else ""))
        if task.command:
            click.echo(f"Or run this on each machine:\n{task.command}")


@migration.command("retry")
@click.argument("uid", metavar="ID")
@click.option("--object", "keys", multiple=True, metavar="KEY", help="Only this object; may be given again.")
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Only the objects of this kind of error.")
@click.option("--take-as-is", is_flag=True, help="Copy what is not as LaminDB recorded it as it is from now on.")
@wait_option
@json_option
@pass_context
def retry(
    context: Context,
    /,
    *,
    uid: str,
    keys: tuple[str, ...],
    kinds: tuple[str, ...],
    take_as_is: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Try again what needs attention, and bring over what is new at the source; or single objects and nothing else."""
    if ((keys or kinds) and take_as_is) or (keys and kinds):
        raise click.UsageError("Give --object, --kind or --take-as-is, not two of them.")
    with context.writing() as work:
        if keys or kinds:
            view = migrations.retry_objects(work, uid, keys=keys, kinds=kinds)
        else:
            view = migrations.retry(work, uid, takes_rot=take_as_is)
    finish(follow(context, uid) if wait else view, as_json, wanted={_S.READY} if wait else None)


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
    print_rows([short(view) for view in views], as_json)


@migration.command("cancel")
@click.argument("uid", metavar="ID")
@wait_option
@json_option
@pass_context
def cancel(context: Context, uid: str, wait: bool, as_json: bool) -> None:
    """End a migration before its cut-over; what was copied stays at the target."""
    with context.writing() as work:
        view = migrations.cancel(work, uid)
    finish(follow(context, uid) if wait else view, as_json, wanted={_S.CANCELLED} if wait else None)


@migration.command("cut-over")
@click.argument("uid", metavar="ID")
@wait_option
@registry_option
@json_option
@pass_context
def cut_over(context: Context, uid: str, wait: bool, registry_changed: bool, as_json: bool) -> None:
    """Bring over what is new and give the location its new root."""
    view = _request_cut_over(context, uid, registry_changed)
    finish(follow(context, uid) if wait else view, as_json, wanted={_S.SOAKING} if wait else None)


@migration.command("rollback")
@click.argument("uid", metavar="ID")
@wait_option
@json_option
@pass_context
def rollback(context: Context, uid: str, wait: bool, as_json: bool) -> None:
    """Copy back what was written since the cut-over and give the location its old root again."""
    with context.writing() as work:
        view = migrations.request_rollback(work, uid)
    finish(follow(context, uid) if wait else view, as_json, wanted={_S.ROLLED_BACK} if wait else None)


@migration.command("release")
@click.argument("uid", metavar="ID")
@json_option
@pass_context
def release(context: Context, uid: str, as_json: bool) -> None:
    """End the soak; the objects at the old root stay where they are."""
    with context.writing() as work:
        view = migrations.release(work, uid)
    finish(view, as_json)


def _create(context: Context, storage: str, target: str, way: Mapping[str, Any]) -> MigrationView:
    """Write the move down. `way` holds the options `connection`, `host`, `strategy` and `leave_unreferenced`."""
    new = migrations.NewMigration(
        storage, target, way["connection"], way["host"], way["strategy"], way["leave_unreferenced"]
    )
    with context.writing() as work:
        return migrations.create_migration(work, new)


def _request_cut_over(context: Context, uid: str, registry_changed: bool) -> MigrationView:
    """Ask for the cut-over. Giving the command is the confirmation; the registry's change must be confirmed besides."""
    with context.writing() as work:
        page = migrations.get_page(work, uid)
        if page.by_hand and not registry_changed:
            sql = "\n".join(f"-- {change.instance}: {change.why}\n{change.sql}" for change in page.by_hand)
            names = ", ".join(change.instance for change in page.by_hand)
            raise InputError(
                f"The portal cannot change the row of {names}. Right after the cut-over run this there:\n{sql}\n"
                f"To say that you will: portal migration cut-over {uid} --registry-changed",
                field="registry_changed",
            )
        return migrations.request_cut_over(work, uid, migrations.CutOver(page.confirm_with, registry_changed))
