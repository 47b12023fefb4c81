"""What S3 servers and botocore say, turned into the portal's own errors. Facts come from codes and headers."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from urllib3 import exceptions as http

from portal.errors import (
    AccessRefused,
    BucketNotFound,
    ContentMismatch,
    CredentialsRefused,
    NameRefused,
    ObjectArchived,
    ObjectExists,
    ObjectNotFound,
    OutOfSpace,
    Refused,
    StorageError,
    Unreachable,
    WrongRegion,
)

_REFUSED_KEYS: Final = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "AuthFailure",
    "InvalidSecurity",
}
_ENDED_KEYS: Final = {"ExpiredToken", "InvalidToken", "TokenRefreshRequired"}
_NO_BUCKET: Final = {"NoSuchBucket", "InvalidBucketName"}
_SKEW: Final = {"RequestTimeTooSkewed", "RequestExpired"}
_REGION: Final = {"PermanentRedirect", "Redirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
_BUSY: Final = {"SlowDown", "ServiceUnavailable", "TooManyRequests", "RequestTimeout", "Throttling", "InternalError"}
_NO_ROOM: Final = {"QuotaExceeded", "EntityTooLarge", "InsufficientCapacity", "StorageFull", "XMinioStorageFull"}
_ARCHIVED: Final = {"InvalidObjectState", "ObjectNotInActiveTierError"}
_BAD_NAME: Final = {"KeyTooLongError", "KeyTooLong", "XMinioInvalidObjectName"}
_MISMATCH: Final = {
    "BadDigest",
    "XAmzContentSHA256Mismatch",
    "InvalidDigest",
    "IncompleteBody",
    "InvalidPart",
    "XAmzContentChecksumMismatch",
}
_TAKEN: Final = {"PreconditionFailed", "ConditionalRequestConflict"}

#: A Retry-After in seconds that makes sense.
_SECONDS: Final = re.compile(r"[0-9]{1,9}")

#: What every server tells in its answer to an operation.
_TOLD: Final = {
    "head_object": "ContentLength",
    "get_object": "ContentLength",
    "create_multipart_upload": "UploadId",
    "upload_part": "ETag",
}

#: Anything that looks like a signature or a token in a server's words.
_SECRETS: Final = re.compile(r"(?i)(signature|credential|security-token|secret)(['\"]?\s*[=:]\s*)[^\s,&;<>]+")


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of the server, for errors about it.

    Attributes:
        action: the right the request needs: `s3:GetObject` …
        bucket: the bucket's name.
        key: the full key; empty for requests about the bucket.
        region: the region the request was signed for.
        endpoint_url: whom it went to.
        secret: never shown; taken out of the server's words.
    """

    action: str
    bucket: str
    key: str
    region: str
    endpoint_url: str
    secret: str = ""

    def __repr__(self) -> str:
        return f"Asked({self.action}, {self.bucket}/{self.key})"


@contextmanager
def translated(asked: Asked) -> Iterator[None]:
    """Turn everything botocore raises inside into a `StorageError`."""
    try:
        yield
    except boto.ClientError as error:
        raise from_answer(error.response, asked) from None
    except (boto.BotoCoreError, http.HTTPError, ResponseParserError, ValueError) as error:
        raise from_client(error, asked) from None


def check_told(operation: str, answer: Mapping[str, Any]) -> None:
    """Refuse an answer without what all the others tell, to be `translated`.

    Raises:
        ValueError: as said.
    """
    if (name := _TOLD.get(operation)) is not None and name not in answer:
        raise ValueError(f"no {name}")


def from_answer(answer: Mapping[str, Any], asked: Asked) -> StorageError:
    """Return the error for a server's refusal."""
    error = answer.get("Error", {})
    meta = answer.get("ResponseMetadata", {})
    headers = meta.get("HTTPHeaders", {})
    code, status = str(error.get("Code", "")), int(meta.get("HTTPStatusCode") or 0)
    said = _clean(error, asked)
    if code in _SKEW:
        return _skewed(error, headers, said)
    if code in _REGION or status in {301, 307}:
        return _elsewhere(error, headers, asked, said)
    if code in _BUSY or status in {429, 503} or status >= 500:
        return _busy(headers, status, said)
    if code == "NoSuchUpload":
        return StorageError(f"The server has given up the upload of {asked.key}.", retryable=True, server_message=said)
    return _known(code, asked, said) or _by_status(code, status, asked, said)


def _known(code: str, asked: Asked, said: str | None) -> StorageError | None:
    """Return the error for a code that says all; None for any other."""
    name = f"The object {asked.key}"
    if code in _REFUSED_KEYS:
        return CredentialsRefused("The key was refused.", hint="Was its secret pasted whole?", server_message=said)
    if code in _ENDED_KEYS:
        return CredentialsRefused("The credentials have ended.", hint="Give new ones.", server_message=said)
    if code in _NO_BUCKET:
        return BucketNotFound(f"No bucket {asked.bucket} exists.", hint="Check its name.", server_message=said)
    if code == "NoSuchKey":
        return ObjectNotFound(f"There is no object {asked.key}.", server_message=said)
    if code in _TAKEN:
        return ObjectExists(f"{name} exists already. Nothing was changed.", server_message=said)
    if code in _MISMATCH:
        return ContentMismatch(f"{name} reached the server changed.", retryable=True, server_message=said)
    if code in _NO_ROOM:
        return OutOfSpace(f"The server has no room for {asked.key}.", hint="Raise its quota.", server_message=said)
    if code in _BAD_NAME or (code == "InvalidArgument" and said and "name" in said.lower()):
        return NameRefused(f"The server cannot hold an object named {asked.key}.", server_message=said)
    if code in _ARCHIVED:
        return ObjectArchived(f"{name} is archived.", hint="Restore it from the archive first.", server_message=said)
    return None


