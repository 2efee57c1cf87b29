"""Coming into a live session, going out of it, and its end; `opening.py` has its beginning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from telemed.accounts.models import Person
from telemed.accounts.permissions import Actor
from telemed.consults import service as consults
from telemed.consults.lifecycle import ConsultEvent, ConsultState
from telemed.consults.models import Consult
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict
from telemed.core.events import append_event, stream_of
from telemed.core.jobs import enqueue
from telemed.media.forwarding import MOST_DIRECT
from telemed.sessions.access import Meeting, Member, find_meeting, get_meeting
from telemed.sessions.lifecycle import SessionEvent, SessionState, next_state
from telemed.sessions.models import (
    Attendance,
    LeaveReason,
    LiveSession,
    Participant,
)
from telemed.sessions.opening import CALLABLE, EMPTY_ENDS_AFTER, EMPTY_JOB, invite_of_case
from telemed.sessions.recording import service as recordings
from telemed.sessions.repository import touch_stays
from telemed.sessions.ringing import call_absent, silence

SWEEP_EVERY = timedelta(seconds=30)
SWEEP_JOB = "session_sweep"


@dataclass(frozen=True)
class Entry:
    """What somebody finds on coming in."""

    meeting: Meeting
    own: Member
    epoch: int
    is_resumed: bool


async def get(work: UnitOfWork, actor: Actor, uid: str) -> Meeting:
    """A session that the actor may join. Raises Missing."""
    return await get_meeting(work, actor, uid)


async def get_inside(work: UnitOfWork, actor: Actor, uid: str) -> Member:
    """The place of the actor, who is inside. Raises Missing, Conflict (over, or outside)."""
    meeting = await get_meeting(work, actor, uid)
    _require_open(meeting.session)
    own = meeting.find(actor.id)
    if own is None or not own.is_inside:
        raise Conflict("not_joined", N_("Bạn chưa vào phòng này"))
    return own


async def enter(
    work: UnitOfWork, actor: Actor, uid: str, *, resumes: bool, most: int = MOST_DIRECT
) -> Entry:
    """Come in, or come back; `most` have room there. Raises Missing, Conflict (over, or full).

    `resumes` keeps the epoch, as the page still has its peer connections; it counts only while
    the stay goes on, as the others have closed theirs when it ended. What follows from two being
    inside is left to `settle`, so that nobody waits for it.
    """
    meeting = await get_meeting(work, actor, uid, lock=True)
    session = meeting.session
    _require_open(session)
    own = meeting.find(actor.id)
    is_inside = own is not None and own.is_inside
    if not is_inside and len(meeting.inside) >= most:
        raise Conflict("session_full", N_("Phòng đã đủ {most} người"), most=most)
    participant = own.participant if own else await invite_of_case(work, actor, meeting)
    is_resumed = resumes and is_inside
    if not is_resumed:
        session.epoch += 1
        work.session.add(session)
    if not is_inside:
        own = await _begin_stay(work, actor, meeting, participant)
        meeting = meeting.having(own)
        await call_absent(work, meeting, by=actor, anew=False)
        await silence(work, actor.uid)
        await recordings.follow(work, meeting, actor)
    assert own
    return Entry(meeting, own, session.epoch, is_resumed)


async def settle(work: UnitOfWork, uid: str, actor: Actor | None = None) -> None:
    """Let the session and its case follow from who is inside; doing it again changes nothing."""
    meeting = await find_meeting(work, uid, lock=True)
    if meeting is not None:
        await _settle(work, meeting, actor)


async def leave(work: UnitOfWork, actor: Actor, uid: str) -> None:
    """Go out; the session goes on. Going out twice is going out once."""
    meeting = await get_meeting(work, actor, uid, lock=True)
    own = meeting.find(actor.id)
    if own is not None:
        await end_stay(work, meeting, own, LeaveReason.LEFT, actor)


async def end(work: UnitOfWork, actor: Actor, uid: str) -> None:
    """End the session for everybody. Raises Missing, Conflict."""
    meeting = await get_meeting(work, actor, uid, lock=True)
    _require_open(meeting.session)
    await close_meeting(work, meeting, SessionEvent.END, actor)
    work.audit(AuditTag.SESSION_END, actor, stream_of("session", uid))


async def ring(work: UnitOfWork, actor: Actor, uid: str) -> Meeting:
    """Call those who are not inside. Raises Missing, Conflict."""
    meeting = await get_meeting(work, actor, uid, lock=True)
    _require_open(meeting.session)
    await call_absent(work, meeting, by=actor)
    return meeting


async def note_link(work: UnitOfWork, uid: str, participant_uid: str, *, is_up: bool) -> None:
    """Write down that the signalling of somebody inside broke, or came back."""
    meeting = await find_meeting(work, uid, lock=True)
    own = meeting.find_participant(participant_uid) if meeting else None
    if own is None or own.stay is None:
        return
    own.stay.last_seen_at = work.now()
    work.session.add(own.stay)
    kind = "link_restored" if is_up else "link_lost"
    await append_event(work, stream_of("session", uid), kind, own.person.id)


async def expel(work: UnitOfWork, uid: str, participant_uid: str, reason: LeaveReason) -> None:
    """End the stay of somebody who can no longer say goodbye, or may no longer be there."""
    meeting = await find_meeting(work, uid, lock=True)
    own = meeting.find_participant(participant_uid) if meeting else None
    if meeting is not None and own is not None:
        await end_stay(work, meeting, own, reason)


async def touch(work: UnitOfWork, participant_uids: Sequence[str]) -> None:
    """Write down that these participants are still inside."""
    await touch_stays(work, participant_uids)


async def end_stay(
    work: UnitOfWork,
    meeting: Meeting,
    own: Member,
    reason: LeaveReason,
    actor: Actor | None = None,
) -> None:
    """Close one stay and let the session follow; nothing happens to somebody who is outside."""
    stay = own.stay
    if stay is None:
        return
    seen = stay.last_seen_at or stay.joined_at
    stay.left_at = seen if reason is LeaveReason.LINK_LOST else work.now()
    stay.leave_reason = reason
    work.session.add(stay)
    seconds = round((stay.left_at - stay.joined_at).total_seconds())
    uid = meeting.session.uid
    await append_event(
        work,
        stream_of("session", uid),
        "participant_left",
        own.person.id,
        reason=reason.value,
        seconds=seconds,
    )
    _audit_stay(
        work,
        AuditTag.SESSION_LEAVE,
        actor,
        meeting,
        participant=own.participant,
        reason=reason.value,
    )
    after = await find_meeting(work, uid)
    assert after
    await _settle(work, after, actor)
    await recordings.follow(work, after, actor)
    if not after.inside:
        for member in after.members:
            await silence(work, member.person.uid)
        await enqueue(work, EMPTY_JOB, uid, work.now() + EMPTY_ENDS_AFTER, {"session": uid})


async def close_meeting(
    work: UnitOfWork, meeting: Meeting, event: SessionEvent, actor: Actor | None
) -> None:
    """End a session: everybody's stay, then the session itself."""
    for member in meeting.inside:
        await end_stay(work, meeting, member, LeaveReason.SESSION_ENDED, actor)
    meeting.session.ended_at = work.now()
    await _advance(work, meeting, event, actor)
    for member in meeting.members:
        await silence(work, member.person.uid)


