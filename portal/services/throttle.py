"""Token buckets in the database: they hold across processes and restarts."""

import hashlib
from dataclasses import dataclass

from sqlalchemy import delete, select

from portal.errors import Throttled
from portal.models import Throttle
from portal.services.work import Work


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `burst` tries at once, then one more each `refill_seconds`."""

    name: str
    burst: int
    refill_seconds: float


SIGN_IN_BY_HANDLE = Limit("sign-in handle", burst=8, refill_seconds=60)
SIGN_IN_BY_ADDRESS = Limit("sign-in address", burst=30, refill_seconds=10)
LINK_BY_ADDRESS = Limit("link address", burst=20, refill_seconds=30)


def take(work: Work, limit: Limit, subject: str) -> None:
    """Take one token of `subject`'s bucket.

    Raises:
        Throttled: the bucket is empty; `retry_after_seconds` says when the next token comes.
    """
    key = _bucket(limit, subject)
    row = _lock_bucket(work, key, limit)
    elapsed_seconds = max(0.0, (work.now - row.updated_at).total_seconds())
    tokens = min(float(limit.burst), row.tokens + elapsed_seconds / limit.refill_seconds)
    if tokens < 1:
        wait = int((1 - tokens) * limit.refill_seconds) + 1
        raise Throttled(f"Too many tries. The next one is taken in {wait} s.", retryable=True, retry_after_seconds=wait)
    row.tokens, row.updated_at = tokens - 1, work.now
    work.session.flush()


def _lock_bucket(work: Work, key: str, limit: Limit) -> Throttle:
    """Return the bucket, held until the transaction ends: tries that arrive together each take a token of their own."""
    work.insert_once(Throttle, bucket=key, tokens=float(limit.burst), updated_at=work.now)
    query = select(Throttle).where(Throttle.bucket == key).with_for_update()
    return work.session.scalars(query.execution_options(populate_existing=True)).one()


def give_back(work: Work, limit: Limit, subject: str) -> None:
    """Fill the bucket again, after the subject has proven itself."""
    work.session.execute(delete(Throttle).where(Throttle.bucket == _bucket(limit, subject)))


def _bucket(limit: Limit, subject: str) -> str:
    return hashlib.sha256(f"{limit.name}\0{subject}".encode()).hexdigest()
