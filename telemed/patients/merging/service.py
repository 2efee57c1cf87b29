"""Joining the file of somebody without a number with the real one, and taking that back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Table, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel, col
from sqlmodel import select as select_rows

from telemed.accounts.models import Person
from telemed.accounts.permissions import Action, Actor
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, Invalid, Missing, require_short
from telemed.core.jobs import enqueue
from telemed.core.text import clean_line
from telemed.patients import repository
from telemed.patients.merging.models import MergeBasis, PatientMerge
from telemed.patients.merging.rules import Difference, Filled, check_pair, differences, fill
from telemed.patients.models import AllergyState, Patient

LONGEST_NOTE: Final = 300
SETTLE_JOB: Final = "patient.merge_settle"
# Longer than any request of the station takes.
SETTLES_AFTER: Final = timedelta(minutes=2)
# The patient's own table and the record of merges are not what belongs to a patient.
_APART: Final = frozenset({"patient", "patient_merge"})


@dataclass(frozen=True)
class Pair:
    """Two files side by side, before they are joined."""

    source: Patient
    target: Patient
    differences: frozenset[Difference]
    filled: Mapping[str, Filled]


@dataclass(frozen=True)
class Grounds:
    """Why both are one person, and which contradictions were looked at."""

    basis: MergeBasis
    note: str = ""
    accepted: frozenset[str] = frozenset()


@dataclass(frozen=True)
class MergeLine:
    """A merge as the file's page tells it."""

    merge: PatientMerge
    source: Patient
    by: str


def columns_of_patients() -> Iterator[tuple[Table, str]]:
    """Every column that says whose something is: the schema knows, so no new table is forgotten."""
    for table in SQLModel.metadata.sorted_tables:
        if table.name in _APART:
            continue
        for column in table.columns:
            if any(key.column.table.name == "patient" for key in column.foreign_keys):
                yield table, column.name


async def list_targets(
    work: UnitOfWork, actor: Actor, source_uid: str, text: str = ""
) -> tuple[Patient, list[Patient]]:
    """The file to be joined, and files it may belong to: who is looked for, or who resembles it."""
    source = await repository.get_file(work, actor, source_uid, Action.PATIENT_WRITE)
    if text.strip():
        found = await repository.list_patients(work, actor, text, limit=repository.PAGE_SIZE)
    else:
        found = await repository.list_alike(work, source)
    found = [each for each in found if each.id != source.id]
    ids = [each.id for each in (source, *found)]
    work.audit(AuditTag.PATIENT_LIST, actor, "patients", patient_ids=ids)
    return source, [each for each in found if each.station_id == source.station_id]


async def compare(work: UnitOfWork, actor: Actor, source_uid: str, target_uid: str) -> Pair:
    """Both files, what contradicts, and what the real one would take over. Raises as `merge`."""
    source, target = await _pair(work, actor, source_uid, target_uid)
    for each in (source, target):
        work.audit(AuditTag.PATIENT_READ, actor, each.uid, patient_id=each.id)
    return Pair(source, target, differences(source, target), fill(source, target))


async def merge(
    work: UnitOfWork, actor: Actor, source_uid: str, target_uid: str, grounds: Grounds
) -> PatientMerge:
    """Give everything of the one file to the other. Raises Missing, Invalid, Conflict.

    The source stays, empty, and leads to the target; its temporary code still finds the person.
    """
    source, target = await _pair(work, actor, source_uid, target_uid, lock=True)
    note = clean_line(grounds.note)
    require_short("note", note, LONGEST_NOTE)
    unseen = differences(source, target) - grounds.accepted
    if unseen:
        message = N_("Hai hồ sơ khác nhau ở chỗ đánh dấu. Đối chiếu rồi đánh dấu vào ô xác nhận.")
        raise Invalid("merge_unconfirmed", message, field="accepted")
    filled = fill(source, target)
    for name, each in filled.items():
        setattr(target, name, each.after)
    source.merged_into_id = target.id
    done = PatientMerge(
        source_id=_key(source),
        target_id=_key(target),
        basis=grounds.basis,
        note=note,
        moved=await _move(work, source, target),
        filled={name: [_plain(each.before), _plain(each.after)] for name, each in filled.items()},
        merged_by_id=actor.id,
        merged_at=work.now(),
    )
    work.session.add_all([source, target, done])
    await work.session.flush()
    _audit(work, AuditTag.PATIENT_MERGE, actor, done, source, target)
    await enqueue(work, SETTLE_JOB, done.uid, work.now() + SETTLES_AFTER, {"merge": done.uid})
    return done


