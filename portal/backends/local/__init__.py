"""Local directories: each regular file below the root is an object, its relative path the key.

Empty directories are no objects. Symbolic links are followed while they stay inside the root; what cannot be an object
(links leading out, devices, names that are not UTF-8) is told by `list_skipped`.
"""

from portal.backends.local.backend import LocalBackend
from portal.backends.local.making import create_local_root, made_root, missing_folders, remove_made

__all__ = ["LocalBackend", "create_local_root", "made_root", "missing_folders", "remove_made"]
