"""Try a root before anything is saved: whose it is first, then every right it needs. Network only, no database.

The marker is read first: where it names another instance, or cannot be read, nothing is tried by writing.
"""

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from portal.backends.base import INTERACTIVE
from portal.backends.checks import failed_check
from portal.errors import StorageError
from portal.lamindb.marker import Marker, check_marker
from portal.services.placing import Settled
from portal.services.reach import Door, check_way, opened, with_region, within
from portal.transfer.probe import probe
from portal.values import CheckResult, CheckStatus, ConnectionKind, Mode, ModeReason, Root, StorageType

#: How long a whole try may take, seconds: a person waits for it.
TRY_SECONDS = 20.0

#: What LaminDB makes; a marker's first line that is no such uid is not taken over.
_UID = re.compile(r"[0-9A-Za-z]{12}")

Region = Callable[[Door], str | None]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is to be tried and, if it holds, saved.

    Attributes:
        door: the way into the root.
        settled: owner, space and instance, every right asked for.
        uid: the location's uid, should the root carry no marker of its own.
        read_only: the person wants it so: nothing is tried by writing.
        or_read_only: try writing, and save read-only whatever comes of it.
        may_try_writing: False where even a passing probe object is too much.
        warnings: what was seen on the way, for people.
    """

    door: Door
    settled: Settled
    uid: str
    read_only: bool = False
    or_read_only: bool = False
    may_try_writing: bool = True
    warnings: tuple[str, ...] = ()

    @property
    def is_anonymous(self) -> bool:
        """Tell whether the bucket is read as everybody can read it."""
        return self.door.access is not None and self.door.access.kind is ConnectionKind.ANONYMOUS


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a try.

    Attributes:
        door: the way in, with the region that turned out right.
        uid: of the location if it is saved: the marker's own where there is one.
        checks: each tried right, in order.
        region: of the bucket; None when nobody says and for local roots.
        marker: what the root carried; None for nothing.
        is_foreign: whether the marker names another instance than the chosen one.
        mode: what the location would become.
        mode_reason: why it would be read-only.
        can_save: whether it may be saved as it was asked for.
        offers_read_only: whether only writing failed, so that it can be connected read-only.
        summary: one sentence for people.
        warnings: what else they should know.
    """

    door: Door
    uid: str
    checks: tuple[CheckResult, ...]
    region: str | None
    marker: Marker | None
    is_foreign: bool
    mode: Mode
    mode_reason: ModeReason
    can_save: bool
    offers_read_only: bool
    summary: str
    warnings: tuple[str, ...] = ()

    @property
    def root(self) -> Root:
        """Return the root that was tried."""
        return self.door.root

    def failed(self, *, is_write: bool) -> tuple[CheckResult, ...]:
        """Return the failed checks about writing, or those about the rest."""
        return tuple(c for c in self.checks if c.status is CheckStatus.FAILED and c.is_write is is_write)


def try_root(attempt: Attempt, find_region: Region | None = None) -> Trial:
    """Try a root within `TRY_SECONDS`. `find_region` asks for a bucket's region; None: the one given counts.

    Raises:
        Conflict: the root lies on another host.
        Refused: its endpoint or directory is not open.
        Unreachable: the endpoint's name is unknown, or nobody answered in time.
    """
    late = f"{attempt.door.root} did not answer within {TRY_SECONDS:.0f} s. Nothing was saved."
    return within(TRY_SECONDS, lambda: _try(attempt, find_region), late)


def _try(attempt: Attempt, find_region: Region | None) -> Trial:
    check_way(attempt.door)
    door, region_check = _with_right_region(attempt.door, find_region)
    checks, marker = _look(attempt, door)
    found = (region_check, *checks) if region_check else checks
    return decide(attempt, door, tuple(found), marker)


def _with_right_region(door: Door, find_region: Region | None) -> tuple[Door, CheckResult | None]:
    """Return the door for the bucket's own region, and a check that says so; no check where nobody told one."""
    if door.access is None or find_region is None or door.root.type is not StorageType.S3:
        return door, None
    started = time.monotonic()
    region = find_region(door)
    if region is None:
        return door, None
    return with_region(door, region), _region_check(door, region, started)


