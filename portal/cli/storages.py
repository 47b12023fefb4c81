"""`portal storage …`."""

import os
from dataclasses import asdict
from typing import Any

import click

from portal.cli.context import Context
from portal.cli.main import cli, fail, json_option, pass_context, print_result, print_rows
from portal.services.checks import run_checks
from portal.services.connect import ConnectS3, Outcome, connect_s3
from portal.services.deletion import Wish, delete_storage
from portal.services.register import RegisterLocal, register_local
from portal.services.registries.write_through import edit_through
from portal.services.storage_list import StorageQuery, iterate_storages
from portal.services.storages import find_storage, view_of
from portal.services.storages.edit import StorageEdit
from portal.values import Branch, CheckResult, CheckStatus, ConnectionKind

_HIDDEN = (
    "id",
    "name",
    "is_here",
    "space_id",
    "instance_id",
    "instance_page",
    "version",
    "rights",
    "written_by",
    "is_referred_to",
)

_LIST_COLUMNS = ("uid", "root", "type", "region", "host", "space", "instance_uid", "branch", "created_by")

space_option = click.option("--space", default="", metavar="NAME", help="Space it goes to; default: all.")
instance_option = click.option(
    "--instance", default="", metavar="OWNER/NAME", help="The instance that may write; default: none, unmanaged."
)
description_option = click.option("--description", default="", help="What is in it.")
owner_option = click.option(
    "--owner", default="", metavar="HANDLE", help="Owning person or organisation; default: you."
)
default_option = click.option("--default", "is_default", is_flag=True, help="Make it the instance's default location.")
read_only_option = click.option("--read-only", is_flag=True, help="Nothing is tried by writing, and no marker written.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Try it and save nothing.")


@cli.group()
def storage() -> None:
    """Storage locations: roots with their records."""


@storage.command("list")
@click.option("--search", default="", help="Words in root, description or uid.")
@click.option("--type", "types", multiple=True, help="local, s3, …; may be given again.")
@click.option("--space", "spaces", multiple=True, metavar="UID", help="Space; may be given again.")
@click.option("--instance", "instances", multiple=True, metavar="OWNER/NAME", help="Writing instance; likewise.")
@click.option("--branch", "branches", multiple=True, help="main, archive or trash; default: main.")
@json_option
@pass_context
def list_(context: Context, /, search: str, as_json: bool, **filters: Any) -> None:
    """List the locations in your reach."""
    rows = list(iterate_storages(context.reading, StorageQuery(text=search, **filters)))
    shown = rows if as_json else [{name: row[name] for name in _LIST_COLUMNS} for row in rows]
    print_rows(shown, as_json)


@storage.command("show")
@click.argument("storage", metavar="UID_OR_ROOT")
@json_option
@pass_context
def show(context: Context, storage: str, as_json: bool) -> None:
    """Show a location's record."""
    record = _describe(context, storage)
    print_result(record, as_json, "\n".join(f"{name}: {_text(value)}" for name, value in record.items()))


