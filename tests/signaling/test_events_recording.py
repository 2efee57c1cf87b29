"""Recording over the socket: asked, answered, halted, ended, and what the media process is told."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from sqlmodel import select

from telemed.core.db import Database
from telemed.keys import DATABASE
from telemed.patients.models import Patient
from telemed.sessions.recording import service
from telemed.sessions.recording.consent_texts import CURRENT
from telemed.sessions.recording.models import Recording
from telemed.sessions.recording.service import patient_text_version
from tests.fakes import FakeRecordingRooms
from tests.signaling.conftest import Connect, World
from tests.signaling.foreign import ForeignClient

OWN = {"is_agreed": True, "text_version": CURRENT.version}


@pytest.fixture
def patient() -> dict[str, Any]:
    return {"is_agreed": True, "text_version": patient_text_version(), "for_patient": True}


async def state_seen(client: ForeignClient, kind: str) -> dict[str, Any]:
    event = await client.push("session:event", lambda event: event["kind"] == kind)
    view: dict[str, Any] = event["data"]["recording"]
    return view


async def run(world: World, patient: dict[str, Any]) -> None:
    await world.specialist.do("session:record-ask", session=world.session)
    await world.doctor.do("session:record-answer", session=world.session, **patient)
    for client in (world.doctor, world.specialist):
        await client.do("session:record-answer", session=world.session, **OWN)


async def test_both_see_who_is_waited_for_until_it_runs(
    world: World, patient: dict[str, Any], recording_rooms: FakeRecordingRooms
) -> None:
    first, second = await world.both_settle()
    people = {first["participant"], second["participant"]}
    await run(world, patient)
    for client in (world.doctor, world.specialist):
        asked = await state_seen(client, "recording_asked")
        assert (asked["state"], set(asked["waits_for"])) == ("asked", people | {"patient"})
        seen = [await state_seen(client, "recording_agreed") for _ in range(3)]
        assert [len(each["waits_for"]) for each in seen] == [2, 1, 0]
        assert seen[-1]["state"] == "running"
    await recording_rooms.until(lambda acts: ("set", frozenset(people), False) in acts)


async def test_pause_and_end_reach_the_media_process_and_the_files_are_looked_for(
    world: World,
    patient: dict[str, Any],
    recording_rooms: FakeRecordingRooms,
    app: web.Application,
) -> None:
    first, second = await world.both_settle()
    people = frozenset({first["participant"], second["participant"]})
    await run(world, patient)
    await recording_rooms.until(lambda acts: ("set", people, False) in acts)
    await world.doctor.do("session:record-pause", session=world.session)
    await recording_rooms.until(lambda acts: ("set", frozenset(), True) in acts)
    await world.doctor.do("session:record-resume", session=world.session)
    await recording_rooms.until(lambda acts: acts[-1:] == [("set", people, False)])
    await world.doctor.do("session:record-stop", session=world.session)
    event = await world.specialist.push(
        "session:event", lambda event: event["kind"] == "recording_kept"
    )
    assert event["data"] == {"files": 0}
    assert recording_rooms.acts[-1] == ("end", world.session)
    recording = await recording_of(app[DATABASE])
    assert (recording.state, recording.kept_at) == ("stopped", recording.ended_at)
    assert recording.retained_until


async def recording_of(database: Database) -> Recording:
    async with database.read() as work:
        return (await work.session.exec(select(Recording))).one()


async def test_who_comes_in_while_it_runs_finds_it_and_halts_it(
    world: World,
    connect: Connect,
    patient: dict[str, Any],
    recording_rooms: FakeRecordingRooms,
) -> None:
    first, _ = await world.both_settle()
    await run(world, patient)
    await world.doctor.do("session:leave", session=world.session)
    colleague = await connect(world.people["colleague"])
    joined = await colleague.do("session:join", session=world.session)
    assert joined["recording"]["state"] == "awaiting"
    assert joined["recording"]["waits_for"] == [joined["participant"]]
    await recording_rooms.until(lambda acts: acts[-1:] == [("set", frozenset(), True)])
    await colleague.do("session:record-answer", session=world.session, **OWN)
    agreed = frozenset({joined["participant"], first["participant"]})
    await recording_rooms.until(lambda acts: acts[-1:] == [("set", agreed, False)])


async def test_withdrawing_leaves_no_files(
    world: World, patient: dict[str, Any], app: web.Application
) -> None:
    await world.both_settle()
    await run(world, patient)
    await world.doctor.do("session:record-withdraw", session=world.session, for_patient=True)
    event = await world.specialist.push(
        "session:event", lambda event: event["kind"] == "recording_deleted"
    )
    assert event["data"] == {"reason": "withdrawn"}
    assert (await recording_of(app[DATABASE])).deleted_at


async def test_what_the_patient_takes_back_outside_reaches_the_room_and_the_files(
    world: World, patient: dict[str, Any], recording_rooms: FakeRecordingRooms, app: web.Application
) -> None:
    await world.both_settle()
    await run(world, patient)
    await recording_rooms.until(lambda acts: len(acts) > 1)
    async with app[DATABASE].work() as work:
        doctor = world.people["doctor"]
        (uid,) = await work.session.exec(select(Patient.uid))
        await service.withdraw_everywhere(work, doctor, uid)
    for client in (world.doctor, world.specialist):
        assert (await state_seen(client, "recording_withdrawn"))["state"] == "stopped"
    await recording_rooms.until(lambda acts: acts[-1:] == [("end", world.session)])
    event = await world.specialist.push(
        "session:event", lambda event: event["kind"] == "recording_deleted"
    )
    assert event["data"] == {"reason": "withdrawn"}


async def test_a_recorder_that_is_gone_ends_it_for_all(
    world: World, patient: dict[str, Any], recording_rooms: FakeRecordingRooms
) -> None:
    await world.both_settle()
    await run(world, patient)
    await recording_rooms.until(lambda acts: len(acts) > 1)
    recording_rooms.stems.clear()
    event = await world.doctor.push(
        "session:event", lambda event: event["kind"] == "recording_failed"
    )
    assert event["data"]["code"] == "recorder_lost"
    assert event["data"]["recording"]["state"] == "stopped"


async def test_what_does_not_fit_is_refused_by_name(world: World, patient: dict[str, Any]) -> None:
    await world.both_settle()
    session = world.session
    over = await world.doctor.code("session:record-stop", session=session)
    await world.doctor.do("session:record-ask", session=session)
    codes = [
        over,
        await world.specialist.code("session:record-ask", session=session),
        await world.doctor.code(
            "session:record-answer", session=session, is_agreed=True, text_version="1999-01"
        ),
        await world.doctor.code("session:record-resume", session=session),
        await world.specialist.code("session:record-answer", session=session, **patient),
    ]
    assert codes == [
        "recording_over",
        "recording_open",
        "text_version_unknown",
        "illegal_transition",
        "not_allowed",
    ]


async def test_where_no_recorder_comes_up_everybody_is_told(
    world: World,
    patient: dict[str, Any],
    recording_rooms: FakeRecordingRooms,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("telemed.sessions.recording.recorders.POLL_SECONDS", 0.01)
    recording_rooms.is_down = True
    await world.both_settle()
    await run(world, patient)
    for client in (world.doctor, world.specialist):
        event = await client.push(
            "session:event", lambda event: event["kind"] == "recording_failed"
        )
        assert event["data"]["code"] == "recorder_unavailable"
    assert recording_rooms.acts == []