async def settle(work: UnitOfWork, payload: Mapping[str, Any]) -> None:
    """What was being written for the source while it was merged follows it."""
    done = await _locked_merge(work, str(payload["merge"]))
    if done is None or done.undone_at is not None:
        return
    source, target = await _locked(work, done.source_id, done.target_id)
    late = await _move(work, source, target)
    for name, ids in late.items():
        done.moved = done.moved | {name: [*done.moved.get(name, []), *ids]}
    work.session.add(done)


async def undo(
    work: UnitOfWork, actor: Actor, patient_uid: str, merge_uid: str, reason: str
) -> PatientMerge:
    """Take a merge back: what was moved goes home, what came since stays with the real file.

    A column that was changed after the merge keeps the newer value. Raises Missing, Invalid,
    Conflict.
    """
    done = await _locked_merge(work, merge_uid)
    if done is None:
        raise Missing
    source, target = await _locked(work, done.source_id, done.target_id)
    await repository.get_file(work, actor, patient_uid, Action.PATIENT_WRITE)
    if target.uid != patient_uid:
        raise Missing
    if done.undone_at is not None:
        raise Conflict("merge_undone", N_("Lần gộp này đã được tách lại"))
    if target.merged_into_id is not None:
        message = N_("Hồ sơ này sau đó lại gộp vào hồ sơ khác. Tách lần gộp sau trước.")
        raise Conflict("merged_onwards", message)
    given = clean_line(reason)
    if not given:
        raise Invalid("reason_missing", N_("Ghi vì sao tách lại"), field="reason")
    require_short("reason", given, LONGEST_NOTE)
    for name, (before, after) in done.filled.items():
        if _plain(getattr(target, name)) == after:
            setattr(target, name, _read(name, before))
    for table, column in columns_of_patients():
        ids = done.moved.get(_name(table, column), [])
        await _hand_over(work, table, column, ids, _key(source))
    source.merged_into_id = None
    done.undone_by_id, done.undone_at, done.undo_reason = actor.id, work.now(), given
    work.session.add_all([source, target, done])
    await work.session.flush()
    _audit(work, AuditTag.PATIENT_UNMERGE, actor, done, source, target)
    return done


async def list_merges(work: UnitOfWork, patient: Patient) -> list[MergeLine]:
    """The merges into a file that the actor has already been given, newest first."""
    query = (
        select_rows(PatientMerge, Patient, Person.full_name)
        .join(Patient, col(Patient.id) == col(PatientMerge.source_id))
        .join(Person, col(Person.id) == col(PatientMerge.merged_by_id))
        .where(col(PatientMerge.target_id) == patient.id)
        .order_by(col(PatientMerge.id).desc())
    )
    return [MergeLine(*row) for row in (await work.session.exec(query)).all()]


async def get_merge(
    work: UnitOfWork, actor: Actor, patient_uid: str, merge_uid: str
) -> tuple[Patient, MergeLine]:
    """A merge into a file that the actor may change; the read is on record. Raises Missing."""
    patient = await repository.get_file(work, actor, patient_uid, Action.PATIENT_WRITE)
    lines = await list_merges(work, patient)
    line = next((each for each in lines if each.merge.uid == merge_uid), None)
    if line is None:
        raise Missing
    for each in (patient, line.source):
        work.audit(AuditTag.PATIENT_READ, actor, each.uid, patient_id=each.id)
    return patient, line


