"""Calling those who are not in the room: for how long, whom, and how it stops."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from telemed.accounts.models import Person
from telemed.accounts.permissions import Action, Actor, require
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import Missing
from telemed.core.events import append_event, stream_of
from telemed.core.jobs import enqueue
from telemed.facilities.models import Facility
from telemed.patients.models import Patient
from telemed.sessions.access import Meeting, Member, get_meeting, reads_case
from telemed.sessions.models import Capacity, LiveSession, Participant, ParticipantRole
from telemed.sessions.repository import list_ringing

RING = timedelta(seconds=45)
RING_JOB = "session_ring"


@dataclass(frozen=True)
class IncomingCall:
    """What the person who is called gets to see; `capacity` is what a third party is invited as."""

    session: LiveSession
    caller: Person
    role: ParticipantRole
    capacity: Capacity | None
    place: str
    patient_name: str
    expires_at: datetime


def ring_ends_at(meeting: Meeting, now: datetime) -> datetime | None:
    """Until when somebody is being called; None when nobody is."""
    ends = [member.participant.invited_at + RING for member in _called(meeting, now)]
    return max(ends, default=None)


def _called(meeting: Meeting, now: datetime) -> list[Member]:
    return [
        member
        for member in meeting.members
        if not member.is_inside
        and member.participant.ring_ended_at is None
        and member.participant.invited_at + RING > now
    ]


async def call_absent(work: UnitOfWork, meeting: Meeting, *, by: Actor, anew: bool = True) -> None:
    """Call everybody who is not inside; without `anew` only go on with a call that still runs.

    A call is heard only while somebody is inside, so that nobody answers into an empty room.
    """
    now = work.now()
    absent = [
        member
        for member in meeting.members
        if not member.is_inside and member.participant.person_id != by.id
    ]
    if anew:
        for member in absent:
            member.participant.invited_at = now
            member.participant.ring_ended_at = None
            work.session.add(member.participant)
        await _note_call(work, meeting, by)
    if meeting.inside:
        for member in _called(meeting, now):
            work.announce(stream_of("person", member.person.uid), "ringing")


async def call_one(
    work: UnitOfWork, meeting: Meeting, participant: Participant, person: Person, *, by: Actor
) -> None:
    """Call one person into a room that somebody is in."""
    participant.invited_at = work.now()
    participant.ring_ended_at = None
    work.session.add(participant)
    await _note_call(work, meeting, by)
    work.announce(stream_of("person", person.uid), "ringing")


async def _note_call(work: UnitOfWork, meeting: Meeting, by: Actor) -> None:
    ends_at = work.now() + RING
    uid = meeting.session.uid
    await append_event(
        work,
        stream_of("session", uid),
        "ring_started",
        by.id,
        expires_at=ends_at.isoformat(),
    )
    await enqueue(work, RING_JOB, uid, ends_at, {"session": uid})


async def silence(work: UnitOfWork, person_uid: str) -> None:
    """Tell the pages of a person that a call of theirs may have stopped."""
    work.announce(stream_of("person", person_uid), "ring-ended")


async def decline(work: UnitOfWork, actor: Actor, uid: str) -> None:
    """Not now. Raises Missing; for somebody who is not being called nothing happens."""
    meeting = await get_meeting(work, actor, uid, lock=True)
    own = meeting.find(actor.id)
    if own is None or own not in _called(meeting, work.now()):
        return
    own.participant.ring_ended_at = work.now()
    work.session.add(own.participant)
    await append_event(work, stream_of("session", uid), "ring_declined", actor.id)
    await silence(work, actor.uid)


async def note_unanswered(work: UnitOfWork, meeting: Meeting) -> None:
    """The time of a call is over: say so where somebody waits, and stop the ringing elsewhere."""
    now = work.now()
    for member in meeting.members:
        participant = member.participant
        has_ended = participant.invited_at + RING <= now
        if not member.is_inside and participant.ring_ended_at is None and has_ended:
            participant.ring_ended_at = now
            work.session.add(participant)
            await silence(work, member.person.uid)
            await append_event(
                work,
                stream_of("session", meeting.session.uid),
                "ring_expired",
                participant.person_id,
            )


async def list_calls(work: UnitOfWork, actor: Actor) -> list[IncomingCall]:
    """Who is calling the actor now."""
    require(actor, Action.SESSION_JOIN)
    calls = []
    for session, participant in await list_ringing(work, actor, work.now() - RING):
        try:
            meeting = await get_meeting(work, actor, session.uid)
        except Missing:
            # Passed on to somebody else while it rang: no business of the actor any more.
            continue
        caller = next((each for each in meeting.inside if each.person.id != actor.id), None)
        if caller is None:
            continue
        calls.append(
            IncomingCall(
                session=session,
                caller=caller.person,
                role=caller.participant.role,
                capacity=_capacity_of(meeting.find(actor.id)),
                place=await _place_of(work, caller.person),
                patient_name=await _patient_name(work, actor, meeting),
                expires_at=participant.invited_at + RING,
            )
        )
    return calls


def _capacity_of(own: Member | None) -> Capacity | None:
    return own.invitation.capacity if own and own.is_invited and own.invitation else None


async def _place_of(work: UnitOfWork, person: Person) -> str:
    facility = await work.session.get(Facility, person.facility_id) if person.facility_id else None
    return facility.name if facility else ""


async def _patient_name(work: UnitOfWork, actor: Actor, meeting: Meeting) -> str:
    consult = meeting.consult
    if consult is None or not reads_case(work, actor, meeting):
        return ""
    patient = await work.session.get_one(Patient, consult.patient_id)
    work.audit(
        AuditTag.CONSULT_LIST,
        actor,
        stream_of("consult", consult.uid),
        patient_id=consult.patient_id,
    )
    return patient.full_name
