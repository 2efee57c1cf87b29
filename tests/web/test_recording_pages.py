"""Watching a recording: who may, what is on record of it, and when there is nothing to see any more."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlmodel import col, select

from telemed.accounts.permissions import Actor, Role
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.keys import RECORDERS, STORAGE
from telemed.media.recording.manifest import Manifest, Noted
from telemed.patients import consents as patient_consents
from telemed.patients.models import ConsentPurpose
from telemed.sessions import service as sessions
from telemed.sessions.models import LiveSession, Participant, ParticipantRole
from telemed.sessions.recording import service
from telemed.sessions.recording.consent_texts import CURRENT
from telemed.sessions.recording.lifecycle import RecordingState
from telemed.sessions.recording.models import Recording, RecordingFile
from telemed.sessions.recording.service import Said
from tests.conftest import Client
from tests.factories import Case, Factory

SignedIn = Callable[[Actor], Awaitable[Client]]
BYTES = {"doctor": bytes(range(256)) * 20, "specialist": b"webm" * 500}
YES = Said(True, CURRENT.version)


@pytest.fixture
async def live(work: UnitOfWork, case: Case, live: LiveSession, both_inside: None) -> LiveSession:
    """Being recorded."""
    await service.ask(work, case.specialist, live.uid)
    said = Said(True, service.patient_text_version())
    await service.answer_for_patient(work, case.doctor, live.uid, said)
    for actor in (case.specialist, case.doctor):
        await service.answer(work, actor, live.uid, YES)
    return live


async def recording_of(work: UnitOfWork) -> Recording:
    return (await work.session.exec(select(Recording))).one()


def write_files(folder: Path, stem: str, names: dict[str, str]) -> None:
    """What a recorder leaves."""
    manifest = Manifest(folder, stem)
    for number, (who, participant) in enumerate(names.items(), start=1):
        file, data = f"{stem}-{number}.webm", BYTES[who]
        (folder / file).write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        manifest.note(Noted(file, participant, 1500 * number, 60_000, sha256, len(data)))
    manifest.close()


@pytest.fixture
async def kept(
    work: UnitOfWork, server: TestServer, app: web.Application, case: Case, live: LiveSession
) -> str:
    """The uid of a session whose recording is in storage."""
    await service.stop(work, case.doctor, live.uid)
    recording = await recording_of(work)
    meeting = await sessions.get(work, case.doctor, live.uid)
    people = {"doctor": case.doctor.id, "specialist": case.specialist.id}
    names = {who: member_of(meeting, person) for who, person in people.items()}
    folder = app[RECORDERS].folder
    await asyncio.to_thread(write_files, folder, recording.uid, names)
    await work.commit()
    await app[RECORDERS].keeper.keep(recording.uid)
    await app[RECORDERS].keeper.keep(recording.uid)
    assert list(await asyncio.to_thread(lambda: list(folder.iterdir()))) == []
    return live.uid


def member_of(meeting: Any, person_id: int) -> str:
    return str(meeting.find(person_id).participant.uid)


async def files_of(database: Database) -> list[RecordingFile]:
    async with database.read() as work:
        return list((await work.session.exec(select(RecordingFile))).all())


async def looks(database: Database) -> list[AuditRecord]:
    async with database.read() as work:
        query = select(AuditRecord).where(col(AuditRecord.tag) == AuditTag.RECORDING_READ)
        return list((await work.session.exec(query)).all())


def file_url(session: str, file: RecordingFile) -> str:
    return f"/sessions/{session}/recording/files/{file.uid}"


async def test_everybody_of_the_case_sees_all_files_with_names_and_places_in_time(
    signed_in: SignedIn, database: Database, case: Case, kept: str
) -> None:
    for actor in (case.doctor, case.specialist):
        answer = await (await signed_in(actor)).get(f"/sessions/{kept}/recording")
        page = await answer.text()
        assert answer.status == 200
        assert case.doctor.name in page
        assert case.specialist.name in page
        assert [f'data-offset-ms="{ms}"' in page for ms in (1500, 3000)] == [True, True]
    records = await looks(database)
    assert [(each.person_id, each.patient_id) for each in records] == [
        (case.doctor.id, case.patient.id),
        (case.specialist.id, case.patient.id),
    ]


async def test_nobody_else_knows_of_it(
    signed_in: SignedIn, make: Factory, database: Database, case: Case, kept: str
) -> None:
    specialty = await make.specialty()
    strangers = [
        (await make.actor(Role.COMMUNE_DOCTOR), 404),
        (await make.actor(Role.SPECIALIST, specialty=specialty), 404),
        (await make.actor(Role.TRAINER), 404),
        (await make.actor(Role.COORDINATOR), 403),
        (await make.actor(Role.ADMINISTRATOR), 403),
    ]
    (file, _) = await files_of(database)
    urls = (f"/sessions/{kept}/recording", file_url(kept, file))
    for actor, status in strangers:
        client = await signed_in(actor)
        assert [(await client.get(url)).status for url in urls] == [status, status]
    assert await looks(database) == []


async def test_a_trainer_who_was_there_needs_the_patients_word_for_teaching(
    signed_in: SignedIn, make: Factory, work: UnitOfWork, case: Case, live: LiveSession, kept: str
) -> None:
    trainer = await make.actor(Role.TRAINER)
    work.session.add(
        Participant(
            session_id=live.id or 0,
            person_id=trainer.id,
            role=ParticipantRole.TRAINER,
            invited_at=work.now(),
        )
    )
    client = await signed_in(trainer)
    url = f"/sessions/{kept}/recording"
    before = (await client.get(url)).status
    answer = patient_consents.ConsentAnswer(ConsentPurpose.TEACHING, is_granted=True)
    await patient_consents.record_consent(
        work, case.doctor, case.patient.uid, answer, consult_uid=case.consult.uid
    )
    await work.commit()
    assert (before, (await client.get(url)).status) == (404, 200)


async def test_a_file_comes_whole_or_in_pieces_and_seeking_is_one_look(
    signed_in: SignedIn, database: Database, clock: FakeClock, case: Case, kept: str
) -> None:
    client = await signed_in(case.doctor)
    file = (await files_of(database))[0]
    url = file_url(kept, file)
    whole = await client.get(url)
    assert (whole.status, await whole.read()) == (200, BYTES["doctor"])
    assert whole.headers["Content-Type"] == "video/webm"
    assert whole.headers["Cache-Control"] == "private, no-store"
    piece = await client.get(url, headers={"Range": "bytes=256-299"})
    assert (piece.status, await piece.read()) == (206, BYTES["doctor"][256:300])
    assert piece.headers["Content-Range"] == f"bytes 256-299/{len(BYTES['doctor'])}"
    assert (await client.get(url, headers={"Range": "bytes=999999-"})).status == 416
    assert [each.detail["file"] for each in await looks(database)] == [file.uid]
    clock.advance(timedelta(minutes=11))
    await (await client.get(url, headers={"Range": "bytes=1-2"})).read()
    assert len(await looks(database)) == 2


async def test_while_it_is_written_the_page_says_so(
    signed_in: SignedIn, case: Case, live: LiveSession
) -> None:
    client = await signed_in(case.doctor)
    answer = await client.get(f"/sessions/{live.uid}/recording")
    assert "Đang ghi. Xem được sau khi việc ghi dừng." in await answer.text()


@pytest.mark.parametrize(("who", "status"), [("doctor", 200), ("patient", 404)])
async def test_taking_back_deletes_the_bytes(
    signed_in: SignedIn,
    app: web.Application,
    database: Database,
    case: Case,
    kept: str,
    who: str,
    status: int,
) -> None:
    client = await signed_in(case.doctor)
    async with database.read() as work:
        recording = await recording_of(work)
    paths = [app[STORAGE].path_of(file.sha256) for file in await files_of(database)]
    form = {"doctor": {}, "patient": {"for_patient": "true"}}[who]
    url = f"/sessions/{kept}/recording"
    withdrawn = await client.post(
        f"{url}/{recording.uid}/withdraw", data=form, allow_redirects=False
    )
    assert withdrawn.status == 303
    assert [await asyncio.to_thread(path.exists) for path in paths] == [False, False]
    assert (await client.get(url)).status == status
    file = (await files_of(database))[0]
    assert (await client.get(file_url(kept, file))).status == 404
    again = await client.post(f"{url}/{recording.uid}/withdraw", data=form)
    assert again.status in {404, 409}
    async with database.read() as work:
        query = select(AuditRecord).where(col(AuditRecord.tag) == AuditTag.RECORDING_DELETE)
        (record,) = (await work.session.exec(query)).all()
    assert (record.patient_id, record.detail["reason"]) == (case.patient.id, "withdrawn")


async def test_only_the_station_takes_back_for_its_patient(
    signed_in: SignedIn, database: Database, case: Case, kept: str
) -> None:
    client = await signed_in(case.specialist)
    async with database.read() as work:
        recording = await recording_of(work)
    refused = await client.post(
        f"/sessions/{kept}/recording/{recording.uid}/withdraw", data={"for_patient": "true"}
    )
    assert refused.status in {403, 404}
    async with database.read() as work:
        assert (await recording_of(work)).deleted_at is None


async def test_it_goes_when_its_time_is_over_and_not_before(
    app: web.Application, database: Database, clock: FakeClock, kept: str
) -> None:
    keeper = app[RECORDERS].keeper
    async with database.read() as work:
        until = (await recording_of(work)).retained_until
    assert until
    # The end of the tenth year, in Điện Biên.
    assert until.isoformat() == "2036-12-31T17:00:00+00:00"
    gone = []
    for moment in (until - timedelta(seconds=1), until):
        clock.set(moment)
        async with database.work() as work:
            await keeper.sweep(work, {})
        async with database.read() as work:
            gone.append((await recording_of(work)).deleted_at is not None)
    assert gone == [False, True]


async def test_what_the_patient_takes_back_elsewhere_is_swept(
    app: web.Application, database: Database, case: Case, kept: str
) -> None:
    async with database.work() as work:
        await patient_consents.withdraw_consent(
            work, case.doctor, case.patient.uid, ConsentPurpose.RECORDING
        )
    async with database.work() as work:
        await app[RECORDERS].keeper.sweep(work, {})
    async with database.read() as work:
        assert (await recording_of(work)).outcome == "withdrawn"


async def test_what_the_patient_takes_back_on_their_page_stops_what_runs(
    signed_in: SignedIn, database: Database, case: Case, live: LiveSession
) -> None:
    client = await signed_in(case.doctor)
    url = f"/patients/{case.patient.uid}/consents/withdraw"
    answer = await client.post(url, data={"purpose": "recording"}, allow_redirects=False)
    assert answer.status == 303
    async with database.read() as work:
        recording = await recording_of(work)
    assert recording.session_id == live.id
    assert recording.state is RecordingState.STOPPED


async def test_a_server_that_died_while_recording_keeps_what_there_is(
    server: TestServer,
    app: web.Application,
    database: Database,
    work: UnitOfWork,
    case: Case,
    live: LiveSession,
) -> None:
    recording = await recording_of(work)
    meeting = await sessions.get(work, case.doctor, live.uid)
    await work.commit()
    folder = app[RECORDERS].folder
    stem, name = recording.uid, member_of(meeting, case.doctor.id)
    noted = {"file": f"{stem}-1.webm", "name": name, "offset_ms": 40}
    await asyncio.to_thread((folder / f"{stem}-1.webm.part").write_bytes, BYTES["doctor"])
    await asyncio.to_thread((folder / f"{stem}.json").write_text, json.dumps([noted]))
    await app[RECORDERS].resume()
    async with asyncio.timeout(30):
        while not (files := await files_of(database)):  # noqa: ASYNC110 - it tells no event
            await asyncio.sleep(0.02)
    assert [(file.is_whole, file.offset_ms, file.size_bytes) for file in files] == [
        (False, 40, len(BYTES["doctor"]))
    ]
    async with database.read() as reading:
        recording = await recording_of(reading)
    assert (recording.state, recording.outcome) == ("stopped", "recorder_lost")


async def test_the_page_of_the_session_leads_there(
    signed_in: SignedIn, work: UnitOfWork, case: Case, kept: str
) -> None:
    client = await signed_in(case.doctor)
    link = f'href="/sessions/{kept}/recording"'
    assert link in await (await client.get(f"/sessions/{kept}")).text()
    await sessions.end(work, case.doctor, kept)
    await work.commit()
    page = await (await client.get(f"/sessions/{kept}")).text()
    assert link in page
    assert "Ai đã tham gia" in page
