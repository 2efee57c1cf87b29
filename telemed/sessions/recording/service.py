"""Recording a session: asking, what everybody says, pause and end. The gate decides, this stores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from telemed.accounts.permissions import Actor
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, Denied, Invalid
from telemed.core.events import append_event
from telemed.patients import consents as patient_consents
from telemed.patients.consent_texts import CURRENT as PATIENT_TEXTS
from telemed.patients.consents import ConsentAnswer
from telemed.patients.guardians import CHILD_BELOW_YEARS, needs_guardian
from telemed.patients.models import ConsentGiver, ConsentPurpose, Patient
from telemed.sessions.access import Meeting, Member, find_meeting, get_meeting
from telemed.sessions.lifecycle import SessionState
from telemed.sessions.models import ParticipantRole
from telemed.sessions.recording import lifecycle, repository
from telemed.sessions.recording.consent_texts import find_text
from telemed.sessions.recording.lifecycle import Answer, Consent, Gate, RecordingState
from telemed.sessions.recording.models import Recording, RecordingConsent

# Those who answer for the case, or for what is taught; guests and trainees are only asked.
MAY_ASK: Final = frozenset(
    {ParticipantRole.REQUESTER, ParticipantRole.SPECIALIST, ParticipantRole.TRAINER}
)
# The patient is in the picture without a seat: the station asks them aloud, and notes the answer.
PATIENT: Final = "patient"


@dataclass(frozen=True)
class Case:
    """A recording as it stands: its rows, and the gate that they make up."""

    meeting: Meeting
    recording: Recording
    rows: Mapping[str, RecordingConsent]
    gate: Gate


@dataclass(frozen=True)
class Said:
    """An answer, and to which wording; `giver_name` is who answered in the patient's place."""

    is_agreed: bool
    text_version: str
    giver_name: str = ""


async def ask(work: UnitOfWork, actor: Actor, session_uid: str) -> Recording:
    """Ask everybody inside, the asker as well. Raises Missing, Denied, Conflict."""
    meeting, own = await _inside(work, actor, session_uid)
    if own.participant.role not in MAY_ASK:
        raise Denied
    assert meeting.session.id
    if await repository.find_open(work, meeting.session.id) is not None:
        raise Conflict("recording_open", N_("Phiên này đang được ghi hoặc đang hỏi ý kiến"))
    recording = Recording(session_id=meeting.session.id, asked_by_id=actor.id, asked_at=work.now())
    work.session.add(recording)
    await work.session.flush()
    gate = lifecycle.ask(_inside_keys(meeting) | ({PATIENT} if meeting.consult else set()))
    version = await _patient_agreed_to(work, meeting)
    if version is not None:
        gate = lifecycle.agree(gate, PATIENT, version)
    await _store(work, Case(meeting, recording, {}, gate), gate, "recording_asked", actor)
    return recording


async def answer(work: UnitOfWork, actor: Actor, session_uid: str, said: Said) -> None:
    """What somebody inside says for themselves. Raises Missing, Conflict, Invalid."""
    if find_text(said.text_version) is None:
        raise _unknown_text()
    case, own = await _open_case(work, actor, session_uid)
    await _answer(work, case, actor, str(own.participant.id), said)


async def answer_for_patient(work: UnitOfWork, actor: Actor, session_uid: str, said: Said) -> None:
    """What the patient said aloud, noted by their station. Raises Missing, Conflict, Invalid."""
    case, _ = await _open_case(work, actor, session_uid)
    consult = case.meeting.consult
    if consult is None:
        raise Denied
    patient = await work.session.get_one(Patient, consult.patient_id)
    age = consult.patient_age_years
    is_alone = said.is_agreed and not said.giver_name.strip()
    if is_alone and age is not None and needs_guardian(ConsentPurpose.RECORDING, age):
        message = N_("Dưới {limit} tuổi: ghi họ tên người đại diện đã đồng ý")
        raise Invalid("guardian_needed", message, field="giver_name", limit=CHILD_BELOW_YEARS)
    given = ConsentAnswer(
        ConsentPurpose.RECORDING,
        said.is_agreed,
        ConsentGiver.GUARDIAN if said.giver_name.strip() else ConsentGiver.PATIENT,
        said.giver_name,
        said.text_version,
    )
    await patient_consents.record_consent(work, actor, patient.uid, given, consult_uid=consult.uid)
    await _answer(work, case, actor, PATIENT, said)


