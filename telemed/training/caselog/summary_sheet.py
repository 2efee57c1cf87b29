"""The summary as a spreadsheet: always in Vietnamese, as the province keeps it."""

from __future__ import annotations

import io
from typing import Final

import xlsxwriter

from telemed.training.caselog.rules import Level
from telemed.training.caselog.summary import Summary

TITLE: Final = "Bảng tổng hợp chỉ tiêu thực hành"
_LEVELS: Final = {
    Level.OBSERVED: "Quan sát",
    Level.ASSISTED: "Trợ giúp",
    Level.SUPERVISED: "Tự làm có giám sát",
    Level.PERFORMED: "Tự làm",
}
_HEADS: Final = (
    "Mã",
    "Kỹ thuật",
    *(f"Chỉ tiêu: {name}" for name in _LEVELS.values()),
    *(f"Đã làm: {name}" for name in _LEVELS.values()),
    "Kết quả",
)


def make_sheet(summary: Summary) -> bytes:
    """An XLSX file. What people typed is written as text, so nothing of it is ever a formula."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Tổng hợp")
        bold = book.add_format({"bold": True, "text_wrap": True})
        sheet.set_column(0, 0, 10)
        sheet.set_column(1, 1, 44)
        sheet.set_column(2, len(_HEADS) - 1, 12)
        person = f"{summary.trainee.title} {summary.trainee.full_name}".strip()
        package = f"{summary.package.title} ({summary.package.number})"
        for line, text in enumerate((TITLE, person, package)):
            sheet.write_string(line, 0, text, bold)
        for column, text in enumerate(_HEADS):
            sheet.write_string(4, column, text, bold)
        for line, each in enumerate(summary.lines, start=5):
            sheet.write_string(line, 0, each.code)
            sheet.write_string(line, 1, each.name)
            numbers = [*each.targets.values(), *each.confirmed.values()]
            for column, number in enumerate(numbers, start=2):
                sheet.write_number(line, column, number)
            sheet.write_string(line, len(_HEADS) - 1, "Đạt" if each.is_met else "Chưa đạt")
        sheet.freeze_panes(5, 2)
    return target.getvalue()
