"""Queries of recordings. One found here is no permission: the services hold it against the actor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.consults.models import Consult
from telemed.core.db import UnitOfWork
from telemed.patients.models import Patient
from telemed.sessions.models import LiveSession, Participant
from telemed.sessions.recording.lifecycle import RecordingState
from telemed.sessions.recording.models import Recording, RecordingConsent, RecordingFile

OVER = (RecordingState.REFUSED, RecordingState.STOPPED)


@dataclass(frozen=True)
class Take:
    """One participant's file, with the name of who that is."""

    file: RecordingFile
    name: str


async def find_open(work: UnitOfWork, session_id: int) -> Recording | None:
    """The recording of a session that is not over."""
    query = select(Recording).where(
        col(Recording.session_id) == session_id, col(Recording.state).not_in(OVER)
    )
    return (await work.session.exec(query)).one_or_none()


async def list_open_of(work: UnitOfWork, patient_uid: str) -> Sequence[str]:
    """Sessions of a patient's cases with a recording that is not over, in order."""
    query = (
        select(LiveSession.uid)
        .join(Recording, col(Recording.session_id) == col(LiveSession.id))
        .join(Consult, col(Consult.id) == col(LiveSession.consult_id))
        .join(Patient, col(Patient.id) == col(Consult.patient_id))
        .where(col(Patient.uid) == patient_uid, col(Recording.state).not_in(OVER))
    )
    return (await work.session.exec(query.order_by(col(LiveSession.id)))).all()


async def find_recording(
    work: UnitOfWork, uid: str, *, lock: bool = False
) -> tuple[Recording, LiveSession] | None:
    """A recording by its uid, with its session."""
    query = (
        select(Recording, LiveSession)
        .join(LiveSession, col(LiveSession.id) == col(Recording.session_id))
        .where(col(Recording.uid) == uid)
    )
    found = await work.session.exec(query.with_for_update() if lock else query)
    row = found.one_or_none()
    return (row[0], row[1]) if row else None


async def list_recordings(work: UnitOfWork, session_id: int) -> Sequence[Recording]:
    """Those of a session that began, in order."""
    query = select(Recording).where(
        col(Recording.session_id) == session_id, col(Recording.started_at).is_not(None)
    )
    return (await work.session.exec(query.order_by(col(Recording.id)))).all()


async def list_consents(work: UnitOfWork, recording: Recording) -> list[RecordingConsent]:
    """What everybody said, in the order of being asked."""
    query = select(RecordingConsent).where(col(RecordingConsent.recording_id) == recording.id)
    return list((await work.session.exec(query.order_by(col(RecordingConsent.id)))).all())


async def list_takes(work: UnitOfWork, recording: Recording) -> list[Take]:
    """The files of a recording, with the people in them."""
    query = (
        select(RecordingFile, Person.full_name)
        .outerjoin(Participant, col(Participant.id) == col(RecordingFile.participant_id))
        .outerjoin(Person, col(Person.id) == col(Participant.person_id))
        .where(col(RecordingFile.recording_id) == recording.id)
        .order_by(col(RecordingFile.id))
    )
    # The outer joins find nobody for a file whose participant is not known.
    return [Take(file, name or "") for file, name in await work.session.exec(query)]


async def list_unkept(work: UnitOfWork) -> Sequence[tuple[Recording, LiveSession]]:
    """Recordings whose files are not in storage yet: running ones, and those of a crash."""
    query = (
        select(Recording, LiveSession)
        .join(LiveSession, col(LiveSession.id) == col(Recording.session_id))
        .where(
            col(Recording.started_at).is_not(None),
            col(Recording.kept_at).is_(None),
            col(Recording.deleted_at).is_(None),
        )
    )
    return [(each[0], each[1]) for each in await work.session.exec(query)]


async def list_kept(work: UnitOfWork) -> Sequence[tuple[Recording, LiveSession]]:
    """Recordings that still have their files in storage."""
    query = (
        select(Recording, LiveSession)
        .join(LiveSession, col(LiveSession.id) == col(Recording.session_id))
        .where(col(Recording.kept_at).is_not(None), col(Recording.deleted_at).is_(None))
    )
    return [(each[0], each[1]) for each in await work.session.exec(query)]


def is_due(recording: Recording, now: datetime) -> bool:
    """Whether the time it is kept for is over."""
    return recording.retained_until is not None and recording.retained_until <= now