async def identities(work: UnitOfWork, patient_id: int) -> Sequence[int]:
    """The keys under which the log may speak of this person: the file's own and merged ones'."""
    keys, fresh = [patient_id], [patient_id]
    while fresh:
        query = select_rows(Patient.id).where(col(Patient.merged_into_id).in_(fresh))
        fresh = [key for key in (await work.session.exec(query)).all() if key is not None]
        keys += fresh
    return keys


async def _pair(
    work: UnitOfWork, actor: Actor, source_uid: str, target_uid: str, *, lock: bool = False
) -> tuple[Patient, Patient]:
    source = await repository.get_file(work, actor, source_uid, Action.PATIENT_WRITE)
    target = await repository.get_file(work, actor, target_uid, Action.PATIENT_WRITE)
    if source.station_id != target.station_id:
        raise Missing
    if lock:
        source, target = await _locked(work, _key(source), _key(target))
    check_pair(source, target)
    return source, target


async def _locked_merge(work: UnitOfWork, uid: str) -> PatientMerge | None:
    query = select_rows(PatientMerge).where(col(PatientMerge.uid) == uid).with_for_update()
    return (await work.session.exec(query)).one_or_none()


async def _locked(work: UnitOfWork, source_id: int, target_id: int) -> tuple[Patient, Patient]:
    """Both rows, always locked in the order of their keys, so that two merges never wait in a ring."""
    query = (
        select_rows(Patient)
        .where(col(Patient.id).in_([source_id, target_id]))
        .order_by(col(Patient.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    rows = {row.id: row for row in (await work.session.exec(query)).all()}
    return rows[source_id], rows[target_id]


async def _move(work: UnitOfWork, source: Patient, target: Patient) -> dict[str, list[int]]:
    moved: dict[str, list[int]] = {}
    for table, column in columns_of_patients():
        query = select(table.c.id).where(table.c[column] == source.id).order_by(table.c.id)
        rows = await work.session.exec(query)  # type: ignore[call-overload] # a table of any room
        ids = [row.id for row in rows]
        if ids:
            moved[_name(table, column)] = ids
            await _hand_over(work, table, column, ids, _key(target))
    return moved


async def _hand_over(
    work: UnitOfWork, table: Table, column: str, ids: Sequence[int], to: int
) -> None:
    if not ids:
        return
    step = update(table).where(table.c.id.in_(ids)).values({column: to})
    try:
        await work.session.exec(step)
    except IntegrityError as error:
        # Nobody is in two places at once, and both files have an appointment at the same time.
        message = N_("Hai hồ sơ có giờ hẹn trùng nhau. Hủy một giờ hẹn rồi làm lại.")
        raise Conflict("merge_overlap", message) from error


def _name(table: Table, column: str) -> str:
    return table.name if column == "patient_id" else f"{table.name}.{column}"


def _audit(  # noqa: PLR0917 # one sentence: who did what to which two files
    work: UnitOfWork,
    tag: AuditTag,
    actor: Actor,
    done: PatientMerge,
    source: Patient,
    target: Patient,
) -> None:
    counts = {name: len(ids) for name, ids in done.moved.items()}
    for each, other in ((target, source), (source, target)):
        work.audit(
            tag, actor, each.uid, patient_id=each.id, other=other.uid, merge=done.uid, moved=counts
        )


def _plain(value: Any) -> Any:
    """A column's value as JSON has it."""
    if isinstance(value, date):
        return value.isoformat()
    return value.value if isinstance(value, StrEnum) else value


def _read(name: str, value: Any) -> Any:
    if name in {"birth_date", "allergies_asked_on"}:
        return date.fromisoformat(value) if value else None
    if name == "restricted_at":
        return datetime.fromisoformat(value) if value else None
    return AllergyState(value) if name == "allergy_state" else value


def _key(patient: Patient) -> int:
    assert patient.id
    return patient.id
