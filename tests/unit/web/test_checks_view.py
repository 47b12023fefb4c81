"""Groups of checks: what a group says of itself."""

from portal.values import CheckResult, CheckStatus
from portal.web.checks_view import group_checks

_S = CheckStatus


def said(*statuses: CheckStatus) -> tuple[CheckStatus, str, str]:
    """Return what the group of writing checks with these statuses says: status, words, count."""
    names = ("put", "read-back", "delete", "gone")
    rows = [CheckResult(name, name, status, 1, "why") for name, status in zip(names, statuses, strict=False)]
    [group] = group_checks(rows)
    return group.status, group.label, group.meta


def test_a_group_with_a_skipped_check_does_not_claim_that_all_passed() -> None:
    assert said(_S.PASSED, _S.PASSED) == (_S.PASSED, "Passed", "2 of 2")
    assert said(_S.PASSED, _S.SKIPPED, _S.SKIPPED) == (_S.PASSED, "Passed, 2 skipped", "1 of 3")
    assert said(_S.SKIPPED, _S.SKIPPED) == (_S.SKIPPED, "Skipped", "0 of 2")
    assert said(_S.FAILED, _S.SKIPPED) == (_S.FAILED, "Failed, 1 skipped", "0 of 2")
