"""Pages of live sessions: who gets in, what they are told, what works without scripts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlmodel import col, select

from telemed.accounts.permissions import Actor, Role
from telemed.consults import handling
from telemed.consults.lifecycle import ConsultState
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.columns import new_uid
from telemed.core.db import UnitOfWork
from telemed.sessions import invitations, log, opening, service
from telemed.sessions.models import Capacity, LiveSession
from tests.conftest import Client
from tests.factories import Case, Factory

SignedIn = Callable[[Actor], Awaitable[Client]]
PRESS = {"idempotency_key": "one-press"}
SCRIPT = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}


async def test_a_press_on_call_leads_into_the_room(signed_in: SignedIn, case: Case) -> None:
    client = await signed_in(case.doctor)
    url = f"/consults/{case.consult.uid}/call"
    pressed = await client.post(url, data=PRESS, allow_redirects=False)
    assert pressed.status == 303
    room = pressed.headers["Location"]
    assert room.startswith("/sessions/")
    page = await client.get(room)
    text = await page.text()
    assert page.status == 200
    assert case.patient.full_name.upper() in text
    assert f'data-other="{case.specialist.name}"' in text
    assert "/consults/" + case.consult.uid in text


async def test_both_who_call_come_into_the_same_room(signed_in: SignedIn, case: Case) -> None:
    rooms = []
    for actor in (case.doctor, case.specialist):
        client = await signed_in(actor)
        url = f"/consults/{case.consult.uid}/call"
        answer = await client.post(url, headers=SCRIPT, json={})
        rooms.append((await answer.json())["url"])
    assert rooms[0] == rooms[1]


async def test_a_case_that_nobody_has_taken_is_not_called(
    signed_in: SignedIn, make: Factory
) -> None:
    case = await make.case(ConsultState.REQUESTED)
    client = await signed_in(case.doctor)
    answer = await client.post(f"/consults/{case.consult.uid}/call", headers=SCRIPT, json={})
    assert (answer.status, (await answer.json())["code"]) == (409, "not_callable")


async def test_a_room_that_is_not_for_somebody_looks_like_none(
    signed_in: SignedIn, make: Factory, live: LiveSession
) -> None:
    for role in (Role.COMMUNE_DOCTOR, Role.SPECIALIST, Role.TRAINER, Role.COORDINATOR):
        client = await signed_in(await make.actor(role))
        foreign = await client.get(f"/sessions/{live.uid}", headers=SCRIPT)
        unknown = await client.get(f"/sessions/{new_uid()}", headers=SCRIPT)
        one, other = await foreign.json(), await unknown.json()
        assert (foreign.status, unknown.status) == (404, 404)
        assert one | {"request_id": ""} == other | {"request_id": ""}


async def test_an_administrator_has_no_rooms(
    signed_in: SignedIn, make: Factory, live: LiveSession
) -> None:
    client = await signed_in(await make.actor(Role.ADMINISTRATOR))
    assert (await client.get(f"/sessions/{live.uid}", headers=SCRIPT)).status == 403
    assert (await client.get("/sessions/ringing", headers=SCRIPT)).status == 403


async def test_who_is_called_sees_by_whom_and_about_whom(
    signed_in: SignedIn, work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    await service.enter(work, case.specialist, live.uid, resumes=False)
    client = await signed_in(case.doctor)
    (call,) = (await (await client.get("/sessions/ringing")).json())["calls"]
    assert call["from"] == case.specialist.name
    assert call["patient"] == case.patient.full_name
    assert call["url"] == f"/sessions/{live.uid}"
    url = f"/sessions/{live.uid}/decline"
    declined = await client.post(url, data=PRESS, allow_redirects=False)
    assert declined.status == 303
    assert (await (await client.get("/sessions/ringing")).json())["calls"] == []


async def test_a_room_that_is_over_says_who_was_there_and_how_to_go_on(
    signed_in: SignedIn, work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    await service.enter(work, case.specialist, live.uid, resumes=False)
    await service.end(work, case.specialist, live.uid)
    client = await signed_in(case.doctor)
    text = await (await client.get(f"/sessions/{live.uid}")).text()
    assert "Buổi gọi đã kết thúc" in text
    assert case.specialist.name in text
    assert f'action="/consults/{case.consult.uid}/call"' in text


async def test_a_third_person_is_called_and_listed_in_their_capacity(
    signed_in: SignedIn, work: UnitOfWork, make: Factory, case: Case, live: LiveSession
) -> None:
    await service.enter(work, case.doctor, live.uid, resumes=False)
    guest = await make.actor(Role.TRAINER)
    await invitations.invite(work, case.doctor, live.uid, guest.uid, Capacity.INTERPRETER)
    client = await signed_in(guest)
    (call,) = (await (await client.get("/sessions/ringing")).json())["calls"]
    assert call["capacity"] == "Phiên dịch"
    client = await signed_in(case.specialist)
    (call,) = (await (await client.get("/sessions/ringing")).json())["calls"]
    assert call["capacity"] == ""
    await service.enter(work, guest, live.uid, resumes=False)
    await service.end(work, case.doctor, live.uid)
    client = await signed_in(case.specialist)
    text = await (await client.get(f"/sessions/{live.uid}")).text()
    assert f"{guest.name} (phiên dịch)" in text
    assert f"{case.doctor.name} <" in text


async def test_a_technique_is_handed_over_in_the_same_room(
    signed_in: SignedIn, work: UnitOfWork, make: Factory
) -> None:
    trainer = await make.actor(Role.TRAINER)
    station = await make.facility()
    live = await opening.open_for_transfer(
        work, trainer, title="Siêu âm cấp cứu", station_id=station.id or 0, members=[]
    )
    client = await signed_in(trainer)
    text = await (await client.get(f"/sessions/{live.uid}")).text()
    assert "Siêu âm cấp cứu" in text
    assert "Biên bản" not in text
    await service.end(work, trainer, live.uid)
    await work.commit()
    text = await (await client.get(f"/sessions/{live.uid}")).text()
    assert "Buổi gọi đã kết thúc" in text


async def test_a_call_about_a_case_that_was_handed_back_hides_no_other(
    signed_in: SignedIn, work: UnitOfWork, make: Factory, case: Case
) -> None:
    stale = await opening.open_for_consult(work, case.doctor, case.consult.uid)
    await service.enter(work, case.doctor, stale.uid, resumes=False)
    await handling.release(work, case.specialist, case.consult.uid, "Không đúng chuyên khoa")
    other = await make.case(ConsultState.ACCEPTED, specialist=case.specialist)
    ringing = await opening.open_for_consult(work, other.doctor, other.consult.uid)
    await service.enter(work, other.doctor, ringing.uid, resumes=False)
    await work.commit()
    client = await signed_in(case.specialist)
    answer = await client.get("/sessions/ringing")
    (call,) = (await answer.json())["calls"]
    assert call["url"] == f"/sessions/{ringing.uid}"


async def test_what_was_written_in_a_call_can_be_read_when_it_is_over(
    signed_in: SignedIn, work: UnitOfWork, make: Factory, case: Case, live: LiveSession
) -> None:
    await service.enter(work, case.doctor, live.uid, resumes=False)
    await service.enter(work, case.specialist, live.uid, resumes=False)
    await service.settle(work, live.uid, case.specialist)
    await log.say(work, case.specialist, live.uid, "Adrenalin 0,3 mg <tiêm bắp>", "k1")
    await service.end(work, case.specialist, live.uid)
    await work.commit()
    client = await signed_in(case.doctor)
    text = await (await client.get(f"/sessions/{live.uid}")).text()
    assert "Adrenalin 0,3 mg &lt;tiêm bắp&gt;" in text
    assert (
        f'href="/sessions/{live.uid}"'
        in await (await client.get(f"/consults/{case.consult.uid}")).text()
    )
    query = select(AuditRecord).where(col(AuditRecord.subject) == f"session:{live.uid}")
    read = (
        await work.session.exec(query.where(col(AuditRecord.tag) == AuditTag.CONSULT_READ))
    ).all()
    assert [record.person_id for record in read] == [case.doctor.id]
    stranger = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
    assert (await stranger.get(f"/sessions/{live.uid}")).status == 404
