"""The request of a station: kept as it is typed, resumed at any time, sent when it is complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Action, Actor, PatientFacts, require
from telemed.consults import cover, icd, repository
from telemed.consults.lifecycle import ConsultEvent, ConsultState
from telemed.consults.models import Consult, ConsultDraft
from telemed.consults.request.fields import HIDDEN, QUESTIONS, bounded_fields
from telemed.consults.request.form import allergy_mark, find_icd_code, read_request
from telemed.consults.request.freeze import freeze
from telemed.consults.request.input import Choices, Colleague
from telemed.consults.rights.restriction import check_may_send
from telemed.consults.service import get_case, transition
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, IllegalTransition, Missing
from telemed.core.events import open_stream, stream_of
from telemed.core.text import clean_line
from telemed.patients.birth import Birth, age_on
from telemed.patients.models import AllergyState, Patient
from telemed.patients.service import get_patient, local_today

DRAFTS_SHOWN = 50
SUMMARY_LENGTH = 120


class DraftConflict(Conflict):
    """Somebody, or another page, has saved since; both texts are kept."""

    def __init__(self, draft: ConsultDraft) -> None:
        super().__init__(
            "draft_changed", N_("Phiếu này vừa được lưu ở nơi khác. Cả hai bản vẫn còn nguyên.")
        )
        self.draft = draft


@dataclass(frozen=True)
class DraftRow:
    """A request that was begun and not sent."""

    uid: str
    patient_uid: str
    patient_name: str
    requester: str
    is_mine: bool
    saved_at: datetime
    summary: str


async def create_draft(work: UnitOfWork, actor: Actor, patient_uid: str) -> Consult:
    """Begin a request for a patient of the own station; one that was begun and left is taken up."""
    patient = await get_patient(work, actor, patient_uid)
    require(actor, Action.CONSULT_REQUEST, PatientFacts(station_id=patient.station_id))
    begun = await _find_untouched(work, actor, patient)
    if begun is not None:
        return begun
    assert patient.id
    now = work.now()
    consult = Consult(
        station_id=patient.station_id,
        requester_id=actor.id,
        patient_id=patient.id,
        created_at=now,
        state_at=now,
        is_synthetic=patient.is_synthetic,
        is_restricted=patient.restricted_at is not None,
    )
    work.session.add(consult)
    await work.session.flush()
    assert consult.id
    fields = _first_fields(work, patient)
    work.session.add(ConsultDraft(consult_id=consult.id, fields=fields, saved_at=now))
    await open_stream(work, stream_of("consult", consult.uid))
    _audit(work, actor, consult, AuditTag.CONSULT_WRITE, act="create")
    return consult


async def note_read(work: UnitOfWork, actor: Actor, uid: str) -> None:
    """Put on record that somebody was shown a draft that is newer than theirs. Raises Missing."""
    consult = await get_case(work, actor, uid, Action.CONSULT_REQUEST)
    _audit(work, actor, consult, AuditTag.CONSULT_READ)


async def save_draft(
    work: UnitOfWork, actor: Actor, uid: str, revision: int, fields: Mapping[str, str]
) -> ConsultDraft:
    """Keep what was typed, valid or not, over the revision it was typed over.

    Raises DraftConflict over a newer one, Conflict once the request was sent.
    """
    given = bounded_fields(fields)
    consult, draft = await _lock(work, actor, uid)
    if consult.state is not ConsultState.DRAFT:
        raise _already_sent()
    if _write(work, draft, revision, given):
        _audit(work, actor, consult, AuditTag.CONSULT_WRITE, revision=draft.revision)
    return draft


async def submit(
    work: UnitOfWork, actor: Actor, uid: str, revision: int, fields: Mapping[str, str]
) -> Consult:
    """Send a request; sent twice it is one request and the same answer.

    Raises Invalid with every field that is not right, DraftConflict when somebody else has written.
    """
    given = bounded_fields(fields)
    consult, draft = await _lock(work, actor, uid)
    if consult.state is not ConsultState.DRAFT:
        return _sent_before(actor, consult, draft, given)
    _write(work, draft, revision, given)
    patient = await work.session.get_one(Patient, consult.patient_id)
    request = read_request(draft.fields, await find_choices(work, patient, draft.fields))
    await freeze(work, actor, consult, patient, request)
    check_may_send(consult, patient, field="urgency")
    await cover.settle(work, consult, field="specialty")
    await transition(
        work,
        actor,
        consult,
        ConsultEvent.SUBMIT,
        number=consult.number,
        urgency=request.urgency.value,
        questions=len(request.questions),
    )
    return consult


async def list_drafts(
    work: UnitOfWork, actor: Actor, *, patient_id: int | None = None
) -> list[DraftRow]:
    """Requests that the actor's stations have begun and not sent, the newest first."""
    require(actor, Action.CONSULT_REQUEST)
    query = (
        select(Consult, ConsultDraft, Patient, Person.full_name)
        .join(ConsultDraft, col(ConsultDraft.consult_id) == col(Consult.id))
        .join(Patient, col(Patient.id) == col(Consult.patient_id))
        .join(Person, col(Person.id) == col(Consult.requester_id))
        .where(
            col(Consult.state) == ConsultState.DRAFT,
            col(Consult.station_id).in_(actor.station_ids),
        )
        .order_by(col(ConsultDraft.saved_at).desc(), col(Consult.id).desc())
        .limit(DRAFTS_SHOWN)
    )
    if patient_id is not None:
        query = query.where(col(Consult.patient_id) == patient_id)
    rows = (await work.session.exec(query)).all()
    if rows:
        ids = sorted({consult.patient_id for consult, *_ in rows})
        work.audit(AuditTag.CONSULT_LIST, actor, "drafts", patient_ids=ids)
    return [
        DraftRow(
            uid=consult.uid,
            patient_uid=patient.uid,
            patient_name=patient.full_name,
            requester=requester,
            is_mine=consult.requester_id == actor.id,
            saved_at=draft.saved_at,
            summary=_summary(draft.fields),
        )
        for consult, draft, patient, requester in rows
    ]


