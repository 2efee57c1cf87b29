"""Which kind of record a consult is, and until when it is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlmodel import col, select

from telemed.accounts.permissions import Action, Actor
from telemed.consults.models import Consult
from telemed.consults.outcomes.models import Outcome
from telemed.consults.outcomes.rules import PatientStatus
from telemed.consults.service import get_case
from telemed.core.audit import AuditTag
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.core.events import append_event, stream_of
from telemed.facilities.models import Specialty
from telemed.patients.retention import YEARS, RetentionKind, kept_until, longest

SET: Final = "record_kind_set"
_TRAFFIC = re.compile(r"V\d\d")
_AT_WORK: Final = "Y96"
_PSYCHIATRY: Final = "psychiatry"


@dataclass(frozen=True)
class Retention:
    """A kind, and the last day; none while the case is open, `is_forever` for what never ends."""

    kind: RetentionKind
    until: date | None = None
    is_closed: bool = False

    @property
    def is_forever(self) -> bool:
        """Whether no day ends it."""
        return YEARS[self.kind] is None


def kinds_of(
    icd_code: str | None, specialty: str | None, *, has_died: bool, chosen: RetentionKind | None
) -> frozenset[RetentionKind]:
    """What a case is by its facts, and by the word of its station; always care as well."""
    kinds = {RetentionKind.CARE}
    code = (icd_code or "").upper()
    if chosen is not None:
        kinds.add(chosen)
    if has_died:
        kinds.add(RetentionKind.DEATH)
    if specialty == _PSYCHIATRY or code.startswith("F"):
        kinds.add(RetentionKind.PSYCHIATRIC)
    if _TRAFFIC.match(code):
        kinds.add(RetentionKind.TRAFFIC_ACCIDENT)
    if code.startswith(_AT_WORK):
        kinds.add(RetentionKind.WORK_ACCIDENT)
    return frozenset(kinds)


async def retention_of(work: UnitOfWork, consult: Consult) -> Retention:
    """How long a case, already given to the actor, is kept."""
    died = select(Outcome.id).where(
        col(Outcome.consult_id) == consult.id, col(Outcome.status) == PatientStatus.DIED
    )
    specialty = (
        await work.session.get(Specialty, consult.specialty_id) if consult.specialty_id else None
    )
    kind = longest(
        kinds_of(
            consult.icd_code,
            specialty.code if specialty else None,
            has_died=(await work.session.exec(died.limit(1))).first() is not None,
            chosen=consult.record_kind,
        )
    )
    if consult.closed_at is None:
        return Retention(kind)
    closed_on = consult.closed_at.astimezone(LOCAL_ZONE).date()
    return Retention(kind, kept_until(kind, closed_on), is_closed=True)


async def set_kind(work: UnitOfWork, actor: Actor, uid: str, kind: RetentionKind | None) -> Consult:
    """What the station knows of a record and its facts do not say, such as an accident."""
    consult = await get_case(work, actor, uid, Action.OUTCOME_WRITE)
    if consult.record_kind is kind:
        return consult
    consult.record_kind = kind
    work.session.add(consult)
    stream = stream_of("consult", consult.uid)
    await append_event(work, stream, SET, actor.id, record_kind=kind.value if kind else "")
    work.audit(
        AuditTag.CONSULT_WRITE,
        actor,
        stream,
        patient_id=consult.patient_id,
        record_kind=kind.value if kind else None,
    )
    return consult
