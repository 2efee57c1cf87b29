"""Acceptance of a technique at a station (nghiệm thu), by somebody who did not teach it there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Action, Actor, require
from telemed.core import records
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import (
    N_,
    Conflict,
    FieldError,
    Invalid,
    Missing,
    too_long,
)
from telemed.core.records import RecordKind, SignatureMethod, SignedRecord
from telemed.core.text import clean_line, clean_text
from telemed.facilities.models import Facility
from telemed.training.caselog.rules import Level
from telemed.training.entrustment import rechecks
from telemed.training.entrustment.levels import Entrusted, Verdict
from telemed.training.entrustment.models import Acceptance, Entrustment, Recheck
from telemed.training.entrustment.repository import (
    Technique,
    count_levels,
    get_station,
    list_confirmed,
    list_current,
    list_staff,
    list_techniques,
    names_of,
    who_taught,
)
from telemed.training.entrustment.rules import LONGEST_NUMBER, LONGEST_REASON, check_verdict
from telemed.training.entrustment.service import today_of
from telemed.training.repository import OFFICES

PAGE: Final = 30


@dataclass(frozen=True)
class AcceptanceInput:
    """What an assessor writes."""

    station_id: int
    technique_key: str
    verdict: Verdict
    findings: str
    conditions: str = ""
    package_id: int | None = None


@dataclass(frozen=True)
class Practitioner:
    """Somebody of the station: confirmed cases by level, and the level that holds today."""

    person: Person
    counts: Mapping[Level, int]
    made: Entrustment | None


@dataclass(frozen=True)
class Basing:
    """What an acceptance can rest on."""

    station: Facility
    technique: Technique
    people: Sequence[Practitioner]
    faults: Sequence[FieldError]


@dataclass(frozen=True)
class AcceptanceRow:
    """An acceptance as lists show it."""

    acceptance: Acceptance
    station: Facility
    assessor: str
    rechecks: Sequence[Recheck]


@dataclass(frozen=True)
class OpenAcceptance:
    """An acceptance with its signed text and what was answered since."""

    row: AcceptanceRow
    record: SignedRecord
    is_intact: bool
    names: Mapping[int, str]
    # Confirmed cases at the station since the acceptance, as the log has them.
    logged: int
    may_approve: bool
    may_answer: bool


async def list_choices(work: UnitOfWork, actor: Actor, station_id: int) -> list[Technique]:
    """What could be accepted at a station. Raises Missing."""
    require(actor, Action.ACCEPTANCE_WRITE)
    await get_station(work, actor, station_id)
    return await list_techniques(work, station_id)


async def open_basing(work: UnitOfWork, actor: Actor, station_id: int, key: str) -> Basing:
    """What an acceptance can rest on. Raises Missing."""
    require(actor, Action.ACCEPTANCE_WRITE)
    station = await get_station(work, actor, station_id)
    techniques = {each.key: each for each in await list_techniques(work, station_id)}
    if key not in techniques:
        raise Missing
    current = {
        person.id: made
        for made, person in await list_current(work, station_id, key, today_of(work))
    }
    people = []
    for person in await list_staff(work, [station_id]):
        rows = await list_confirmed(work, person.id or 0, key)
        if rows or person.id in current:
            people.append(Practitioner(person, count_levels(rows), current.get(person.id)))
    faults = []
    if actor.id in await who_taught(work, station_id, key):
        text = N_("Người đã dạy kỹ thuật này tại trạm không nghiệm thu nó")
        faults.append(FieldError("verdict", "assessor_taught", text))
    if actor.facility_id == station_id or actor.id in {each.person.id for each in people}:
        text = N_("Người của trạm không nghiệm thu trạm mình")
        faults.append(FieldError("verdict", "assessor_own", text))
    return Basing(station, techniques[key], people, faults)


async def check(work: UnitOfWork, actor: Actor, given: AcceptanceInput) -> Basing:
    """What the acceptance rests on. Raises Missing, Invalid."""
    basing = await open_basing(work, actor, given.station_id, given.technique_key)
    findings, conditions = clean_text(given.findings), clean_text(given.conditions)
    faults = [*basing.faults, *check_verdict(given.verdict, conditions)]
    faults += too_long("findings", findings, LONGEST_REASON)
    faults += too_long("conditions", conditions, LONGEST_REASON)
    if not findings:
        text = N_("Ghi đã xem gì và thấy gì")
        faults.append(FieldError("findings", "findings_missing", text))
    able = [p for p in basing.people if p.made and p.made.level >= Entrusted.HELP_AT_HAND]
    if given.verdict is Verdict.PASSED and not able:
        text = N_("Chưa ai ở trạm được giao từ mức 3 trở lên nên chưa thể đạt")
        faults.append(FieldError("verdict", "nobody_entrusted", text))
    if faults:
        raise Invalid.of(faults)
    return basing


async def accept(
    work: UnitOfWork, actor: Actor, given: AcceptanceInput, method: SignatureMethod
) -> Acceptance:
    """A signed acceptance; unless it failed, re-checks fall due. Raises Missing, Invalid."""
    basing = await check(work, actor, given)
    made = Acceptance(
        station_id=given.station_id,
        package_id=given.package_id,
        technique_key=basing.technique.key,
        technique_code=basing.technique.code,
        technique_name=basing.technique.name,
        assessor_id=actor.id,
        assessed_on=today_of(work),
        verdict=given.verdict,
        findings=clean_text(given.findings),
        conditions=clean_text(given.conditions),
        created_at=work.now(),
    )
    work.session.add(made)
    await work.session.flush()
    content = acceptance_content(made, basing.station, basing.people, actor)
    record = await records.create_draft(work, RecordKind.ACCEPTANCE, _subject(made), actor, content)
    await _sign(work, actor, record, "assessor", method)
    made.record_uid = record.uid
    work.session.add(made)
    await work.session.flush()
    if made.verdict is not Verdict.FAILED:
        await rechecks.plan(work, made)
    work.audit(AuditTag.ACCEPTANCE_WRITE, actor, _subject(made), verdict=made.verdict.value)
    return made


def _subject(made: Acceptance) -> str:
    return f"acceptance:{made.uid}"


def acceptance_content(
    made: Acceptance, station: Facility, people: Sequence[Practitioner], by: Actor
) -> dict[str, Any]:
    """Everything that the signature stands for."""
    return {
        "station": {"code": station.code, "name": station.name},
        "technique": {"code": made.technique_code, "name": made.technique_name},
        "assessed_on": made.assessed_on.isoformat(),
        "assessor": {"name": by.name, "title": by.title},
        "verdict": made.verdict.value,
        "findings": made.findings,
        "conditions": made.conditions,
        "people": [
            {
                "name": each.person.full_name,
                "title": each.person.title,
                "cases": {level.value: count for level, count in each.counts.items()},
                "level": each.made.level if each.made else None,
            }
            for each in people
        ],
    }


async def _sign(
    work: UnitOfWork, actor: Actor, record: SignedRecord, as_: str, method: SignatureMethod
) -> None:
    await records.sign(
        work,
        record,
        actor,
        signed_as=as_,
        method=method,
        login_session_id=actor.login_session_id,
    )


async def approve(
    work: UnitOfWork, actor: Actor, uid: str, number: str, approved_on: date
) -> Acceptance:
    """The decision by which the technique is on the station's approved list.

    Raises Missing, Invalid, Conflict (`approved_already`, `acceptance_failed`).
    """
    require(actor, Action.ACCEPTANCE_APPROVE)
    made, _ = await _find(work, actor, uid, lock=True)
    if made.verdict is Verdict.FAILED:
        raise Conflict("acceptance_failed", N_("Kỹ thuật chưa đạt nên chưa phê duyệt được"))
    if made.approved_on is not None:
        raise Conflict("approved_already", N_("Đã ghi quyết định phê duyệt"))
    given = clean_line(number)
    faults = too_long("number", given, LONGEST_NUMBER)
    if not given:
        faults.append(FieldError("number", "number_missing", N_("Ghi số quyết định")))
    if not made.assessed_on <= approved_on <= today_of(work):
        text = N_("Từ ngày nghiệm thu đến hôm nay")
        faults.append(FieldError("approved_on", "outside", text))
    if faults:
        raise Invalid.of(faults)
    made.approval_number, made.approved_on = given, approved_on
    work.session.add(made)
    await work.session.flush()
    work.audit(AuditTag.ACCEPTANCE_WRITE, actor, _subject(made), approved=True)
    return made


async def _find(
    work: UnitOfWork, actor: Actor, uid: str, *, lock: bool = False
) -> tuple[Acceptance, Facility]:
    query = select(Acceptance).where(col(Acceptance.uid) == uid)
    made = (await work.session.exec(query.with_for_update() if lock else query)).one_or_none()
    if made is None:
        raise Missing
    return made, await get_station(work, actor, made.station_id)


async def list_acceptances(
    work: UnitOfWork, actor: Actor, *, station_id: int | None = None, before: int | None = None
) -> tuple[list[AcceptanceRow], int | None]:
    """A page of acceptances the actor may see, newest first, and where the next one starts."""
    require(actor, Action.ENTRUSTMENT_READ)
    query = select(Acceptance, Facility).join(
        Facility, col(Facility.id) == col(Acceptance.station_id)
    )
    if not actor.has(*OFFICES):
        query = query.where(col(Acceptance.station_id).in_(actor.station_ids))
    if station_id is not None:
        query = query.where(col(Acceptance.station_id) == station_id)
    if before is not None:
        query = query.where(col(Acceptance.id) < before)
    newest = query.order_by(col(Acceptance.id).desc()).limit(PAGE + 1)
    found = (await work.session.exec(newest)).all()
    rows = await _rows(work, found[:PAGE])
    return rows, rows[-1].acceptance.id if len(found) > PAGE else None


async def _rows(
    work: UnitOfWork, found: Sequence[tuple[Acceptance, Facility]]
) -> list[AcceptanceRow]:
    names = await names_of(work, {made.assessor_id for made, _ in found})
    asked = await rechecks.list_of(work, [made.id or 0 for made, _ in found])
    return [
        AcceptanceRow(made, station, names.get(made.assessor_id, ""), asked.get(made.id or 0, []))
        for made, station in found
    ]


async def open_acceptance(work: UnitOfWork, actor: Actor, uid: str) -> OpenAcceptance:
    """One acceptance. Raises Missing."""
    require(actor, Action.ENTRUSTMENT_READ)
    made, station = await _find(work, actor, uid)
    record = await records.get_record(work, made.record_uid or "")
    (row,) = await _rows(work, [(made, station)])
    return OpenAcceptance(
        row=row,
        record=record,
        is_intact=records.is_intact(record, await records.list_signatures(work, record)),
        names=await names_of(work, {each.answered_by_id for each in row.rechecks}),
        logged=await rechecks.count_logged(work, made),
        may_approve=made.approved_on is None and made.verdict is not Verdict.FAILED,
        may_answer=made.station_id in actor.station_ids,
    )
