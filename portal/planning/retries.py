"""Which errors pass, and how long to wait for it. Jitter is an argument: chance lives with the caller."""

from dataclasses import dataclass

from portal.errors import PortalError, StorageError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently one object is tried.

    Attributes:
        attempts: tries altogether, the first included.
        first_seconds: longest wait after the first failure; doubles each time.
        max_seconds: no wait is longer, unless the server asks for it.
        max_asked_seconds: nor then.
    """

    attempts: int = 5
    first_seconds: float = 0.5
    max_seconds: float = 30.0
    max_asked_seconds: int = 300


def is_passing(error: BaseException) -> bool:
    """Tell whether the same call may succeed later, unchanged; errors that are not the portal's own never do."""
    return isinstance(error, PortalError) and error.retryable


def next_wait_seconds(
    error: StorageError, attempt: int, jitter: float, policy: RetryPolicy | None = None
) -> float | None:
    """Return how long to wait after the failure of try number `attempt` (from 1); None to give up.

    `jitter` between 0 and 1 picks a place between half and all of the doubling wait, so that workers do not come back
    in step. What the server asked for is the least, within bounds.
    """
    chosen = policy or RetryPolicy()
    if not is_passing(error) or attempt >= chosen.attempts:
        return None
    longest = min(chosen.max_seconds, chosen.first_seconds * 2.0 ** (attempt - 1))
    waited: float = longest * (0.5 + jitter / 2)
    return max(waited, float(min(error.retry_after_seconds or 0, chosen.max_asked_seconds)))
