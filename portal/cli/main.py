"""The root command, the options every command shares, and how errors end."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import click

from portal.cli.context import Context
from portal.errors import InputError, PortalError
from portal.values import Role

pass_context = click.make_pass_decorator(Context)

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")

role_argument = click.argument("role", type=click.Choice([role.value for role in Role]))


#: Exit code after Ctrl-C, as shells give it: 128 and the number of SIGINT.
INTERRUPTED = 130


class PortalGroup(click.Group):
    """A group that turns the portal's errors and Ctrl-C into one line on stderr and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a PortalError ends it without a traceback."""
        try:
            return super().invoke(ctx)
        except PortalError as error:
            click.echo(f"portal: {error}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("portal: stopped by Ctrl-C.", err=True)
            ctx.exit(INTERRUPTED)


@click.group(cls=PortalGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--as", "handle", envvar="PORTAL_ACCOUNT", metavar="HANDLE", help="Account to act as.")
@click.version_option(package_name="storage-portal", prog_name="portal")
@click.pass_obj
def cli(context: Context, handle: str | None) -> None:
    """Hub and admin console for the storage locations of LaminDB instances."""
    context.handle = handle


def print_result(value: Any, as_json: bool, text: str) -> None:
    """Print `value` as JSON, or `text` for people."""
    click.echo(json.dumps(value, indent=2, default=str) if as_json else text)


def fail(message: str) -> NoReturn:
    """Say why on stderr and end with exit code 1, after the result was printed."""
    click.echo(f"portal: {message}", err=True)
    sys.exit(1)


@contextmanager
def reading_options() -> Iterator[None]:
    """Turn what is wrong with the text of an option into a usage error: exit code 2, before anything is asked for."""
    try:
        yield
    except InputError as error:
        raise click.UsageError(str(error)) from error


def print_rows(rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """Print rows as a JSON list, or as an aligned table with the keys as its head."""
    if as_json:
        click.echo(json.dumps(list(rows), indent=2, default=str))
        return
    if not rows:
        click.echo("None.")
        return
    table = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    return "-" if value is None or value == "" else str(value)
