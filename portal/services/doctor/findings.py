"""One thing that is not as it should be."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from portal.config import Settings
from portal.services.vault import Vault
from portal.services.work import Work
from portal.values import Actor


class Severity(StrEnum):
    """How bad a finding is."""

    #: Something does not work, or is lost, until a person acts.
    ERROR = "error"
    #: It works; leave it and it will be in the way.
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        code: stable name of the kind, for programs.
        what: what is wrong, one sentence.
        todo: what to do; a command where there is one.
        fixed: what was done about it; empty where nothing was.
    """

    severity: Severity
    code: str
    what: str
    todo: str
    fixed: str = ""


@dataclass(frozen=True)
class Case:
    """What is looked at. `fix`: put right what is safe to. `clock`: seconds that never go back."""

    settings: Settings
    session: Session
    vault: Vault | None
    now: datetime
    fix: bool
    clock: Callable[[], float]

    def work(self) -> Work | None:
        """Return a unit of work to open roots with; None without a key."""
        if self.vault is None:
            return None
        return Work(self.session, Actor(None, "doctor", via="cli"), self.now, self.settings, self.vault)


def error(code: str, what: str, todo: str) -> Finding:
    """Return a finding that keeps something from working."""
    return Finding(Severity.ERROR, code, what, todo)


def warning(code: str, what: str, todo: str, fixed: str = "") -> Finding:
    """Return a finding that can wait."""
    return Finding(Severity.WARNING, code, what, todo, fixed)
