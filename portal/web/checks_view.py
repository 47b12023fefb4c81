"""Checks as pages show them: in groups, with a line that sums each up."""

from collections.abc import Iterable
from dataclasses import dataclass

from portal.values import CheckResult, CheckStatus

_GROUPS = (
    ("Reach", frozenset({"region", "open", "reach"})),
    ("What it is", frozenset({"schema", "content", "identity"})),
    ("Whose it is", frozenset({"deletion", "marker", "marker-uid"})),
    ("Reading", frozenset({"list", "get"})),
    ("Writing", frozenset({"put", "read-back", "delete", "gone", "update", "insert", "trigger"})),
)


@dataclass(frozen=True, slots=True)
class CheckGroup:
    """Checks of one purpose. `text` names them, `meta` counts them and their time."""

    title: str
    status: CheckStatus
    text: str
    meta: str
    milliseconds: int
    results: tuple[CheckResult, ...]


def group_checks(results: Iterable[CheckResult]) -> list[CheckGroup]:
    """Return checks in groups, in the order in which they were tried; empty groups are left out."""
    found = list(results)
    known = frozenset().union(*(names for _, names in _GROUPS))
    groups = [(title, [result for result in found if result.name in names]) for title, names in _GROUPS]
    groups.append(("Other", [result for result in found if result.name not in known]))
    return [_group(title, rows) for title, rows in groups if rows]


def _group(title: str, rows: list[CheckResult]) -> CheckGroup:
    seen = {row.status for row in rows}
    order = (CheckStatus.FAILED, CheckStatus.WARNING, CheckStatus.PASSED, CheckStatus.SKIPPED)
    status = next(each for each in order if each in seen)
    passed = sum(row.status is CheckStatus.PASSED for row in rows)
    skipped = sum(row.status is CheckStatus.SKIPPED for row in rows)
    text = ", ".join(row.title[0].lower() + row.title[1:] for row in rows)
    if status is CheckStatus.WARNING:
        text = next(row.reason for row in rows if row.status is status)
    total_ms = sum(row.milliseconds or 0 for row in rows)
    meta = f"{passed} of {len(rows)}" + (f", {skipped} skipped" if 0 < skipped < len(rows) else "")
    return CheckGroup(title, status, text, meta, total_ms, tuple(rows))


def strip_label(results: Iterable[CheckResult]) -> str:
    """Return what a tick strip shows, in words."""
    found = list(results)
    parts = []
    for status in CheckStatus:
        count = sum(result.status is status for result in found)
        if count:
            parts.append(f"{count} {status.value}")
    return f"{len(found)} {'check' if len(found) == 1 else 'checks'}: {', '.join(parts)}"
