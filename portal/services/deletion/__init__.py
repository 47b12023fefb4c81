"""Delete a location for good: refused while LaminDB's own objects or artifacts are in it. User files always stay.

LaminDB's rule (facts: lamindb docs, Storage.delete), in its order: no soft delete; no artifacts, of whatever branch; of
a location that another instance manages, or none, only the row goes; only what lies below `.lamindb/` blocks, less the
marker; not the default location. Then row and marker go together or stay together (`services/removals.py`).
"""

from portal.services.deletion.execution import Deleted, Wish, delete_storage
from portal.services.deletion.plan import DeletionPlan, plan_deletion
from portal.services.deletion.rows_there import RowThere

__all__ = ["Deleted", "DeletionPlan", "RowThere", "Wish", "delete_storage", "plan_deletion"]
