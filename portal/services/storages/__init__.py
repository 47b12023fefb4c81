"""One storage location: find it, show it, change its record, say who reaches it."""

from portal.services.storages.find import find_storage
from portal.services.storages.views import Rights, StorageView, view_of

__all__ = ["Rights", "StorageView", "find_storage", "view_of"]
