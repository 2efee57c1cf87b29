"""A whole deployment from a spreadsheet: everything is registered, or nothing and every fault named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, TypeVar

from telemed.accounts.models import Person
from telemed.accounts.permissions import Action, Actor, require
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Invalid
from telemed.core.text import fold
from telemed.facilities.service import list_specialties, list_stations
from telemed.training.rotations import service
from telemed.training.rotations.deployment_sheet import COLUMNS, HEADS, KINDS
from telemed.training.rotations.models import RotationKind
from telemed.training.rotations.repository import RotationRow, list_rotations
from telemed.training.rotations.service import RotationInput
from telemed.training.sheets.reading import CellFault, Sheet, SheetRow

# Where the service names a field by what the form calls it.
_COLUMN_OF: Final = {"person": "sign_in_name"}

T = TypeVar("T")


@dataclass(frozen=True)
class Imported:
    """What became of a sheet: nothing is registered where there are faults."""

    added: int = 0
    known: int = 0
    faults: Sequence[CellFault] = field(default_factory=tuple)


class _FaultError(Exception):
    def __init__(self, column: str, code: str, message: str) -> None:
        super().__init__(code)
        self.column, self.code, self.message = column, code, message


@dataclass(frozen=True)
class _Names:
    """What the words of a sheet may mean."""

    people: Mapping[str, Sequence[Person]]
    stations: Mapping[str, Sequence[int]]
    specialties: Mapping[str, Sequence[int]]


async def import_deployment(work: UnitOfWork, actor: Actor, sheet: Sheet) -> Imported:
    """Register all rows, those that are known already left as they are.

    The caller undoes the transaction where there are faults.
    """
    require(actor, Action.ROTATION_WRITE)
    names = await _names(work)
    known = {_same(row) for row in await list_rotations(work)}
    faults, added, again = list(sheet.faults), 0, 0
    met: dict[object, int] = {}
    broken = {fault.row for fault in faults}
    for row in sheet.rows:
        if row.number in broken:
            continue
        try:
            given = _read(row, names)
            key = (given.person_id, given.station_id, given.starts_on, given.decision_number)
            if key in met:
                raise _FaultError("name", "row_doubled", N_("Dòng này ghi hai lần"))
            met[key] = row.number
            if key in known:
                again += 1
                continue
            await service.save(work, actor, given)
            added += 1
        except _FaultError as fault:
            faults.append(_fault(sheet, row, fault.column, fault.code, fault.message))
        except Invalid as refused:
            faults += [
                CellFault(
                    row.number, _head(sheet, each.field), each.code, each.message, each.params
                )
                for each in refused.fields
            ]
    if not faults and not met:
        raise Invalid("sheet_empty", N_("Bảng không có dòng nào"), field="file")
    return Imported(added, again, sorted(faults, key=lambda each: each.row))


def _same(row: RotationRow) -> tuple[int, int, date, str]:
    rotation = row.rotation
    return rotation.person_id, rotation.station_id, rotation.starts_on, row.decision.number


def _fault(sheet: Sheet, row: SheetRow, column: str, code: str, message: str) -> CellFault:
    return CellFault(row.number, _head(sheet, column), code, message, {})


def _head(sheet: Sheet, column: str) -> str:
    column = _COLUMN_OF.get(column, column)
    if column in sheet.heads:
        return sheet.heads[column]
    return HEADS[list(COLUMNS).index(column)] if column in COLUMNS else column


async def _names(work: UnitOfWork) -> _Names:
    people: dict[str, list[Person]] = {}
    for person in await service.candidates(work, RotationKind.PREVENTIVE):
        for word in {
            person.sign_in_name.lower(),
            person.licence_number.lower(),
            person.folded_name,
        }:
            people.setdefault(word, []).append(person)
    stations: dict[str, list[int]] = {}
    for station in await list_stations(work):
        short = station.folded_name.removeprefix("tram y te ")
        for word in {station.code.lower(), station.folded_name, short, f"tram {short}"}:
            stations.setdefault(word, []).append(station.id or 0)
    specialties: dict[str, list[int]] = {}
    for each in await list_specialties(work):
        for word in {each.code.lower(), fold(each.name)}:
            specialties.setdefault(word, []).append(each.id or 0)
    return _Names(people, stations, specialties)


def _read(row: SheetRow, names: _Names) -> RotationInput:
    cells = row.cells
    kind = KINDS.get(fold(cells.get("kind", "")))
    if kind is None:
        text = N_("Ghi Khám chữa bệnh hoặc Dự phòng")
        raise _FaultError("kind", "kind_unknown", text)
    specialty = cells.get("specialty", "")
    text = N_("Không có chuyên khoa này")
    return RotationInput(
        decision_number=cells.get("decision_number", ""),
        decision_date=_day(row, "decision_date"),
        issuing_body=cells.get("issuing_body", ""),
        kind=kind,
        person_id=_person(row, names).id or 0,
        station_id=_only(
            names.stations.get(fold(cells.get("station", "")), ()),
            _FaultError("station", "station_unknown", N_("Không có trạm này")),
        ),
        specialty_id=_only(
            names.specialties.get(fold(specialty), ()),
            _FaultError("specialty", "specialty_unknown", text),
        )
        if specialty
        else None,
        starts_on=_day(row, "starts_on"),
        ends_on=_day(row, "ends_on"),
        tasks=cells.get("tasks", ""),
    )


def _person(row: SheetRow, names: _Names) -> Person:
    """By account, else by licence, else by a name that only one has; what is given must agree."""
    for column, shown in (("sign_in_name", str.lower), ("licence", str.lower), ("name", fold)):
        given = row.cells.get(column, "")
        if not given:
            continue
        text = N_("Không có người này, hoặc có nhiều người trùng tên")
        fault = _FaultError(column, "person_unknown", text)
        person = _only(names.people.get(shown(given), ()), fault)
        name = fold(row.cells.get("name", ""))
        if name and name not in {person.folded_name, fold(f"{person.title} {person.full_name}")}:
            text = N_("Họ tên khác với tài khoản")
            raise _FaultError("name", "name_differs", text)
        return person
    raise _FaultError("name", "person_missing", N_("Ghi họ tên hoặc tên đăng nhập"))


def _only(found: Iterable[T], fault: _FaultError) -> T:
    listed = list(found)
    if len(listed) != 1:
        raise fault
    return listed[0]


def _day(row: SheetRow, column: str) -> date:
    text = row.cells.get(column, "")
    for form in ("%d/%m/%Y", "%Y-%m-%d", "%d-%m-%Y", "%d.%m.%Y"):
        try:
            day = datetime.strptime(text, form).date()  # noqa: DTZ007 - a day, without a zone
        except ValueError:
            continue
        if 2000 <= day.year <= 2100:
            return day
    raise _FaultError(column, "day_malformed", N_("Ngày ghi như 29/11/2026"))
