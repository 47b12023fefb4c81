"""A runner as a process: its name, its workers, its signals."""

import signal
from datetime import UTC, datetime

import structlog
from flask import Flask

from portal import database
from portal.config import Settings
from portal.engine import open_executor
from portal.runner.loop import Reconciler
from portal.runner.names import claimed_name
from portal.services.migrations.runners import check_ledger

log = structlog.get_logger("portal.runner")


def run_until_told(app: Flask, settings: Settings) -> None:
    """Drive migrations until SIGTERM or SIGINT; what is under way is left so that another runner goes on with it.

    Raises:
        Conflict: too many runners on this host, or another one does not use this data folder.
    """
    with app.app_context(), claimed_name(settings.data_dir, settings.host) as name:
        with database.read() as session:
            check_ledger(session, settings.data_dir, datetime.now(UTC))
        executor = open_executor(settings.workers)
        reconciler = Reconciler(settings, app.extensions["portal_vault"], name, executor)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: reconciler.stopping.set())
        log.info("runner started", name=name, workers=settings.workers)
        try:
            reconciler.run()
        finally:
            executor.shutdown(wait=True, cancel_futures=True)
        reconciler.sign_off()
        log.info("runner stopped", name=name)
