"""A storage error as the outcome of a check, for every check there is."""

from portal.errors import StorageError
from portal.values import CheckResult, CheckStatus


def failed_check(
    name: str, title: str, error: StorageError, milliseconds: int | None, *, is_write: bool = False
) -> CheckResult:
    """Return a failed check that says what the error says, with the policy sentence where a right is missing."""
    return CheckResult(
        name,
        title,
        CheckStatus.FAILED,
        milliseconds,
        error.message,
        fix=_fix(error),
        is_write=is_write,
        server_message=error.server_message,
        missing_action=error.missing_action,
    )


def _fix(error: StorageError) -> str | None:
    """Return what to do, naming the exact action a policy must allow."""
    action = error.missing_action
    if action is None or not action.startswith("s3:"):
        return error.hint
    where = "the bucket itself" if action == "s3:ListBucket" else "the objects below this root (`…/*`)"
    return f"Add to the policy: Allow {action} on {where}."
