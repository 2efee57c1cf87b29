"""The case log: written by the trainee, confirmed or refused row by row by who taught."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Action, Actor, Role, require
from telemed.core.audit import AuditTag
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.core.errors import (
    N_,
    Conflict,
    FieldError,
    Invalid,
    Missing,
    require_short,
    too_long,
)
from telemed.core.text import clean_line
from telemed.facilities.models import Facility, FacilityKind
from telemed.training.caselog.models import CaseRow
from telemed.training.caselog.rules import (
    BY_TRAINER,
    CONFIRMS_UNTIL,
    MOVES,
    Level,
    RowEvent,
    RowState,
    check_day,
    check_reference,
)
from telemed.training.packages.service import list_running
from telemed.training.repository import list_people, sees_station
from telemed.training.rotations.models import RotationKind
from telemed.training.rotations.repository import list_rotations
from telemed.training.rotations.rules import Span
from telemed.training.techniques.rules import LONGEST_NAME, is_code, tidy_code
from telemed.training.transfer_input import TRAINERS

PAGE: Final = 30
MOST_AT_ONCE: Final = 100
LONGEST_NOTE, LONGEST_ICD = 300, 7


@dataclass(frozen=True)
class RowInput:
    """A case as its trainee writes it down."""

    technique_name: str
    performed_on: date
    level: Level
    reference: str
    trainer_id: int
    technique_code: str = ""
    package_id: int | None = None
    icd_code: str = ""
    note: str = ""


@dataclass(frozen=True)
class ShownRow:
    """A row with the names a list shows."""

    row: CaseRow
    trainee: Person
    trainer: Person
    station: Facility
    opens_trainee: bool


async def write(work: UnitOfWork, actor: Actor, given: RowInput) -> CaseRow:
    """A new row, which its trainer is to confirm. Raises Invalid."""
    require(actor, Action.CASELOG_WRITE)
    station = await _station(work, actor)
    columns = await _check(work, actor, station, given)
    row = CaseRow(trainee_id=actor.id, station_id=station.id or 0, created_at=work.now(), **columns)
    return await _keep(work, actor, row)


async def change(
    work: UnitOfWork, actor: Actor, uid: str, given: RowInput, *, revision: int
) -> CaseRow:
    """Change a row that is not confirmed; a refused one is asked for again.

    Raises Missing, Conflict (`row_confirmed`), Invalid.
    """
    row = await _own(work, actor, uid)
    state = _moved(row, RowEvent.CHANGE)
    if row.revision != revision:
        text = N_("Nội dung vừa được người khác đổi. Lưu lần nữa sẽ thay bản đó.")
        raise Invalid("changed_meanwhile", text, field="revision")
    station = await work.session.get_one(Facility, row.station_id)
    for name, value in (await _check(work, actor, station, given)).items():
        setattr(row, name, value)
    row.state, row.decided_at, row.refusal = state or row.state, None, ""
    return await _keep(work, actor, row)


async def remove(work: UnitOfWork, actor: Actor, uid: str) -> None:
    """It was a mistake. Raises Missing, Conflict (`row_confirmed`)."""
    row = await _own(work, actor, uid)
    _moved(row, RowEvent.REMOVE)
    await work.session.delete(row)
    await work.session.flush()
    work.audit(AuditTag.CASELOG_WRITE, actor, f"case_row:{row.uid}", removed=True)


async def get_own(work: UnitOfWork, actor: Actor, uid: str) -> CaseRow:
    """A row of the actor's own. Raises Missing."""
    return await _own(work, actor, uid)


