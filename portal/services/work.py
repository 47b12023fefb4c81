"""What every service is handed: a session, who acts, the time, the settings and the vault."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from portal.config import Settings
from portal.models import Base
from portal.services.vault import Vault
from portal.values import Actor


@dataclass(frozen=True, slots=True)
class Work:
    """One unit of work. The face that made it commits or rolls back.

    Attributes:
        session: in a writing transaction when the service changes anything.
        actor: who acts, with every role it holds.
        now: aware UTC; the one time of this unit.
        settings: of this process.
        vault: opens and closes secrets at rest.
    """

    session: Session
    actor: Actor
    now: datetime
    settings: Settings
    vault: Vault

    def insert_once(self, table: type[Base], **values: object) -> None:
        """Insert a row, unless one with its key is there: then that one stays as it is, whoever was first."""
        insert = sqlite.insert if self.settings.is_sqlite else postgresql.insert
        self.session.execute(insert(table).values(**values).on_conflict_do_nothing())