async def withdraw(
    work: UnitOfWork, actor: Actor, session_uid: str, *, for_patient: bool = False
) -> None:
    """Take an agreement back while it runs: it ends, and what there is goes. Raises as above."""
    case, own = await _open_case(work, actor, session_uid)
    if for_patient:
        await withdraw_of_patient(work, actor, case.meeting)
    who = PATIENT if for_patient else str(own.participant.id)
    gate = lifecycle.withdraw(case.gate, who)
    await _store(work, case, gate, "recording_withdrawn", actor, who=who)


async def withdraw_everywhere(work: UnitOfWork, actor: Actor, patient_uid: str) -> None:
    """The patient takes back all they agreed to: what is running ends at once. Raises as above."""
    # Sessions before consents, in the order in which those inside lock them.
    running = await repository.list_open_of(work, patient_uid)
    meetings = [await find_meeting(work, uid, lock=True) for uid in running]
    await patient_consents.withdraw_consent(work, actor, patient_uid, ConsentPurpose.RECORDING)
    for meeting in meetings:
        case = await _find_case(work, meeting) if meeting else None
        if case and case.gate.consents.get(PATIENT, Consent()).answer is Answer.AGREED:
            gate = lifecycle.withdraw(case.gate, PATIENT)
            await _store(work, case, gate, "recording_withdrawn", actor, who=PATIENT)


async def withdraw_of_patient(work: UnitOfWork, actor: Actor, meeting: Meeting) -> None:
    """The patient's own agreement to be recorded in this case. Raises Missing, Conflict."""
    if meeting.consult is None:
        raise Denied
    patient = await work.session.get_one(Patient, meeting.consult.patient_id)
    await patient_consents.withdraw_consent(
        work, actor, patient.uid, ConsentPurpose.RECORDING, consult_uid=meeting.consult.uid
    )


async def pause(work: UnitOfWork, actor: Actor, session_uid: str) -> None:
    """Nothing is written until it is resumed. Raises Missing, Denied, Conflict."""
    case = await _steered_case(work, actor, session_uid)
    await _store(work, case, lifecycle.pause(case.gate), "recording_paused", actor)


async def resume(work: UnitOfWork, actor: Actor, session_uid: str) -> None:
    """Go on, once nobody is waited for. Raises Missing, Denied, Conflict."""
    case = await _steered_case(work, actor, session_uid)
    await _store(work, case, lifecycle.resume(case.gate), "recording_resumed", actor)


async def stop(work: UnitOfWork, actor: Actor, session_uid: str) -> None:
    """It is over, with what was written. Raises Missing, Denied, Conflict."""
    case = await _steered_case(work, actor, session_uid)
    await _store(work, case, lifecycle.stop(case.gate), "recording_stopped", actor)


async def give_up(work: UnitOfWork, meeting: Meeting, code: str) -> None:
    """What writes it has failed; what was written so far stays."""
    case = await _find_case(work, meeting)
    if case is not None:
        case.recording.outcome = code
        gate = lifecycle.stop(case.gate)
        await _store(work, case, gate, "recording_failed", None, code=code)


async def follow(work: UnitOfWork, meeting: Meeting, actor: Actor | None) -> None:
    """Somebody came or went: who comes is asked, nobody waits for who has left."""
    case = await _find_case(work, meeting)
    if case is None:
        return
    gate, kind = case.gate, "recording_changed"
    if not meeting.inside or meeting.session.state is SessionState.ENDED:
        gate, kind = lifecycle.stop(gate), "recording_stopped"
    for who in _inside_keys(meeting) if not gate.is_over else ():
        if who not in gate.present or (who in gate.missing and gate.may_record):
            gate = lifecycle.come(gate, who)
    gate = lifecycle.settle(gate)
    if gate != case.gate:
        await _store(work, case, gate, kind, actor)


async def find_view(work: UnitOfWork, meeting: Meeting) -> dict[str, Any] | None:
    """What everybody inside is shown of the recording that is not over."""
    case = await _find_case(work, meeting)
    return _view(case) if case else None


def permitted(case: Case) -> tuple[str, ...]:
    """The participants (ids of signalling) whose voice and picture may be written now."""
    return tuple(
        member.participant.uid
        for member in case.meeting.inside
        if case.gate.consents.get(str(member.participant.id), Consent()).answer is Answer.AGREED
    )


async def find_case(work: UnitOfWork, meeting: Meeting) -> Case | None:
    """The recording of a session that is not over, for whoever writes it."""
    return await _find_case(work, meeting)


async def _answer(work: UnitOfWork, case: Case, actor: Actor, who: str, said: Said) -> None:
    act = lifecycle.agree if said.is_agreed else lifecycle.refuse
    kind = "recording_agreed" if said.is_agreed else "recording_refused"
    await _store(work, case, act(case.gate, who, said.text_version), kind, actor, who=who)


