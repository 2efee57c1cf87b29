"""A whole deployment from a spreadsheet, and the empty sheet for it."""

from __future__ import annotations

import asyncio
import io

import xlsxwriter
from aiohttp import web

from telemed.accounts.permissions import Action
from telemed.core.errors import N_, Invalid
from telemed.keys import RENDERER, WORK, signed_in
from telemed.training.rotations.deployment_sheet import COLUMNS, EXAMPLE, HEADS, TITLE
from telemed.training.rotations.importing import import_deployment
from telemed.training.sheets.reading import MOST_BYTES, read_sheet
from telemed.web.rendering import add_notices, invalid_page, page, see_other
from telemed.web.routing import Routes, Values
from telemed.web.uploads import in_memory, read_upload

routes = Routes()
add_notices({"deployment_imported": N_("Đã ghi cả bảng vào sổ luân phiên")})
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


async def _form_again(request: web.Request, error: Invalid, _values: Values) -> web.Response:
    return invalid_page(request, "training/rotations/import.html", error, faults=[])


@routes.get("/training/rotations/import", Action.ROTATION_WRITE)
async def form(request: web.Request) -> web.Response:
    """What a sheet must look like, and where to send it."""
    return page(request, "training/rotations/import.html", errors={}, faults=[])


@routes.post("/training/rotations/import", Action.ROTATION_WRITE, on_invalid=_form_again)
async def take(request: web.Request) -> web.Response:
    """Register a whole sheet, or tell every row that is wrong."""
    upload = await read_upload(request, in_memory, limit_bytes=MOST_BYTES)
    sheet = await read_sheet(upload.file, COLUMNS)
    work = request[WORK]
    found = await import_deployment(work, signed_in(request), sheet)
    if found.faults:
        await work.rollback()
        text = N_("Chưa ghi dòng nào: còn {count} chỗ cần sửa trong bảng")
        error = Invalid("sheet_refused", text, field="file", count=len(found.faults))
        words = request.app[RENDERER].text
        faults = [
            (each.row, each.column, words(request, each.message, **each.params))
            for each in found.faults
        ]
        return invalid_page(request, "training/rotations/import.html", error, faults=faults)
    return see_other(request, "/training/rotations/people", notice="deployment_imported")


@routes.get("/training/rotations/import/sheet", Action.ROTATION_WRITE)
async def sheet(_request: web.Request) -> web.Response:
    """An empty sheet with the names of the columns and one row that shows how."""
    body = await asyncio.to_thread(_empty_sheet)
    headers = {"Content-Disposition": 'attachment; filename="luan-phien.xlsx"'}
    return web.Response(body=body, content_type=XLSX, headers=headers)


def _empty_sheet() -> bytes:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        sheet_ = book.add_worksheet(TITLE)
        bold = book.add_format({"bold": True})
        as_text = book.add_format({"num_format": "@"})
        sheet_.set_column(0, len(HEADS) - 1, 20, as_text)
        sheet_.write_row(0, 0, HEADS, bold)
        for column, words in enumerate(EXAMPLE):
            sheet_.write_string(1, column, words, as_text)
        sheet_.freeze_panes(1, 0)
    return target.getvalue()
