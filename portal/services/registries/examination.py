"""What an examination of an instance's own database starts from, and what comes of it."""

from dataclasses import dataclass, field

from portal.errors import PortalError
from portal.lamindb.registry.rows import RegistryContent
from portal.lamindb.registry.schema import Schema
from portal.values import CheckResult


@dataclass(frozen=True, slots=True)
class Examination:
    """What an instance's database came to.

    Attributes:
        checks: every step, in order.
        identity: of the database; empty when it was not reached.
        schema, content: None when they could not be read.
        instance_uid: which of the uids there is the instance's; empty when none was settled.
        instance_uuid: the id it derives from; None where only the uid is known.
        rights: by name; `read`, `update`, `insert`, `trigger`. A right that was not tried is not in it.
        why_read_only: why the portal changes nothing there; empty where it may.
        error: what keeps the instance from being attached; None where nothing does.
    """

    checks: tuple[CheckResult, ...]
    identity: str = ""
    schema: Schema | None = None
    content: RegistryContent | None = None
    instance_uid: str = ""
    instance_uuid: str | None = None
    rights: dict[str, bool] = field(default_factory=dict)
    why_read_only: str = ""
    error: PortalError | None = None

    @property
    def can_save(self) -> bool:
        """Tell whether the instance may be attached with this."""
        return self.error is None

    @property
    def counts(self) -> dict[str, int]:
        """Return how much is there, by noun."""
        if self.content is None:
            return {}
        return {
            "locations": len(self.content.storages),
            "artifacts": self.content.artifact_count,
            "bytes": sum(amount.total_bytes for amount in self.content.amounts.values()),
            "spaces": len(self.content.spaces),
            "users": len(self.content.users),
            "branches": len(self.content.branches),
        }

    @property
    def instance_uids(self) -> dict[str, int]:
        """Return the uids of writing instances that the locations name, each with how many do."""
        found: dict[str, int] = {}
        for storage in self.content.storages if self.content else ():
            if storage.instance_uid is not None:
                found[storage.instance_uid] = found.get(storage.instance_uid, 0) + 1
        return found

    @property
    def summary(self) -> str:
        """Return what came of it, in one sentence."""
        if self.error is not None:
            return self.error.message
        return "It is attached read-only." if self.why_read_only else "Everything that is needed works."


@dataclass(frozen=True, slots=True)
class Asked:
    """What an examination starts from.

    Attributes:
        slug: `owner/name`, which the instance's id usually derives from.
        instance_id_hex: the id somebody gave; empty for none.
        instance_uid: of an instance that is attached already, which must not become another; empty for none.
        is_read_only: nothing is tried by writing.
    """

    slug: str
    instance_id_hex: str = ""
    instance_uid: str = ""
    is_read_only: bool = False
