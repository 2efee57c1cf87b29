"""Third parties: who may invite, be invited, come in and be sent out, in every state of a session."""

from __future__ import annotations

from itertools import product

import pytest

from telemed.accounts.permissions import Actor, Role
from telemed.core.db import UnitOfWork
from telemed.core.errors import Conflict, Denied, Missing, TelemedError
from telemed.core.events import list_events, stream_of
from telemed.sessions import invitations, ringing, service
from telemed.sessions.access import reads_case
from telemed.sessions.lifecycle import SessionState
from telemed.sessions.models import Capacity
from telemed.sessions.opening import open_for_consult
from telemed.sessions.repository import find_meeting
from tests.factories import Case, Factory

MOST = 12
WHO = (
    "doctor",
    "specialist",
    "colleague",
    "stranger",
    "other specialist",
    "trainer",
    "coordinator",
)
HOSTS = {"doctor", "specialist", "colleague"}
STATES = tuple(SessionState)


@pytest.fixture
async def people(make: Factory, case: Case) -> dict[str, Actor]:
    return {
        "doctor": case.doctor,
        "specialist": case.specialist,
        "colleague": await make.actor(Role.COMMUNE_DOCTOR, at=case.station),
        "stranger": await make.actor(Role.COMMUNE_DOCTOR),
        "other specialist": await make.actor(Role.SPECIALIST, specialty=await make.specialty()),
        "trainer": await make.actor(Role.TRAINER),
        "coordinator": await make.actor(Role.COORDINATOR),
        "administrator": await make.actor(Role.ADMINISTRATOR),
    }


async def reach(work: UnitOfWork, case: Case, state: SessionState) -> str:
    """A session of the case in this state, with the doctor inside wherever somebody can be."""
    session = await open_for_consult(work, case.specialist, case.consult.uid)
    await service.enter(work, case.doctor, session.uid, resumes=False)
    if state is not SessionState.RINGING:
        await service.enter(work, case.specialist, session.uid, resumes=False)
    await service.settle(work, session.uid)
    if state is SessionState.IDLE:
        await service.leave(work, case.specialist, session.uid)
    if state is SessionState.ENDED:
        await service.end(work, case.doctor, session.uid)
    meeting = await find_meeting(work, session.uid)
    assert meeting
    assert meeting.session.state is state
    return session.uid


async def outcome(attempt: object) -> str:
    """What came of it, in one word."""
    try:
        await attempt  # type: ignore[misc] # any coroutine
    except TelemedError as error:
        return error.code
    return "done"


@pytest.mark.parametrize("state", STATES)
async def test_who_may_invite_in_which_state(
    work: UnitOfWork, case: Case, people: dict[str, Actor], state: SessionState
) -> None:
    uid = await reach(work, case, state)
    guest = people["trainer"]
    asked = {
        who: await outcome(
            invitations.invite(work, people[who], uid, guest.uid, Capacity.COLLEAGUE)
        )
        for who in [*WHO, "administrator"]
        if who != "trainer"
    }
    is_over = state is SessionState.ENDED
    inside = {"doctor"} | ({"specialist"} if state is SessionState.LIVE else set())
    expected = {}
    for who in asked:
        if who in HOSTS:
            outside = "session_ended" if is_over else "not_joined"
            expected[who] = "done" if who in inside and not is_over else outside
        else:
            expected[who] = "not_allowed" if who == "administrator" else "not_found"
    assert asked == expected


@pytest.mark.parametrize(("who", "state"), list(product(WHO, STATES)))
async def test_who_may_come_in_by_invitation(
    work: UnitOfWork, case: Case, people: dict[str, Actor], who: str, state: SessionState
) -> None:
    uid = await reach(work, case, SessionState.LIVE)
    guest = people[who]
    is_case = who in HOSTS
    entering = "done" if is_case else "not_found"
    assert await outcome(service.get(work, guest, uid)) == entering
    if who in {"doctor", "specialist"}:
        return
    participant = await invitations.invite(work, case.doctor, uid, guest.uid, Capacity.INTERPRETER)
    if state is SessionState.IDLE:
        await service.leave(work, case.specialist, uid)
    if state is SessionState.ENDED:
        await service.end(work, case.doctor, uid)
    is_open = state is not SessionState.ENDED
    assert await outcome(service.get(work, guest, uid)) == (
        "done" if is_case or is_open else "not_found"
    )
    if not is_open:
        return
    await service.enter(work, guest, uid, resumes=False, most=MOST)
    await invitations.remove(work, case.doctor, uid, participant)
    meeting = await find_meeting(work, uid)
    assert meeting
    assert guest.id not in {member.person.id for member in meeting.inside}
    assert await outcome(service.get(work, guest, uid)) == entering


