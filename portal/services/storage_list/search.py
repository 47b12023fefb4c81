"""Words typed into the search field, as conditions on `Storage` for both databases. Nothing typed is ever an error.

A word of three letters or more is found anywhere; a shorter one at the beginning of a word. SQLite answers from the
full-text tables of revision 0002, PostgreSQL from its trigram index, or without it from the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    column,
    func,
    literal,
    literal_column,
    or_,
    select,
    table,
)
from sqlalchemy.orm import Session

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

    def matching_ids(self) -> Select[Any]:
        """Return the query for the ids of rows that match, in no order, by the index."""
        if not self.is_sqlite:
            return select(Storage.id).where(*map(_indexed_postgresql, self.words))
        return _full_text(*self._question())

    def count(self, session: Session, most: int) -> int:
        """Return how many rows match, wherever they are; `most` + 1 stands for all numbers above `most`."""
        if self.is_sqlite:
            kind, phrases = self._question()
            return session.scalar(_FULL_TEXT_COUNT[kind], {"phrases": phrases, "most": most + 1}) or 0
        rows = self.matching_ids().limit(most + 1).subquery()
        return session.scalar(select(func.count()).select_from(rows)) or 0

    def _question(self) -> tuple[str, str]:
        """Return which full-text table is asked, and what: phrases in which no sign has a meaning."""
        long = [word for word in self.words if len(word) >= TRIGRAM]
        kind, words = ("grams", long) if long else ("words", self._short())
        return kind, _phrases(kind, words)

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
            return _indexed_postgresql(word) if is_beginning else _contains_postgresql(word)
        if word.isascii():
            return _begins_sqlite(word) if is_beginning else _contains_sqlite(word)
        # SQLite's LIKE knows the two cases of ASCII letters only; the full-text tables know all.
        if is_beginning or len(word) >= TRIGRAM:
            kind = "words" if is_beginning else "grams"
            return Storage.id.in_(_full_text(kind, _phrases(kind, [word])))
        return SEARCHED.like(_pattern(word), escape="\\")


def _pattern(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _contains_sqlite(word: str) -> ColumnElement[bool]:
    """Return the condition for a part. The root comes first: it is in the index, so most rows are not looked up."""
    return or_(Storage.root.like(_pattern(word), escape="\\"), SEARCHED.like(_pattern(word), escape="\\"))


def _begins_sqlite(word: str) -> ColumnElement[bool]:
    """Return the condition for the beginning of a word: what is usual by LIKE, the rest by GLOB, which is slow."""
    anywhere = SEARCHED.like(f"%{word}%")
    exact = func.lower(literal(" ") + SEARCHED).op("GLOB", is_comparison=True)(f"*[^a-z0-9]{word.lower()}*")
    usual = [
        *(Storage.description.like(start + word + "%") for start in ("% ", "")),
        *(Storage.root.like(start + word + "%") for start in ("", "%/", "%-")),
    ]
    return or_(*usual, and_(anywhere, exact))


def _contains_postgresql(word: str) -> ColumnElement[bool]:
    """Return the condition for a part, column by column: sooner than putting them together where no index helps."""
    columns = (Storage.root, Storage.description, Storage.uid)
    return or_(*(column.ilike(_pattern(word), escape="\\") for column in columns))


def _indexed_postgresql(word: str) -> ColumnElement[bool]:
    """Return the condition in the form that the trigram index answers."""
    if len(word) < TRIGRAM and word.isalnum():
        return SEARCHED.op("~*", is_comparison=True)(f"(^|[^[:alnum:]]){word}")
    return SEARCHED.ilike(_pattern(word), escape="\\")


def _phrases(kind: str, words: Sequence[str]) -> str:
    end = "*" if kind == "words" else ""
    return " AND ".join('"' + word.replace('"', '""') + '"' + end for word in words)


def _full_text(kind: str, phrases: str | BindParameter[str]) -> Select[Any]:
    """Return the query for the ids that match."""
    name = f"storage_search_{kind}"
    source = table(name, column("rowid", Storage.id.type))
    return select(source.c.rowid).where(literal_column(name).op("MATCH", is_comparison=True)(phrases))


def _full_text_count(kind: str) -> Select[Any]:
    found = _full_text(kind, bindparam("phrases", type_=Text())).limit(bindparam("most", type_=Integer()))
    return select(func.count()).select_from(found.subquery())


#: Built once: building them costs more than asking them.
_FULL_TEXT_COUNT = {kind: _full_text_count(kind) for kind in ("grams", "words")}
