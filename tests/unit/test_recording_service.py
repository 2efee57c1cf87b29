"""Recording in the database: who may ask, what everybody says, who comes and goes, fifty at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import product

import pytest
from sqlmodel import select

from telemed.accounts.permissions import Actor, Role
from telemed.core.audit import AuditRecord, AuditTag, verify_chain
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict, Denied, IllegalTransition, Invalid, Missing
from telemed.core.events import Event, list_events
from telemed.patients import consents as patient_consents
from telemed.patients.consents import ConsentAnswer
from telemed.patients.models import Consent, ConsentGiver, ConsentPurpose
from telemed.sessions import service as sessions
from telemed.sessions.access import get_meeting
from telemed.sessions.models import LeaveReason, LiveSession, ParticipantRole
from telemed.sessions.recording import service
from telemed.sessions.recording.consent_texts import CURRENT
from telemed.sessions.recording.lifecycle import RecordingState
from telemed.sessions.recording.models import Recording, RecordingConsent
from telemed.sessions.recording.service import Said
from tests.factories import Case, Factory
from tests.races import Attempt, attempt_all

pytestmark = pytest.mark.usefixtures("both_inside")

S = RecordingState
YES, NO = Said(True, CURRENT.version), Said(False, CURRENT.version)
PATIENT_YES = Said(True, service.patient_text_version())
Act = Callable[[UnitOfWork, Actor, str], Awaitable[object]]
ACTS: dict[str, Act] = {
    "ask": service.ask,
    "agree": lambda work, actor, uid: service.answer(work, actor, uid, YES),
    "refuse": lambda work, actor, uid: service.answer(work, actor, uid, NO),
    "note": lambda work, actor, uid: service.answer_for_patient(work, actor, uid, PATIENT_YES),
    "withdraw": service.withdraw,
    "pause": service.pause,
    "resume": service.resume,
    "stop": service.stop,
}
STEERING = ("ask", "pause", "resume", "stop")


async def recording_of(work: UnitOfWork) -> Recording:
    return (await work.session.exec(select(Recording))).one()


async def last_event(work: UnitOfWork, live: LiveSession) -> Event:
    return (await list_events(work, f"session:{live.uid}"))[-1]


async def agree_all(work: UnitOfWork, case: Case, live: LiveSession) -> None:
    await service.ask(work, case.specialist, live.uid)
    await service.answer_for_patient(work, case.doctor, live.uid, PATIENT_YES)
    for actor in (case.specialist, case.doctor):
        await service.answer(work, actor, live.uid, YES)


async def test_it_begins_when_both_and_the_patient_have_agreed(
    work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    await service.ask(work, case.specialist, live.uid)
    recording = await recording_of(work)
    states = [recording.state]
    await service.answer(work, case.specialist, live.uid, YES)
    await service.answer(work, case.doctor, live.uid, YES)
    states.append(recording.state)
    assert (await last_event(work, live)).data["recording"]["waits_for"] == ["patient"]
    await service.answer_for_patient(work, case.doctor, live.uid, PATIENT_YES)
    states.append(recording.state)
    assert states == [S.ASKED, S.ASKED, S.RUNNING]
    assert recording.started_at == work.now()
    event = await last_event(work, live)
    assert (event.kind, event.data["patient"]) == ("recording_agreed", "yes")
    assert event.data["recording"]["state"] == "running"


async def test_what_the_patient_says_is_their_consent_with_its_wording(
    work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    await service.ask(work, case.doctor, live.uid)
    said = Said(True, service.patient_text_version(), "Lò Thị Mai")
    await service.answer_for_patient(work, case.doctor, live.uid, said)
    (given,) = (
        await work.session.exec(select(Consent).where(Consent.purpose == ConsentPurpose.RECORDING))
    ).all()
    assert (given.given_by, given.giver_name) == (ConsentGiver.GUARDIAN, "Lò Thị Mai")
    assert (given.consult_uid, given.text_version) == (case.consult.uid, said.text_version)
    row = next(
        row for row in await work.session.exec(select(RecordingConsent)) if not row.participant_id
    )
    assert (row.noted_by_id, row.text_version) == (case.doctor.id, said.text_version)


async def test_a_patient_who_agreed_with_the_request_is_not_asked_again(
    work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    answer = patient_consents.ConsentAnswer(ConsentPurpose.RECORDING, is_granted=True)
    await patient_consents.record_consent(
        work, case.doctor, case.patient.uid, answer, consult_uid=case.consult.uid
    )
    await service.ask(work, case.specialist, live.uid)
    waits_for = (await last_event(work, live)).data["recording"]["waits_for"]
    assert len(waits_for) == 2
    assert service.PATIENT not in waits_for


async def test_only_the_station_speaks_for_its_patient(
    work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    await service.ask(work, case.specialist, live.uid)
    with pytest.raises((Denied, Missing)):
        await service.answer_for_patient(work, case.specialist, live.uid, PATIENT_YES)


@pytest.mark.parametrize("refuser", ["doctor", "specialist", "patient"])
async def test_one_refusal_is_enough(
    work: UnitOfWork, case: Case, live: LiveSession, refuser: str
) -> None:
    await service.ask(work, case.specialist, live.uid)
    refusals: dict[str, Callable[[], Awaitable[None]]] = {
        "doctor": lambda: service.answer(work, case.doctor, live.uid, NO),
        "specialist": lambda: service.answer(work, case.specialist, live.uid, NO),
        "patient": lambda: service.answer_for_patient(
            work, case.doctor, live.uid, Said(False, service.patient_text_version())
        ),
    }
    await refusals[refuser]()
    recording = await recording_of(work)
    assert (recording.state, recording.started_at) == (S.REFUSED, None)
    await service.ask(work, case.specialist, live.uid)


async def test_a_wording_that_nobody_knows_is_no_consent(
    work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    await service.ask(work, case.specialist, live.uid)
    for act in (
        service.answer(work, case.doctor, live.uid, Said(True, "1999-01")),
        service.answer_for_patient(work, case.doctor, live.uid, Said(True, "1999-01")),
    ):
        with pytest.raises(Invalid):
            await act
    assert (await recording_of(work)).state is S.ASKED


async def test_a_latecomer_halts_it_until_they_agree_and_leaving_waits_for_nobody(
    work: UnitOfWork, make: Factory, case: Case, live: LiveSession
) -> None:
    await agree_all(work, case, live)
    colleague = await make.actor(Role.COMMUNE_DOCTOR, at=case.station)
    steps = (
        lambda: sessions.leave(work, case.doctor, live.uid),
        lambda: sessions.enter(work, colleague, live.uid, resumes=False),
        lambda: sessions.leave(work, colleague, live.uid),
        lambda: sessions.enter(work, colleague, live.uid, resumes=False),
        lambda: service.answer(work, colleague, live.uid, YES),
    )
    states = []
    for step in steps:
        await step()
        states.append((await recording_of(work)).state)
    assert states == [S.RUNNING, S.AWAITING, S.RUNNING, S.AWAITING, S.RUNNING]


async def test_who_has_agreed_comes_back_without_being_asked(
    work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    await agree_all(work, case, live)
    await sessions.leave(work, case.doctor, live.uid)
    await sessions.enter(work, case.doctor, live.uid, resumes=False)
    assert (await recording_of(work)).state is S.RUNNING


@pytest.mark.parametrize("end", ["all_leave", "session_ends"])
async def test_it_ends_with_the_session(
    work: UnitOfWork, case: Case, live: LiveSession, end: str
) -> None:
    await agree_all(work, case, live)
    ends: dict[str, tuple[Callable[[], Awaitable[None]], ...]] = {
        "all_leave": (
            lambda: sessions.leave(work, case.doctor, live.uid),
            lambda: sessions.leave(work, case.specialist, live.uid),
        ),
        "session_ends": (lambda: sessions.end(work, case.doctor, live.uid),),
    }
    for act in ends[end]:
        await act()
    recording = await recording_of(work)
    assert (recording.state, recording.ended_at) == (S.STOPPED, work.now())


@pytest.mark.parametrize("who", ["own", "patient"])
async def test_withdrawing_ends_it(
    work: UnitOfWork, case: Case, live: LiveSession, who: str
) -> None:
    await agree_all(work, case, live)
    await service.withdraw(work, case.doctor, live.uid, for_patient=who == "patient")
    assert (await recording_of(work)).state is S.STOPPED
    is_patients = await patient_consents.has_consent(
        work, case.patient.id or 0, ConsentPurpose.RECORDING, case.consult.uid
    )
    assert is_patients is (who == "own")


async def test_what_the_patient_takes_back_outside_the_room_ends_it_there(
    work: UnitOfWork, make: Factory, case: Case, live: LiveSession
) -> None:
    await agree_all(work, case, live)
    colleague = await make.actor(Role.COMMUNE_DOCTOR, at=case.station)
    await service.withdraw_everywhere(work, colleague, case.patient.uid)
    assert (await recording_of(work)).state is S.STOPPED
    event = await last_event(work, live)
    assert (event.kind, event.person_id) == ("recording_withdrawn", colleague.id)
    assert event.data["patient"] == "yes"
    with pytest.raises(Conflict):
        await service.withdraw_everywhere(work, colleague, case.patient.uid)


async def test_a_recording_that_the_patient_has_not_agreed_to_goes_on_waiting(
    work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    elsewhere = ConsentAnswer(ConsentPurpose.RECORDING, is_granted=True)
    await patient_consents.record_consent(
        work, case.doctor, case.patient.uid, elsewhere, consult_uid="another-case"
    )
    await service.ask(work, case.specialist, live.uid)
    await service.withdraw_everywhere(work, case.doctor, case.patient.uid)
    assert (await recording_of(work)).state is S.ASKED


async def test_other_stations_take_nothing_back(
    work: UnitOfWork, make: Factory, case: Case, live: LiveSession
) -> None:
    await agree_all(work, case, live)
    with pytest.raises(Missing):
        await service.withdraw_everywhere(
            work, await make.actor(Role.COMMUNE_DOCTOR), case.patient.uid
        )
    assert (await recording_of(work)).state is S.RUNNING


async def test_guests_are_asked_but_steer_nothing(
    work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    own = (await get_meeting(work, case.doctor, live.uid)).find(case.doctor.id)
    assert own
    for role in (ParticipantRole.GUEST, ParticipantRole.TRAINEE):
        own.participant.role = role
        for act in STEERING[:1]:
            with pytest.raises(Denied):
                await ACTS[act](work, case.doctor, live.uid)
    await agree_all(work, case, live)
    for act in STEERING[1:]:
        with pytest.raises(Denied):
            await ACTS[act](work, case.doctor, live.uid)
    await service.withdraw(work, case.doctor, live.uid)
    assert (await recording_of(work)).state is S.STOPPED


async def test_nobody_outside_does_anything(
    work: UnitOfWork, make: Factory, case: Case, live: LiveSession
) -> None:
    await agree_all(work, case, live)
    strangers = [await make.actor(role) for role in (Role.COMMUNE_DOCTOR, Role.TRAINER)]
    for actor, act in product(strangers, ACTS.values()):
        with pytest.raises(Missing):
            await act(work, actor, live.uid)
    await sessions.leave(work, case.doctor, live.uid)
    for act in ACTS.values():
        with pytest.raises(Conflict):
            await act(work, case.doctor, live.uid)
    assert (await recording_of(work)).state is S.RUNNING


# What a doctor who has agreed may do next, by state; everything else is refused and changes nothing.
POSSIBLE = {
    S.ASKED: {"note", "stop", "withdraw"},
    S.RUNNING: {"pause", "stop", "withdraw"},
    S.PAUSED: {"resume", "stop", "withdraw"},
}
WAYS: dict[RecordingState, tuple[str, ...]] = {
    S.ASKED: (),
    S.RUNNING: ("note",),
    S.PAUSED: ("note", "pause"),
}


@pytest.mark.parametrize(("state", "act"), list(product(POSSIBLE, ACTS)))
async def test_every_act_in_every_state(
    work: UnitOfWork, case: Case, live: LiveSession, state: RecordingState, act: str
) -> None:
    await service.ask(work, case.doctor, live.uid)
    for actor in (case.specialist, case.doctor):
        await service.answer(work, actor, live.uid, YES)
    for way in WAYS[state]:
        await ACTS[way](work, case.doctor, live.uid)
    recording = await recording_of(work)
    assert recording.state is state
    await work.session.flush()
    number = (await last_event(work, live)).number
    outcome = "done"
    try:
        async with work.session.begin_nested():
            await ACTS[act](work, case.doctor, live.uid)
    except (IllegalTransition, Conflict):
        outcome = "refused"
    assert outcome == {True: "done", False: "refused"}[act in POSSIBLE[state]]
    assert (await last_event(work, live)).number - number == int(act in POSSIBLE[state])


async def test_every_change_is_on_record_with_the_patient(
    work: UnitOfWork, database: Database, case: Case, live: LiveSession
) -> None:
    await agree_all(work, case, live)
    await service.pause(work, case.specialist, live.uid)
    await work.commit()
    async with database.read() as reading:
        records = [
            record
            for record in await reading.session.exec(select(AuditRecord))
            if record.tag is AuditTag.RECORDING_CHANGE
        ]
        assert await verify_chain(reading.session) is None
    assert [record.detail["act"] for record in records] == [
        "recording_asked",
        *["recording_agreed"] * 3,
        "recording_paused",
    ]
    assert {record.patient_id for record in records} == {case.patient.id}


async def test_fifty_answers_at_once_are_two_answers(
    work: UnitOfWork, database: Database, case: Case, live: LiveSession
) -> None:
    await service.ask(work, case.specialist, live.uid)
    await service.answer_for_patient(work, case.doctor, live.uid, PATIENT_YES)
    await work.commit()

    def answer_of(actor: Actor) -> Attempt:
        return lambda work: service.answer(work, actor, live.uid, YES)

    actors = [case.doctor, case.specialist] * 25
    outcomes = await attempt_all(database, map(answer_of, actors))
    assert Counter(outcomes)["done"] == 2
    async with database.read() as reading:
        assert (await recording_of(reading)).state is S.RUNNING
        kinds = [event.kind for event in await list_events(reading, f"session:{live.uid}")]
    assert kinds.count("recording_agreed") == 3


async def test_fifty_who_ask_at_once_ask_once(
    work: UnitOfWork, database: Database, case: Case, live: LiveSession
) -> None:
    await work.commit()
    actors = [case.doctor, case.specialist] * 25

    def asking_of(actor: Actor) -> Attempt:
        return lambda work: service.ask(work, actor, live.uid)

    outcomes = await attempt_all(database, map(asking_of, actors))
    assert Counter(outcomes) == {"done": 1, "recording_open": 49}


async def test_a_link_that_is_lost_for_good_is_a_leaving(
    work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    await agree_all(work, case, live)
    meeting = await get_meeting(work, case.doctor, live.uid)
    for member in meeting.inside:
        await sessions.expel(work, live.uid, member.participant.uid, LeaveReason.LINK_LOST)
    assert (await recording_of(work)).state is S.STOPPED
