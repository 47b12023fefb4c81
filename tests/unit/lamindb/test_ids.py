from uuid import UUID

import pytest

from portal.lamindb.ids import derive_instance_id, derive_instance_uid

#: Slug, UUID, uid: as lamindb_setup 1.27.0 derives them.
DERIVED = [
    ("laminlabs/lamindata", "000b5913b43356da8d7d12f539890c70", "4FrYXn8a3piK"),
    ("anonymous/test", "f63a0985f46b50fe8220d291b4cc5445", "ITxvyjWeWURE"),
    ("acme/screens", "d75ec2b3ec05590e96816d88e7e28612", "5b53W0ZWr7nx"),
]


@pytest.mark.parametrize(("slug", "instance_id_hex", "uid"), DERIVED)
def test_ids_are_those_lamindb_derives(slug: str, instance_id_hex: str, uid: str) -> None:
    identity = derive_instance_id(slug)
    assert (identity.hex, derive_instance_uid(identity)) == (instance_id_hex, uid)


def test_a_digest_that_starts_with_a_zero_byte_is_derived_as_lamindb_does() -> None:
    assert derive_instance_uid(UUID("00000000000000000000000000030cbe")) == "011Edf6cSXCZ"
