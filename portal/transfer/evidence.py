"""What a server's checksums are evidence of, as far as the checks before a move have proven them (`Backend.prove`)."""

from portal.backends.base import ObjectInfo, Proof
from portal.lamindb.hashes import MD5, encode
from portal.planning.actions import PlannedObject
from portal.planning.outcomes import Level
from portal.transfer.work import Digests
from portal.values import is_md5


class Evidence:
    """The target's checksums; the source's too where `speaks_for_source`: both are on one server."""

    def __init__(self, proof: Proof, *, speaks_for_source: bool) -> None:
        self._proof = proof
        self._trusts_both = proof.has_md5 and speaks_for_source

    def distrust_source(self) -> None:
        """Read everything from now on: the checksums of both sides turned out to differ for the same content."""
        self._trusts_both = False

    def level(self, there: ObjectInfo, read: Digests) -> Level:
        """Return what the server's checksum of what it holds proves of what was read; nothing where it is another."""
        if self._proof.has_parts and there.parts_etag and there.etag == there.parts_etag:
            return Level.PARTS
        has_md5 = self._proof.has_md5 and read.md5 is not None
        return Level.SERVER if has_md5 and there.etag == read.md5 else Level.NONE

    def is_damaged(self, there: ObjectInfo, read: Digests) -> bool:
        """Tell whether the server's checksum, where it is evidence, says that other bytes arrived."""
        is_evidence = self._proof.has_md5 and not there.parts_etag and is_md5(there.etag)
        return is_evidence and read.md5 not in {None, there.etag}

    def are_equal(self, item: PlannedObject, here: ObjectInfo, there: ObjectInfo) -> bool:
        """Tell whether the server's checksums say, without reading, that both sides are equal and as recorded."""
        if not (self._trusts_both and is_md5(here.etag)):
            return False
        if here.size_bytes != there.size_bytes or here.etag != there.etag:
            return False
        recorded = [value for kind, value in item.recorded if kind == MD5]
        return not item.recorded or encode(bytes.fromhex(here.etag or "")) in recorded
