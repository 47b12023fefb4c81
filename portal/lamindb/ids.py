"""LaminDB's identities that follow from names, derived as lamindb_setup 1.27 does."""

import hashlib
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