async def test_nobody_without_a_place_in_sessions_can_be_invited(
    work: UnitOfWork, case: Case, people: dict[str, Actor]
) -> None:
    uid = await reach(work, case, SessionState.LIVE)
    for unknown in (people["administrator"].uid, "no-such-person"):
        with pytest.raises(Missing):
            await invitations.invite(work, case.doctor, uid, unknown, Capacity.TRAINEE)


async def test_whoever_is_inside_is_not_invited_again(work: UnitOfWork, case: Case) -> None:
    uid = await reach(work, case, SessionState.LIVE)
    for person in (case.doctor, case.specialist):
        with pytest.raises(Conflict) as refused:
            await invitations.invite(work, case.doctor, uid, person.uid, Capacity.TRAINEE)
        assert refused.value.code == "already_inside"


async def test_an_invitation_opens_the_room_and_nothing_of_the_case(
    work: UnitOfWork, case: Case, people: dict[str, Actor]
) -> None:
    uid = await reach(work, case, SessionState.LIVE)
    guest = people["other specialist"]
    await invitations.invite(work, case.doctor, uid, guest.uid, Capacity.COLLEAGUE)
    meeting = await service.get(work, guest, uid)
    assert not reads_case(work, guest, meeting)
    (call,) = await ringing.list_calls(work, guest)
    assert (call.session.uid, call.patient_name) == (uid, "")
    with pytest.raises(Missing):
        await invitations.invite(work, guest, uid, people["trainer"].uid, Capacity.TRAINER)


async def test_all_are_told_who_comes_and_as_what(
    work: UnitOfWork, case: Case, people: dict[str, Actor]
) -> None:
    uid = await reach(work, case, SessionState.LIVE)
    guest = people["trainer"]
    participant = await invitations.invite(work, case.doctor, uid, guest.uid, Capacity.TRAINER)
    await service.enter(work, guest, uid, resumes=False, most=MOST)
    await invitations.remove(work, case.doctor, uid, participant)
    told = {event.kind: event.data for event in await list_events(work, stream_of("session", uid))}
    named = {"participant": participant, "name": guest.name}
    assert told["person_invited"] == named | {"capacity": "trainer"}
    assert told["participant_joined"] == {"capacity": "trainer"}
    assert told["person_removed"] == named


async def test_only_the_inviter_sends_out_while_they_are_there(
    work: UnitOfWork, case: Case, people: dict[str, Actor]
) -> None:
    uid = await reach(work, case, SessionState.LIVE)
    guest = people["stranger"]
    participant = await invitations.invite(work, case.doctor, uid, guest.uid, Capacity.COLLEAGUE)
    with pytest.raises(Conflict) as refused:
        await invitations.remove(work, case.specialist, uid, participant)
    assert refused.value.code == "not_inviter"
    await service.leave(work, case.doctor, uid)
    await invitations.remove(work, case.specialist, uid, participant)
    with pytest.raises(Missing):
        await invitations.remove(work, case.specialist, uid, participant)


async def test_people_are_found_by_a_part_of_their_name(
    work: UnitOfWork, case: Case, people: dict[str, Actor]
) -> None:
    uid = await reach(work, case, SessionState.LIVE)
    name = people["trainer"].name
    found = await invitations.find_invitable(work, case.doctor, uid, name)
    assert people["trainer"].uid in {each.uid for each in found}
    assert not {case.doctor.uid, case.specialist.uid, people["administrator"].uid} & {
        each.uid for each in await invitations.find_invitable(work, case.doctor, uid, "")
    }
    with pytest.raises((Denied, Missing)):
        await invitations.find_invitable(work, people["stranger"], uid, name)
