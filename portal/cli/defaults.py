"""`portal instance default | keep-local`: where an instance saves what no location is named for."""

from dataclasses import asdict

import click

from portal.cli.context import Context
from portal.cli.instances import instance
from portal.cli.main import json_option, pass_context, print_result
from portal.services.instances import find_instance
from portal.services.registries.defaults import DefaultsView, keep_local, switch_default, view_defaults


@instance.command("default")
@click.argument("instance", metavar="OWNER/NAME")
@click.argument("storage", metavar="[UID_OR_ROOT]", required=False)
@json_option
@pass_context
def default(context: Context, instance: str, storage: str | None, as_json: bool) -> None:
    """Show an instance's default location and what each user's settings must say, or make another one the default."""
    if storage is not None:
        _print(switch_default(context.units, instance, storage), as_json)
        return
    with context.reading() as work:
        view = view_defaults(work, find_instance(work, instance))
    _print(view, as_json)


@instance.command("keep-local")
@click.argument("instance", metavar="OWNER/NAME")
@click.option("--on", "storage", metavar="UID_OR_ROOT", help="Keep artifacts in this local location.")
@click.option("--off", "is_off", is_flag=True, help="Save them in the default location again.")
@json_option
@pass_context
def keep(context: Context, instance: str, storage: str | None, is_off: bool, as_json: bool) -> None:
    """Let an instance keep its artifacts in a local location, or not. The default location stays the default."""
    if bool(storage) == is_off:
        raise click.UsageError("Give one of --on and --off.")
    _print(keep_local(context.units, instance, storage), as_json)


def _print(view: DefaultsView, as_json: bool) -> None:
    hidden = {"may_change", "instance_uid"}
    result = {name: value for name, value in asdict(view).items() if name not in hidden}
    default = view.default.root if view.default else "one you have no role on" if view.has_default else "none"
    lines = [f"Default: {default}"]
    if view.keeps_local:
        lines.append(f"Artifacts are kept in {view.local.root if view.local else 'a local location'}")
    if view.lines:
        lines += [f"Each user's {view.file} says:", *view.lines, "This puts it there:", view.command]
    print_result(result, as_json, "\n".join(lines))