async def decide(
    work: UnitOfWork, actor: Actor, uids: Sequence[str], event: RowEvent, reason: str = ""
) -> int:
    """Confirm rows, or refuse them with a reason: all of them or none; how many.

    Raises Missing for a row that waits for somebody else, Conflict (`row_decided`), Invalid.
    """
    require(actor, Action.CASELOG_CONFIRM)
    assert event in BY_TRAINER
    given = clean_line(reason)
    require_short("reason", given, LONGEST_NOTE)
    if event is RowEvent.REFUSE and not given:
        raise Invalid("reason_missing", N_("Ghi vì sao không xác nhận"), field="reason")
    wanted = sorted(set(uids))[: MOST_AT_ONCE + 1]
    if not wanted or len(wanted) > MOST_AT_ONCE:
        text = N_("Chọn từ 1 đến {most} dòng")
        raise Invalid("rows_missing", text, field="rows", most=MOST_AT_ONCE)
    query = select(CaseRow).where(col(CaseRow.uid).in_(wanted), col(CaseRow.trainer_id) == actor.id)
    locked = query.order_by(col(CaseRow.id)).with_for_update()
    rows = (await work.session.exec(locked)).all()
    if len(rows) != len(wanted):
        raise Missing
    for row in rows:
        state = _moved(row, event)
        await _check_still_there(work, actor, row)
        row.state = state or row.state
        row.decided_at, row.refusal = work.now(), given if event is RowEvent.REFUSE else ""
        work.session.add(row)
        work.audit(AuditTag.CASELOG_DECIDE, actor, f"case_row:{row.uid}", event=event.value)
    await work.session.flush()
    return len(rows)


async def _check_still_there(work: UnitOfWork, actor: Actor, row: CaseRow) -> None:
    if actor.has(Role.TRAINER):
        return
    last = max((span.last for span in await _taught(work, actor.id, row)), default=None)
    today = work.now().astimezone(LOCAL_ZONE).date()
    if last is None or today > last + CONFIRMS_UNTIL:
        text = N_("Đợt luân phiên hết đã quá {days} ngày: nhờ giảng viên của bệnh viện xác nhận")
        raise Invalid("confirmed_late", text, field="rows", days=CONFIRMS_UNTIL.days)


async def _taught(work: UnitOfWork, trainer_id: int, row: CaseRow) -> list[Span]:
    return await _rotations(work, trainer_id, row.station_id, row.performed_on)


async def _rotations(work: UnitOfWork, trainer_id: int, station_id: int, day: date) -> list[Span]:
    return [
        each.span
        for each in await list_rotations(work, within=Span(day, day))
        if each.rotation.person_id == trainer_id
        and each.rotation.station_id == station_id
        and each.rotation.kind is RotationKind.CLINICAL
    ]


async def list_rows(
    work: UnitOfWork, actor: Actor, *, waiting: bool = False, before: int | None = None
) -> tuple[list[ShownRow], int | None]:
    """A page of rows, newest first, and where the next one starts.

    One's own as a trainee; those to be decided on with `waiting`; the offices see all.
    """
    require(actor, Action.CASELOG_READ)
    query = select(CaseRow, Facility).join(Facility, col(Facility.id) == col(CaseRow.station_id))
    if waiting:
        query = query.where(
            col(CaseRow.trainer_id) == actor.id, col(CaseRow.state) == RowState.WRITTEN
        )
    elif not actor.has(Role.TRAINER, Role.COORDINATOR):
        query = query.where(
            (col(CaseRow.trainee_id) == actor.id) | (col(CaseRow.trainer_id) == actor.id)
        )
    if before is not None:
        query = query.where(col(CaseRow.id) < before)
    newest = query.order_by(col(CaseRow.id).desc()).limit(PAGE + 1)
    found = (await work.session.exec(newest)).all()
    people = await _people(work, [row for row, _ in found])
    shown = [
        ShownRow(
            row,
            people[row.trainee_id],
            people[row.trainer_id],
            station,
            opens_trainee=row.trainee_id == actor.id or sees_station(actor, row.station_id),
        )
        for row, station in found[:PAGE]
    ]
    return shown, shown[-1].row.id if len(found) > PAGE else None


async def _people(work: UnitOfWork, rows: Sequence[CaseRow]) -> Mapping[int, Person]:
    ids = {row.trainee_id for row in rows} | {row.trainer_id for row in rows}
    query = select(Person).where(col(Person.id).in_(ids))
    return {person.id or 0: person for person in (await work.session.exec(query)).all()}


async def list_trainers(work: UnitOfWork, actor: Actor) -> list[Person]:
    """Who may be named as having taught."""
    return [each for each in await list_people(work, TRAINERS) if each.id != actor.id]


async def last_trainer(work: UnitOfWork, actor: Actor) -> int | None:
    """Who taught in the newest row of the actor's own."""
    query = select(CaseRow.trainer_id).where(col(CaseRow.trainee_id) == actor.id)
    return (await work.session.exec(query.order_by(col(CaseRow.id).desc()).limit(1))).first()


