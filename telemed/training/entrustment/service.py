"""Decisions of entrustment: signed by who taught, replaced by the next one, withdrawn with a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import update
from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Action, Actor, Role, require
from telemed.core import records
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
from telemed.core.records import RecordKind, SignatureMethod, SignedRecord
from telemed.core.text import clean_line, clean_text
from telemed.facilities.models import Facility
from telemed.training.caselog.models import CaseRow
from telemed.training.caselog.rules import Level
from telemed.training.entrustment.levels import Basis, Entrusted, Standing
from telemed.training.entrustment.models import Entrustment, EntrustmentEvidence
from telemed.training.entrustment.repository import (
    Technique,
    count_levels,
    get_person,
    key_of,
    list_confirmed,
    list_decisions,
    list_evidence,
    names_of,
)
from telemed.training.entrustment.rules import (
    LONGEST_LIMITS,
    LONGEST_REASON,
    check_decision,
    standing,
)


@dataclass(frozen=True)
class DecisionInput:
    """A decision as it is typed; `evidence` are uids of confirmed cases."""

    person_uid: str
    technique_key: str
    level: Entrusted
    basis: Basis
    limits: str
    expires_on: date
    reason: str = ""
    evidence: Sequence[str] = ()


@dataclass(frozen=True)
class Decided:
    """A decision, what it is worth today, and who made it."""

    made: Entrustment
    standing: Standing
    by: str


@dataclass(frozen=True)
class Line:
    """One technique of somebody: confirmed cases by level, and the decisions, newest first."""

    technique: Technique
    counts: Mapping[Level, int]
    summative: Sequence[Decided]
    ad_hoc: Sequence[Decided]


@dataclass(frozen=True)
class Sheet:
    """Somebody of a station and their techniques."""

    person: Person
    station: Facility
    lines: Sequence[Line]
    may_decide: bool


@dataclass(frozen=True)
class Basing:
    """What a decision about somebody and a technique can rest on."""

    person: Person
    station: Facility
    line: Line
    rows: Sequence[CaseRow]


@dataclass(frozen=True)
class OpenDecision:
    """A decision with its signatures and evidence."""

    decided: Decided
    person: Person
    station: Facility
    rows: Sequence[CaseRow]
    record: SignedRecord
    is_intact: bool
    may_withdraw: bool


def today_of(work: UnitOfWork) -> date:
    """The day in Viet Nam."""
    return work.now().astimezone(LOCAL_ZONE).date()


def _subject(made: Entrustment) -> str:
    return f"entrustment:{made.uid}"


def _decides_for(actor: Actor, person: Person) -> bool:
    if actor.id == person.id:
        return False
    if actor.has(Role.TRAINER):
        return True
    return actor.has(Role.ROTATED_DOCTOR) and person.facility_id == actor.posted_station_id


async def _decided(
    work: UnitOfWork, made: Sequence[Entrustment], today: date
) -> dict[int, Decided]:
    names = await names_of(work, {each.decided_by_id for each in made})
    return {
        each.id or 0: Decided(
            each,
            standing(
                is_replaced=not each.is_current,
                withdrawn_on=each.withdrawn_on,
                expires_on=each.expires_on,
                today=today,
            ),
            names.get(each.decided_by_id, ""),
        )
        for each in made
    }


async def _lines(work: UnitOfWork, person: Person, key: str = "") -> list[Line]:
    rows = await list_confirmed(work, person.id or 0, key)
    made = await list_decisions(work, person.id or 0, key)
    decided = await _decided(work, made, today_of(work))
    techniques: dict[str, Technique] = {}
    named = [(each.technique_code, each.technique_name) for each in made]
    named += [(row.technique_code, row.technique_name) for row in rows]
    for technique in (Technique(*each) for each in named):
        techniques.setdefault(technique.key, technique)

    def of(key: str, basis: Basis) -> list[Decided]:
        return [
            decided[each.id or 0]
            for each in made
            if each.technique_key == key and each.basis is basis
        ]

    return [
        Line(
            technique,
            count_levels([row for row in rows if key_of(row) == key]),
            of(key, Basis.SUMMATIVE),
            of(key, Basis.AD_HOC),
        )
        for key, technique in sorted(techniques.items(), key=lambda item: item[1].name)
    ]


async def open_sheet(work: UnitOfWork, actor: Actor, person_uid: str) -> Sheet:
    """Everything about somebody's techniques. Raises Missing."""
    require(actor, Action.ENTRUSTMENT_READ)
    person, station = await get_person(work, actor, person_uid)
    return Sheet(person, station, await _lines(work, person), _decides_for(actor, person))


