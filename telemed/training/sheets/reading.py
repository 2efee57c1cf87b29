"""A spreadsheet as rows of text under the names of its columns."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from telemed.core.errors import N_, Invalid
from telemed.core.text import fold
from telemed.core.worker import Limits, Worker, WorkerError
from telemed.training.sheets import sheet_worker

LIMITS: Final = Limits(
    start_seconds=30, answer_seconds=20, waiting=1, answer_bytes=64 * 1024 * 1024
)
MOST_BYTES: Final = sheet_worker.MOST_BYTES
_FIELD: Final = "file"
_REFUSED: Final[Mapping[str, str]] = {
    "encoding": N_("Tệp văn bản phải ghi bằng UTF-8 hoặc UTF-16"),
    "rows": N_("Bảng nhiều nhất {most} dòng"),
    "unpacked": N_("Tệp giải nén ra quá lớn"),
    "unreadable": N_("Không đọc được bảng tính. Gửi tệp XLSX hoặc CSV."),
}
_CELLS: Final[Mapping[str, str]] = {
    "formula": N_("Ô này là công thức. Ghi giá trị vào ô."),
    "merged": N_("Ô này gộp nhiều ô. Tách ra rồi ghi từng ô."),
}


@dataclass(frozen=True)
class CellFault:
    """One cell that cannot be taken: row as the sender's program numbers it, name of the column."""

    row: int
    column: str
    code: str
    message: str
    params: Mapping[str, str | int | float]


@dataclass(frozen=True)
class SheetRow:
    """One row: its number, and its cells by the keys of their columns."""

    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True)
class Sheet:
    """What was read: the rows below the head, the head's own words, and cells that say nothing."""

    rows: Sequence[SheetRow]
    heads: Mapping[str, str]
    faults: Sequence[CellFault]


_place = asyncio.Lock()


async def read_sheet(data: bytes, columns: Mapping[str, Sequence[str]]) -> Sheet:
    """Rows below the first row that names columns; `columns`: key → its folded names.

    Raises Invalid at the field `file`.
    """
    if not data:
        raise Invalid("file_missing", N_("Chọn một tệp để gửi"), field=_FIELD)
    answer = await _ask(data)
    if refused := answer.get("refused"):
        most = sheet_worker.MOST_ROWS
        raise Invalid(f"sheet_{refused}", _REFUSED[refused], field=_FIELD, most=most)
    found = answer["rows"]
    head_at, places = _head(found, columns)
    head = found[head_at][1]
    number = found[head_at][0]
    heads = {key: head[place] for key, place in places.items()}
    rows = [
        SheetRow(
            at, {key: cells[place] if place < len(cells) else "" for key, place in places.items()}
        )
        for at, cells in found[head_at + 1 :]
    ]
    faults = [
        CellFault(row, head[column - 1] or str(column), f"cell_{kind}", _CELLS[kind], {})
        for row, column, kind in answer["faults"]
        if row > number and column <= len(head)
    ]
    return Sheet([row for row in rows if any(row.cells.values())], heads, faults)


def _head(
    rows: Sequence[tuple[int, list[str]]], columns: Mapping[str, Sequence[str]]
) -> tuple[int, dict[str, int]]:
    """Where the head stands (a title may be above it), and where each column is."""
    for index, (_, cells) in enumerate(rows[:20]):
        names = [fold(cell) for cell in cells]
        places = {
            key: names.index(name)
            for key, known in columns.items()
            for name in known
            if name in names
        }
        if len(places) > len(columns) // 2:
            return index, places
    text = N_("Không thấy dòng tên cột. Dùng mẫu bảng tính ở trang này.")
    raise Invalid("sheet_without_head", text, field=_FIELD)


async def _ask(data: bytes) -> dict[str, Any]:
    # Seldom used, so it need not stay warm.
    worker = Worker(Path(sheet_worker.__file__), LIMITS)
    async with _place:
        try:
            answer: dict[str, Any] = json.loads(await worker.ask(data))
        except WorkerError:
            return {"refused": "unreadable"}
        finally:
            await worker.close()
    return answer