async def _inside(work: UnitOfWork, actor: Actor, session_uid: str) -> tuple[Meeting, Member]:
    meeting = await get_meeting(work, actor, session_uid, lock=True)
    own = meeting.find(actor.id)
    if own is None or not own.is_inside:
        raise Conflict("not_joined", N_("Bạn chưa vào phòng này"))
    return meeting, own


async def _open_case(work: UnitOfWork, actor: Actor, session_uid: str) -> tuple[Case, Member]:
    meeting, own = await _inside(work, actor, session_uid)
    case = await _find_case(work, meeting)
    if case is None:
        raise Conflict("recording_over", N_("Việc ghi này đã kết thúc"))
    return case, own


async def _steered_case(work: UnitOfWork, actor: Actor, session_uid: str) -> Case:
    case, own = await _open_case(work, actor, session_uid)
    if own.participant.role not in MAY_ASK:
        raise Denied
    return case


async def _find_case(work: UnitOfWork, meeting: Meeting) -> Case | None:
    assert meeting.session.id
    recording = await repository.find_open(work, meeting.session.id)
    if recording is None:
        return None
    rows = {
        PATIENT if row.participant_id is None else str(row.participant_id): row
        for row in await repository.list_consents(work, recording)
    }
    said = {who: Consent(row.answer, row.text_version) for who, row in rows.items()}
    present = rows.keys() & (_inside_keys(meeting) | {PATIENT})
    gate = Gate(recording.state, MappingProxyType(said), frozenset(present))
    return Case(meeting, recording, rows, gate)


def _inside_keys(meeting: Meeting) -> frozenset[str]:
    return frozenset(str(member.participant.id) for member in meeting.inside)


async def _patient_agreed_to(work: UnitOfWork, meeting: Meeting) -> str | None:
    if meeting.consult is None:
        return None
    consult = meeting.consult
    given = await patient_consents.find_consent(
        work, consult.patient_id, ConsentPurpose.RECORDING, consult.uid
    )
    return given.text_version if given else None


async def _store(
    work: UnitOfWork, before: Case, gate: Gate, kind: str, actor: Actor | None, **data: str
) -> None:
    """The one place where a recording and its consents change: rows, log and audit together."""
    recording = before.recording
    rows = dict(before.rows)
    for who, said in gate.consents.items():
        row = rows.get(who)
        if row is None:
            row = rows[who] = RecordingConsent(
                recording_id=recording.id or 0,
                participant_id=None if who == PATIENT else int(who),
                at=work.now(),
            )
        if row.id is None or (row.answer, row.text_version) != (said.answer, said.text_version):
            row.answer, row.text_version, row.at = said.answer, said.text_version, work.now()
            row.noted_by_id = actor.id if actor and who == data.get("who") else row.noted_by_id
        work.session.add(row)
    recording.state = gate.state
    if gate.may_record:
        recording.started_at = recording.started_at or work.now()
    if gate.is_over:
        recording.ended_at = work.now()
    work.session.add(recording)
    await work.session.flush()
    after = replace(before, rows=rows, gate=gate)
    subject, patient_id = before.meeting.subject, before.meeting.patient_id
    shown = {key: data[key] for key in data.keys() - {"who"}}
    if data.get("who") == PATIENT:
        shown["patient"] = "yes"
    person_id = actor.id if actor else None
    await append_event(work, subject, kind, person_id, **shown, recording=_view(after))
    detail = {"recording": recording.uid, "act": kind, "state": gate.state.value, **data}
    work.audit(AuditTag.RECORDING_CHANGE, actor, subject, patient_id=patient_id, **detail)


def _view(case: Case) -> dict[str, Any]:
    names = {str(each.participant.id): each.participant.uid for each in case.meeting.members}
    started = case.recording.started_at
    return {
        "uid": case.recording.uid,
        "state": case.gate.state.value,
        "waits_for": sorted(names.get(who, who) for who in case.gate.missing),
        "agreed": sorted(
            names.get(who, who)
            for who, said in case.gate.consents.items()
            if said.answer is Answer.AGREED
        ),
        "started_at": started.isoformat() if started else None,
    }


def patient_text_version() -> str:
    """The wording that the station reads out to a patient now."""
    return PATIENT_TEXTS[ConsentPurpose.RECORDING].version


def _unknown_text() -> Invalid:
    message = N_("Câu hỏi đồng ý đã đổi. Tải lại trang rồi trả lời lại.")
    return Invalid("text_version_unknown", message, field="text_version")


def is_over(recording: Recording) -> bool:
    """Whether nothing more will be written."""
    return recording.state in {RecordingState.REFUSED, RecordingState.STOPPED}