async def _station(work: UnitOfWork, actor: Actor) -> Facility:
    station = await work.session.get(Facility, actor.facility_id) if actor.facility_id else None
    if station is None or station.kind is not FacilityKind.STATION:
        raise Missing
    return station


async def _own(work: UnitOfWork, actor: Actor, uid: str) -> CaseRow:
    require(actor, Action.CASELOG_WRITE)
    query = select(CaseRow).where(col(CaseRow.uid) == uid, col(CaseRow.trainee_id) == actor.id)
    row = (await work.session.exec(query.with_for_update())).one_or_none()
    if row is None:
        raise Missing
    return row


def _moved(row: CaseRow, event: RowEvent) -> RowState | None:
    if (row.state, event) in MOVES:
        return MOVES[row.state, event]
    if event in BY_TRAINER:
        raise Conflict("row_decided", N_("Dòng này đã được xác nhận hoặc trả lại"))
    raise Conflict("row_confirmed", N_("Dòng đã xác nhận nên không sửa được"))


async def _check(
    work: UnitOfWork, actor: Actor, station: Facility, given: RowInput
) -> dict[str, Any]:
    code, name = tidy_code(given.technique_code), clean_line(given.technique_name)
    reference, note = clean_line(given.reference), clean_line(given.note)
    icd = clean_line(given.icd_code).upper()
    faults = check_reference(reference)
    faults += check_day(given.performed_on, work.now().astimezone(LOCAL_ZONE).date())
    faults += too_long("technique_name", name, LONGEST_NAME) + too_long("note", note, LONGEST_NOTE)
    faults += too_long("icd_code", icd, LONGEST_ICD)
    if not name:
        text = N_("Ghi tên kỹ thuật")
        faults.append(FieldError("technique_name", "technique_missing", text))
    if code and not is_code(code):
        text = N_("Mã kỹ thuật như 18.2 hoặc BS_2.114")
        faults.append(FieldError("technique_code", "code_malformed", text))
    faults += await _check_trainer(work, actor, station, given)
    running = await list_running(work, station.id or 0, given.performed_on)
    if given.package_id and given.package_id not in {package.id for package in running}:
        text = N_("Gói này không chạy ở trạm vào ngày đó")
        faults.append(FieldError("package", "package_unknown", text))
    if faults:
        raise Invalid.of(faults)
    return {
        "technique_code": code,
        "technique_name": name,
        "performed_on": given.performed_on,
        "level": given.level,
        "reference": reference,
        "trainer_id": given.trainer_id,
        "package_id": given.package_id,
        "icd_code": icd,
        "note": note,
    }


async def _check_trainer(
    work: UnitOfWork, actor: Actor, station: Facility, given: RowInput
) -> list[FieldError]:
    known = {person.id for person in await list_trainers(work, actor)}
    if given.trainer_id not in known:
        text = N_("Chọn người dạy, khác người học")
        return [FieldError("trainer", "trainer_unknown", text)]
    offices = {person.id for person in await list_people(work, (Role.TRAINER,))}
    if given.trainer_id in offices or await _rotations(
        work, given.trainer_id, station.id or 0, given.performed_on
    ):
        return []
    text = N_("Người này không ở trạm vào ngày đó")
    return [FieldError("trainer", "trainer_elsewhere", text)]


async def _keep(work: UnitOfWork, actor: Actor, row: CaseRow) -> CaseRow:
    text = N_("Ca này đã ghi cho kỹ thuật và ngày đó")
    fault = FieldError("reference", "row_doubled", text)
    with work.session.no_autoflush:
        same = select(CaseRow.id).where(
            col(CaseRow.trainee_id) == row.trainee_id,
            col(CaseRow.performed_on) == row.performed_on,
            col(CaseRow.technique_name) == row.technique_name,
            col(CaseRow.reference) == row.reference,
            col(CaseRow.id) != (row.id or 0),
        )
        if (await work.session.exec(same)).first() is not None:
            raise Invalid.of([fault])
    work.session.add(row)
    try:
        await work.session.flush()
    except IntegrityError as error:
        raise Conflict("row_doubled", text, fields=[fault]) from error
    work.audit(AuditTag.CASELOG_WRITE, actor, f"case_row:{row.uid}")
    return row
