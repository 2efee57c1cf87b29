"""Live sessions in a story: who called, who came, who lost the link, who left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from telemed.accounts.permissions import Actor
from telemed.consults.lifecycle import ConsultEvent
from telemed.core.audit import AuditTag
from telemed.core.events import stream_of
from telemed.demo.story import Story
from telemed.demo.world import World
from telemed.scheduling.models import Booking, BookingState
from telemed.sessions.lifecycle import SessionKind, SessionState
from telemed.sessions.models import (
    Attendance,
    LeaveReason,
    LiveSession,
    Participant,
    ParticipantRole,
)
from telemed.sessions.ringing import RING

LOSES_LINK = 0.25
Stays = list[tuple[Attendance, Participant]]


def book(story: Story, after: datetime) -> Booking:
    """The station takes a free slot of the specialist."""
    slot = story.world.diary.take(story.specialist, story.consult.station_id, after)
    booking = Booking(
        consult_id=0,
        specialist_id=story.specialist.id,
        patient_id=story.consult.patient_id,
        station_id=story.consult.station_id,
        start_at=slot.start,
        end_at=slot.end,
        booked_by_id=story.doctor.id,
        created_at=story.at,
    )
    story.bookings.append(booking)
    story.note(AuditTag.BOOKING_MAKE, story.doctor, booking=booking.uid)
    story.move(ConsultEvent.SCHEDULE, story.doctor, start_at=slot.start.isoformat())
    return booking


def cancel_booking(story: Story, booking: Booking) -> None:
    """The booked time is given back."""
    reason = story.world.phrase("unscheduled")
    booking.state, booking.reason = BookingState.CANCELLED, reason
    booking.cancelled_by_id = story.doctor.id
    story.note(AuditTag.BOOKING_CANCEL, story.doctor, booking=booking.uid)
    story.move(ConsultEvent.UNSCHEDULE, story.doctor, reason=reason)


def begin_meeting(story: Story) -> LiveSession:
    """The specialist calls, the station comes: from now on two are talking."""
    session = LiveSession(
        kind=SessionKind.CONSULTATION,
        station_id=story.consult.station_id,
        opened_by_id=story.specialist.id,
        opened_at=story.at,
    )
    story.meetings.append(session)
    members = [
        (story.doctor, ParticipantRole.REQUESTER),
        (story.specialist, ParticipantRole.SPECIALIST),
    ]
    room = Room(story.world, session, story.at, story)
    room.open(story.specialist, members)
    story.stays[session.uid] = room.stays
    story.at = room.at
    story.move(ConsultEvent.START_SESSION, story.doctor, session=session.uid)
    return session


def end_meeting(story: Story, session: LiveSession, low: float, high: float) -> None:
    """They talk for some minutes; the specialist ends it, the case waits for its conclusion."""
    room = Room(story.world, session, story.at, story)
    room.stays = story.stays[session.uid]
    if story.world.chance.random() < LOSES_LINK:
        room.lose_link(story.doctor, low / 2)
    room.pass_time(low, high)
    story.at = room.at
    room.end(story.specialist)
    story.move(ConsultEvent.PAUSE_SESSION, story.specialist, session=session.uid)


class Room:
    """One live session as its log tells it."""

    def __init__(
        self, world: World, session: LiveSession, at: datetime, story: Story | None = None
    ) -> None:
        self._world, self._session, self._story = world, session, story
        self._stream = stream_of("session", session.uid)
        self._patient = story.patient if story else None
        self.at = at
        self.stays: Stays = []

    def open(self, caller: Actor, members: Sequence[tuple[Actor, ParticipantRole]]) -> None:
        """Ring, and let everybody come in."""
        session, ledger = self._session, self._world.ledger
        ledger.open(self._stream)
        self._tell("session_opened", caller, session_kind=session.kind.value)
        detail = {"consult": self._story.consult.uid} if self._story else {}
        self._note(AuditTag.SESSION_START, caller, **detail)
        self._tell("ring_started", caller, expires_at=(self.at + RING).isoformat())
        invited_at = self.at
        for actor, role in members:
            participant = Participant(
                session_id=0, person_id=actor.id, role=role, invited_at=invited_at
            )
            self.pass_time(0.1, 0.4)
            stay = Attendance(participant_id=0, joined_at=self.at, last_seen_at=self.at)
            self.stays.append((stay, participant))
            self._tell("participant_joined", actor)
            self._note(AuditTag.SESSION_JOIN, actor, participant=participant.uid)
        session.epoch, session.met_at = len(members), self.at
        session.state = SessionState.LIVE
        self._tell("session_met", members[-1][0])

    def pass_time(self, low: float, high: float) -> None:
        """Minutes go by."""
        self.at += self._world.minutes(low, high)

    def lose_link(self, actor: Actor, after: float) -> None:
        """The signalling of somebody breaks for a moment; nobody has to join again."""
        self.pass_time(after / 2, after)
        self._tell("link_lost", actor)
        self.at += timedelta(seconds=self._world.chance.randint(8, 45))
        self._tell("link_restored", actor)

    def end(self, by: Actor) -> None:
        """Somebody ends it for everybody."""
        for number, (stay, participant) in enumerate(self.stays):
            stay.left_at = stay.last_seen_at = self.at
            stay.leave_reason = LeaveReason.SESSION_ENDED
            seconds = round((self.at - stay.joined_at).total_seconds())
            person = self._world.cast.actors[participant.person_id]
            reason = LeaveReason.SESSION_ENDED.value
            self._tell("participant_left", person, reason=reason, seconds=seconds)
            self._note(AuditTag.SESSION_LEAVE, by, participant=participant.uid, reason=reason)
            if len(self.stays) - number == 2:
                self._tell("session_parted", by)
        self._session.state, self._session.ended_at = SessionState.ENDED, self.at
        self._tell("session_ended", by)
        self._note(AuditTag.SESSION_END, by)

    def _tell(self, kind: str, actor: Actor, **data: object) -> None:
        self._world.ledger.tell(self.at, self._stream, kind, actor, **data)

    def _note(self, tag: AuditTag, actor: Actor, **detail: object) -> None:
        self._world.ledger.note(self.at, tag, actor, self._stream, self._patient, **detail)
