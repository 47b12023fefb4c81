"""Words typed into the search field, as conditions on `Storage` for both databases. Nothing typed is ever an error.

A word of three letters or more is found anywhere; a shorter one at the beginning of a word. SQLite answers from the
full-text tables of revision 0002, PostgreSQL from its trigram index, or without it from the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, column, func, literal, literal_column, select, table

from portal.models import Storage

#: Letters a trigram needs.
TRIGRAM = 3

#: Exactly the expression of the PostgreSQL index `ix_storage_search`. Words hold no space, so none spans two columns.
SEARCHED = literal_column("(storage.root || ' ' || storage.description || ' ' || storage.uid)", Text())


@dataclass(frozen=True, slots=True)
class Search:
    """The words of one search on one database."""

    words: Sequence[str]
    is_sqlite: bool

    @property
    def is_indexed(self) -> bool:
        """Tell whether an index can say which rows match; a lone punctuation mark has no place in any."""
        return any(len(word) >= TRIGRAM or word.isalnum() for word in self.words)

    def matching_ids(self) -> Select[int]:
        """Return the query for the ids of rows that match, in no order, by the index."""
        if not self.is_sqlite:
            return select(Storage.id).where(*self.conditions())
        long = [word for word in self.words if len(word) >= TRIGRAM]
        return _full_text("grams", long) if long else _full_text("words", self._short())

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return conditions that a row can be asked one by one."""
        return [self._condition(word) for word in self.words]

    def remaining_conditions(self) -> list[ColumnElement[bool]]:
        """Return the conditions that `matching_ids` leaves open."""
        if not self.is_sqlite:
            return []
        has_long = any(len(word) >= TRIGRAM for word in self.words)
        answered = [word for word in self.words if len(word) >= TRIGRAM] if has_long else self._short()
        return [self._condition(word) for word in self.words if word not in answered]

    def _short(self) -> list[str]:
        return [word for word in self.words if len(word) < TRIGRAM and word.isalnum()]

    def _condition(self, word: str) -> ColumnElement[bool]:
        is_beginning = len(word) < TRIGRAM and word.isalnum()
        if not self.is_sqlite:
            return _begins_postgresql(word) if is_beginning else SEARCHED.ilike(_pattern(word), escape="\\")
        if word.isascii():
            return _begins_sqlite(word) if is_beginning else SEARCHED.like(_pattern(word), escape="\\")
        # SQLite's LIKE knows the two cases of ASCII letters only; the full-text tables know all.
        if is_beginning or len(word) >= TRIGRAM:
            return Storage.id.in_(_full_text("words" if is_beginning else "grams", [word]))
        return SEARCHED.like(_pattern(word), escape="\\")


def _pattern(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _begins_sqlite(word: str) -> ColumnElement[bool]:
    return func.lower(literal(" ") + SEARCHED).op("GLOB", is_comparison=True)(f"*[^a-z0-9]{word.lower()}*")


def _begins_postgresql(word: str) -> ColumnElement[bool]:
    return SEARCHED.op("~*", is_comparison=True)(f"(^|[^[:alnum:]]){word}")


def _full_text(kind: str, words: Sequence[str]) -> Select[Any]:
    """Return the ids that hold all words: as phrases, in which no sign has a meaning, `words` also as beginnings."""
    name = f"storage_search_{kind}"
    source = table(name, column("rowid", Storage.id.type))
    end = "*" if kind == "words" else ""
    phrases = " AND ".join('"' + word.replace('"', '""') + '"' + end for word in words)
    return select(source.c.rowid).where(literal_column(name).op("MATCH", is_comparison=True)(phrases))