async def find_draft(work: UnitOfWork, consult: Consult) -> ConsultDraft:
    """The form of a consult that the actor has been given. Raises Missing."""
    draft = await work.session.get(ConsultDraft, consult.id)
    if draft is None:
        raise Missing
    return draft


async def find_choices(work: UnitOfWork, patient: Patient, fields: Mapping[str, str]) -> Choices:
    """What may be chosen in the form of a patient now."""
    birth = Birth(patient.birth_year, patient.birth_date)
    people: dict[str, Colleague] = {}
    for specialty_id, card in await repository.list_specialists(work):
        known = people.get(card.uid)
        answers = frozenset({specialty_id}) | (known.specialty_ids if known else frozenset())
        people[card.uid] = Colleague(card.id, card.uid, card.name, answers)
    specialties = await repository.list_specialties(work)
    return Choices(
        now=work.now(),
        age_years=age_on(birth, local_today(work)).years,
        specialties={specialty.code: specialty.id or 0 for specialty in specialties},
        colleagues=people,
        icd=await icd.find_choice(work, find_icd_code(fields)),
        allergy=(patient.allergy_state, patient.allergies),
    )


def _first_fields(work: UnitOfWork, patient: Patient) -> dict[str, str]:
    """What the registry knows already; whether somebody agrees is never assumed."""
    fields = {
        "taken_date": f"{local_today(work):%d/%m/%Y}",
        "language": patient.interpreter_language,
        "allergy_seen": allergy_mark(patient.allergy_state, patient.allergies),
    }
    if patient.allergy_state is not AllergyState.NOT_ASKED:
        fields |= {"allergy_state": patient.allergy_state.value, "allergies": patient.allergies}
    return bounded_fields(fields)


async def _find_untouched(work: UnitOfWork, actor: Actor, patient: Patient) -> Consult | None:
    query = (
        select(Consult)
        .join(ConsultDraft, col(ConsultDraft.consult_id) == col(Consult.id))
        .where(
            col(Consult.patient_id) == patient.id,
            col(Consult.requester_id) == actor.id,
            col(Consult.state) == ConsultState.DRAFT,
            col(ConsultDraft.revision) == 0,
        )
    )
    return (await work.session.exec(query)).first()


async def _lock(work: UnitOfWork, actor: Actor, uid: str) -> tuple[Consult, ConsultDraft]:
    """The consult's row is the lock that orders everybody who writes this request."""
    seen = await get_case(work, actor, uid, Action.CONSULT_REQUEST)
    query = (
        select(Consult, ConsultDraft)
        .join(ConsultDraft, col(ConsultDraft.consult_id) == col(Consult.id))
        .where(col(Consult.id) == seen.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    row = (await work.session.exec(query)).one_or_none()
    if row is None:
        raise Missing
    return row[0], row[1]


def _write(work: UnitOfWork, draft: ConsultDraft, revision: int, given: dict[str, str]) -> bool:
    """Whether anything changed. The same text again is no conflict: its answer may have been lost."""
    kept = _with_hidden(draft, given)
    if kept == draft.fields:
        return False
    if revision != draft.revision:
        raise DraftConflict(draft)
    draft.fields, draft.saved_at = kept, work.now()
    draft.revision += 1
    work.session.add(draft)
    return True


def _with_hidden(draft: ConsultDraft, given: dict[str, str]) -> dict[str, str]:
    """Scripts do not send what nobody types."""
    return {name: draft.fields[name] for name in HIDDEN if name in draft.fields} | given


def _sent_before(
    actor: Actor, consult: Consult, draft: ConsultDraft, given: dict[str, str]
) -> Consult:
    is_same = _with_hidden(draft, given) == draft.fields
    if is_same and consult.requested_at is not None and consult.requester_id == actor.id:
        return consult
    raise IllegalTransition(consult.state, ConsultEvent.SUBMIT)


def _already_sent() -> Conflict:
    return Conflict("already_sent", N_("Phiếu này đã gửi, không sửa được nữa. Mở ca để xem."))


def _summary(fields: Mapping[str, str]) -> str:
    texts = (clean_line(fields.get(name, "")) for name in (*QUESTIONS, "reason"))
    line = next((text for text in texts if text), "")
    return line if len(line) <= SUMMARY_LENGTH else f"{line[:SUMMARY_LENGTH]}…"


def _audit(
    work: UnitOfWork, actor: Actor, consult: Consult, tag: AuditTag, **detail: str | int
) -> None:
    stream = stream_of("consult", consult.uid)
    work.audit(tag, actor, stream, patient_id=consult.patient_id, **detail)
