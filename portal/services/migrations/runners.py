"""Runners as they report: their rows, and the hosts they run on."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from portal.errors import Conflict
from portal.models import Host, Runner

#: A runner that has not reported for so long counts as gone.
SILENT_AFTER = timedelta(seconds=30)

#: A silent runner's row is dropped after so long.
FORGET = timedelta(days=1)

#: What to do where hosts do not share the ledger.
SHARED = "The ledger is one for all hosts: put the data folder where all reach it, and set PORTAL_DATA_DIR there."

#: What a runner survives: the database does not answer, or refuses what it should not.
DatabaseTrouble = SQLAlchemyError


def report_alive(session: Session, name: str, host_name: str, now: datetime) -> int:
    """Note that a runner is alive, and its host with it; return the host's row id. An unknown host is added."""
    host = session.scalar(select(Host).where(Host.name == host_name))
    if host is None:
        host = Host(name=host_name, created_at=now)
        session.add(host)
        session.flush()
    host.last_seen_at = now
    runner = session.scalar(select(Runner).where(Runner.name == name))
    if runner is None:
        runner = Runner(name=name, host_id=host.id, last_seen_at=now)
        session.add(runner)
    runner.host_id, runner.last_seen_at = host.id, now
    session.execute(delete(Runner).where(Runner.last_seen_at < now - FORGET))
    return host.id


def last_seen_at(session: Session, hosts: Sequence[Host]) -> datetime | None:
    """Return when a runner on one of these hosts reported last, of all hosts where none is given; None: never."""
    query = select(func.max(Runner.last_seen_at))
    if hosts:
        query = query.where(Runner.host_id.in_([host.id for host in hosts]))
    found: datetime | None = session.scalar(query)
    return found


def claim_path(data_dir: Path, name: str) -> Path:
    """Return the file that a runner, `HOST/NUMBER`, has in its data folder from before it first reports."""
    return data_dir / "runners" / f"{name.replace('/', '-')}.lock"


def elsewhere(session: Session, data_dir: Path, now: datetime) -> Iterator[str]:
    """Yield the names of runners that report here, but whose data folder is another: so their ledger is, too."""
    names = session.scalars(select(Runner.name).where(Runner.last_seen_at > now - SILENT_AFTER).order_by(Runner.name))
    return (name for name in names if not claim_path(data_dir, name).exists())


def check_ledger(session: Session, data_dir: Path, now: datetime) -> None:
    """See that the other runners keep plans and results where this one does.

    Raises:
        Conflict: one does not; a move would stop as soon as the other of the two goes on with it.
    """
    if name := next(elsewhere(session, data_dir, now), None):
        hint = f"{SHARED} A runner that was killed counts for another half a minute."
        raise Conflict(f"The runner {name} uses another data folder than {data_dir}.", hint=hint)


def sign_off(session: Session, name: str) -> None:
    """Take a runner's row away: it ended in order."""
    session.execute(delete(Runner).where(Runner.name == name))
