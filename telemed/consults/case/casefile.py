"""Everything one case page shows, gathered once for whoever may read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from telemed.accounts.permissions import Action, Actor, may
from telemed.consults import repository
from telemed.consults.case.conversation import Line, list_lines
from telemed.consults.case.timeline import Moment, as_data, people_in, tell
from telemed.consults.lifecycle import UNCLAIMED, ConsultEvent, ConsultState, next_state
from telemed.consults.models import Consult, ConsultQuestion
from telemed.consults.repository import PersonCard
from telemed.consults.service import facts_of, get_case
from telemed.consults.triage.assessment import Assessment
from telemed.consults.vitals.assessing import assess_stored, birth_of
from telemed.consults.vitals.cells import VitalCell, cells_of
from telemed.consults.worklist import lists
from telemed.consults.worklist.rows import LARGEST_KEY, CaseRow
from telemed.consults.worklist.steps import Side, Step, step_of
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.events import Event, last_number, list_events, stream_of
from telemed.patients.birth import Age, Birth, age_on
from telemed.patients.models import Patient, Sex
from telemed.patients.service import local_today

EVENTS_SHOWN = 500


@dataclass(frozen=True)
class CaseFile:
    """A case as one of its two sides sees it."""

    consult: Consult
    patient: Patient
    station: str
    specialty: str
    side: Side
    requester: PersonCard
    specialist: PersonCard | None
    asker: PersonCard | None
    questions: Sequence[ConsultQuestion]
    cells: Sequence[VitalCell]
    taken_at: datetime | None
    assessment: Assessment | None
    moments: Sequence[Moment]
    lines: Sequence[Line]
    earlier: int | None
    is_past: bool
    step: Step
    last_event: int

    @property
    def partner(self) -> PersonCard | None:
        """Who is at the other end of the conversation; nobody while the case waits."""
        return self.specialist if self.side is Side.STATION else self.requester


@dataclass(frozen=True)
class LogPage:
    """A part of the log of a case, in the form that goes over the wire."""

    events: Sequence[dict[str, object]]
    last_event: int
    more: bool


def side_of(consult: Consult, actor: Actor) -> Side:
    """Station people see it from their station, even if they are specialists elsewhere."""
    return Side.STATION if consult.station_id in actor.station_ids else Side.SPECIALIST


async def open_case(
    work: UnitOfWork, actor: Actor, uid: str, *, before: int | None = None
) -> CaseFile:
    """The whole case, its conversation `before` a message or the newest; the read is on record."""
    consult = await get_case(work, actor, uid, Action.CONSULT_READ)
    work.audit(
        AuditTag.CONSULT_READ,
        actor,
        stream_of("consult", uid),
        patient_id=consult.patient_id,
    )
    events = await _all_events(work, consult)
    asker_id = await _asker(work, consult)
    ids = {*people_in(events), consult.requester_id, consult.assigned_id, asker_id}
    people = await repository.get_people(work, ids)
    station, specialty = await repository.get_place_names(work, consult)
    signs = await repository.list_vital_signs(work, consult)
    side = side_of(consult, actor)
    lines = await list_lines(work, actor, consult, before)
    patient = await work.session.get_one(Patient, consult.patient_id)
    return CaseFile(
        consult=consult,
        patient=patient,
        station=station,
        specialty=specialty,
        side=side,
        requester=people[consult.requester_id],
        specialist=people.get(consult.assigned_id or 0),
        asker=people.get(asker_id or 0),
        questions=await repository.list_questions(work, consult),
        cells=cells_of(signs[0], consult.patient_age_years) if signs else (),
        taken_at=signs[0].taken_at if signs else None,
        assessment=assess_stored(signs[0], birth_of(patient)) if signs else None,
        moments=tell(events, people),
        lines=lines.shown,
        earlier=lines.earlier,
        is_past=before is not None,
        step=step_of(consult.state, side),
        last_event=events[-1].number if events else 0,
    )


async def _asker(work: UnitOfWork, consult: Consult) -> int | None:
    if consult.state is not ConsultState.NEEDS_INFO:
        return None
    return await repository.find_last_asker(work, consult)


async def _all_events(work: UnitOfWork, consult: Consult) -> list[Event]:
    """The newest part of the log; a case of more steps than that shows the newest ones."""
    stream = stream_of("consult", consult.uid)
    newest = await last_number(work, stream)
    return await list_events(work, stream, after=max(0, newest - EVENTS_SHOWN))


async def list_log(work: UnitOfWork, actor: Actor, uid: str, after: int) -> LogPage:
    """What happened to a case after a number, for a page that missed something."""
    consult = await get_case(work, actor, uid, Action.CONSULT_READ)
    work.audit(
        AuditTag.CONSULT_READ,
        actor,
        stream_of("consult", uid),
        patient_id=consult.patient_id,
        after=after,
    )
    stream = stream_of("consult", uid)
    found = await list_events(work, stream, after=min(after, LARGEST_KEY), limit=EVENTS_SHOWN + 1)
    shown = found[:EVENTS_SHOWN]
    people = await repository.get_people(work, people_in(shown))
    last = shown[-1].number if len(found) > len(shown) else await last_number(work, stream)
    return LogPage(as_data(shown, people), last, len(found) > len(shown))


async def list_for_patient(work: UnitOfWork, actor: Actor, patient: Patient) -> list[CaseRow]:
    """The consults of a patient that the actor may open, newest first; the look is on record.

    The patient is one that the actor has been given; each consult is asked for again.
    """
    assert patient.id
    rows = await lists.list_of_patient(work, actor, patient.id)
    if rows:
        cases = [row.uid for row in rows]
        work.audit(AuditTag.CONSULT_LIST, actor, patient.uid, patient_id=patient.id, cases=cases)
    return rows


@dataclass(frozen=True)
class Brief:
    """The head of a page about one act: no more than whoever acts may know of the case."""

    consult: Consult
    station: str
    specialty: str
    name: str = ""
    sex: Sex | None = None
    age: Age | None = None


async def open_brief(work: UnitOfWork, actor: Actor, uid: str, event: ConsultEvent) -> Brief:
    """The case as the actor may know it before an act. Raises Missing, IllegalTransition."""
    consult = await get_case(work, actor, uid, ACTIONS[event])
    next_state(consult.state, event)
    station, specialty = await repository.get_place_names(work, consult)
    brief = Brief(consult, station, specialty)
    subject, patient_id = stream_of("consult", uid), consult.patient_id
    if may(actor, Action.CONSULT_READ, facts_of(consult, work)):
        work.audit(AuditTag.CONSULT_READ, actor, subject, patient_id=patient_id)
        patient = await work.session.get_one(Patient, patient_id)
        age = age_on(Birth(patient.birth_year, patient.birth_date), local_today(work))
        return replace(brief, name=patient.full_name, sex=patient.sex, age=age)
    work.audit(AuditTag.CONSULT_TRIAGE, actor, subject, patient_id=patient_id)
    rows = await lists.list_triage(work, actor, UNCLAIMED, uid=uid, limit=1)
    return replace(brief, sex=rows[0].sex, age=rows[0].age) if rows else brief


# The events that have a page of their own, and what each asks for.
ACTIONS: Mapping[ConsultEvent, Action] = {
    ConsultEvent.DECLINE: Action.CONSULT_DECLINE,
    ConsultEvent.ASK_INFO: Action.CONSULT_ASK,
    ConsultEvent.PASS_ON: Action.CONSULT_PASS_ON,
    ConsultEvent.RELEASE: Action.CONSULT_RELEASE,
    ConsultEvent.CANCEL: Action.CONSULT_CANCEL,
    ConsultEvent.SUBMIT: Action.CONSULT_REQUEST,
}
