"""What is asked of the list, as one value that every face builds."""

from collections.abc import Collection
from dataclasses import dataclass

from portal.planning.cursors import is_storable

SORT_KEYS = ("root", "type", "place", "space", "instance", "mode", "default", "by", "checked", "created")
DEFAULT_SORT = "root"
PAGE_ROWS = 50
MOST_ROWS = 1_000
#: Longer searches are cut: nothing in a record that is searched has more meaning than that.
MOST_SEARCH_CHARACTERS = 200
MOST_SEARCH_WORDS = 8
MOST_FILTER_VALUES = 500


@dataclass(frozen=True, slots=True)
class StorageQuery:
    """A page of the list. Nothing in it can be wrong: what is unknown sorts by root or matches nothing.

    Attributes:
        text: words that must all be in root, description or uid; one or two letters match the beginning of a word.
        types, modes, branches: their names; no branch means all but archive and trash.
        spaces: uids or names of spaces. hosts: names.
        instances: `owner/name`; `none` for unmanaged locations.
        owner_id: only locations of this account; None for everybody's.
        sort: one of SORT_KEYS. is_falling: the other way round.
        after, before: cursor of the row before or after the page; `after` wins.
        limit: rows of a page.
    """

    text: str = ""
    types: tuple[str, ...] = ()
    spaces: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    owner_id: int | None = None
    sort: str = DEFAULT_SORT
    is_falling: bool = False
    after: str | None = None
    before: str | None = None
    limit: int = PAGE_ROWS

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", _clean(self.text))
        for name in ("types", "spaces", "instances", "hosts", "modes", "branches"):
            object.__setattr__(self, name, _usable(getattr(self, name)))
        if self.sort not in SORT_KEYS:
            object.__setattr__(self, "sort", DEFAULT_SORT)
        object.__setattr__(self, "limit", min(max(self.limit, 1), MOST_ROWS))

    @property
    def words(self) -> tuple[str, ...]:
        """Return the words of the search, each once."""
        return tuple(dict.fromkeys(self.text.split()))[:MOST_SEARCH_WORDS]

    @property
    def order_name(self) -> str:
        """Return the order as addresses write it: `-root` falls. Cursors of another order do not fit."""
        return f"-{self.sort}" if self.is_falling else self.sort

    @property
    def has_filters(self) -> bool:
        """Tell whether a filter narrows the list, other than the search."""
        return any((self.types, self.spaces, self.instances, self.hosts, self.modes, self.branches))

    @property
    def is_filtered(self) -> bool:
        """Tell whether a search or filter narrows the list."""
        return bool(self.text) or self.has_filters


def _clean(text: str) -> str:
    kept = "".join(mark if mark.isprintable() else " " for mark in text[:MOST_SEARCH_CHARACTERS])
    return " ".join(kept.split())


def _usable(values: Collection[str]) -> tuple[str, ...]:
    """Return the values once each; one that no database takes matches nothing, like any other unknown one."""
    return tuple(dict.fromkeys(value if is_storable(value) else "\ufffd" for value in values))[:MOST_FILTER_VALUES]
