"""Lists as files: CSV and JSON, streamed row by row in bounded memory.

Rows come from an iterator that reads the database in batches, each in a short transaction of its own.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any

from flask import stream_with_context
from werkzeug.wrappers import Response

#: A spreadsheet takes a cell that begins with one of these for a formula
#: (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

#: Characters collected before they are sent, so that a row is not a packet.
_CHUNK_CHARACTERS = 32_768


def stream_csv(filename: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """Return a CSV download: UTF-8, a header line, one line a row; moments in ISO 8601, None as an empty cell."""
    return _download(filename, "text/csv; charset=utf-8", _csv_chunks(header, rows))


def stream_json(filename: str, rows: Iterable[Mapping[str, object]]) -> Response:
    """Return a JSON download: one array, one object a row; moments in ISO 8601."""
    return _download(filename, "application/json", _gather(_json_parts(rows)))


def safe_cell(value: object) -> str:
    """Return the text of a cell that no spreadsheet runs as a formula; numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = _plain(value) if isinstance(value, datetime | Enum) else value
    text = text if isinstance(text, str) else json.dumps(text, default=_plain, ensure_ascii=False)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _csv_chunks(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(header)
    for row in rows:
        writer.writerow([safe_cell(value) for value in row])
        if buffer.tell() >= _CHUNK_CHARACTERS:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _json_parts(rows: Iterable[Mapping[str, object]]) -> Iterator[str]:
    separator = "[\n"
    for row in rows:
        yield separator + json.dumps(row, default=_plain, ensure_ascii=False)
        separator = ",\n"
    yield "[]\n" if separator == "[\n" else "\n]\n"


def _gather(parts: Iterable[str]) -> Iterator[str]:
    """Join small parts into chunks worth sending."""
    buffer = io.StringIO()
    for part in parts:
        buffer.write(part)
        if buffer.tell() >= _CHUNK_CHARACTERS:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _plain(value: Any) -> str:
    """Return the text of a value that JSON does not know."""
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value.value) if isinstance(value, Enum) else str(value)


def _download(filename: str, kind: str, chunks: Iterator[str]) -> Response:
    # The first chunk is made before the headers go out, so that what fails at once is an error page, not half a file.
    first = next(chunks)

    def body() -> Iterator[str]:
        yield first
        yield from chunks

    response = Response(stream_with_context(body()), content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response