async def open_basing(work: UnitOfWork, actor: Actor, person_uid: str, key: str) -> Basing:
    """What a decision can rest on. Raises Missing also where there is not one confirmed case."""
    require(actor, Action.ENTRUSTMENT_WRITE)
    person, station = await get_person(work, actor, person_uid)
    lines = await _lines(work, person, key) if key else []
    if not lines or not _decides_for(actor, person):
        raise Missing
    return Basing(person, station, lines[0], await list_confirmed(work, person.id or 0, key))


async def check(work: UnitOfWork, actor: Actor, given: DecisionInput) -> list[CaseRow]:
    """The cases a decision rests on. Raises Missing, Invalid."""
    basing = await open_basing(work, actor, given.person_uid, given.technique_key)
    rows = [row for row in basing.rows if row.uid in set(given.evidence)]
    faults = too_long("limits", clean_text(given.limits), LONGEST_LIMITS)
    faults += too_long("reason", clean_text(given.reason), LONGEST_REASON)
    if not clean_text(given.limits):
        text = N_("Ghi giới hạn, hoặc ghi: không có giới hạn riêng")
        faults.append(FieldError("limits", "limits_missing", text))
    if len(rows) != len(set(given.evidence)):
        text = N_("Chọn trong các ca đã xác nhận")
        faults.append(FieldError("evidence", "evidence_unknown", text))
    faults += check_decision(
        given.level,
        given.basis,
        today=today_of(work),
        expires_on=given.expires_on,
        evidence=[row.level for row in rows],
    )
    if faults:
        raise Invalid.of(faults)
    return rows


async def decide(
    work: UnitOfWork, actor: Actor, given: DecisionInput, method: SignatureMethod
) -> Entrustment:
    """A signed decision; the one of the same basis before it is replaced. Raises Missing, Invalid."""
    rows = await check(work, actor, given)
    basing = await open_basing(work, actor, given.person_uid, given.technique_key)
    # One after the other for one person, so that exactly one decision is current.
    lock = select(Person.id).where(col(Person.id) == basing.person.id)
    await work.session.exec(lock.with_for_update(key_share=True))
    await work.session.exec(
        update(Entrustment)
        .where(
            col(Entrustment.person_id) == basing.person.id,
            col(Entrustment.technique_key) == given.technique_key,
            col(Entrustment.basis) == given.basis,
            col(Entrustment.is_current),
        )
        .values(is_current=False)
    )
    technique = basing.line.technique
    made = Entrustment(
        person_id=basing.person.id or 0,
        station_id=basing.station.id or 0,
        technique_key=technique.key,
        technique_code=technique.code,
        technique_name=technique.name,
        level=int(given.level),
        basis=given.basis,
        limits=clean_text(given.limits),
        reason=clean_text(given.reason),
        decided_by_id=actor.id,
        decided_at=work.now(),
        expires_on=given.expires_on,
    )
    work.session.add(made)
    await work.session.flush()
    for row in rows:
        work.session.add(EntrustmentEvidence(entrustment_id=made.id or 0, case_row_id=row.id or 0))
    content = decision_content(made, basing.person, basing.station, actor, rows)
    record = await records.create_draft(
        work, RecordKind.ENTRUSTMENT, _subject(made), actor, content
    )
    await _sign(work, actor, record, method)
    made.record_uid = record.uid
    work.session.add(made)
    await work.session.flush()
    work.audit(AuditTag.ENTRUSTMENT_WRITE, actor, _subject(made), level=made.level)
    return made


