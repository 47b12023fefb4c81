"""Plan one size and print what it took as JSON: `python -m bench.planning.child COUNT FOLDER`."""

import json
import resource
import sys
import time
from dataclasses import asdict
from pathlib import Path

from bench.planning.listings import Listed
from bench.planning.report import Planned
from portal.transfer.scan import SHARD_LIMITS, ScanOptions, scan
from portal.transfer.shards import PlannedShard, shard_files, write_plan


def plan(count: int, folder: Path) -> Planned:
    """Plan a first pass over `count` objects."""
    ledger_bytes = object_count = shard_count = 0

    def write_shard(shard: PlannedShard) -> None:
        nonlocal ledger_bytes, object_count, shard_count
        files = shard_files(str(folder), "forward", 1, shard.number)
        ledger_bytes += Path(write_plan(files, shard).path).stat().st_size
        object_count += shard.object_count
        shard_count += 1

    source, target = Listed(count, is_target=False), Listed(count, is_target=True)
    cpu = time.process_time()
    for listed in (source, target):
        for _ in listed.list_objects():
            pass
    listing_seconds = time.process_time() - cpu
    started, cpu = time.monotonic(), time.process_time()
    summary = scan(source, target, ScanOptions(limits=SHARD_LIMITS), write_shard)
    wall_seconds, cpu_seconds = time.monotonic() - started, time.process_time() - cpu
    if summary.object_count != count or object_count != count or summary.shard_count != shard_count:
        raise RuntimeError(f"{summary.object_count:,} objects were planned instead of {count:,}.")
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Planned(count, shard_count, wall_seconds, cpu_seconds, listing_seconds, peak_bytes, ledger_bytes)


if __name__ == "__main__":
    print(json.dumps(asdict(plan(int(sys.argv[1]), Path(sys.argv[2])))))
