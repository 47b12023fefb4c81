"""A migration as pages, the command line and the API show it: a value, so that nothing in it can query."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from portal.models import Migration
from portal.planning.states import MigrationState
from portal.values import StorageType


@dataclass(frozen=True, slots=True)
class MigrationView:
    """One move of a root.

    Attributes:
        id: the migration's uid.
        storage_uid: uid of the location; empty once its record was deleted.
        strategy: `rewrite` the root, or `repoint` its artifacts to the location `target_storage_uid`.
        leaves_unreferenced: objects that no attached instance refers to stay behind.
        takes_rot: what is not as LaminDB recorded it is copied as it is.
        sweep_at: when the old root is looked at next; None: not any more.
        bandwidth_bytes_per_second, concurrency, worker_count, max_errors: its limits; None: none of its own.
        start_at: nothing is copied before; None: at once.
        hours: `20:00-06:00` of `zone`, outside of which nothing is copied; None: at any time.
        waits_until: when it goes on by itself; None: it does not wait for a time.
        wish: what a person asked for and the runner has not done yet; empty for nothing.
        pass_number: 1 for the first copy, one more for each delta.
        planned_count: objects of the first plan. `planned_bytes` likewise.
        copied_count: of the present pass: objects at the target, verified or not. `copied_bytes` likewise.
        verified_count: of the present pass: objects read back at the target and equal. `verified_bytes` likewise.
        pass_count: objects of the present pass. `pass_bytes` likewise.
        attention_count: objects a person has to look at.
        percent: of the present pass by bytes, copying and verifying each being half; None before there is a plan.
        plan: what the runner noted: `summary`, `warnings`, `rehearsal`, `fence_until`, `sweep` …; None before that.
            Certificates that are kept with it have a service of their own.
        progress: rate and estimate as the runner last reported them; None before copying.
    """

    id: str
    storage_uid: str
    strategy: str
    target_storage_uid: str | None
    leaves_unreferenced: bool
    takes_rot: bool
    bandwidth_bytes_per_second: int | None
    concurrency: int | None
    worker_count: int | None
    max_errors: int | None
    start_at: datetime | None
    hours: str | None
    zone: str | None
    waits_until: datetime | None
    state: MigrationState
    wish: str
    message: str
    hint: str
    source_root: str
    source_type: StorageType
    source_region: str | None
    source_host: str | None
    target_root: str
    target_type: StorageType
    target_region: str | None
    target_host: str | None
    pass_number: int
    planned_count: int
    planned_bytes: int
    pass_count: int
    pass_bytes: int
    copied_count: int
    copied_bytes: int
    verified_count: int
    verified_bytes: int
    equal_count: int
    attention_count: int
    percent: float | None
    plan: dict[str, Any] | None
    progress: dict[str, Any] | None
    manifest_digest: str | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    ready_at: datetime | None
    cut_over_at: datetime | None
    soak_until: datetime | None
    sweep_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime

    def as_dict(self) -> dict[str, Any]:
        """Return every field for JSON; times in ISO form, aware."""
        values = asdict(self)
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


def view_of(migration: Migration) -> MigrationView:
    """Return a migration's row as a value."""
    progress = migration.progress or {}
    numbers = {name: int(progress.get(name, 0)) for name in NUMBERS}
    values: dict[str, Any] = {name: getattr(migration, name) for name in _PLAIN}
    if migration.plan is not None:
        values["plan"] = {name: value for name, value in migration.plan.items() if name != "certificates"}
    return MigrationView(
        id=migration.uid,
        storage_uid=migration.storage.uid if migration.storage else "",
        state=MigrationState(migration.state),
        source_host=migration.source_host.name if migration.source_host else None,
        target_host=migration.target_host.name if migration.target_host else None,
        percent=_percent(numbers) if migration.progress else None,
        created_by=migration.created_by.handle,
        **values,
        **numbers,  # type: ignore[arg-type]  # mypy does not know which names the dictionary has
    )


#: The numbers in a migration's `progress`, all about its present pass.
NUMBERS = (
    "pass_count", "pass_bytes", "copied_count", "copied_bytes", "verified_count", "verified_bytes", "equal_count",
    "attention_count",
)  # fmt: skip

_PLAIN = (
    "strategy", "target_storage_uid", "leaves_unreferenced", "takes_rot",
    "bandwidth_bytes_per_second", "concurrency", "worker_count", "max_errors", "start_at", "hours", "zone",
    "waits_until",
    "wish", "message", "hint", "source_root", "source_type", "source_region", "target_root", "target_type",
    "target_region", "pass_number", "planned_count", "planned_bytes", "plan", "progress", "manifest_digest",
    "created_at", "started_at", "ready_at", "cut_over_at", "soak_until", "sweep_at", "finished_at", "updated_at",
)  # fmt: skip


def _percent(numbers: dict[str, int]) -> float:
    for unit in ("bytes", "count"):
        if whole := numbers[f"pass_{unit}"]:
            return round(50 * (numbers[f"copied_{unit}"] + numbers[f"verified_{unit}"]) / whole, 1)
    return 100.0
