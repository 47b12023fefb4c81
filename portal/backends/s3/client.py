"""Makes botocore clients that do exactly what the connection says, whatever the environment holds."""

from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import lru_cache
from threading import Lock, Thread
from typing import Any, Final

from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.handlers import _handle_200_error
from botocore.session import Session
from botocore.utils import parse_timestamp

from portal.backends.base import S3Access, Timeouts
from portal.backends.guard import AddressGuard
from portal.backends.s3.guarded import guard_client
from portal.backends.s3.pages import take_page
from portal.values import ConnectionKind

#: For signing when nothing is known yet: AWS answers requests of this region with where the bucket is.
FIRST_REGION: Final = "us-east-1"

#: More connections than threads that use one backend at once.
_CONNECTIONS: Final = 32

#: Who asks, in a server's log.
_USER_AGENT: Final = "storage-portal"

_sessions_lock = Lock()
_session: Session | None = None


@lru_cache(maxsize=16)
def shared_client(access: S3Access, endpoint_url: str | None, timeouts: Timeouts) -> Any:
    """Return the client that all of this process's bulk work with this access shares: making one costs 0.1 s.

    Raises:
        BotoCoreError, ValueError: as `make_client`.
    """
    return make_client(access, endpoint_url, timeouts)


def make_client(access: S3Access, endpoint_url: str | None, timeouts: Timeouts) -> Any:
    """Return a thread-safe S3 client. Redirects to other hosts are not followed, settings files not asked for hosts.

    Raises:
        BotoCoreError, ValueError: the endpoint or region cannot be used; the caller translates.
    """
    anonymous = access.kind is ConnectionKind.ANONYMOUS
    by_key = access.kind is ConnectionKind.ACCESS_KEY
    config = Config(
        connect_timeout=timeouts.connect_seconds,
        read_timeout=timeouts.read_seconds,
        retries={"total_max_attempts": timeouts.attempts, "mode": "standard"},
        max_pool_connections=_CONNECTIONS,
        # botocore puts its own together anew for every request, which costs a tenth of the request.
        user_agent=_USER_AGENT,
        # Bucket names in host names need wildcard DNS, which S3-compatible servers rarely have.
        s3={"addressing_style": "path" if endpoint_url else "auto"},
        # Other servers refuse or mistreat the trailing checksums that newer clients add on their own.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        # Else AWS_ENDPOINT_URL or a profile could send a connection's secret to another host.
        ignore_configured_endpoint_urls=True,
        signature_version=UNSIGNED if anonymous else None,
    )
    with _sessions_lock:
        client = _shared_session().create_client(
            "s3",
            region_name=access.region or FIRST_REGION,
            endpoint_url=endpoint_url,
            aws_access_key_id=access.access_key_id if by_key else None,
            aws_secret_access_key=access.secret_access_key if by_key else None,
            config=config,
        )
    # A redirect is answered by telling the right region, never by signing the same request for another host.
    client.meta.events.register_last("before-parameter-build.s3", _stay)
    _read_pages_first(client.meta.events)
    if access.guard is not None and endpoint_url:
        guard_client(client, access.guard)
    return client


def _read_pages_first(events: Any) -> None:
    """Let our reading of a listing's pages come before botocore's look for errors in answers that say 200."""
    place = "before-parse.s3.*"
    events.unregister(place, _handle_200_error)
    events.register_first(place, take_page)
    events.register_first(place, _handle_200_error)


def _stay(context: dict[str, Any], **_: object) -> None:
    """Mark a request as redirected already, so that botocore does not do it."""
    context.setdefault("s3_redirect", {})["redirected"] = True


def _shared_session() -> Session:
    """Return the process's session, which holds the parsed service model (20 MB) and the ambient identity."""
    global _session  # noqa: PLW0603 - one per process on purpose; guarded by `_sessions_lock`
    if _session is None:
        _session = Session()
        factory = _session.get_component("response_parser_factory")
        factory.set_parser_defaults(timestamp_parser=read_timestamp)
    return _session


def read_timestamp(text: Any) -> datetime:
    """Return an aware UTC time. Listings' ISO form takes a short way: botocore's own costs half of a listing's time."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (TypeError, ValueError):
        parsed: datetime = parse_timestamp(text)
        return parsed.astimezone(UTC)


def detect_region(
    bucket: str, endpoint_url: str | None, timeouts: Timeouts, guard: AddressGuard | None = None
) -> str | None:
    """Return the region of a bucket, which AWS tells even those who may not enter; None when nobody says in time.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html (x-amz-bucket-region)
    """
    # Name look-ups obey no time limit of the client's, so the whole question runs where it can be left behind.
    limit_seconds = timeouts.connect_seconds + timeouts.read_seconds
    access = S3Access(ConnectionKind.ANONYMOUS, guard=guard)
    return within(limit_seconds, lambda: _ask_region(bucket, access, endpoint_url, timeouts))


def _ask_region(bucket: str, access: S3Access, endpoint_url: str | None, timeouts: Timeouts) -> str | None:
    try:
        client = make_client(access, endpoint_url, timeouts)
        answer = client.head_bucket(Bucket=bucket)
    except ClientError as error:
        answer = error.response
    except (BotoCoreError, ValueError):
        return None
    region = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region")
    return region or None


def within(limit_seconds: float, ask: Callable[[], str | None]) -> str | None:
    """Return what `ask` returns; None when it takes longer. Its thread then ends on its own, unheard."""
    result: Future[str | None] = Future()

    def run() -> None:
        try:
            result.set_result(ask())
        except Exception as error:  # handed over to the thread that waits
            result.set_exception(error)

    Thread(target=run, name="detect-region", daemon=True).start()
    try:
        return result.result(limit_seconds)
    except TimeoutError:
        return None
