"""Every error the portal raises on purpose.

An error says what happened (`message`) and what to do (`hint`); facts are attributes, never parsed out of a sentence.
No HTTP here: `web/errors.py` and its siblings give each kind its status.
"""

from typing import ClassVar


class PortalError(Exception):
    """Something a person can understand and act on.

    Attributes:
        code: stable machine-readable name of the kind.
        message: what happened, one sentence or two.
        hint: what to do about it; None when there is nothing to do.
        field: the input field at fault, as forms and `--json` name it; None when no single one is.
        retryable: whether the same call may succeed later, unchanged.
        retry_after_seconds: how long to wait before that; None when unknown.
    """

    code: ClassVar[str] = "error"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        field: str | None = None,
        retryable: bool = False,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.field = field
        self.retryable = retryable
        self.retry_after_seconds = retry_after_seconds

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class BrokenOff(Exception):
    """Ends a write on its way, which will be done again: what was sent of it may stay. Told to nobody."""


class SettingsError(PortalError):
    """One or more settings are wrong; the message lists every fault at once."""

    code = "settings"


class InputError(PortalError):
    """A value that was given cannot be used; `field` names it."""

    code = "input"


class NotFound(PortalError):
    """No such thing, or none that the actor may know of: the two look the same on purpose."""

    code = "not_found"


class PermissionDenied(PortalError):
    """The actor may see the thing but not do this to it."""

    code = "permission_denied"


class SignInFailed(PortalError):
    """The handle and password do not belong together; never says which of the two is wrong."""

    code = "sign_in_failed"


class Throttled(PortalError):
    """Too many tries; `retry_after_seconds` says when the next one is taken."""

    code = "throttled"


class Conflict(PortalError):
    """The request is fine but the present state forbids it: a duplicate, a lock, a step out of order."""

    code = "conflict"


class Refused(PortalError):
    """A rule of the portal or of LaminDB refuses this whatever the state: a forbidden path, an unlisted endpoint."""

    code = "refused"


class StorageError(PortalError):
    """A storage backend could not do what was asked. Vendor exceptions end in `backends/` as one of these.

    Attributes:
        server_message: the server's own words, without secrets; None when it said nothing.
        missing_action: the exact right that is missing (`s3:PutObject`); None when that is not the cause.
    """

    code = "storage"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        field: str | None = None,
        retryable: bool = False,
        retry_after_seconds: int | None = None,
        server_message: str | None = None,
        missing_action: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, field=field, retryable=retryable, retry_after_seconds=retry_after_seconds)
        self.server_message = server_message
        self.missing_action = missing_action


class ObjectNotFound(StorageError):
    """No object has this key."""

    code = "object_not_found"


class ObjectExists(StorageError):
    """A create-only write found something under its key; nothing was changed."""

    code = "object_exists"


class BucketNotFound(StorageError):
    """No such bucket, or no such base directory on this host."""

    code = "bucket_not_found"


class WrongRegion(StorageError):
    """The bucket lies in another region than the connection says; `region` is the right one, None when unknown."""

    code = "wrong_region"

    def __init__(
        self, message: str, *, region: str | None, hint: str | None = None, server_message: str | None = None
    ) -> None:
        super().__init__(message, hint=hint, field="region", server_message=server_message)
        self.region = region


class AccessRefused(StorageError):
    """The server knows who asks and refuses; `missing_action` names the right."""

    code = "access_refused"


class ObjectArchived(AccessRefused):
    """The object lies in an archive tier and cannot be read before it is restored."""

    code = "object_archived"


class CredentialsRefused(StorageError):
    """The server does not accept the credentials at all: unknown key, wrong secret, expired token."""

    code = "credentials_refused"


class Unreachable(StorageError):
    """No answer within the time limit, no such host, connection refused or reset. Retryable."""

    code = "unreachable"


class OutOfSpace(StorageError):
    """The target has no room left, or its quota is used up."""

    code = "out_of_space"


class NameRefused(StorageError):
    """The target cannot hold an object of this name."""

    code = "name_refused"


class ContentMismatch(StorageError):
    """What was read or stored differs from what was announced: size, checksum or a truncated body."""

    code = "content_mismatch"


class RegistryError(PortalError):
    """An instance's own database could not do what was asked. Vendor exceptions end in `lamindb/` as one of these.

    Attributes:
        server_message: the database's own words, without secrets; None when it said nothing.
        missing_right: the exact right that is missing (`TRIGGER on lamindb_artifact`); None when that is not the cause.
    """

    code = "registry"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        field: str | None = None,
        retryable: bool = False,
        server_message: str | None = None,
        missing_right: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, field=field, retryable=retryable)
        self.server_message = server_message
        self.missing_right = missing_right


class RegistryUnreachable(RegistryError):
    """No such file, no such server, no answer within the time limit, or the sign-in was refused."""

    code = "registry_unreachable"


class RegistryBusy(RegistryError):
    """Somebody else holds the lock that is needed; retryable, nothing was changed."""

    code = "registry_busy"


class RegistryRefused(RegistryError):
    """The database answers but the role, or the file's permissions, do not allow this; `missing_right` names it."""

    code = "registry_refused"


class NoRegistry(RegistryError):
    """The database answers, and is not that of a LaminDB instance this version knows."""

    code = "no_registry"


class RegistryChanged(RegistryError):
    """A row is not as it was read: somebody changed it meanwhile. Nothing was changed."""

    code = "registry_changed"
