"""The audit trail for an administrator; whoever reads it leaves a trace in it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import or_
from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Action, Actor, require
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.db import UnitOfWork

PAGE_SIZE = 50
NOBODY = 0


@dataclass(frozen=True)
class AuditFilter:
    """Whose acts, about which patient, of which sort; as it was typed."""

    person: str = ""
    patient: str = ""
    tag: AuditTag | None = None


@dataclass(frozen=True)
class AuditLine:
    """One act with the person who did it."""

    record: AuditRecord
    person: Person | None


@dataclass(frozen=True)
class AuditPage:
    """Acts, newest first; `before` is where older ones go on."""

    lines: list[AuditLine]
    before: int | None


async def list_audit(
    work: UnitOfWork, actor: Actor, wanted: AuditFilter, *, before: int | None = None
) -> AuditPage:
    """A page of the trail. The look itself is put on record."""
    require(actor, Action.AUDIT_READ)
    query = select(AuditRecord, Person).outerjoin(
        Person, col(Person.id) == col(AuditRecord.person_id)
    )
    patient_id = await _patient_id(work, wanted.patient) if wanted.patient else None
    if wanted.person:
        person_id = await _person_id(work, wanted.person)
        query = query.where(col(AuditRecord.person_id) == person_id)
    if patient_id is not None:
        query = query.where(col(AuditRecord.patient_id) == patient_id)
    if wanted.tag is not None:
        query = query.where(col(AuditRecord.tag) == wanted.tag)
    if before is not None:
        query = query.where(col(AuditRecord.sequence) < before)
    query = query.order_by(col(AuditRecord.sequence).desc()).limit(PAGE_SIZE + 1)
    found = (await work.session.exec(query)).all()
    lines = [AuditLine(record, person) for record, person in found[:PAGE_SIZE]]
    work.audit(
        AuditTag.AUDIT_READ,
        actor,
        "audit",
        patient_id=patient_id or None,
        person=wanted.person,
        only=wanted.tag.value if wanted.tag else None,
        before=before,
    )
    return AuditPage(lines, lines[-1].record.sequence if len(found) > PAGE_SIZE else None)


async def _person_id(work: UnitOfWork, named: str) -> int:
    """The key of a person by sign-in name or uid; NOBODY for a name that nobody has."""
    query = select(Person.id).where(
        or_(col(Person.sign_in_name) == named.lower(), col(Person.uid) == named)
    )
    return (await work.session.exec(query)).first() or NOBODY


async def _patient_id(work: UnitOfWork, named: str) -> int:
    """The key of a patient by that key or by uid; the trail itself knows which is whose."""
    if named.isascii() and named.isdecimal() and len(named) < 10:
        return int(named)
    query = (
        select(AuditRecord.patient_id)
        .where(
            col(AuditRecord.subject) == f"patient:{named}", col(AuditRecord.patient_id).is_not(None)
        )
        .limit(1)
    )
    return (await work.session.exec(query)).first() or NOBODY
