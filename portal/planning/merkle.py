"""One digest for many: the Merkle root over the segments' digests, which the certificate carries."""

from collections.abc import Iterable
from hashlib import sha256


def merkle_root(digests: Iterable[str]) -> str:
    """Return the root of hex SHA-256 digests in their order, as hex; no digests give the hash of nothing.

    Leaves and nodes are told apart by a first byte and an odd node moves up unhashed, as in RFC 6962, section 2.1, so
    that no list of digests shares its root with another.
    """
    level = [sha256(b"\0" + bytes.fromhex(digest)).digest() for digest in digests]
    if not level:
        return sha256(b"").hexdigest()
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        above = [sha256(b"\1" + left + right).digest() for left, right in pairs]
        level = above + level[len(level) - len(level) % 2 :]
    return level[0].hex()
