"""The list of storage locations: searched, filtered, sorted, paged and exported in the database.

How it stays fast (docs/benchmarks.md): counts stop at a limit; an actor or a filter that leaves few rows is gathered
by the access index and sorted; a broad one is read along the index of its order; a search first asks the full-text
index whether few or many rows match.
"""

from portal.services.storage_list.export import EXPORT_COLUMNS, iterate_storages
from portal.services.storage_list.facets import Choice, Facets, list_facets
from portal.services.storage_list.listing import list_storages
from portal.services.storage_list.query import SORT_KEYS, StorageQuery
from portal.services.storage_list.rows import StoragePage, StorageRow

__all__ = [
    "EXPORT_COLUMNS",
    "SORT_KEYS",
    "Choice",
    "Facets",
    "StoragePage",
    "StorageQuery",
    "StorageRow",
    "iterate_storages",
    "list_facets",
    "list_storages",
]
