"""How far a move is, in numbers for its page: its present pass, or all of it once only some objects are tried again.

Decides nothing; only says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portal.planning.outcomes import THERE
from portal.planning.states import MigrationState
from portal.services.migrations import MigrationPage
from portal.services.migrations.ledger import PASSING
from portal.web.filters import format_count

_S = MigrationState

#: A pass goes on, or one ended with objects that need a look.
_IN_PASS = frozenset({_S.COPYING, _S.VERIFYING, _S.PAUSED, _S.NEEDS_ATTENTION, _S.CANCELLING})

#: What each kind of pass is called.
PASSES = {"first": "the first copy", "changes": "what changed since", "chosen": "single objects tried again"}


@dataclass(frozen=True, slots=True)
class Amount:
    """Objects or bytes. `copied`: at the target, not verified yet. `equal`: there already; None: not told apart."""

    total: int
    verified: int
    copied: int
    equal: int | None = None
    attention: int = 0

    @property
    def done(self) -> int:
        """Return how much lies at the target as it should, verified or not."""
        return self.verified + self.copied + (self.equal or 0)

    @property
    def percent(self) -> float:
        """Return how much that is of all."""
        return percent_of(self.done, self.total)


@dataclass(frozen=True, slots=True)
class Progress:
    """What the page draws. `percent`: copying and verifying being half each; `note`: what it is about."""

    objects: Amount
    bytes: Amount
    percent: float
    note: str


def percent_of(part: float, whole: float) -> float:
    """Return percent with one digit; 100 only when nothing is left."""
    if part >= whole:
        return 100.0
    return min(round(100 * part / whole, 1), 99.9)


def progress(page: MigrationPage) -> Progress:
    """Return how far the move is."""
    return _of_move(page) if is_of_move(page) else _of_pass(page)


def is_chosen(page: MigrationPage) -> bool:
    """Tell whether the present pass tries single objects again and nothing else."""
    return bool((page.view.plan or {}).get("chosen_pass") == page.view.pass_number)


def is_of_move(page: MigrationPage) -> bool:
    """Tell whether the numbers of the present pass alone would mislead: the others are done, or need a look."""
    view = page.view
    if view.state not in _IN_PASS or view.pass_number == 1:
        return False
    return is_chosen(page) or (view.state is _S.NEEDS_ATTENTION and not _left(page))


def failing_count(page: MigrationPage) -> int:
    """Return how many objects count against the error budget."""
    listed = sum(count for kind, count in page.exception_counts.items() if kind not in PASSING)
    told = int((page.view.progress or {}).get("error_count", listed))
    is_standing = page.view.state not in {_S.COPYING, _S.VERIFYING}
    return max(listed, told) if is_standing or is_chosen(page) else told


def moved(page: MigrationPage) -> tuple[int, int]:
    """Return objects and bytes that lie verified at the target, as the manifest of the move counts them."""
    counts = ((page.view.plan or {}).get("manifest") or {}).get("counts") or {}
    found = [counts.get(f"outcome {outcome.value}", (0, 0)) for outcome in THERE]
    return sum(int(count) for count, _ in found), sum(int(size) for _, size in found)


def _left(page: MigrationPage) -> int:
    """Return how many objects of the present pass were not tried to the end."""
    view = page.view
    return max(view.pass_count - view.verified_count - view.attention_count, 0)


def _of_pass(page: MigrationPage) -> Progress:
    view = page.view
    equal = view.equal_count
    verified = max(view.verified_count - equal, 0)
    copied = max(view.copied_count - verified - equal, 0)
    objects = Amount(view.pass_count, verified, copied, equal, view.attention_count)
    size = Amount(view.pass_bytes, view.verified_bytes, max(view.copied_bytes - view.verified_bytes, 0))
    percent = view.percent or 0.0
    note = f"{percent} % of copying and verifying"
    if view.pass_number > 1:
        kind = PASSES.get(_noted(page).get("kind", ""))
        note = f"pass {view.pass_number}, {f'{kind}, ' if kind else ''}{note}"
    return Progress(objects, size, percent, note)


def _of_move(page: MigrationPage) -> Progress:
    """Return the numbers of the whole move: what is neither listed nor on its way in this pass is verified."""
    view, errors = page.view, page.errors
    left = _left(page)
    count, size = moved(page) if view.manifest_digest else (view.planned_count, view.planned_bytes)
    copied = max(view.copied_count - view.verified_count, 0)
    left_bytes = max(view.pass_bytes - view.verified_bytes, 0) if left else 0
    copied_bytes = max(view.copied_bytes - view.verified_bytes, 0) if left else 0
    attention = max(errors.total, view.attention_count)
    objects = Amount(count, max(count - attention - left, 0), copied, None, attention)
    done = Amount(size, max(size - errors.total_bytes - left_bytes, 0), copied_bytes)
    amount = done if size else objects
    percent = min(percent_of(amount.verified + amount.copied / 2, amount.total), 99.9 if attention or left else 100.0)
    note = f"{percent} % of the whole move"
    if not is_chosen(page):
        return Progress(objects, done, percent, f"{note}, after pass {view.pass_number}")
    deed = "tries" if view.state in {_S.COPYING, _S.VERIFYING, _S.PAUSED} else "tried"
    tried = int(_noted(page).get("object_count", 0))
    what = f"{format_count(tried)} {'object' if tried == 1 else 'objects'}" if tried else "single objects"
    return Progress(objects, done, percent, f"{note}; pass {view.pass_number} {deed} {what} alone")


def _noted(page: MigrationPage) -> Mapping[str, Any]:
    """Return what the runner noted of the present pass; nothing before it is planned."""
    passes = (page.view.plan or {}).get("passes") or ()
    return next((each for each in passes if each["number"] == page.view.pass_number), {})
