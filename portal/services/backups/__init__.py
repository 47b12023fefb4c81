"""Backups of the portal itself: its database, its ledger, an inventory of markers. The key file is kept apart."""

from portal.services.backups.making import Made, make_backup
from portal.services.backups.restoring import Restored, restore_backup

__all__ = ["Made", "Restored", "make_backup", "restore_backup"]
