"""During soak: count what was written at the new root since the cut-over, which a rollback copies back first."""

from typing import Any, Final

from portal.backends.base import BULK
from portal.planning.actions import Act
from portal.runner.drive import Drive, Facts
from portal.runner.jobs import PlanJob, earlier_of, refuse_when_stopped
from portal.runner.planning import plan_job
from portal.services.reach import opened
from portal.transfer.scan import ScanOptions, scan_rollback
from portal.transfer.summary import Tally

#: A larger root is not listed once more every few minutes, only for a number on a page.
MOST_OBJECTS: Final = 200_000


def written_since(drive: Drive, facts: Facts) -> dict[str, Any] | None:
    """Return how many objects and bytes a rollback would copy back now; None where that was not counted."""
    summary = facts.plan.get("summary") or {}
    if sum(tally["count"] for tally in summary.get("acts", {}).values()) > MOST_OBJECTS:
        return None
    answer = drive.run(count_written, plan_job(drive, facts, "back", 0))
    if answer.error:
        return None
    tally: Tally = answer.value
    return {"count": tally.count, "bytes": tally.total_bytes, "at": drive.tools.clock().isoformat()}


def count_written(job: PlanJob) -> Tally:
    """Return what a rollback would copy; nothing is written. `job` is one of kind `back`.

    Raises:
        StorageError: the new root cannot be listed.
        Conflict: told to stop.
    """
    options = ScanOptions(
        nested=job.nested, check=lambda: refuse_when_stopped(job.stop_path), keeps_to_known=job.keeps_to_known
    )
    with opened(job.ends.source, timeouts=BULK) as new, opened(job.ends.target, timeouts=BULK) as old:
        summary = scan_rollback(new, old, earlier_of(job), options, lambda _: None)
    return summary.act(Act.COPY)
