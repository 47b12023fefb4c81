"""Frozen values that every layer shares. Pure: no clock, randomness, I/O or framework."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from types import MappingProxyType

#: LaminDB's row 1 of `lamindb_space`: the space `all`, which has no members of its own (facts: lamindb docs, access).
ALL_SPACE_ID = 1
ALL_SPACE_UID = "aaaaaaaaaaaa"

#: Where LaminDB keeps what it manages, below a root.
MANAGED_FOLDER = ".lamindb"
MARKER_KEY = ".lamindb/storage_uid.txt"


class Role(StrEnum):
    """What an account may do on an instance or in a space; LaminDB's words, weakest first."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """Return 1 for read, 2 for write, 3 for admin."""
        return _RANKS[self]

    def covers(self, other: "Role") -> bool:
        """Tell whether this role includes everything `other` may do."""
        return self.rank >= other.rank


_RANKS = {Role.READ: 1, Role.WRITE: 2, Role.ADMIN: 3}


def lower_role(first: Role | None, second: Role | None) -> Role | None:
    """Return the weaker of two roles; None (no role) is weaker than any."""
    if first is None or second is None:
        return None
    return first if second.covers(first) else second


def higher_role(first: Role | None, second: Role | None) -> Role | None:
    """Return the stronger of two roles; None (no role) is weaker than any."""
    if first is None or second is None:
        return first or second
    return first if first.covers(second) else second


class AccountKind(StrEnum):
    """Who an account stands for."""

    PERSON = "person"
    ORGANISATION = "organisation"
    BOT = "bot"


class MembershipRole(StrEnum):
    """What a person is in an organisation. Owners act for it."""

    OWNER = "owner"
    MEMBER = "member"


def is_md5(etag: str | None) -> bool:
    """Tell whether an ETag has the form of an MD5; one of an upload in parts has not."""
    return etag is not None and len(etag) == 32 and _HEX.issuperset(etag)


_HEX = frozenset("0123456789abcdef")


def initials(name: str) -> str:
    """Return one or two capital letters that stand for a person in an avatar: of the first and the last word."""
    words = name.replace("-", " ").split()
    return "".join(word[0] for word in (words[0], words[-1])[: len(words)]).upper()


class StorageType(StrEnum):
    """Kind of a root, as LaminDB stores it in `lamindb_storage.type`."""

    LOCAL = "local"
    S3 = "s3"
    GS = "gs"
    HF = "hf"
    HTTP = "http"
    HTTPS = "https"


class Mode(StrEnum):
    """Whether the writing instance may write to a location."""

    WRITABLE = "writable"
    READ_ONLY = "read-only"
    UNMANAGED = "unmanaged"


class ModeReason(StrEnum):
    """Why a location is read-only; empty for writable and unmanaged ones."""

    NONE = ""
    FOREIGN = "foreign"
    NO_PUT = "no put"
    PUBLIC = "public"
    BY_CHOICE = "by choice"


class Branch(IntEnum):
    """LaminDB's three fixed branches with their row ids in `lamindb_branch`."""

    TRASH = -1
    ARCHIVE = 0
    MAIN = 1

    @property
    def label(self) -> str:
        """Return the branch's name in LaminDB: trash, archive or main."""
        return self.name.lower()


class ConnectionKind(StrEnum):
    """How the portal reaches a bucket."""

    ACCESS_KEY = "access key"
    AMBIENT = "ambient"
    ANONYMOUS = "anonymous"


class CheckStatus(StrEnum):
    """Outcome of one tried right."""

    PASSED = "passed"
    FAILED = "failed"
    WARNING = "warning"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One tried right of a connection.

    Attributes:
        name: stable name: `list`, `get`, `put`, `read-back`, `delete`, `marker` …
        title: the same in words, for people.
        status: how it ended; a skipped check was not tried and proves nothing.
        milliseconds: how long it took; None when it was not tried.
        reason: what was seen, one sentence.
        fix: what to do; None when nothing needs doing.
        is_write: whether the check is about writing, so that failing it still allows a read-only connection.
        server_message: the server's own words; None when it said nothing.
        missing_action: the exact right that is missing; None when that is not the cause.
    """

    name: str
    title: str
    status: CheckStatus
    milliseconds: int | None
    reason: str
    fix: str | None = None
    is_write: bool = False
    server_message: str | None = None
    missing_action: str | None = None


@dataclass(frozen=True, slots=True)
class Root:
    """A normalised root. Build one with `planning.roots.parse_root`, never by hand from user input.

    Attributes:
        type: kind of storage.
        text: LaminDB's exact normal form, as stored in `lamindb_storage.root`: no trailing slash; for S3-compatible
            endpoints with its `?endpoint_url=`.
        bucket: bucket name, or host for http(s); empty for local roots.
        path: for local roots the absolute path; else the prefix inside the bucket without slashes at its ends.
        endpoint_url: S3-compatible endpoint, verbatim; None for AWS and for every other kind.
    """

    type: StorageType
    text: str
    bucket: str = ""
    path: str = ""
    endpoint_url: str | None = None

    @property
    def name(self) -> str:
        """Return the last part, which a person types to confirm a destructive act."""
        return self.path.rstrip("/").rsplit("/", 1)[-1] or self.bucket or self.text

    def __str__(self) -> str:
        return self.text


_NO_ROLES: Mapping[int, Role] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, from where, and every role that person holds, read once a request.

    Attributes:
        account_id: row id of the account; None for somebody not signed in.
        handle: for events and messages; `anonymous` when not signed in.
        is_portal_admin: may administer people, hosts and server grants; gives no role on any content.
        instances: role per instance id.
        spaces: role per space id; the space `all` is never a key.
        owners: account ids this person acts for: itself and the organisations it owns.
        via: the face: web, cli, api, hub, runner.
        address: network address of the caller, or host name; empty when unknown.
        request_id: ties log lines and events of one request together; empty outside requests.
    """

    account_id: int | None
    handle: str
    is_portal_admin: bool = False
    instances: Mapping[int, Role] = field(default_factory=lambda: _NO_ROLES)
    spaces: Mapping[int, Role] = field(default_factory=lambda: _NO_ROLES)
    owners: frozenset[int] = frozenset()
    via: str = "web"
    address: str = ""
    request_id: str = ""

    @property
    def is_signed_in(self) -> bool:
        """Tell whether this is a known account."""
        return self.account_id is not None


ANONYMOUS = Actor(account_id=None, handle="anonymous")
