"""Which keys a move leaves out: LaminDB's own files, the portal's, other roots', and names the target cannot hold."""

from dataclasses import dataclass
from enum import StrEnum

from portal.values import MANAGED_FOLDER, MARKER_KEY


class Reason(StrEnum):
    """Why an object stays where it is."""

    #: LaminDB's SQLite file with its side files; moving it is moving the instance (facts: lamindb docs, (g) 3).
    DATABASE = "LaminDB's database"
    #: LaminDB's lock folder of a cloud SQLite.
    LOCK = "LaminDB's lock"
    #: The marker is copied at cut-over, not before: it says who owns the root.
    MARKER = "marker, copied at cut-over"
    #: What the portal puts below a root for its own work.
    PORTAL = "the portal's own"
    #: Below another registered root.
    NESTED = "belongs to a root inside this one"
    #: No attached registry refers to it, and a person chose to leave such objects behind.
    UNREFERENCED = "no artifact refers to it"
    #: A key that only stands for an empty folder.
    FOLDER_KEY = "empty folder key"
    #: The target cannot hold an object of this name.
    NAME = "name the target cannot hold"


#: Left out without loss: the object has no place in a move.
HARMLESS = frozenset({Reason.MARKER, Reason.PORTAL, Reason.FOLDER_KEY, Reason.LOCK, Reason.UNREFERENCED})

_DATABASE = f"{MANAGED_FOLDER}/lamin.db"
_DATABASE_KEYS = frozenset(_DATABASE + suffix for suffix in ("", "-wal", "-shm", "-journal", ".gz"))
_LOCK_PREFIX = f"{MANAGED_FOLDER}/_exclusion/"
_PORTAL_PREFIXES = (f"{MANAGED_FOLDER}/_portal/", f"{MANAGED_FOLDER}/_probe/")
_MARKER_KEYS = frozenset({MARKER_KEY, f"{MANAGED_FOLDER}/_is_initialized"})


@dataclass(frozen=True, slots=True)
class KeyRules:
    """What decides whether a key may move.

    Attributes:
        nested: prefixes of other registered roots inside the source, each ending in `/`.
        max_key_bytes: longest key the target holds, in UTF-8 bytes; None for no limit.
        max_part_bytes: longest part between two slashes; None for no limit.
        holds_folder_keys: whether the target holds keys with empty parts (`a//b`, `a/`).
        needs_utf8: whether keys must be UTF-8; local file names need not.
    """

    nested: tuple[str, ...] = ()
    max_key_bytes: int | None = None
    max_part_bytes: int | None = None
    holds_folder_keys: bool = True
    needs_utf8: bool = True


def exclusion_of(key: str, rules: KeyRules) -> tuple[Reason, str] | None:
    """Return why a key is left out, with a detail for names that cannot be held; None for one that moves."""
    if (reason := _own_reason(key)) is not None:
        return reason, ""
    if key.startswith(rules.nested):
        return Reason.NESTED, ""
    if not rules.holds_folder_keys and key.endswith("/") and "//" not in key:
        return Reason.FOLDER_KEY, ""
    fault = name_fault(key, rules)
    return (Reason.NAME, fault) if fault else None


def name_fault(key: str, rules: KeyRules) -> str:
    """Return what is wrong with a name for the target; empty for nothing."""
    return "" if _is_plain(key, rules) else _first_fault(key, rules)


def _is_plain(key: str, rules: KeyRules) -> bool:
    """Tell at a glance that nothing can be wrong with a key, as with nearly all of millions; False says nothing."""
    return (
        key.isascii()
        and key[:1] not in "./"
        and key[-1] != "/"
        and "/." not in key
        and "//" not in key
        and "\0" not in key
        and (rules.max_key_bytes is None or len(key) <= rules.max_key_bytes)
        and (rules.max_part_bytes is None or len(key) <= rules.max_part_bytes)
    )


def _first_fault(key: str, rules: KeyRules) -> str:
    parts = key.split("/")
    encoded = key.encode("utf-8", "surrogateescape")
    longest = max(len(part.encode("utf-8", "surrogateescape")) for part in parts)
    faults = (
        (any(part in {".", ".."} for part in parts), "a part is . or .."),
        ("\0" in key, "it contains a zero byte"),
        (rules.needs_utf8 and not _is_utf8(key), "it is not UTF-8"),
        (not rules.holds_folder_keys and "" in parts, "it has an empty part between slashes"),
        (rules.max_key_bytes is not None and len(encoded) > rules.max_key_bytes, f"it is {len(encoded)} bytes long"),
        (rules.max_part_bytes is not None and longest > rules.max_part_bytes, f"a part is {longest} bytes long"),
    )
    return next((words for is_so, words in faults if is_so), "")


class FolderClashes:
    """Notice keys that are an object and a folder at once (`a` and `a/b`), which no directory can hold.

    Fed with keys in byte order; keeps only the keys that may still turn out to be a folder: bounded by the key's depth.
    """

    def __init__(self) -> None:
        self._open: list[str] = []

    def folder_that_is_object(self, key: str) -> str | None:
        """Return the earlier key that `key` would lie inside of; None for none."""
        while self._open and not key.startswith(self._open[-1]):
            self._open.pop()
        clash = next((earlier for earlier in self._open if key.startswith(f"{earlier}/")), None)
        if clash is None:
            self._open.append(key)
        return clash


def _own_reason(key: str) -> Reason | None:
    if not key.startswith(f"{MANAGED_FOLDER}/"):
        return None
    if key in _DATABASE_KEYS:
        return Reason.DATABASE
    if key in _MARKER_KEYS:
        return Reason.MARKER
    if key.startswith(_LOCK_PREFIX):
        return Reason.LOCK
    return Reason.PORTAL if key.startswith(_PORTAL_PREFIXES) else None


def _is_utf8(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True
