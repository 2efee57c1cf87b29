"""The audit trail for an administrator; whoever reads it leaves a trace in it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Action, Actor, require
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.db import UnitOfWork

PAGE_SIZE = 50


@dataclass(frozen=True)
class AuditFilter:
    """Whose acts, about which patient, of which sort."""

    person_id: int | None = None
    patient_id: int | None = None
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
    if wanted.person_id is not None:
        query = query.where(col(AuditRecord.person_id) == wanted.person_id)
    if wanted.patient_id is not None:
        query = query.where(col(AuditRecord.patient_id) == wanted.patient_id)
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
        patient_id=wanted.patient_id,
        person=wanted.person_id,
        only=wanted.tag.value if wanted.tag else None,
        before=before,
    )
    return AuditPage(lines, lines[-1].record.sequence if len(found) > PAGE_SIZE else None)
