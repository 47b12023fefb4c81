"""Runners as they report: their rows, and the hosts they run on."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from portal.models import Host, Runner

#: A silent runner's row is dropped after so long.
FORGET = timedelta(days=1)

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


def sign_off(session: Session, name: str) -> None:
    """Take a runner's row away: it ended in order."""
    session.execute(delete(Runner).where(Runner.name == name))
