"""`portal instance attach | check | sync | detach`: instances and their own databases."""

import os
import sys
from dataclasses import asdict
from typing import Any

import click

from portal.cli.context import Context
from portal.cli.instances import instance
from portal.cli.main import fail, json_option, pass_context, print_result
from portal.planning.reconcile import Difference, Kind
from portal.services.registries.apply import keep_comparison, take_over
from portal.services.registries.attach import AttachInstance, attach_instance
from portal.services.registries.care import check_again, detach_instance
from portal.services.registries.compare import compare, look
from portal.services.registries.examination import Examination
from portal.values import CheckResult

_SIGNS = {Kind.NEW: "new here", Kind.LINKED: "to link", Kind.CHANGED: "differs", Kind.GONE: "gone there"}


@instance.command("attach")
@click.argument("instance", metavar="OWNER/NAME")
@click.option("--sqlite", "path", default="", metavar="PATH", help="The SQLite file: ROOT/.lamindb/lamin.db.")
@click.option(
    "--url", default="", metavar="DSN", help="PostgreSQL URL; - reads it from stdin. Or set PORTAL_REGISTRY_URL."
)
@click.option("--instance-id", "instance_id_hex", default="", metavar="HEX", help="Where it does not follow.")
@click.option("--read-only", "is_read_only", is_flag=True, help="Change nothing there, whatever would be possible.")
@click.option("--dry-run", is_flag=True, help="Look at it and save nothing.")
@json_option
@pass_context
def attach(
    context: Context, /, instance: str, *, path: str, url: str, dry_run: bool, as_json: bool, **given: Any
) -> None:
    """Attach an instance to its own database, after looking at it. The instance is made where there is none."""
    new = AttachInstance(instance, path, "" if path and not url else _url(url), **given)
    done = attach_instance(context.units, new, dry_run=dry_run)
    result = {"instance": instance, "uid": done.uid, **_record(done.examination)}
    saved = f"Attached {instance}." if done.uid else "Nothing was saved."
    print_result(result, as_json, "\n".join([*_lines(done.examination), saved]))
    if not done.examination.can_save:
        fail(str(done.examination.error))


def _url(given: str) -> str:
    """Return the URL from stdin, the environment or a prompt, so that no password is in a list of processes."""
    if given == "-":
        return sys.stdin.readline().strip()
    return given or os.environ.get("PORTAL_REGISTRY_URL") or click.prompt("PostgreSQL URL", hide_input=True)


@instance.command("check")
@click.argument("instance", metavar="OWNER/NAME")
@json_option
@pass_context
def check(context: Context, instance: str, as_json: bool) -> None:
    """Look at an attached instance's database again. Exit code 1 when it cannot be read."""
    found = check_again(context.units, instance)
    print_result({"instance": instance, **_record(found)}, as_json, "\n".join([*_lines(found), found.summary]))
    if not found.can_save:
        fail(str(found.error))


@instance.command("sync")
@click.argument("instance", metavar="OWNER/NAME")
@click.option("--apply", is_flag=True, help="Take over all that can be; nothing is changed in the instance.")
@json_option
@pass_context
def sync(context: Context, instance: str, apply: bool, as_json: bool) -> None:
    """Show what an attached instance says differently from the portal."""
    if apply:
        taken = take_over(context.units, instance)
        result: dict[str, Any] = {"taken": [_difference(each) for each in taken.differences]}
        result |= {"left": [_difference(each) for each in taken.left], "new": list(taken.new_uids)}
        result |= {"unconnected": list(taken.unconnected), "warnings": list(taken.warnings)}
        lines = [f"Took over {len(taken.differences)}.", *map(_line, taken.differences), *map(_line, taken.left)]
        lines += [f"{root} has no connection yet." for root in taken.unconnected] + list(taken.warnings)
        print_result(result, as_json, "\n".join(lines))
        return
    comparison = compare(context.units, instance)
    keep_comparison(context.units, instance, look(context.units, instance))
    result = {"differences": [_difference(each) for each in comparison.differences], "same": comparison.same_count}
    result["notes"] = list(comparison.notes)
    lines = [*map(_line, comparison.differences), *comparison.notes]
    print_result(result, as_json, "\n".join(lines) or "Both say the same.")


@instance.command("detach")
@click.argument("instance", metavar="OWNER/NAME")
@click.option("--confirm", metavar="NAME", help="The instance's name; asked for when not given.")
@json_option
@pass_context
def detach(context: Context, instance: str, confirm: str | None, as_json: bool) -> None:
    """Forget how an instance is reached, and which rows it has. Nothing is changed in the instance."""
    typed = confirm if confirm is not None else click.prompt(f"Type the name of {instance} to confirm")
    with context.writing() as work:
        slug = detach_instance(work, instance, typed)
    print_result({"instance": slug, "detached": True}, as_json, f"Detached {slug}. Its locations stay in the portal.")


def _record(found: Examination) -> dict[str, Any]:
    return {
        "checks": [asdict(entry) for entry in found.checks],
        "summary": found.summary,
        "schema_version": found.schema.version if found.schema else None,
        "instance_uid": found.instance_uid or None,
        "rights": found.rights,
        "counts": found.counts,
        "why_read_only": found.why_read_only or None,
    }


def _lines(found: Examination) -> list[str]:
    return [*map(_check_line, found.checks), *([found.why_read_only] if found.why_read_only else [])]


def _check_line(entry: CheckResult) -> str:
    took = f"{entry.milliseconds} ms" if entry.milliseconds is not None else "-"
    fix = f" {entry.fix}" if entry.fix else ""
    return f"{entry.status:8} {took:>8}  {entry.title}: {entry.reason}{fix}"


def _difference(each: Difference) -> dict[str, Any]:
    return {
        "key": each.key,
        "kind": each.kind.value,
        "uid": each.uid,
        "root": each.root,
        "fields": [asdict(field) for field in each.fields],
        "notes": list(each.notes),
        "why_not": each.why_not or None,
    }


def _line(each: Difference) -> str:
    said = "; ".join(f"{field.name} {field.theirs or 'empty'}, here {field.ours or 'empty'}" for field in each.fields)
    parts = [f"{_SIGNS[each.kind]:10} {each.root}", said, *each.notes, each.why_not and f"Stays: {each.why_not}"]
    return ". ".join(part.rstrip(".") for part in parts if part) + "."
