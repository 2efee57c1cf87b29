"""Who was entrusted with what, what was accepted, and what stations answered since."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from sqlmodel import col, select

from telemed.accounts.permissions import Actor
from telemed.core.audit import AuditTag
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.core.records import RecordKind
from telemed.demo.signatures import signature, signed_record
from telemed.demo.texts import Technique
from telemed.demo.world import World
from telemed.demo.writing import add_all
from telemed.facilities.models import Facility
from telemed.training.caselog.models import CaseRow
from telemed.training.caselog.rules import RowState
from telemed.training.entrustment.acceptance import Practitioner, acceptance_content
from telemed.training.entrustment.levels import Basis, Verdict
from telemed.training.entrustment.models import (
    Acceptance,
    Entrustment,
    EntrustmentEvidence,
    Recheck,
)
from telemed.training.entrustment.repository import count_levels, key_of, technique_key
from telemed.training.entrustment.rules import RECHECK_MONTHS, months_later
from telemed.training.entrustment.service import decision_content

_STATIONS = 8
_LIMITS = "Chỉ người lớn, không có dấu hiệu nặng"
_FINDINGS = "Đã xem ba ca tại trạm: làm đúng quy trình, ghi chép đủ."
# Days from today on which decisions expire: one is over, one nearly.
_ENDS = (-6, 20, 45, 200, 290, 330)
# Days since acceptance, the verdict, and the answers that have come.
_ACCEPTED: Sequence[tuple[int, Verdict, tuple[bool, ...]]] = (
    (100, Verdict.PASSED, ()),
    (200, Verdict.PASSED, (True, True)),
    (210, Verdict.PASSED, (True, False)),
    (40, Verdict.CONDITIONAL, ()),
)


async def write_entrustments(work: UnitOfWork, world: World) -> None:
    """Decisions about the doctors of the first stations; those of the first rest on their cases."""
    stations = list(world.stations.values())[:_STATIONS]
    for place, station in enumerate(stations):
        doctor = world.cast.doctors[station.id or 0]
        rows = await _confirmed(work, doctor)
        known = list(
            {key_of(row): (row.technique_code, row.technique_name) for row in rows}.values()
        )
        taught = known or [
            _named(each) for each in world.texts.techniques[place % 3 : place % 3 + 3]
        ]
        for number, (code, name) in enumerate(taught):
            level = 1 + (place * 2 + number * 3) % 4
            ends = _ENDS[(place + number) % len(_ENDS)]
            mine = [row for row in rows if key_of(row) == technique_key(code, name)]
            made = _decision(world, doctor, (code, name), level=4 if mine else level, ends=ends)
            await _keep_decision(work, world, made, station, mine)
        if place < len(_ACCEPTED):
            await _accept(work, world, station, taught[0], _ACCEPTED[place])


def _named(technique: Technique) -> tuple[str, str]:
    return "", technique.name


async def _confirmed(work: UnitOfWork, doctor: Actor) -> list[CaseRow]:
    query = select(CaseRow).where(
        col(CaseRow.trainee_id) == doctor.id, col(CaseRow.state) == RowState.CONFIRMED
    )
    return list((await work.session.exec(query.order_by(col(CaseRow.id)))).all())


def _day(world: World, days: int) -> date:
    return world.now.astimezone(LOCAL_ZONE).date() + timedelta(days=days)


def _at(day: date) -> datetime:
    return datetime.combine(day, time(15), LOCAL_ZONE).astimezone(UTC)


def _decision(
    world: World, doctor: Actor, named: tuple[str, str], *, level: int, ends: int
) -> Entrustment:
    code, name = named
    return Entrustment(
        person_id=doctor.id,
        station_id=doctor.facility_id or 0,
        technique_key=technique_key(code, name),
        technique_code=code,
        technique_name=name,
        level=level,
        basis=Basis.SUMMATIVE,
        limits=_LIMITS,
        decided_by_id=world.cast.trainer.id,
        decided_at=_at(_day(world, min(ends - 365, -1))),
        expires_on=_day(world, ends),
    )


async def _keep_decision(
    work: UnitOfWork,
    world: World,
    made: Entrustment,
    station: Facility,
    rows: Sequence[CaseRow],
) -> None:
    trainer, subject = world.cast.trainer, f"entrustment:{made.uid}"
    person = world.cast.people[made.person_id]
    content = decision_content(made, person, station, trainer, rows)
    record = signed_record(RecordKind.ENTRUSTMENT, subject, trainer, content, made.decided_at)
    made.record_uid = record.uid
    await add_all(work, [made, record])
    evidence = signature(record, trainer, "decider", made.decided_at)
    evidence.record_id = record.id or 0
    basis = [
        EntrustmentEvidence(entrustment_id=made.id or 0, case_row_id=row.id or 0) for row in rows
    ]
    await add_all(work, [evidence, *basis])
    world.ledger.note(
        made.decided_at, AuditTag.ENTRUSTMENT_WRITE, trainer, subject, level=made.level
    )


async def _accept(
    work: UnitOfWork,
    world: World,
    station: Facility,
    named: tuple[str, str],
    about: tuple[int, Verdict, tuple[bool, ...]],
) -> None:
    ago, verdict, answers = about
    code, name = named
    assessor, doctor = world.cast.specialists[0], world.cast.doctors[station.id or 0]
    day = _day(world, -ago)
    made = Acceptance(
        station_id=station.id or 0,
        technique_key=technique_key(code, name),
        technique_code=code,
        technique_name=name,
        assessor_id=assessor.id,
        assessed_on=day,
        verdict=verdict,
        findings=_FINDINGS,
        conditions="Có máy đo SpO2 dự phòng" if verdict is Verdict.CONDITIONAL else "",
        approval_number="118/QĐ-TYT" if verdict is Verdict.PASSED else "",
        approved_on=day + timedelta(days=5) if verdict is Verdict.PASSED else None,
        created_at=_at(day),
    )
    subject = f"acceptance:{made.uid}"
    people = [Practitioner(world.cast.person(doctor), count_levels([]), None)]
    content = acceptance_content(made, station, people, assessor)
    record = signed_record(RecordKind.ACCEPTANCE, subject, assessor, content, made.created_at)
    made.record_uid = record.uid
    await add_all(work, [made, record])
    evidence = signature(record, assessor, "assessor", made.created_at)
    evidence.record_id = record.id or 0
    asked = [
        Recheck(acceptance_id=made.id or 0, months=months, due_on=months_later(day, months))
        for months in RECHECK_MONTHS
    ]
    for recheck, is_still_done in zip(asked, answers, strict=False):
        recheck.answered_at = _at(recheck.due_on + timedelta(days=2))
        recheck.answered_by_id = doctor.id
        recheck.is_still_done = is_still_done
        recheck.times = 9 if is_still_done else 0
        recheck.reason = "" if is_still_done else "Máy hỏng, chờ sửa"
        world.ledger.note(recheck.answered_at, AuditTag.RECHECK_WRITE, doctor, subject)
    await add_all(work, [evidence, *asked])
    world.ledger.note(made.created_at, AuditTag.ACCEPTANCE_WRITE, assessor, subject)
