"""Face: `portal NOUN VERB`. The same services as the pages; `--json` on each command.

Exit code 0: done; 1: refused or failed, message on stderr; 2: usage.
"""

from collections.abc import Callable

from flask import Flask

from portal.cli import (
    accounts,
    artifacts,
    backups,
    certificates,
    defaults,
    doctor,
    instances,
    migration_controls,
    migrations,
    processes,
    registries,
    runner,
    spaces,
    storages,
)
from portal.cli.context import Context
from portal.cli.main import cli
from portal.config import Settings

#: The modules that add commands to `cli`; importing them is what registers them.
COMMANDS = (
    accounts,
    artifacts,
    backups,
    certificates,
    defaults,
    doctor,
    instances,
    migration_controls,
    migrations,
    processes,
    registries,
    runner,
    spaces,
    storages,
)


def run(create_app: Callable[[Settings], Flask], read_settings: Callable[[], Settings]) -> None:
    """Run the command line on the process's arguments."""
    cli(obj=Context(create_app, read_settings), prog_name="portal")
