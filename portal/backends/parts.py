"""How large the parts are that large objects go up in, and how many are held in memory at a time."""

from typing import Final

#: Uploads of larger objects go in parts of this size, so many at a time; what is under way is held in memory.
PART_BYTES: Final = 8 * 1024 * 1024
PARTS_AT_ONCE: Final = 3

#: AWS allows 10,000 parts of at least 5 MiB (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
_MOST_PARTS: Final = 10_000


def part_size(size_bytes: int, least_bytes: int = PART_BYTES) -> int:
    """Return the size of the parts of an object, in bytes: beyond 78 GiB they grow, as there may be so many only."""
    return max(least_bytes, -(-size_bytes // _MOST_PARTS))
