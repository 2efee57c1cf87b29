"""Codes and chapters of the national list of techniques, and what a file of it must look like. Pure.

Circular 23/2024/TT-BYT, Annex 01: chapter and number, with BS_ for the supplementary list.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from telemed.core.errors import N_, FieldError, Invalid, Param
from telemed.core.text import clean_line, fold

# Written out: `\d` would take the digits of every script.
CODE_PATTERN: Final = r"^(BS_)?([1-9]|1[0-9]|2[0-8])\.[0-9]{1,4}$"
LONGEST_NAME: Final = 300
MOST_ROWS: Final = 25_000
# The Ministry replaces the list; codes given after this day have to be looked at again.
VALID_UNTIL: Final = date(2027, 12, 31)
CHAPTERS: Final[Mapping[int, str]] = {
    1: N_("Hồi sức cấp cứu và chống độc"),
    2: N_("Nội khoa"),
    3: N_("Nhi khoa"),
    4: N_("Lao"),
    5: N_("Da liễu"),
    6: N_("Tâm thần"),
    7: N_("Nội tiết"),
    8: N_("Y học cổ truyền"),
    9: N_("Gây mê hồi sức"),
    10: N_("Ngoại khoa"),
    11: N_("Bỏng"),
    12: N_("Ung bướu"),
    13: N_("Phụ sản"),
    14: N_("Mắt"),
    15: N_("Tai mũi họng"),
    16: N_("Răng hàm mặt"),
    17: N_("Phục hồi chức năng"),
    18: N_("Điện quang"),
    19: N_("Y học hạt nhân"),
    20: N_("Nội soi"),
    21: N_("Thăm dò chức năng"),
    22: N_("Huyết học – truyền máu"),
    23: N_("Hóa sinh"),
    24: N_("Vi sinh"),
    25: N_("Giải phẫu bệnh"),
    26: N_("Vi phẫu"),
    27: N_("Phẫu thuật nội soi"),
    28: N_("Tạo hình thẩm mỹ"),
}

_CODE = re.compile(CODE_PATTERN)
_SEPARATORS = ",;\t"
# What a spreadsheet would calculate when the list is opened there again.
_FORMULA_STARTS = ("=", "+", "-", "@")
_CODE_HEADS = frozenset({"ma", "ma so", "ma ky thuat", "code"})
_NAME_HEADS = frozenset({"ten", "ten ky thuat", "danh muc ky thuat", "name"})
_CODE_COLUMN, _NAME_COLUMN = 0, 1


@dataclass(frozen=True)
class Entry:
    """One technique of the list."""

    code: str
    name: str


@dataclass(frozen=True)
class _Columns:
    code: int
    name: int
    count: int


def is_code(text: str) -> bool:
    """Whether a text is a code of the list, letter by letter."""
    return _CODE.fullmatch(text) is not None


def chapter_of(code: str) -> str:
    """The name of the chapter of a code, to be translated; empty for what is no code."""
    found = _CODE.fullmatch(code)
    return CHAPTERS[int(found[2])] if found else ""


def tidy_code(text: str) -> str:
    """A code as typed, the way the list writes it."""
    return clean_line(text).upper().replace(" ", "")


def read_list(data: bytes) -> list[Entry]:
    """The techniques of a file, in its order.

    Raises Invalid with everything that is wrong, by row and column; nothing of a bad file is used.
    """
    text = _decode(data)
    rows = _rows(text)
    first = next(rows, None)
    if first is None:
        raise Invalid("techniques_empty", N_("Tệp không có kỹ thuật nào"), field="file")
    columns = _columns(first[1])
    if columns is None:
        columns = _Columns(_CODE_COLUMN, _NAME_COLUMN, _NAME_COLUMN + 1)
        return _checked([first, *rows], columns)
    return _checked(list(rows), columns)


def _decode(data: bytes) -> str:
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        message = N_("Tệp phải ở mã UTF-8 hoặc UTF-16 có BOM, sai từ byte thứ {given}")
        raise Invalid(
            "techniques_encoding", message, field="file", given=error.start + 1
        ) from error
    if "\0" in text:
        message = N_("Tệp phải ở mã UTF-8 hoặc UTF-16 có BOM")
        raise Invalid("techniques_encoding", message, field="file")
    return text


def _separator(text: str) -> str:
    """The first one outside of quotes: neither a code nor a heading before it holds any."""
    is_quoted = False
    for letter in text:
        if letter == '"':
            is_quoted = not is_quoted
        elif letter in _SEPARATORS and not is_quoted:
            return letter
    return _SEPARATORS[0]


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that hold anything, each with the number of its first line in the file."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    count = 0
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            message = N_("Dòng {row} không đúng dạng CSV")
            raise Invalid("techniques_csv", message, field=f"row {line}", row=line) from error
        if cells is None:
            return
        tidy = [clean_line(cell) for cell in cells]
        if not any(tidy):
            continue
        count += 1
        # One more for a heading.
        if count > MOST_ROWS + 1:
            raise _too_many()
        yield line, tidy


def _too_many() -> Invalid:
    message = N_("Tệp nhiều quá {limit} dòng")
    return Invalid("techniques_many", message, field="file", limit=MOST_ROWS)


def _columns(cells: Sequence[str]) -> _Columns | None:
    """Where a heading has code and name; None for a row that is none."""
    heads = [fold(cell) for cell in cells]
    codes = [place for place, head in enumerate(heads) if head in _CODE_HEADS]
    names = [place for place, head in enumerate(heads) if head in _NAME_HEADS]
    if not codes and not names:
        return None
    if len(codes) != 1 or len(names) != 1:
        message = N_("Dòng đầu phải có một cột “Mã kỹ thuật” và một cột “Tên kỹ thuật”")
        raise Invalid("techniques_columns", message, field="row 1")
    return _Columns(codes[0], names[0], len(heads))


def _checked(rows: Sequence[tuple[int, list[str]]], columns: _Columns) -> list[Entry]:
    if len(rows) > MOST_ROWS:
        raise _too_many()
    entries: dict[str, Entry] = {}
    seen: dict[str, int] = {}
    errors: list[FieldError] = []
    for line, cells in rows:
        code, name = (_cell(cells, place) for place in (columns.code, columns.name))
        code = tidy_code(code)
        errors += _problems(line, code, name, columns)
        if any(cells[columns.count :]):
            message = N_("Dòng {row}: nhiều cột quá; tên có dấu phân cách phải đặt trong ngoặc kép")
            errors.append(_error(line, columns.count, "technique_columns", message))
        if code in seen and is_code(code):
            message = N_("Dòng {row}, cột {column}: mã {given} đã có ở dòng {before}")
            params: dict[str, Param] = {"given": code, "before": seen[code]}
            errors.append(_error(line, columns.code, "technique_repeated", message, params))
        seen.setdefault(code, line)
        entries[code] = Entry(code, name)
    if errors:
        raise Invalid.of(errors)
    if not entries:
        raise Invalid("techniques_empty", N_("Tệp không có kỹ thuật nào"), field="file")
    return list(entries.values())


def _cell(cells: Sequence[str], place: int) -> str:
    return cells[place] if place < len(cells) else ""


def _problems(line: int, code: str, name: str, columns: _Columns) -> Iterator[FieldError]:
    if not is_code(code):
        message = N_("Dòng {row}, cột {column}: mã phải như 18.2 hoặc BS_2.114 – đang là {given}")
        params: dict[str, Param] = {"given": code[:20]}
        yield _error(line, columns.code, "technique_code", message, params)
    if not name:
        message = N_("Dòng {row}, cột {column}: chưa có tên kỹ thuật")
        yield _error(line, columns.name, "technique_name_missing", message)
    elif name.startswith(_FORMULA_STARTS):
        message = N_("Dòng {row}, cột {column}: tên không được bắt đầu bằng = + - @")
        yield _error(line, columns.name, "technique_name_formula", message)
    elif len(name) > LONGEST_NAME:
        message = N_("Dòng {row}, cột {column}: tên dài quá {limit} ký tự – đang là {given}")
        long: dict[str, Param] = {"limit": LONGEST_NAME, "given": len(name)}
        yield _error(line, columns.name, "technique_name_long", message, long)


def _error(
    line: int, column: int, code: str, message: str, params: Mapping[str, Param] | None = None
) -> FieldError:
    place: dict[str, Param] = {"row": line, "column": column + 1}
    field = f"row {line} column {column + 1}"
    return FieldError(field, code, message, place | dict(params or {}))
