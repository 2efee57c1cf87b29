"""Opening a session and inviting to it, from a case or for handing over a technique."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import delete, exists
from sqlmodel import col, select

from telemed.accounts.permissions import Action, Actor, Role, require
from telemed.consults import service as consults
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict
from telemed.core.events import append_event, open_stream, stream_of
from telemed.core.jobs import enqueue
from telemed.sessions.access import Meeting, get_meeting
from telemed.sessions.lifecycle import SessionKind, SessionState
from telemed.sessions.models import Attendance, LiveSession, Participant, ParticipantRole
from telemed.sessions.repository import find_meeting, find_open
from telemed.sessions.ringing import call_absent, silence

EMPTY_ENDS_AFTER = timedelta(minutes=30)
CALLABLE = frozenset(
    {
        ConsultState.ACCEPTED,
        ConsultState.SCHEDULED,
        ConsultState.IN_SESSION,
        ConsultState.PAUSED,
    }
)
EMPTY_JOB = "session_empty"


async def open_for_consult(work: UnitOfWork, actor: Actor, consult_uid: str) -> LiveSession:
    """Call the other side of a case now; whoever presses second comes into the same session.

    Raises Missing, Conflict (nobody has taken the case yet, or it is over).
    """
    consult = await consults.get_case(work, actor, consult_uid, Action.SESSION_START)
    if consult.state not in CALLABLE:
        raise Conflict("not_callable", N_("Ca này hiện không gọi được. Tải lại để xem."))
    assert consult.id
    # Two sides may press at the same moment: one row decides who opens.
    await work.session.exec(
        select(Consult.id).where(col(Consult.id) == consult.id).with_for_update()
    )
    session = await find_open(work, consult.id)
    if session is None:
        session = await _open(
            work,
            actor,
            SessionKind.CONSULTATION,
            consult_id=consult.id,
            station_id=consult.station_id,
        )
        await _invite_sides(work, actor, session, consult)
        work.audit(
            AuditTag.SESSION_START,
            actor,
            stream_of("session", session.uid),
            patient_id=consult.patient_id,
            consult=consult.uid,
        )
    meeting = await get_meeting(work, actor, session.uid)
    await call_absent(work, meeting, by=actor)
    return session


async def open_for_transfer(
    work: UnitOfWork,
    actor: Actor,
    *,
    title: str,
    station_id: int,
    members: Sequence[tuple[int, ParticipantRole]],
) -> LiveSession:
    """A session in which a technique is handed over; the same room, the same attendance."""
    require(actor, Action.TRANSFER_WRITE)
    session = await _open(
        work, actor, SessionKind.TECHNICAL_TRANSFER, title=title, station_id=station_id
    )
    for person_id, role in {actor.id: ParticipantRole.TRAINER, **dict(members)}.items():
        await _invite(work, session, person_id, role)
    work.audit(AuditTag.SESSION_START, actor, stream_of("session", session.uid))
    meeting = await get_meeting(work, actor, session.uid)
    await call_absent(work, meeting, by=actor)
    return session


async def call_for_transfer(
    work: UnitOfWork, actor: Actor, uid: str, members: Mapping[int, ParticipantRole]
) -> bool:
    """Call those who are in the log by now into its open room. False when the room is over."""
    require(actor, Action.TRANSFER_WRITE)
    meeting = await find_meeting(work, uid, lock=True)
    if meeting is None or meeting.session.state is SessionState.ENDED:
        return False
    for member in meeting.members:
        if member.person.id not in members:
            await _uninvite(work, member.participant)
            await silence(work, member.person.uid)
    for person_id, role in members.items():
        if meeting.find(person_id) is None:
            await _invite(work, meeting.session, person_id, role)
    await call_absent(work, await get_meeting(work, actor, uid), by=actor)
    return True


async def _uninvite(work: UnitOfWork, participant: Participant) -> None:
    """Whoever has been inside belongs to the attendance, and stays in it."""
    been_inside = exists().where(col(Attendance.participant_id) == participant.id)
    await work.session.exec(
        delete(Participant).where(col(Participant.id) == participant.id, ~been_inside)
    )


async def _open(
    work: UnitOfWork,
    actor: Actor,
    kind: SessionKind,
    *,
    station_id: int,
    consult_id: int | None = None,
    title: str = "",
) -> LiveSession:
    session = LiveSession(
        kind=kind,
        consult_id=consult_id,
        title=title,
        station_id=station_id,
        opened_by_id=actor.id,
        opened_at=work.now(),
    )
    work.session.add(session)
    await work.session.flush()
    stream = stream_of("session", session.uid)
    await open_stream(work, stream)
    await append_event(work, stream, "session_opened", actor.id, session_kind=kind.value)
    await enqueue(
        work, EMPTY_JOB, session.uid, work.now() + EMPTY_ENDS_AFTER, {"session": session.uid}
    )
    return session


async def _invite(
    work: UnitOfWork, session: LiveSession, person_id: int, role: ParticipantRole
) -> Participant:
    assert session.id
    participant = Participant(
        session_id=session.id, person_id=person_id, role=role, invited_at=work.now()
    )
    work.session.add(participant)
    await work.session.flush()
    return participant


async def _invite_sides(
    work: UnitOfWork, actor: Actor, session: LiveSession, consult: Consult
) -> None:
    """Both sides of a case; whoever of the station calls stands for the requester."""
    assert consult.assigned_id
    is_specialist = actor.id == consult.assigned_id
    requester_id = consult.requester_id if is_specialist else actor.id
    await _invite(work, session, requester_id, ParticipantRole.REQUESTER)
    await _invite(work, session, consult.assigned_id, ParticipantRole.SPECIALIST)


async def invite_of_case(work: UnitOfWork, actor: Actor, meeting: Meeting) -> Participant:
    """A colleague of the same station, or the specialist who took the case over meanwhile."""
    is_specialist = actor.has(Role.SPECIALIST) and (
        meeting.consult is not None and meeting.consult.assigned_id == actor.id
    )
    role = ParticipantRole.SPECIALIST if is_specialist else ParticipantRole.REQUESTER
    return await _invite(work, meeting.session, actor.id, role)
