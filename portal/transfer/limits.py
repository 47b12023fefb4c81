"""Limits that a person changes while shards run: a small file that the runner writes and every worker reads again.

A file, since workers never open the portal's database; one folder a migration, so limits are each migration's own.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

#: Its name in a migration's folder of the ledger.
LIMITS_NAME = "limits.json"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one worker may do; None: no limit.

    Attributes:
        bytes_per_second: moved by all its threads together.
        concurrency: objects at a time.
        max_failures: so many failed objects end a shard.
    """

    bytes_per_second: float | None = None
    concurrency: int | None = None
    max_failures: int | None = None


def write_limits(path: str, limits: Limits) -> None:
    """Write the file; a reader sees the old one or the new one, whole."""
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".{final.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(asdict(limits)))
    temporary.replace(final)


def read_limits(path: str, otherwise: Limits) -> Limits:
    """Return what the file says; `otherwise` where there is none or it says nothing that makes sense."""
    try:
        values = json.loads(Path(path).read_text())
        return Limits(
            _positive(values["bytes_per_second"]), _whole(values["concurrency"]), _whole(values["max_failures"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return otherwise


def _positive(value: float | None) -> float | None:
    return None if value is None else max(1.0, float(value))


def _whole(value: float | None) -> int | None:
    return None if value is None else max(1, int(value))