async def _begin_stay(
    work: UnitOfWork, actor: Actor, meeting: Meeting, participant: Participant
) -> Member:
    assert participant.id
    now = work.now()
    stay = Attendance(participant_id=participant.id, joined_at=now, last_seen_at=now)
    participant.ring_ended_at = now
    work.session.add(stay)
    work.session.add(participant)
    uid = meeting.session.uid
    own = meeting.find(actor.id)
    invitation = own.invitation if own and own.is_invited else None
    told = {"capacity": invitation.capacity.value} if invitation else {}
    await append_event(work, stream_of("session", uid), "participant_joined", actor.id, **told)
    _audit_stay(work, AuditTag.SESSION_JOIN, actor, meeting, participant=participant)
    if not meeting.inside:
        await enqueue(work, SWEEP_JOB, uid, now + SWEEP_EVERY, {"session": uid})
    person = await work.session.get_one(Person, actor.id)
    return Member(participant, person, stay, own.invitation if own else None)


async def _settle(work: UnitOfWork, meeting: Meeting, actor: Actor | None) -> None:
    """Two inside have met, fewer have parted; the case follows."""
    session, count = meeting.session, len(meeting.inside)
    if count >= 2 and session.state in {SessionState.RINGING, SessionState.IDLE}:
        session.met_at = session.met_at or work.now()
        await _advance(work, meeting, SessionEvent.MEET, actor)
    elif count < 2 and session.state is SessionState.LIVE:
        await _advance(work, meeting, SessionEvent.PART, actor)


_FACTS = {
    SessionEvent.MEET: "session_met",
    SessionEvent.PART: "session_parted",
    SessionEvent.END: "session_ended",
    SessionEvent.EXPIRE: "session_ended",
}


async def _advance(
    work: UnitOfWork, meeting: Meeting, event: SessionEvent, actor: Actor | None
) -> None:
    """The one place where the state of a session changes."""
    session = meeting.session
    session.state = next_state(session.state, event)
    work.session.add(session)
    stream = stream_of("session", session.uid)
    await append_event(work, stream, _FACTS[event], actor.id if actor else None)
    if meeting.consult is not None:
        await _tell_case(work, actor, meeting.consult, session)


async def _tell_case(
    work: UnitOfWork, actor: Actor | None, consult: Consult, session: LiveSession
) -> None:
    """A case is in session while two are talking; one that has its answer stays answered."""
    is_live = session.state is SessionState.LIVE
    if is_live and consult.state in CALLABLE - {ConsultState.IN_SESSION}:
        event = ConsultEvent.START_SESSION
        await consults.transition(work, actor, consult, event, session=session.uid)
    elif not is_live and consult.state is ConsultState.IN_SESSION:
        await consults.pause_session(work, actor, consult, session=session.uid)


def _audit_stay(
    work: UnitOfWork,
    tag: AuditTag,
    actor: Actor | None,
    meeting: Meeting,
    *,
    participant: Participant,
    reason: str = "",
) -> None:
    work.audit(
        tag,
        actor,
        meeting.subject,
        patient_id=meeting.patient_id,
        participant=participant.uid,
        **({"reason": reason} if reason else {}),
    )


def _require_open(session: LiveSession) -> None:
    if session.state is SessionState.ENDED:
        raise Conflict("session_ended", N_("Buổi hội chẩn này đã kết thúc"))
