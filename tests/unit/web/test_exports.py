"""Exports: cells that no spreadsheet runs, rows that are never all in memory."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask
from werkzeug.wrappers import Response

from portal.values import Mode
from portal.web.exports import safe_cell, stream_csv, stream_json


@pytest.fixture(autouse=True)
def in_a_request() -> Iterator[None]:
    with Flask("exports").test_request_context():
        yield


def text_of(response: Response) -> str:
    return response.get_data(as_text=True)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_that_looks_like_a_formula_gets_an_apostrophe(start: str) -> None:
    assert safe_cell(f"{start}1+1") == f"'{start}1+1"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (-5, "-5"),
        (True, "true"),
        ("a=b", "a=b"),
        (Mode.READ_ONLY, "read-only"),
        (datetime(2026, 11, 22, 9, 5, tzinfo=UTC), "2026-11-22T09:05:00+00:00"),
        ({"role": "write"}, '{"role": "write"}'),
    ],
)
def test_cells_are_plain_text(value: object, text: str) -> None:
    assert safe_cell(value) == text


def test_csv_reads_back_as_it_was_written() -> None:
    rows = [["s3://a/b", 'says "no"'], ["/nfs/ü", "two\nlines"]]
    response = stream_csv("x.csv", ["root", "description"], rows)
    assert list(csv.reader(io.StringIO(text_of(response), newline=""))) == [["root", "description"], *rows]
    assert response.headers["Content-Disposition"] == 'attachment; filename="x.csv"'


@pytest.mark.parametrize("count", [0, 1, 3000])
def test_json_is_one_array(count: int) -> None:
    response = stream_json("x.json", ({"id": number, "text": "x" * 40} for number in range(count)))
    assert [row["id"] for row in json.loads(text_of(response))] == list(range(count))


def test_rows_are_read_only_as_far_as_they_are_sent() -> None:
    taken: list[int] = []

    def rows() -> Iterator[list[object]]:
        for number in range(100_000):
            taken.append(number)
            yield [number, "x" * 100]

    chunks = iter(stream_csv("x.csv", ["id", "text"], rows()).response)
    next(chunks)
    assert len(taken) < 1000
