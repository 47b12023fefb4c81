"""Ways to ask the list of storage locations in tests."""

from typing import Any

from portal.services.storage_list import StoragePage, StorageQuery, list_storages
from portal.services.work import Work


def roots(page: StoragePage) -> list[str]:
    """Return the roots of a page in order."""
    return [row.root for row in page.rows]


def found(work: Work, **asked: Any) -> list[str]:
    """Return the roots that a query finds, by root."""
    return roots(list_storages(work, StorageQuery(**asked)))
