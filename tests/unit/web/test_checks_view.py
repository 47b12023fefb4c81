"""Groups of checks: what a group says of itself."""

from portal.values import CheckResult, CheckStatus
from portal.web.checks_view import group_checks

_S = CheckStatus


def said(*statuses: CheckStatus) -> tuple[CheckStatus, str]:
    """Return what the group of writing checks with these statuses says: status and count."""
    names = ("put", "read-back", "delete", "gone")
    rows = [CheckResult(name, name, status, 1, "why") for name, status in zip(names, statuses, strict=False)]
    [group] = group_checks(rows)
    return group.status, group.meta


def test_a_group_with_a_skipped_check_does_not_claim_that_all_passed() -> None:
    assert said(_S.PASSED, _S.PASSED) == (_S.PASSED, "2 of 2")
    assert said(_S.PASSED, _S.SKIPPED, _S.SKIPPED) == (_S.PASSED, "1 of 3, 2 skipped")
    assert said(_S.SKIPPED, _S.SKIPPED) == (_S.SKIPPED, "0 of 2")
    assert said(_S.FAILED, _S.SKIPPED) == (_S.FAILED, "0 of 2, 1 skipped")
