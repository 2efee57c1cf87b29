"""From the recorder's folder into storage, and out of it when the time is over or consent is gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from telemed.core.audit import AuditTag
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import Database, UnitOfWork
from telemed.core.events import append_event, stream_of
from telemed.core.jobs import enqueue
from telemed.imaging.storage import Received, Storage
from telemed.media.recording.manifest import Noted, close_manifest, forget, is_being_written
from telemed.patients import consents as patient_consents
from telemed.patients.models import ConsentPurpose
from telemed.sessions.access import Meeting, find_meeting
from telemed.sessions.models import LiveSession
from telemed.sessions.recording import repository
from telemed.sessions.recording.lifecycle import Answer
from telemed.sessions.recording.models import Recording, RecordingFile

log = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 0.5
# A recorder whose server is gone finishes within seconds; a disc may be slow.
MOST_PAUSES: Final = 240
SWEEP_JOB: Final = "recording_sweep"
SWEEP_EVERY: Final = timedelta(hours=1)
WITHDRAWN: Final = "withdrawn"
RETENTION: Final = "retention_over"


class Keeper:
    """Takes finished files in and deletes what may not be kept any longer."""

    def __init__(
        self, database: Database, storage: Storage, folder: Path, retention_years: int
    ) -> None:
        self._database = database
        self._storage = storage
        self._folder = folder
        self._retention_years = retention_years
        self._keeping = asyncio.Lock()

    async def keep(self, uid: str) -> None:
        """Take in what one recording left; doing it again changes nothing."""
        for _ in range(MOST_PAUSES):
            if not await asyncio.to_thread(is_being_written, self._folder, uid):
                break
            await asyncio.sleep(PAUSE_SECONDS)
        async with self._keeping:
            await self._keep(uid)

    async def _keep(self, uid: str) -> None:
        entries = await asyncio.to_thread(close_manifest, self._folder, uid)
        for entry in entries:
            path = self._folder / entry.file
            if await asyncio.to_thread(path.exists):
                await self._storage.keep(Received(path, entry.sha256, entry.size, b""))
        async with self._database.work() as work:
            found = await repository.find_recording(work, uid, lock=True)
            if found is not None and found[0].kept_at is None:
                await self._register(work, *found, entries)
        await asyncio.to_thread(forget, self._folder, uid)

    async def _register(
        self, work: UnitOfWork, recording: Recording, session: LiveSession, entries: list[Noted]
    ) -> None:
        meeting = await find_meeting(work, session.uid)
        assert meeting
        for entry in entries:
            member = meeting.find_participant(entry.name)
            work.session.add(
                RecordingFile(
                    recording_id=recording.id or 0,
                    participant_id=member.participant.id if member else None,
                    sha256=entry.sha256,
                    size_bytes=entry.size,
                    offset_ms=entry.offset_ms,
                    duration_ms=entry.duration_ms,
                    is_whole=entry.is_whole,
                )
            )
        recording.kept_at = work.now()
        recording.retained_until = self._retained_until(work.now())
        work.session.add(recording)
        await work.session.flush()
        subject = stream_of("session", session.uid)
        await append_event(work, subject, "recording_kept", None, files=len(entries))
        for row in await repository.list_consents(work, recording):
            if row.answer is Answer.WITHDRAWN:
                await self.delete(work, recording, meeting, WITHDRAWN)
                return

    def _retained_until(self, now: datetime) -> datetime:
        """As the case record: to the end of the year, so many years on."""
        year = now.astimezone(LOCAL_ZONE).year + self._retention_years + 1
        return datetime(year, 1, 1, tzinfo=LOCAL_ZONE).astimezone(UTC)

    async def delete(
        self, work: UnitOfWork, recording: Recording, meeting: Meeting, reason: str
    ) -> None:
        """The files go for good, that they were there stays on record."""
        if recording.deleted_at is not None:
            return
        recording.deleted_at, recording.outcome = work.now(), reason
        work.session.add(recording)
        takes = await repository.list_takes(work, recording)
        await append_event(work, meeting.subject, "recording_deleted", None, reason=reason)
        work.audit(
            AuditTag.RECORDING_DELETE,
            None,
            meeting.subject,
            patient_id=meeting.patient_id,
            recording=recording.uid,
            reason=reason,
            files=len(takes),
        )

        async def remove() -> None:
            for take in takes:
                await self._storage.remove(take.file.sha256)

        work.after_commit(remove)

    async def sweep(self, work: UnitOfWork, payload: Mapping[str, Any]) -> None:
        """Delete what is over, and what a patient no longer agrees to; a job that plans itself."""
        for recording, session in await repository.list_kept(work):
            meeting = await find_meeting(work, session.uid)
            assert meeting
            if repository.is_due(recording, work.now()):
                await self.delete(work, recording, meeting, RETENTION)
            elif not await is_agreed(work, meeting):
                await self.delete(work, recording, meeting, WITHDRAWN)
        await enqueue(work, SWEEP_JOB, SWEEP_JOB, work.now() + SWEEP_EVERY)


async def plan_sweep(work: UnitOfWork) -> None:
    """Look for what may no longer be kept, now and every hour."""
    await enqueue(work, SWEEP_JOB, SWEEP_JOB, work.now())


async def is_agreed(work: UnitOfWork, meeting: Meeting) -> bool:
    """Whether the patient's agreement, where there is a patient, is in force."""
    consult = meeting.consult
    return consult is None or await patient_consents.has_consent(
        work, consult.patient_id, ConsentPurpose.RECORDING, consult.uid
    )
