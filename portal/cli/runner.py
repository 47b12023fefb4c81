"""`portal runner`: the process that drives migrations."""

from dataclasses import replace

import click

from portal import database
from portal.cli.context import Context
from portal.cli.main import cli, pass_context
from portal.config import parse_host


@cli.command()
@click.option("--host", metavar="NAME", help="Host whose local roots it sees; default PORTAL_HOST.")
@pass_context
def runner(context: Context, host: str | None) -> None:
    """Run a runner: it drives migrations until SIGTERM or Ctrl-C. Any number may run."""
    settings = context.settings
    if host is not None:
        try:
            settings = replace(settings, host=parse_host(host))
        except ValueError as error:
            raise click.UsageError(f"--host: {error}") from error
    database.upgrade(settings.database_url)
    # Faces do not import each other: the composition root put the runner there.
    context.app.extensions["portal_runner"](context.app, settings)
