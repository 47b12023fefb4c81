"""`portal doctor`: for whoever runs the portal's machine; no account is needed."""

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime

import click

from portal import database
from portal.cli.context import Context
from portal.cli.main import cli, json_option, pass_context
from portal.services.doctor import Finding, examine


@cli.command()
@click.option("--fix", is_flag=True, help="Put right what is safe: old leases, what ended moves and checks left.")
@json_option
@pass_context
def doctor(context: Context, fix: bool, as_json: bool) -> None:
    """Look for what is half done, left over, unreadable or missing. Exit code 1: something was found."""
    found = examine(context.settings, database.newest_revision(), datetime.now(UTC), fix=fix)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in found], indent=2))
    else:
        click.echo("\n".join(_words(finding) for finding in found) or "Nothing is wrong.")
    sys.stdout.flush()
    if found:
        sys.exit(1)


def _words(finding: Finding) -> str:
    return f"{finding.severity}: {finding.what}\n    {finding.fixed or finding.todo}"
