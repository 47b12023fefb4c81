"""`portal serve`, `portal runner`, `portal up`, `portal db upgrade`: the processes."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import click

from portal import database
from portal.cli.context import Context
from portal.cli.main import cli, json_option, pass_context, print_result
from portal.cli.server import Server, require_free
from portal.config import parse_bind
from portal.services.one_time_links import make_setup_link
from portal.services.work import Work
from portal.values import Actor

#: How long `portal up` waits for its two processes to end after asking them to, seconds.
STOP_SECONDS = 20


@cli.command()
@click.option("--bind", metavar="ADDRESS:PORT", help="Where to listen; default PORTAL_BIND.")
@pass_context
def serve(context: Context, bind: str | None) -> None:
    """Run the web process."""
    settings = context.settings
    try:
        address = parse_bind(bind) if bind else settings.bind
    except ValueError as error:
        raise click.UsageError(f"--bind: {error}") from error
    require_free(address)
    database.upgrade(settings.database_url)
    _print_welcome(context, f"http://{address[0]}:{address[1]}" if bind else settings.url)
    Server(context, settings, address).run()


def _print_welcome(context: Context, url: str) -> None:
    """Print the address and, on an empty portal, the one-time set-up link."""
    with context.app.app_context():
        with database.write() as session:
            actor = Actor(account_id=None, handle="command line", via="cli")
            vault = context.app.extensions["portal_vault"]
            token = make_setup_link(Work(session, actor, datetime.now(UTC), context.settings, vault))
        database.close_connections()  # gunicorn forks after this
    click.echo(f"The portal listens on {url}")
    if token is not None:
        click.echo(f"It has no account yet. Set it up once, within a day: {url}/setup/{token}")


@cli.command()
@pass_context
def up(context: Context) -> None:
    """Run the web process and a runner in one process group, until either ends or Ctrl-C."""
    require_free(context.settings.bind)
    database.upgrade(context.settings.database_url)
    children = [_start("serve"), _start("runner")]
    stopping = False

    def stop(_signal: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    while not stopping and all(child.poll() is None for child in children):
        time.sleep(0.2)
    for child in children:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
    codes = [_wait_for(child) for child in children]
    if not stopping:
        click.echo("portal: a process ended by itself, so the other one was stopped too.", err=True)
        sys.exit(next((code for code in codes if code), 1))


def _start(command: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "portal", command])  # noqa: S603 - our own interpreter and words


def _wait_for(child: "subprocess.Popen[bytes]") -> int:
    """Wait for a child that was asked to end, then make it end."""
    try:
        return child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.kill(child.pid, signal.SIGKILL)
        return child.wait()


@cli.group()
def db() -> None:
    """The portal's own database."""


@db.command("upgrade")
@json_option
@pass_context
def db_upgrade(context: Context, as_json: bool) -> None:
    """Bring the schema to the newest revision."""
    database.upgrade(context.settings.database_url)
    revision = database.newest_revision()
    print_result({"revision": revision}, as_json, f"The schema is at the newest revision, {revision}.")
