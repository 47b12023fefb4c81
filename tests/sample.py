"""Which tests of a matrix `make test` runs: each on one database; `make soak` runs the rest too."""

import zlib
from collections import defaultdict
from collections.abc import Sequence

import pytest

#: One test of so many runs on PostgreSQL: of the portal's own, and of those with the real client's databases.
POSTGRES_EVERY, CLIENTS_EVERY = 4, 2

_DATABASES = ("sqlite", "postgresql")


def leave_out(items: Sequence[pytest.Item]) -> None:
    """Mark as `full` the variant of each test on the database that was not drawn for it.

    The draw is the same in every run, by the test's name. Both variants stay where SQL itself is tested, that is where
    a test or its module is marked `dialects`. A test on one database alone stays.
    """
    variants: dict[str, dict[str, pytest.Item]] = defaultdict(dict)
    for item in items:
        kind = getattr(item, "callspec", None) and item.callspec.params.get("database_kind")  # type: ignore[attr-defined]  # only functions with parameters have one
        if kind in _DATABASES and item.get_closest_marker("dialects") is None:
            variants[item.nodeid.replace(kind, "*")][kind] = item
    for name, found in variants.items():
        if len(found) == len(_DATABASES):
            every = CLIENTS_EVERY if name.startswith("tests/clients/") else POSTGRES_EVERY
            drawn = _DATABASES[zlib.crc32(name.encode()) % every == 0]
            for kind, item in found.items():
                if kind != drawn:
                    item.add_marker(pytest.mark.full)
