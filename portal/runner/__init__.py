"""Face: the reconciler that drives migrations. Any number may run; killing one loses nothing.

It looks for migrations whose next step is due, takes a lease, does one step, persists, repeats. All I/O on storage runs
in worker processes, so that the loop itself never hangs on a dead server; only the loop writes to the database.
"""

from flask import Flask

from portal.config import Settings


def register(app: Flask) -> None:
    """Let the command line start a runner on this app: faces do not import each other."""
    app.extensions["portal_runner"] = run


def run(app: Flask, settings: Settings) -> None:
    """Drive migrations until SIGTERM or SIGINT."""
    from portal.runner.process import run_until_told

    run_until_told(app, settings)
