"""`portal backup`, `portal restore`: for whoever runs the portal's machine; no account is needed."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from portal import database
from portal.cli.context import Context
from portal.cli.main import cli, json_option, pass_context, print_result
from portal.services.backups import make_backup, restore_backup


@cli.command()
@click.argument("where", metavar="FILE|FOLDER", type=click.Path(path_type=Path))
@json_option
@pass_context
def backup(context: Context, where: Path, as_json: bool) -> None:
    """Write the database, the ledger and an inventory of markers to one file, while the portal runs."""
    settings = context.settings
    with database.telling_trouble(settings.database_url):
        made = make_backup(settings, where.absolute(), datetime.now(UTC))
    text = (
        f"Written to {made.path}: {made.size_bytes:,} bytes, {made.file_count:,} files,"
        f" locations: {made.location_count:,}, revision {made.revision}.\n"
        f"The key file {made.key_path} is not in it, on purpose: who has both can read every stored secret.\n"
        "Keep a copy of it in another place. Without it, secrets have to be entered again after a restore."
    )
    print_result({**asdict(made), "path": str(made.path), "key_path": str(made.key_path)}, as_json, text)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace a portal that is not empty; what is there is set aside.")
@json_option
@pass_context
def restore(context: Context, file: Path, force: bool, as_json: bool) -> None:
    """Put a backup back into an empty portal: all of it, or nothing."""
    settings = context.settings
    with database.telling_trouble(settings.database_url):
        done = restore_backup(settings, file, database.upgrade, datetime.now(UTC), force=force)
    lines = [f"Restored as of {done.made_at}: {done.row_count:,} rows, and the ledger."]
    lines += [f"What was there is now {path}." for path in done.set_aside]
    lines += done.warnings
    print_result(asdict(done), as_json, "\n".join(lines))