@storage.command("connect-s3")
@click.argument("root")
@click.option("--endpoint-url", default="", help="S3-compatible endpoint; default: AWS, or what ROOT says.")
@click.option("--region", default="", help="Default: what the server tells.")
@click.option("--access-key", default="", metavar="ID", help="The secret is PORTAL_SECRET_ACCESS_KEY or asked for.")
@click.option("--anonymous", is_flag=True, help="Reach it without a key; it is then read-only.")
@click.option("--ambient", is_flag=True, help="Reach it with the server's own identity, where that is open to you.")
@click.option("--connection", "connection_uid", default="", metavar="UID", help="Use one of your connections.")
@space_option
@instance_option
@description_option
@owner_option
@default_option
@read_only_option
@dry_run_option
@json_option
@pass_context
def connect(
    context: Context,
    /,
    *,
    access_key: str,
    anonymous: bool,
    ambient: bool,
    dry_run: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Connect a bucket, or a folder in one, after trying every right it needs."""
    ways = [bool(access_key), anonymous, ambient, bool(given["connection_uid"])]
    if sum(ways) != 1:
        raise click.UsageError("Give one of --access-key, --anonymous, --ambient and --connection.")
    secret = ""
    if access_key:
        secret = os.environ.get("PORTAL_SECRET_ACCESS_KEY") or click.prompt("Secret access key", hide_input=True)
    kind = ConnectionKind.ANONYMOUS if anonymous else ConnectionKind.AMBIENT if ambient else ConnectionKind.ACCESS_KEY
    new = ConnectS3(access=kind, access_key_id=access_key, secret_access_key=secret, **given)
    _print_outcome(context, connect_s3(context.units, new, dry_run=dry_run), dry_run, as_json)


@storage.command("register")
@click.argument("path")
@click.option("--host", default="", metavar="NAME", help="Machine that sees it; default: this one.")
@space_option
@instance_option
@description_option
@owner_option
@default_option
@read_only_option
@dry_run_option
@json_option
@pass_context
def register(context: Context, /, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Register a directory on a host as a local root."""
    outcome = register_local(context.units, RegisterLocal(**given), dry_run=dry_run)
    _print_outcome(context, outcome, dry_run, as_json)


@storage.command("edit")
@click.argument("storage", metavar="UID_OR_ROOT")
@click.option("--description", help="What is in it.")
@click.option("--space", metavar="NAME", help="Move its record to another space.")
@click.option("--default/--no-default", "is_default", default=None, help="The instance's default location, or not.")
@click.option("--branch", type=click.Choice([branch.label for branch in Branch]), help="main, archive or trash.")
@click.option("--host", metavar="NAME", help="The machine that sees a local root; nothing at the root is moved.")
@click.option("--with-artifacts", is_flag=True, help="Give the location's artifacts in the instance its new space too.")
@json_option
@pass_context
def edit(
    context: Context, /, storage: str, *, as_json: bool, branch: str | None, with_artifacts: bool, **given: Any
) -> None:
    """Change a location's record."""
    change = StorageEdit(branch=Branch[branch.upper()] if branch else None, **given)
    done = edit_through(context.units, storage, change, with_artifacts=with_artifacts)
    result = {**_describe(context, done.uid), "written": list(done.written), "notes": list(done.notes)}
    print_result(result, as_json, "\n".join([f"Changed {storage}.", *done.notes]))


@storage.command("check")
@click.argument("storage", metavar="UID_OR_ROOT")
@json_option
@pass_context
def check(context: Context, storage: str, as_json: bool) -> None:
    """Try a location's rights now. Exit code 1 when one failed."""
    batch = run_checks(context.units, storage)
    result = {"status": batch.status, "checked_at": batch.at, "checks": [asdict(entry) for entry in batch.results]}
    print_result(result, as_json, _check_lines(batch.results))
    if batch.status is CheckStatus.FAILED:
        fail("A check failed.")


@storage.command("delete")
@click.argument("storage", metavar="UID_OR_ROOT")
@click.option("--confirm", metavar="NAME", help="The last part of the root; asked for when not given.")
@click.option("--also", multiple=True, metavar="OWNER/NAME", help="Delete this instance's row for it too; repeatable.")
@click.option("--permanent/--no-permanent", default=None, help="As LaminDB's: a soft delete is refused.")
@json_option
@pass_context
def delete(context: Context, /, storage: str, *, confirm: str | None, as_json: bool, **given: Any) -> None:
    """Delete an empty location for good, here and in the instance that writes to it. User files stay."""
    record = _describe(context, storage)
    typed = confirm if confirm is not None else click.prompt(f"Type the last part of {record['root']} to confirm")
    done = delete_storage(context.units, storage, typed, Wish(**given))
    lines = [f"Deleted {done.root}. User files stay."]
    lines += [f"{slug} has no row for it any more." for slug in done.removed_from]
    lines += [f"{slug} keeps its row for it." for slug in done.kept_in]
    result = {"uid": record["uid"], "deleted": True, **asdict(done)}
    print_result(result, as_json, "\n".join(lines))


def _describe(context: Context, reference: str) -> dict[str, Any]:
    with context.reading() as work:
        values = asdict(view_of(work, find_storage(work, reference)))
    return {name: value for name, value in values.items() if name not in _HIDDEN}


def _print_outcome(context: Context, outcome: Outcome, dry_run: bool, as_json: bool) -> None:
    """Print what came of connecting or registering; exit code 1 when nothing was saved though it should have been."""
    trial = outcome.trial
    record: dict[str, Any] = _describe(context, outcome.uid) if outcome.uid else {}
    record["checks"] = [asdict(entry) for entry in trial.checks] if trial else []
    record["summary"] = trial.summary if trial else ""
    record["warnings"] = list(trial.warnings) if trial else []
    saved = f"Saved {record['root']}, uid {record['uid']}, {record['mode']}." if outcome.uid else ""
    if dry_run and trial is not None and trial.can_save:
        saved = "Nothing was saved."
    fails = outcome.uid is None and not saved
    summary = "" if fails else record["summary"]  # it is said on stderr then
    lines = [_check_lines(trial.checks) if trial else "", summary, *record["warnings"], saved]
    print_result(record, as_json, "\n".join(line for line in lines if line))
    if fails:
        hint = " Give --read-only to connect it read-only." if trial is not None and trial.offers_read_only else ""
        fail((trial.summary if trial else "It was not tried.") + hint)


def _check_lines(checks: tuple[CheckResult, ...]) -> str:
    return "\n".join(_check_line(entry) for entry in checks)


def _check_line(entry: CheckResult) -> str:
    took = f"{entry.milliseconds} ms" if entry.milliseconds is not None else "-"
    fix = f" {entry.fix}" if entry.fix else ""
    return f"{entry.status:8} {took:>8}  {entry.title}: {entry.reason}{fix}"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(part)}" for name, part in value.items())
    return "-" if value is None or value == "" else str(value)
