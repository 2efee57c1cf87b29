"""A room with real sockets: coming in, signals, state, chat, broken links, going out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from sqlmodel import col, select

from telemed.accounts.logins import revoke_logins
from telemed.consults import service as consults
from telemed.consults.lifecycle import ConsultEvent
from telemed.core.clock import FakeClock
from telemed.core.db import Database
from telemed.keys import DATABASE, SIGNALING
from telemed.sessions.attendance import list_attendance
from telemed.sessions.models import LiveSession
from telemed.signaling.dispatch import TRUSTED_SECONDS
from tests.signaling.conftest import Connect, World
from tests.signaling.foreign import Refused
from tests.signaling.test_protocol import HOST, SDP

OFFER = {"type": "offer", "sdp": SDP}
ANSWER = {"type": "answer", "sdp": SDP}
CANDIDATE = {"candidate": HOST, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "aB+/"}


def with_token(joined: dict[str, Any]) -> dict[str, Any]:
    return {key: joined[key] for key in ("epoch", "participant_token")}


async def test_both_find_each_other_and_exactly_one_is_polite(world: World) -> None:
    first = await world.specialist.do("session:join", session=world.session)
    second = await world.doctor.do("session:join", session=world.session)
    assert (first["participants"], first["epoch"], first["resumed"]) == ([], 1, False)
    (seen_by_doctor,) = second["participants"]
    seen_by_specialist = (await world.specialist.push("session:peer-joined"))["peer"]
    assert seen_by_doctor["participant"] == first["participant"]
    assert seen_by_specialist["participant"] == second["participant"]
    assert seen_by_doctor["polite"] is not seen_by_specialist["polite"]
    assert (seen_by_doctor["epoch"], seen_by_specialist["epoch"]) == (1, 2)
    assert seen_by_doctor["name"] == world.case.specialist.name
    assert (second["ice_servers"], second["ice_expires_at"]) == ([], None)


async def test_the_joiner_gets_the_log_and_the_other_its_growth(world: World) -> None:
    first = await world.specialist.do("session:join", session=world.session)
    second = await world.doctor.do("session:join", session=world.session)
    kinds = [event["kind"] for event in second["events"]]
    assert kinds[:2] == ["session_opened", "ring_started"]
    assert kinds[-1] == "participant_joined"
    pushed = [await world.specialist.push("session:event") for _ in range(2)]
    assert [event["number"] for event in pushed] == [
        first["last_event"] + 1,
        first["last_event"] + 2,
    ]
    met = await world.doctor.push("session:event")
    assert (met["kind"], met["number"]) == ("session_met", second["last_event"] + 1)
    assert await world.doctor.quiet() == []


async def test_signals_reach_the_other_with_the_sender_stamped(world: World) -> None:
    first, second = await world.both_join()
    common = {"session": world.session, "epoch": 2}
    to = first["participant"]
    await world.doctor.do("session:offer", to=to, description=OFFER, **common)
    await world.doctor.do("session:candidate", to=to, candidate=CANDIDATE, **common)
    await world.doctor.do("session:candidate", to=to, candidate=None, **common)
    got = [await world.specialist.push("session:signal") for _ in range(3)]
    assert got[0] == common | {
        "from": second["participant"],
        "kind": "offer",
        "description": OFFER,
    }
    assert [each["candidate"] for each in got[1:]] == [CANDIDATE, None]
    await world.specialist.do(
        "session:answer", to=second["participant"], description=ANSWER, **common
    )
    assert (await world.doctor.push("session:signal"))["kind"] == "answer"


async def test_the_state_of_the_devices_is_true_on_the_other_side(world: World) -> None:
    await world.both_join()
    await world.doctor.do("session:state", session=world.session, muted=True, camera_off=True)
    peer = (await world.specialist.push("session:peer-state"))["peer"]
    assert (peer["muted"], peer["camera_off"]) == (True, True)
    again = await world.specialist.do("session:join", session=world.session)
    assert again["participants"][0]["muted"] is True


async def test_a_message_is_stored_once_and_told_to_both_in_order(world: World) -> None:
    await world.both_join()
    said = {"session": world.session, "text": "SpO2 96 %.", "key": "k1"}
    first = await world.doctor.do("session:chat", **said)
    assert await world.doctor.do("session:chat", **said) == first
    for client in (world.doctor, world.specialist):
        event = await client.push("session:event", lambda event: event["kind"] == "chat")
        assert event["number"] == first["number"]
        assert event["data"] == {"text": "SpO2 96 %.", "key": "k1"}
        assert event["name"] == world.case.doctor.name


async def test_missed_events_are_replayed_by_number(world: World) -> None:
    _, second = await world.both_settle()
    for number in range(3):
        await world.doctor.do(
            "session:chat", session=world.session, text=f"{number}", key=f"k{number}"
        )
    page = await world.specialist.do(
        "session:replay", session=world.session, after=second["last_event"] + 2
    )
    assert [event["data"]["text"] for event in page["events"]] == ["1", "2"]
    assert (page["last_event"], page["more"]) == (second["last_event"] + 4, False)


async def test_who_leaves_is_gone_at_once_and_may_come_back(world: World) -> None:
    _, second = await world.both_join()
    await world.doctor.do("session:leave", session=world.session)
    left = await world.specialist.push("session:peer-left")
    assert (left["participant"], left["reason"]) == (second["participant"], "left")
    back = await world.doctor.do(
        "session:join", session=world.session, last_event=0, **with_token(second)
    )
    assert (back["participant"], back["resumed"]) == (second["participant"], False)
    assert back["epoch"] > second["epoch"]


async def test_of_a_room_that_all_have_left_nothing_is_kept(
    world: World, app: web.Application
) -> None:
    await world.both_settle()
    signaling = app[SIGNALING]
    assert signaling.presence.consult_of
    for client in (world.doctor, world.specialist):
        await client.do("session:leave", session=world.session)
        await client.do("probe")
    assert signaling.presence.consult_of == {}


async def test_a_broken_link_keeps_the_seat_and_the_epoch(world: World, connect: Connect) -> None:
    first, second = await world.both_settle()
    await world.doctor.close()
    peer = (await world.specialist.push("session:peer-state"))["peer"]
    assert peer["connected"] is False
    page = await connect(world.case.doctor)
    back = await page.do(
        "session:join",
        session=world.session,
        last_event=second["last_event"] + 1,
        **with_token(second),
    )
    assert (back["resumed"], back["epoch"]) == (True, second["epoch"])
    assert [event["kind"] for event in back["events"]] == ["link_lost", "link_restored"]
    peer = (await world.specialist.push("session:peer-state"))["peer"]
    assert (peer["connected"], peer["epoch"]) == (True, second["epoch"])
    assert first["participant"] in {each["participant"] for each in back["participants"]}


async def test_a_ghost_is_evicted_by_the_page_that_comes_back(
    world: World, connect: Connect
) -> None:
    _, second = await world.both_join()
    page = await connect(world.case.doctor)
    back = await page.do("session:join", session=world.session, **with_token(second))
    assert back["resumed"] is True
    await world.doctor.closed.wait()


async def test_a_second_page_takes_the_seat_and_the_first_is_told(
    world: World, connect: Connect
) -> None:
    _, second = await world.both_join()
    page = await connect(world.case.doctor)
    anew = await page.do("session:join", session=world.session)
    assert (anew["participant"], anew["resumed"]) == (second["participant"], False)
    assert (await world.doctor.push("session:evicted"))["reason"] == "replaced"
    assert (await world.specialist.push("session:peer-joined"))["peer"]["epoch"] == anew["epoch"]
    assert await world.doctor.code("session:ring", session=world.session) == "not_joined"
    stolen = await world.doctor.do("session:join", session=world.session, **with_token(second))
    assert stolen["resumed"] is False


async def test_a_token_of_somebody_else_or_of_another_epoch_is_worth_nothing(
    world: World,
) -> None:
    first, second = await world.both_join()
    forged = with_token(second) | {"participant_token": first["participant_token"]}
    assert (await world.doctor.do("session:join", session=world.session, **forged))[
        "resumed"
    ] is False
    older = await world.doctor.do("session:join", session=world.session, **with_token(second))
    assert older["resumed"] is False


async def test_a_seat_that_stays_lost_is_given_up(world: World, app: web.Application) -> None:
    app[SIGNALING].presence._grace_seconds = 0.05
    _, second = await world.both_settle()
    await world.doctor.close()
    left = await world.specialist.push("session:peer-left")
    assert (left["participant"], left["reason"]) == (second["participant"], "link_lost")
    await world.specialist.push("session:event", lambda event: event["kind"] == "session_parted")


async def test_a_revoked_login_ends_the_stay_and_the_line(
    world: World, connect: Connect, app: web.Application
) -> None:
    _, second = await world.both_join()
    doctor = world.case.doctor
    async with app[DATABASE].work() as work:
        await revoke_logins(work, doctor.id, doctor.uid)
    await world.doctor.closed.wait()
    left = await world.specialist.push("session:peer-left")
    assert (left["participant"], left["reason"]) == (second["participant"], "revoked")
    with pytest.raises(Refused) as refused:
        await connect(doctor)
    assert refused.value.data["code"] == "sign_in_needed"


async def test_a_login_that_has_run_out_answers_nothing_more(
    world: World, app: web.Application, clock: FakeClock
) -> None:
    await world.both_join()
    clock.advance(timedelta(days=2))
    for connection in app[SIGNALING].connections.values():
        connection.looked_at -= TRUSTED_SECONDS
    assert await world.doctor.code("session:ring", session=world.session) == "sign_in_needed"
    await world.doctor.closed.wait()


async def test_who_loses_the_case_goes_out(world: World, app: web.Application) -> None:
    await world.specialist.do("session:join", session=world.session)
    specialist = world.case.specialist
    async with app[DATABASE].work() as work:
        consult = await consults.get_case(work, specialist, world.case.consult.uid)
        await consults.transition(work, specialist, consult, ConsultEvent.RELEASE, reason="x")
    assert (await world.specialist.push("session:evicted"))["reason"] == "revoked"
    assert await world.specialist.code("session:join", session=world.session) == "not_found"


async def test_the_end_is_the_end_for_everybody(world: World) -> None:
    await world.both_join()
    await world.doctor.do("session:end", session=world.session)
    for client in (world.doctor, world.specialist):
        assert (await client.push("session:evicted"))["reason"] == "session_ended"
        assert await client.code("session:join", session=world.session) == "session_ended"


async def test_ringing_is_hinted_and_answered_by_coming_in(world: World) -> None:
    channel = f"person:{world.case.doctor.uid}"
    await world.doctor.do("channel:watch", channels=[channel])
    await world.specialist.do("session:join", session=world.session)
    assert (await world.doctor.push("hint"))["event"] == "ringing"
    await world.doctor.do("session:decline-ring", session=world.session)
    assert (await world.doctor.push("hint"))["event"] == "ring-ended"
    await world.specialist.push("session:event", lambda event: event["kind"] == "ring_declined")
    expires = (await world.specialist.do("session:ring", session=world.session))["expires_at"]
    assert expires > "2026-11-23T02:00:00"
    assert (await world.doctor.push("hint"))["event"] == "ringing"


async def test_attendance_is_kept_from_the_sockets(
    world: World, clock: FakeClock, database: Database
) -> None:
    await world.both_join()
    clock.advance(timedelta(minutes=7))
    await world.doctor.do("session:leave", session=world.session)
    async with database.read() as work:
        row = select(LiveSession).where(col(LiveSession.uid) == world.session)
        stays = await list_attendance(work, (await work.session.exec(row)).one())
    assert [stay.seconds for stay in stays] == [None, 420]
