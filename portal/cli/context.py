"""What every command is handed: settings, the app, and units of work as a named account."""

import getpass
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property

from flask import Flask

from portal import database
from portal.config import Settings
from portal.errors import InputError
from portal.services.access import load_actor
from portal.services.accounts import find_account
from portal.services.units import Units
from portal.services.work import Work
from portal.values import Actor


class Context:
    """Settings and app are made when first asked for, so that `--help` needs neither.

    `handle` is the account the command acts as (`--as` or PORTAL_ACCOUNT); None until one is given.
    """

    def __init__(self, create_app: Callable[[Settings], Flask], read_settings: Callable[[], Settings]) -> None:
        self._create_app = create_app
        self._read_settings = read_settings
        self.handle: str | None = None

    @cached_property
    def settings(self) -> Settings:
        """Return the settings of this process."""
        return self._read_settings()

    @cached_property
    def app(self) -> Flask:
        """Return the portal's app."""
        return self._create_app(self.settings)

    @contextmanager
    def reading(self) -> Iterator[Work]:
        """Give a unit of work that reads, as the named account."""
        with self._opened():
            actor = self._actor()
            with database.read() as session:
                yield self._work(session, actor)

    @contextmanager
    def writing(self) -> Iterator[Work]:
        """Give a unit of work that writes, as the named account: committed at the end of the block."""
        with self._opened():
            actor = self._actor()
            with database.write() as session:
                yield self._work(session, actor)

    @contextmanager
    def _opened(self) -> Iterator[None]:
        with self.app.app_context(), database.telling_trouble(self.settings.database_url):
            yield

    def _work(self, session: database.Session, actor: Actor) -> Work:
        return Work(session, actor, datetime.now(UTC), self.settings, self.app.extensions["portal_vault"])

    @property
    def units(self) -> Units:
        """Return both, for use-cases that open several short ones."""
        return Units(self.reading, self.writing)

    @contextmanager
    def writing_as_nobody(self) -> Iterator[Work]:
        """Give a unit of work that writes as nobody: enough to add the first account, and for nothing else."""
        with self._opened(), database.write() as session:
            yield self._work(session, self._nobody())

    def _nobody(self) -> Actor:
        return Actor(account_id=None, handle="command line", via="cli", address=_where())

    def _actor(self) -> Actor:
        """Return the named account as an actor.

        Raises:
            InputError: none is named, or it is closed.
            NotFound: no such account.
        """
        if self.handle is None:
            raise InputError(
                "No account is named to act as.", hint="Give --as HANDLE or set PORTAL_ACCOUNT.", field="as"
            )
        with database.read() as session:
            account = find_account(self._work(session, self._nobody()), self.handle)
            if not account.is_active:
                raise InputError(f"The account {self.handle} is closed.", field="as")
            return load_actor(session, account, via="cli", address=_where())


def _where() -> str:
    """Return the system account and machine the command was typed on, for events."""
    return f"{getpass.getuser()}@{socket.gethostname()}"[:64]
