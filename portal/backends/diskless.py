"""What only directories have to do: a server sees to its disks by itself."""

from collections.abc import Sequence

from portal.errors import StorageError


class Diskless:
    """The part of the contract (`base.Backend`) that is the same for everything but directories."""

    def read_ahead(self, keys: Sequence[str]) -> set[str]:
        """Return nothing: what a server reads is its own matter."""
        return set()

    def flush(self) -> dict[str, StorageError]:
        """Return nothing: what was taken is there."""
        return {}

    def free_bytes(self) -> int | None:
        """Return None: neither a bucket nor memory says."""
        return None
