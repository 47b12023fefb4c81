"""What the portal may leave below a root when it is killed: temporaries by their tag, probes by their key.

Names say whose it is, so that the next check, a cancel and `portal doctor` know what they may remove.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol

from portal.values import MANAGED_FOLDER

#: Small objects by which rights and checksums are tried lie here, below the root.
PROBE_FOLDER: Final = f"{MANAGED_FOLDER}/_probe"


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something of the portal's own below a root; it may still be in use.

    Attributes:
        kind: `temporaries` of killed writes, records of uploads among them, or a `probe` (unfinished uploads too).
        name: the tag of temporaries; of a probe the last part of its key.
        modified_at: of the newest, aware UTC; None where nobody says.
    """

    kind: Literal["temporaries", "probe"]
    name: str
    modified_at: datetime | None


class Leftovers(Protocol):
    """The part of a backend's contract that is about the portal's own."""

    def list_leftovers(self) -> Iterator[Leftover]:
        """Yield what lies in the portal's own folders below the root, at most a thousand of each kind."""
        ...

    def remove_probe(self, name: str) -> None:
        """Remove a probe by its name, and unfinished uploads of it; an absent one is fine."""
        ...


def probe_key(name: str) -> str:
    """Return the key of a probe."""
    return f"{PROBE_FOLDER}/{name}"


def checksum_probe(token: str) -> str:
    """Return the name of the probe that `Backend.prove` tries checksums with."""
    return f"{token}-checksums"
