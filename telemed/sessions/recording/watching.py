"""Who may watch a recording, every look on record; and taking an agreement back afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import col, select

from telemed.accounts.permissions import Action, Actor, SessionFacts, may, require
from telemed.consults import service as consults
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, Missing
from telemed.core.events import append_event, stream_of
from telemed.patients import consents as patient_consents
from telemed.patients.models import ConsentPurpose
from telemed.sessions.access import Meeting, find_meeting
from telemed.sessions.recording import repository, service
from telemed.sessions.recording.keeping import WITHDRAWN, Keeper, is_agreed
from telemed.sessions.recording.lifecycle import ANSWERS, Answer, Move
from telemed.sessions.recording.models import Recording, RecordingFile
from telemed.sessions.recording.repository import Take

# Seeking asks for many pieces of one file: they are one look.
ONE_LOOK = timedelta(minutes=10)


@dataclass(frozen=True)
class Shelf:
    """One recording of a session, as far as it can be watched."""

    recording: Recording
    takes: Sequence[Take]
    is_own: bool

    @property
    def is_deleted(self) -> bool:
        """Whether its files are gone."""
        return self.recording.deleted_at is not None

    @property
    def is_ready(self) -> bool:
        """Whether its files are in storage."""
        return self.recording.kept_at is not None and not self.is_deleted


async def may_watch(work: UnitOfWork, actor: Actor, meeting: Meeting) -> bool:
    """Whether the recordings of a session, if there are any, are for this person."""
    return may(actor, Action.RECORDING_READ, await _facts(work, meeting))


async def has_recordings(work: UnitOfWork, actor: Actor, meeting: Meeting) -> bool:
    """Whether there is something to watch, for the link that leads there."""
    if not await may_watch(work, actor, meeting):
        return False
    return bool(await repository.list_recordings(work, meeting.session.id or 0))


async def open_shelf(
    work: UnitOfWork, actor: Actor, session_uid: str
) -> tuple[Meeting, list[Shelf]]:
    """The recordings of a session. Raises Missing."""
    meeting = await _get(work, actor, session_uid)
    own = meeting.find(actor.id)
    shelves = []
    for recording in await repository.list_recordings(work, meeting.session.id or 0):
        rows = await repository.list_consents(work, recording)
        is_own = any(
            own is not None
            and row.participant_id == own.participant.id
            and row.answer is Answer.AGREED
            for row in rows
        )
        takes = await repository.list_takes(work, recording)
        shelves.append(Shelf(recording, takes, is_own))
    if not shelves:
        raise Missing
    _audit(work, actor, meeting)
    return meeting, shelves


async def open_take(
    work: UnitOfWork, actor: Actor, session_uid: str, file_uid: str
) -> RecordingFile:
    """A file that may be watched; a look is on record before its first byte. Raises Missing."""
    meeting = await _get(work, actor, session_uid)
    query = (
        select(RecordingFile)
        .join(Recording, col(Recording.id) == col(RecordingFile.recording_id))
        .where(
            col(RecordingFile.uid) == file_uid,
            col(Recording.session_id) == meeting.session.id,
            col(Recording.kept_at).is_not(None),
            col(Recording.deleted_at).is_(None),
        )
    )
    found = (await work.session.exec(query)).one_or_none()
    if found is None:
        raise Missing
    if not await _has_looked(work, actor, meeting, file_uid):
        _audit(work, actor, meeting, file=file_uid)
    return found


async def withdraw(
    work: UnitOfWork,
    keeper: Keeper,
    actor: Actor,
    session_uid: str,
    recording_uid: str,
    *,
    for_patient: bool,
) -> None:
    """Take an agreement back when it is over: the files are deleted. Raises Missing, Conflict."""
    meeting = await _get(work, actor, session_uid)
    found = await repository.find_recording(work, recording_uid, lock=True)
    if found is None or found[0].session_id != meeting.session.id:
        raise Missing
    recording = found[0]
    if recording.kept_at is None or recording.deleted_at is not None:
        raise Conflict("recording_not_kept", N_("Bản ghi này chưa lưu xong hoặc đã bị xóa"))
    own = meeting.find(actor.id)
    own_id = None if for_patient else own.participant.id if own else 0
    for row in await repository.list_consents(work, recording):
        answer = ANSWERS.get((row.answer, Move.WITHDRAW))
        if row.participant_id == own_id and answer is not None:
            break
    else:
        raise Missing
    if for_patient:
        await service.withdraw_of_patient(work, actor, meeting)
    row.answer, row.at, row.noted_by_id = answer, work.now(), actor.id
    work.session.add(row)
    shown = {"patient": "yes"} if for_patient else {}
    await append_event(work, meeting.subject, "recording_withdrawn", actor.id, **shown)
    work.audit(
        AuditTag.RECORDING_CHANGE,
        actor,
        meeting.subject,
        patient_id=meeting.patient_id,
        recording=recording.uid,
        act="recording_withdrawn",
        for_patient=for_patient,
    )
    await keeper.delete(work, recording, meeting, WITHDRAWN)


async def _get(work: UnitOfWork, actor: Actor, session_uid: str) -> Meeting:
    meeting = await find_meeting(work, session_uid)
    if meeting is None:
        raise Missing
    require(actor, Action.RECORDING_READ, await _facts(work, meeting))
    return meeting


async def _facts(work: UnitOfWork, meeting: Meeting) -> SessionFacts:
    consult = meeting.consult
    if consult is None:
        return SessionFacts(meeting.announced_ids)
    may_teach = not consult.is_restricted and await patient_consents.has_consent(
        work, consult.patient_id, ConsentPurpose.TEACHING, consult.uid
    )
    return SessionFacts(
        meeting.announced_ids,
        consults.facts_of(consult, work),
        may_teach=may_teach,
        is_agreed=await is_agreed(work, meeting),
    )


async def _has_looked(work: UnitOfWork, actor: Actor, meeting: Meeting, file_uid: str) -> bool:
    query = select(AuditRecord).where(
        col(AuditRecord.subject) == stream_of("session", meeting.session.uid),
        col(AuditRecord.person_id) == actor.id,
        col(AuditRecord.tag) == AuditTag.RECORDING_READ,
        col(AuditRecord.at) > work.now() - ONE_LOOK,
    )
    found = await work.session.exec(query)
    return any(record.detail.get("file") == file_uid for record in found)


def _audit(work: UnitOfWork, actor: Actor, meeting: Meeting, **detail: str) -> None:
    work.audit(
        AuditTag.RECORDING_READ,
        actor,
        meeting.subject,
        patient_id=meeting.patient_id,
        **detail,
    )