def _by_status(code: str, status: int, asked: Asked, said: str | None) -> StorageError:
    """Return the error for an answer whose code says less than its status."""
    if status in {401, 403}:
        where = f"on {asked.key}" if asked.key else f"on the bucket {asked.bucket}"
        return AccessRefused(
            f"The server refuses {asked.action} {where}.",
            hint=f"Allow {asked.action} for this key.",
            server_message=said,
            missing_action=asked.action,
        )
    if status == 404:
        return ObjectNotFound(f"There is no object {asked.key}.", server_message=said)
    return StorageError(f"The server answered {code or status} to {asked.action}.", server_message=said)


def _skewed(error: Mapping[str, Any], headers: Mapping[str, str], said: str | None) -> StorageError:
    """Return message 5: by how much this server's clock is off, from the times in the answer."""
    theirs = _time(error.get("ServerTime")) or _time(headers.get("date"))
    ours = _time(error.get("RequestTime")) or datetime.now(UTC)
    if theirs is None:
        return StorageError("This server's clock is wrong; S3 refuses it.", hint="Set it.", server_message=said)
    minutes = round((theirs - ours).total_seconds() / 60)
    off = f"{abs(minutes)} min {'late' if minutes > 0 else 'early'}"
    return StorageError(f"This server's clock is {off}; S3 refuses it.", hint="Set it.", server_message=said)


def _time(text: Any) -> datetime | None:
    """Return a time a server wrote in any of its three forms; None when it is none of them."""
    if not isinstance(text, str):
        return None
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(text)
        except ValueError:
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def _elsewhere(error: Mapping[str, Any], headers: Mapping[str, str], asked: Asked, said: str | None) -> StorageError:
    """Return message 3: the bucket's right region, from the answer."""
    region = headers.get("x-amz-bucket-region") or error.get("Region")
    if region == asked.region or (not region and asked.endpoint_url):
        return StorageError("The server sends this request elsewhere.", hint="Check the endpoint.", server_message=said)
    if not region:
        return WrongRegion(f"The bucket is not in {asked.region}.", region=None, server_message=said)
    return WrongRegion(
        f"The bucket is in {region}, not {asked.region}.",
        region=region,
        hint=f"Set the region to {region}.",
        server_message=said,
    )


def _busy(headers: Mapping[str, str], status: int, said: str | None) -> StorageError:
    after = headers.get("retry-after", "")
    return StorageError(
        "The server is busy." if status in {0, 429, 503} else "The server failed on its side.",
        hint="Try again later.",
        retryable=True,
        retry_after_seconds=int(after) if _SECONDS.fullmatch(after) else None,
        server_message=said,
    )


def _clean(error: Mapping[str, Any], asked: Asked) -> str | None:
    """Return the server's own words with its code in front, without secrets; None when it said nothing."""
    words = ": ".join(str(error[name]) for name in ("Code", "Message") if error.get(name))
    if asked.secret:
        words = words.replace(asked.secret, "…")
    return _SECRETS.sub(r"\1\2…", words)[:500] or None


def from_client(error: Exception, asked: Asked) -> StorageError:
    """Return the error for a request that got no answer, or that could not be made."""
    host = urlsplit(asked.endpoint_url).netloc or "the server"
    match error:
        case boto.NoCredentialsError() | boto.PartialCredentialsError() | boto.CredentialRetrievalError():
            return CredentialsRefused(
                "This server has no identity of its own.", hint="Give the machine a role, or use an access key."
            )
        case boto.SSLError() | http.SSLError():
            return Unreachable(
                f"{host} shows a certificate that is not trusted.", hint="Check the endpoint, or install its authority."
            )
        case boto.ConnectTimeoutError() | http.ConnectTimeoutError():
            return _silent(f"{host} did not take the connection within the time limit.")
        case boto.ReadTimeoutError() | http.ReadTimeoutError():
            return _silent(f"{host} did not answer within the time limit.")
        case boto.ParamValidationError():
            return NameRefused(f"S3 cannot hold the name {asked.key or asked.bucket}.", hint="Check the name.")
        case boto.EndpointConnectionError():
            return _unconnected(error, host)
        case boto.IncompleteReadError() | http.IncompleteRead() | http.ProtocolError():
            return _silent(f"The connection to {host} broke.")
        case boto.HTTPClientError(kwargs={"error": Refused() as refusal}):
            return AccessRefused(refusal.message, hint=refusal.hint)
        case boto.HTTPClientError() | boto.ConnectionError() | http.HTTPError():
            return _silent(f"The connection to {host} broke.")
    return StorageError(f"{host} gave an answer that is not S3's.", hint="Check the endpoint.")


def _unconnected(error: boto.EndpointConnectionError, host: str) -> Unreachable:
    """Tell an unknown host name from a host where nobody listens."""
    cause = error.kwargs.get("error")
    if isinstance(cause, http.NameResolutionError) or "resolve" in str(cause).lower():
        return Unreachable(f"No host named {host} is known.", hint="Check the endpoint's spelling.", retryable=True)
    return _silent(f"Nobody answers at {host}.")


def _silent(message: str) -> Unreachable:
    return Unreachable(message, hint="Check that the server runs and can be reached from here.", retryable=True)