def _region_check(door: Door, region: str, started: float | None = None) -> CheckResult:
    asked = door.access.region if door.access else None
    changed = asked not in {None, region}
    reason = f"The bucket is in {region}, not {asked}. Region changed for you." if changed else f"It is {region}."
    status = CheckStatus.WARNING if changed else CheckStatus.PASSED
    return CheckResult("region", "Find the region", status, None if started is None else _ms(started), reason)


def _look(attempt: Attempt, door: Door) -> tuple[tuple[CheckResult, ...], Marker | None]:
    """Read the marker, then try the rights that may be tried."""
    token = secrets.token_hex(16)
    try:
        with opened(door, timeouts=INTERACTIVE, tag=f"probe-{token[:8]}") as backend:
            check, marker = check_marker(backend, attempt.settled.instance_uid)
            wants_write = (
                check.status is not CheckStatus.FAILED
                and not is_foreign(marker, attempt.settled)
                and attempt.may_try_writing
                and not attempt.read_only
                and not attempt.is_anonymous
            )
            return (check, *probe(backend, want_write=wants_write, key_token=token, clock=time.monotonic)), marker
    except StorageError as error:
        return (failed_check("open", "Open the root", error, None),), None


def _ms(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def is_foreign(marker: Marker | None, settled: Settled) -> bool:
    """Tell whether a marker names anybody but the chosen instance."""
    return marker is not None and (settled.instance_uid is None or marker.instance_uid != settled.instance_uid)


def decide(attempt: Attempt, door: Door, checks: tuple[CheckResult, ...], marker: Marker | None) -> Trial:
    """Decide what a tried root can become."""
    foreign = is_foreign(marker, attempt.settled)
    failed_checks = [check for check in checks if check.status is CheckStatus.FAILED]
    can_read = all(check.is_write for check in failed_checks)
    write_failed = any(check.is_write for check in failed_checks)
    mode, reason = _mode(attempt, foreign=foreign, write_failed=write_failed)
    accepts = not write_failed or attempt.or_read_only
    trial = Trial(
        door=door,
        uid=marker.storage_uid if marker and _UID.fullmatch(marker.storage_uid) else attempt.uid,
        checks=checks,
        region=door.access.region if door.access else None,
        marker=marker,
        is_foreign=foreign,
        mode=mode,
        mode_reason=reason,
        can_save=can_read and accepts,
        offers_read_only=can_read and not accepts,
        summary="",
        warnings=attempt.warnings,
    )
    return replace(trial, summary=_summary(trial), warnings=(*attempt.warnings, *_warnings(attempt, trial)))


def _mode(attempt: Attempt, *, foreign: bool, write_failed: bool) -> tuple[Mode, ModeReason]:
    if foreign:
        return Mode.READ_ONLY, ModeReason.FOREIGN
    if attempt.is_anonymous:
        return Mode.READ_ONLY, ModeReason.PUBLIC
    if attempt.or_read_only and write_failed:
        return Mode.READ_ONLY, ModeReason.NO_PUT
    if attempt.read_only or attempt.or_read_only:
        return Mode.READ_ONLY, ModeReason.BY_CHOICE
    if attempt.settled.instance_id is None:
        return Mode.UNMANAGED, ModeReason.NONE
    return Mode.WRITABLE, ModeReason.NONE


def _summary(trial: Trial) -> str:
    if trial.offers_read_only:
        return "Reading works, writing does not. The root can be connected read-only."
    if not trial.can_save:
        count = len(trial.failed(is_write=False))
        return f"{count} {'check' if count == 1 else 'checks'} failed, so nothing can be read. Nothing was saved."
    if trial.is_foreign and trial.marker:
        owner = trial.marker.owner_name
        return f"{trial.root.name} is already marked by {owner}. It can be connected read-only."
    words = {Mode.WRITABLE: "Everything that writing needs was tried and works."}
    return words.get(trial.mode, "Everything that reading needs was tried and works.")


def _warnings(attempt: Attempt, trial: Trial) -> tuple[str, ...]:
    if attempt.settled.is_default and trial.mode is not Mode.WRITABLE:
        return ("It does not become the default location, since nothing can be written to it.",)
    return ()