def decision_content(
    made: Entrustment, person: Person, station: Facility, by: Actor, rows: Sequence[CaseRow]
) -> dict[str, Any]:
    """Everything that the signature stands for."""
    return {
        "person": {"name": person.full_name, "title": person.title},
        "station": {"code": station.code, "name": station.name},
        "technique": {"code": made.technique_code, "name": made.technique_name},
        "level": made.level,
        "basis": made.basis.value,
        "limits": made.limits,
        "reason": made.reason,
        "expires_on": made.expires_on.isoformat(),
        "decided_by": {"name": by.name, "title": by.title},
        "evidence": [
            {
                "case": row.uid,
                "day": row.performed_on.isoformat(),
                "level": row.level.value,
                "reference": row.reference,
            }
            for row in rows
        ],
    }


async def _sign(
    work: UnitOfWork, actor: Actor, record: SignedRecord, method: SignatureMethod
) -> None:
    await records.sign(
        work,
        record,
        actor,
        signed_as="decider",
        method=method,
        login_session_id=actor.login_session_id,
    )


async def _find(
    work: UnitOfWork, actor: Actor, uid: str, *, lock: bool = False
) -> tuple[Entrustment, Person, Facility]:
    query = (
        select(Entrustment, Person, Facility)
        .join(Person, col(Person.id) == col(Entrustment.person_id))
        .join(Facility, col(Facility.id) == col(Entrustment.station_id))
        .where(col(Entrustment.uid) == uid)
    )
    locked = query.with_for_update(of=Entrustment) if lock else query
    found = (await work.session.exec(locked)).one_or_none()
    if found is None:
        raise Missing
    await get_person(work, actor, found[1].uid)
    return found


def _may_withdraw(actor: Actor, made: Entrustment, person: Person) -> bool:
    is_theirs = actor.id == made.decided_by_id or actor.has(Role.TRAINER)
    return made.is_current and is_theirs and _decides_for(actor, person)


async def open_decision(work: UnitOfWork, actor: Actor, uid: str) -> OpenDecision:
    """One decision. Raises Missing."""
    require(actor, Action.ENTRUSTMENT_READ)
    made, person, station = await _find(work, actor, uid)
    record = await records.get_record(work, made.record_uid or "")
    papers = [record, *await records.list_addenda(work, record)]
    signed = [await records.list_signatures(work, paper) for paper in papers]
    decided = await _decided(work, [made], today_of(work))
    return OpenDecision(
        decided=decided[made.id or 0],
        person=person,
        station=station,
        rows=await list_evidence(work, made.id or 0),
        record=record,
        is_intact=all(map(records.is_intact, papers, signed)),
        may_withdraw=_may_withdraw(actor, made, person),
    )


async def withdraw(
    work: UnitOfWork, actor: Actor, uid: str, reason: str, method: SignatureMethod
) -> None:
    """From today the decision does not hold: a signed addition says why.

    Raises Missing, Invalid, Conflict (`decision_over`).
    """
    require(actor, Action.ENTRUSTMENT_WRITE)
    made, person, _ = await _find(work, actor, uid, lock=True)
    given = clean_line(reason)
    if not _decides_for(actor, person):
        raise Missing
    if not _may_withdraw(actor, made, person):
        raise Conflict("decision_over", N_("Quyết định này đã được thay hoặc đã rút"))
    require_short("reason", given, LONGEST_REASON)
    if not given:
        raise Invalid("reason_missing", N_("Ghi vì sao rút"), field="reason")
    record = await records.get_record(work, made.record_uid or "")
    today = today_of(work)
    content = {"withdrawn_on": today.isoformat(), "reason": given, "author": actor.name}
    addendum = await records.create_draft(
        work, RecordKind.ENTRUSTMENT, _subject(made), actor, content, amends=record
    )
    await _sign(work, actor, addendum, method)
    made.is_current, made.withdrawn_on, made.withdrawal = False, today, given
    work.session.add(made)
    await work.session.flush()
    work.audit(AuditTag.ENTRUSTMENT_WRITE, actor, _subject(made), withdrawn=True)
