"""Reads a spreadsheet (XLSX, or CSV in UTF-8 or UTF-16), in a process of its own (see `core/worker_loop.py`).

A question is a file; the answer is JSON: `rows`, each with its number as the program of the sender
shows it and its cells as text; `faults`, cells that say nothing by themselves; or `refused`, why it
was not read. Whoever sent the file may mean harm: what is packed is measured before a cell is looked
at.
"""

from __future__ import annotations

import csv
import io
import json
import resource
import zipfile
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_BYTES = 4 * 1024 * 1024
CAPS = {
    resource.RLIMIT_AS: 768 * 1024 * 1024,
    resource.RLIMIT_CPU: 15,
    resource.RLIMIT_FSIZE: 0,
    resource.RLIMIT_CORE: 0,
}
MOST_UNPACKED_BYTES = 40_000_000
MOST_ROWS = 2000
MOST_COLUMNS = 40
MOST_CHARACTERS = 4000
ZIP = b"PK\x03\x04"
MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
SEPARATORS = ("\t", ";", ",")


class RefusedError(Exception):
    """It is not read, for the reason that the text names."""


def set_up(_frame: bytes) -> Callable[[bytes], bytes]:
    """What reads a file."""
    return _answer


def _answer(data: bytes) -> bytes:
    try:
        answer = read(data)
    except RefusedError as refused:
        answer = {"refused": str(refused)}
    return json.dumps(answer).encode()


def read(data: bytes) -> dict[str, Any]:
    """The rows that are not empty, and the faults of cells. Raises RefusedError."""
    faults: list[list[Any]] = []
    cells = _workbook(data, faults) if data.startswith(ZIP) else _text(data)
    rows = []
    for number, row in cells:
        values = [value.strip()[:MOST_CHARACTERS] for value in row[:MOST_COLUMNS]]
        if any(values):
            rows.append([number, values])
        if len(rows) > MOST_ROWS:
            raise RefusedError("rows")
    return {"rows": rows, "faults": faults}


def _text(data: bytes) -> Iterator[tuple[int, list[str]]]:
    encoding = next((name for mark, name in MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise RefusedError("encoding") from error
    if "\0" in text:
        raise RefusedError("encoding")
    head = text.split("\n", 1)[0]
    separator = max(SEPARATORS, key=head.count)
    return enumerate(csv.reader(io.StringIO(text), delimiter=separator), start=1)


def _workbook(data: bytes, faults: list[list[Any]]) -> Iterator[tuple[int, list[str]]]:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        if sum(member.file_size for member in packed.infolist()) > MOST_UNPACKED_BYTES:
            raise RefusedError("unpacked")
    import openpyxl

    sheet = openpyxl.load_workbook(io.BytesIO(data), data_only=False).worksheets[0]
    if sheet.max_row > 50 * MOST_ROWS:
        raise RefusedError("rows")
    faults += [[each.min_row, each.min_col, "merged"] for each in sheet.merged_cells.ranges]
    for row in sheet.iter_rows(max_col=MOST_COLUMNS):
        values = []
        for cell in row:
            if cell.data_type in {"f", "e"}:
                faults.append([cell.row, cell.column, "formula"])
            values.append(_shown(cell.value))
        yield row[0].row, values


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime | date):
        return f"{value:%d/%m/%Y}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
