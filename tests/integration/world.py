"""A fixed world of people, made with the real services.

ada is portal admin and admin of everything, erik may write, rita may read, otto is an outsider. The organisation `lab`
(owner ada) has the instance `lab/atlas` and the spaces `clinical` (ada alone) and `imaging` (erik writes, rita reads).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal import database
from portal.models import Account, Instance, Space
from portal.models.ids import random_uid
from portal.services import attachments, instances, organisations, passwords, spaces
from portal.services.access import SessionId, load_actor
from portal.services.accounts import NewAccount, PreparedAccount, add_account
from portal.services.work import Work
from portal.values import Actor, Role

PASSWORD = "correct horse battery"
PEOPLE = ("ada", "erik", "rita", "otto")


@lru_cache(maxsize=1)
def password_hash() -> str:
    """Return the argon2 hash of PASSWORD; argon2 is slow, so every account shares one."""
    return passwords.hash_password(PASSWORD)


@dataclass(frozen=True)
class Portal:
    """An app on a fresh database, and ways to act in it as anybody."""

    app: Flask

    @contextmanager
    def write_as(self, handle: str | None, now: datetime | None = None) -> Iterator[Work]:
        """Give a unit of work that is committed at the end of the block; None: somebody not signed in."""
        with self.app.app_context():
            actor = self.actor(handle)
            with database.write() as session:
                yield self._work(session, actor, now)

    @contextmanager
    def read_as(self, handle: str | None, now: datetime | None = None) -> Iterator[Work]:
        """Give a unit of work that reads."""
        with self.app.app_context():
            actor = self.actor(handle)
            with database.read() as session:
                yield self._work(session, actor, now)

    def actor(self, handle: str | None) -> Actor:
        """Return somebody with every role held now; needs an app context."""
        if handle is None:
            return Actor(account_id=None, handle="anonymous", via="test", address="127.0.0.1")
        with database.read() as session:
            account = session.scalars(select(Account).where(Account.handle == handle)).one()
            return load_actor(session, account, via="test", address="127.0.0.1")

    def client_as(self, handle: str | None) -> FlaskClient:
        """Return a browser of this portal, signed in by its session cookie unless `handle` is None."""
        client = self.app.test_client()
        client.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"
        if handle is None:
            return client
        with self.app.app_context(), database.read() as session:
            account = session.scalars(select(Account).where(Account.handle == handle)).one()
            cookie_id = str(SessionId(account.uid, account.session_epoch, random_uid()))
        with client.session_transaction() as cookie:
            cookie.permanent = True
            cookie["_user_id"] = cookie_id
            cookie["_fresh"] = True
        return client

    def _work(self, session: database.Session, actor: Actor, now: datetime | None) -> Work:
        extensions = self.app.extensions
        now = now or datetime.now(UTC)
        return Work(session, actor, now, extensions["portal_settings"], extensions["portal_vault"])


@dataclass(frozen=True)
class World:
    """Row ids and uids of what the fixed world holds."""

    accounts: dict[str, int]
    instance_id: int
    instance_uid: str
    clinical_id: int
    clinical_uid: str
    imaging_id: int
    imaging_uid: str


def build_world(portal: Portal) -> World:
    """Fill an empty portal."""
    with portal.write_as(None) as work:
        add_account(work, _person("ada"))
    with portal.write_as("ada") as work:
        ids = {handle: add_account(work, _person(handle)).id for handle in PEOPLE[1:]}
        ids["ada"] = work.actor.account_id or 0
        ids["lab"] = organisations.create_organisation(work, organisations.NewOrganisation("lab", "The lab")).id
    with portal.write_as("ada") as work:
        atlas = instances.create_instance(work, instances.NewInstance("atlas", "Cell atlas", owner="lab"))
        clinical = spaces.create_space(work, spaces.NewSpace("clinical", "Patients", owner="lab"))
        imaging = spaces.create_space(work, spaces.NewSpace("imaging", "Microscopes", owner="lab"))
        world = World(ids, atlas.id, atlas.uid, clinical.id, clinical.uid, imaging.id, imaging.uid)
    with portal.write_as("ada") as work:
        for handle, role in (("erik", Role.WRITE), ("rita", Role.READ)):
            instances.grant_instance_role(work, "lab/atlas", handle, role)
            spaces.grant_space_role(work, "lab/imaging", handle, role)
        for space in ("lab/clinical", "lab/imaging"):
            attachments.attach_space(work, "lab/atlas", space)
    return world


def find_world(portal: Portal) -> World | None:
    """Return the world that the portal's database is a copy of; None where there is none yet."""
    with portal.app.app_context(), database.read() as session:
        accounts = {row.handle: row.id for row in session.execute(select(Account.id, Account.handle))}
        if not accounts:
            return None
        atlas = session.scalars(select(Instance).where(Instance.name == "atlas")).one()
        clinical, imaging = (
            session.scalars(select(Space).where(Space.name == name)).one() for name in ("clinical", "imaging")
        )
        return World(accounts, atlas.id, atlas.uid, clinical.id, clinical.uid, imaging.id, imaging.uid)


def _person(handle: str) -> PreparedAccount:
    return PreparedAccount(NewAccount(handle, f"{handle}@example.org", handle.capitalize()), password_hash())
