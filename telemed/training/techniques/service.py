"""The list of techniques: loading it, finding a code, searching."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, func, insert, or_
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from telemed.accounts.permissions import Action, Actor, require
from telemed.consults.icd import fold_words
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, Invalid
from telemed.training.techniques.models import Technique
from telemed.training.techniques.rules import Entry, read_list, tidy_code

RESULTS_LIMIT: Final = 20
# The national list has some ten thousand rows; ten times its size is another file.
LARGEST_FILE: Final = 20 * 1024 * 1024
_WORDS_LIMIT = 8
_CHUNK = 1000
_CODE_START = re.compile(r"(?:BS_?)?[0-9]{0,2}(?:\.[0-9]{0,4})?")


@dataclass(frozen=True)
class Imported:
    """What a file changed in the list."""

    added: int = 0
    renamed: int = 0
    returned: int = 0
    retired: int = 0
    unchanged: int = 0

    @property
    def changed(self) -> int:
        """How many techniques are not as they were."""
        return self.added + self.renamed + self.returned + self.retired


async def import_file(work: UnitOfWork, path: Path) -> Imported:
    """Make the list what a file says: all of it, or nothing.

    Raises Invalid naming each bad row. What the file no longer has becomes inactive; the same file
    again changes nothing.
    """
    return await import_entries(work, await asyncio.to_thread(_read, path))


def _read(path: Path) -> list[Entry]:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        message = N_("Không mở được tệp {path}")
        raise Invalid("techniques_file", message, field="file", path=str(path)) from error
    if len(data) > LARGEST_FILE:
        message = N_("Tệp lớn quá {limit} MB")
        raise Invalid("techniques_large", message, field="file", limit=LARGEST_FILE // 2**20)
    return read_list(data)


async def import_entries(work: UnitOfWork, entries: Sequence[Entry]) -> Imported:
    """Make the list what these entries say. Raises Conflict where somebody else loads one now."""
    known = {row.code: row for row in (await work.session.exec(select(Technique))).all()}
    wanted = {entry.code: entry for entry in entries}
    added = [entry for code, entry in wanted.items() if code not in known]
    kept = [(known[code], entry) for code, entry in wanted.items() if code in known]
    renamed = [(row, entry) for row, entry in kept if row.name != entry.name]
    returned = [row for row, entry in kept if not row.is_active and row.name == entry.name]
    retired = [row for code, row in known.items() if row.is_active and code not in wanted]
    try:
        for chunk in _chunks([_columns(entry) for entry in added]):
            await work.session.exec(insert(Technique), params=chunk)
    except IntegrityError as error:
        message = N_("Danh mục kỹ thuật đang được nạp ở nơi khác. Thử lại sau.")
        raise Conflict("techniques_busy", message) from error
    for row, entry in renamed:
        row.sqlmodel_update(_columns(entry))
    for row in returned:
        row.is_active = True
    for row in retired:
        row.is_active = False
    work.session.add_all([*(row for row, _ in renamed), *returned, *retired])
    await work.session.flush()
    return Imported(
        added=len(added),
        renamed=len(renamed),
        returned=len(returned),
        retired=len(retired),
        unchanged=len(kept) - len(renamed) - len(returned),
    )


def _columns(entry: Entry) -> dict[str, Any]:
    return {
        "code": entry.code,
        "name": entry.name,
        "search_text": fold_words(entry.name),
        "is_active": True,
    }


def _chunks(rows: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    for start in range(0, len(rows), _CHUNK):
        yield rows[start : start + _CHUNK]


async def find_technique(work: UnitOfWork, code: str) -> Technique | None:
    """The technique of a code, also one that is no longer offered; None for an unknown code."""
    query = select(Technique).where(col(Technique.code) == tidy_code(code))
    return (await work.session.exec(query)).one_or_none()


async def find_names(work: UnitOfWork, codes: Sequence[str]) -> dict[str, str]:
    """What the list calls some codes; unknown ones are left out."""
    query = select(Technique.code, Technique.name).where(col(Technique.code).in_(codes))
    return dict((await work.session.exec(query)).all())


async def search(work: UnitOfWork, actor: Actor, text: str) -> list[Entry]:
    """Techniques whose code starts with the text, or whose name has all its words; at most 20."""
    require(actor, Action.TRANSFER_READ)
    condition = _matches(text)
    if condition is None:
        return []
    starts = col(Technique.search_text).startswith(fold_words(text), autoescape=True)
    query = (
        select(Technique.code, Technique.name)
        .where(col(Technique.is_active), condition)
        .order_by(case((starts, 0), else_=1), func.length(Technique.code), col(Technique.code))
        .limit(RESULTS_LIMIT)
    )
    return [Entry(code, name) for code, name in (await work.session.exec(query)).all()]


def _matches(text: str) -> ColumnElement[bool] | None:
    start = tidy_code(text)
    if start and _CODE_START.fullmatch(start):
        code = col(Technique.code)
        plain = code.startswith(start, autoescape=True)
        # The number alone finds the supplementary list as well.
        return or_(plain, code.startswith(f"BS_{start}", autoescape=True))
    words = fold_words(text).split()[:_WORDS_LIMIT]
    if not words:
        return None
    name = col(Technique.search_text)
    return and_(
        *(
            or_(name.startswith(word, autoescape=True), name.contains(f" {word}", autoescape=True))
            for word in words
        )
    )
