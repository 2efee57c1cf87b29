"""Seats and stays held together: coming in, broken links, going out, what the log says happened."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from telemed.core.errors import TelemedError
from telemed.sessions import log, ringing, service
from telemed.sessions.access import Meeting, Member, find_meeting
from telemed.sessions.models import LeaveReason
from telemed.sessions.recording import service as recordings
from telemed.signaling.dispatch import Caller
from telemed.signaling.namespace import event_of, log_answer
from telemed.signaling.protocol import PROTOCOL_VERSION, Join
from telemed.signaling.rooms import Push, Room, Seat, Step

if TYPE_CHECKING:
    from telemed.signaling.server import Signaling

REPLACED = "replaced"
# What follows from somebody's coming in waits until they have had the time to connect.
SETTLE_SECONDS = 0.4


class Presence:
    """Keeps what the rooms know and what the database says of who is inside the same."""

    def __init__(self, hub: Signaling, *, key: bytes, grace_seconds: float) -> None:
        self._hub = hub
        self._key = key
        self._grace_seconds = grace_seconds
        self._timers: dict[tuple[str, str], asyncio.TimerHandle] = {}
        self.consult_of: dict[str, str] = {}

    async def join(self, caller: Caller, message: Join) -> dict[str, Any]:
        """Take a seat, or come back to it."""
        if not self._hub.rooms.has(message.session):
            async with self._hub.database.read() as work:
                # Before there is a room: a uid that is not for this person must not make one.
                await service.get(work, caller.actor, message.session)
        answer = await self._hub.rooms.run(
            message.session, lambda room: self._sit(room, caller, message)
        )
        self._later(message.session, "", SETTLE_SECONDS, lambda room: self._settle(room, caller))
        self._hub.note_activity(caller.actor)
        return answer

    async def _settle(self, room: Room, caller: Caller) -> None:
        async with self._hub.database.work(caller.request_id) as work:
            await service.settle(work, room.uid, caller.actor)

    async def _sit(self, room: Room, caller: Caller, message: Join) -> dict[str, Any]:
        held = _seat_of_person(room, caller.actor.uid)
        async with self._hub.database.work(caller.request_id) as work:
            entry = await service.enter(
                work,
                caller.actor,
                room.uid,
                resumes=self._resumes(caller, message, held),
                most=self._hub.forwarder.most_inside,
            )
            own = entry.own.participant.uid
            if entry.is_resumed and held is not None and held.sid is None:
                await service.note_link(work, room.uid, own, is_up=True)
            page = await log.read_log(work, entry.meeting, message.last_event)
            ring_ends_at = ringing.ring_ends_at(entry.meeting, work.now())
            recording = await recordings.find_view(work, entry.meeting)
        epoch = message.epoch if entry.is_resumed and message.epoch else entry.epoch
        self._stop_timer(room.uid, own)
        before = room.sit(seats_of(entry.meeting), own, caller.sid, epoch)
        seat = room.seats[own]
        seat.last_sent = page.last_number
        caller.connection.sessions.add(room.uid)
        if entry.meeting.consult is not None:
            self.consult_of[room.uid] = entry.meeting.consult.uid
        await self._evict(room, before, is_ghost=entry.is_resumed)
        if not entry.is_resumed:
            await self._hub.forwarder.forget(room.uid, own)
        # Before they hear of the newcomer: whom to connect to depends on the way.
        await self._hub.forwarder.follow(room)
        news = "session:peer-state" if entry.is_resumed else "session:peer-joined"
        await self._hub.push(room.tell_of(seat, news))
        if caller.sid not in self._hub.connections:
            # Ended by the server while this was being stored: nobody will say so again.
            await self.lose(room, caller.sid)
        return {
            "protocol": PROTOCOL_VERSION,
            "now": self._hub.clock.now().isoformat(),
            "session": _facts(entry.meeting, ring_ends_at.isoformat() if ring_ends_at else None),
            "participant": own,
            "participant_token": self._token(caller, room.uid, epoch),
            "epoch": epoch,
            "resumed": entry.is_resumed,
            "participants": room.peers_of(seat),
            "recording": recording,
            **self._hub.forwarder.view(room.uid),
            **self.ice_answer(own),
            **log_answer(room.uid, page),
        }

    def ice_answer(self, participant: str) -> dict[str, Any]:
        """ICE servers in the form of the wire, with credentials made now for somebody inside."""
        return self._hub.ice.issue(participant, self._hub.clock.now()).answer

    def _resumes(self, caller: Caller, message: Join, held: Seat | None) -> bool:
        if message.participant_token is None or message.epoch is None:
            return False
        if held is not None and held.epoch not in {None, message.epoch}:
            return False  # another page has sat down since
        expected = self._token(caller, message.session, message.epoch)
        return hmac.compare_digest(expected, message.participant_token)

    def _token(self, caller: Caller, session: str, epoch: int) -> str:
        words = f"seat\n{session}\n{caller.actor.uid}\n{caller.actor.login_session_id}\n{epoch}"
        digest = hmac.digest(self._key, words.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    async def _evict(self, room: Room, sid: str | None, *, is_ghost: bool) -> None:
        connection = self._hub.connections.get(sid) if sid else None
        if connection is None:
            return
        connection.sessions.discard(room.uid)
        if is_ghost:
            await self._hub.server.disconnect(connection.sid)
        else:
            await self._hub.push([room.eviction(connection.sid, REPLACED)])

    async def leave(self, caller: Caller, session: str) -> None:
        """Go out. Going out twice, or without having been in, is no mistake."""
        if session not in caller.connection.sessions:
            return

        async def step(room: Room) -> None:
            async with self._hub.database.work(caller.request_id) as work:
                await service.leave(work, caller.actor, session)
            seat = room.find(caller.sid)
            if seat is not None:
                seat.sid = None
                await self._hub.push(room.remove(seat.participant, LeaveReason.LEFT.value))
                self._forget_empty(room)
                await self._hub.forwarder.follow(room)

        await self._hub.rooms.run(session, step)
        caller.connection.sessions.discard(session)

    async def lose(self, room: Room, sid: str) -> None:
        """A connection broke; its seat is kept for a while."""
        seat, pushes = room.lose(sid)
        if seat is None:
            return
        await self._hub.push(pushes)
        async with self._hub.database.work() as work:
            await service.note_link(work, room.uid, seat.participant, is_up=False)
        lost = seat.participant
        self._later(
            room.uid,
            lost,
            self._grace_seconds,
            lambda room: self.expel(room, lost, LeaveReason.LINK_LOST),
        )

    async def expel(self, room: Room, participant: str, reason: LeaveReason) -> None:
        """End a stay; the log tells the others."""
        if participant in room.seats:
            async with self._hub.database.work() as work:
                await service.expel(work, room.uid, participant, reason)

    async def follow_log(self, room: Room) -> None:
        """Push what the log has grown by, and take away the seats of those who have left."""
        if not room.seats:
            return
        async with self._hub.database.read() as work:
            meeting = await find_meeting(work, room.uid)
            if meeting is None:
                return
            after = min((seat.last_sent for seat in room.connected), default=0)
            page = await log.read_log(work, meeting, after) if room.connected else None
        entries = page.entries if page else ()
        pushes = []
        for seat in room.connected:
            pushes += _unsent(room, seat, entries)
            seat.last_sent = max(seat.last_sent, page.last_number if page else 0)
        inside = {member.participant.uid for member in meeting.inside}
        for gone in [uid for uid in room.seats if uid not in inside]:
            self._stop_timer(room.uid, gone)
            sid = room.seats[gone].sid
            connection = self._hub.connections.get(sid) if sid else None
            if connection is not None:
                connection.sessions.discard(room.uid)
            pushes += room.remove(gone, _reason_of(entries, gone))
        self._forget_empty(room)
        await self._hub.push(pushes)
        await self._hub.forwarder.follow(room)

    def _forget_empty(self, room: Room) -> None:
        if not room.seats:
            self.consult_of.pop(room.uid, None)

    async def check_rights(self, room: Room) -> None:
        """The case has changed: whoever may no longer be here goes out."""
        for seat in room.connected:
            connection = self._hub.connections.get(seat.sid or "")
            actor = await self._hub.look_again(connection) if connection else None
            if actor is None:
                continue
            try:
                async with self._hub.database.read() as work:
                    await service.get(work, actor, room.uid)
            except TelemedError:
                await self.expel(room, seat.participant, LeaveReason.REVOKED)

    def close(self) -> None:
        """Forget what was planned; after a restart a job takes its place."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _later(self, session: str, participant: str, seconds: float, step: Step[None]) -> None:
        """Plan a step of a room, in place of the one that was planned before."""
        self._stop_timer(session, participant)

        def begin() -> None:
            self._timers.pop((session, participant), None)
            self._hub.rooms.start(session, step)

        loop = asyncio.get_running_loop()
        self._timers[session, participant] = loop.call_later(seconds, begin)

    def _stop_timer(self, session: str, participant: str) -> None:
        timer = self._timers.pop((session, participant), None)
        if timer is not None:
            timer.cancel()


def seats_of(meeting: Meeting) -> list[Seat]:
    """A seat for everybody who is inside by the database, still without connection."""
    return [
        Seat(
            participant=member.participant.uid,
            rank=member.participant.id or 0,
            person=member.person.uid,
            name=member.person.full_name,
            role=member.participant.role.value,
            joined_at=member.stay.joined_at,
            capacity=(
                member.invitation.capacity.value
                if member.invitation and member.is_invited
                else None
            ),
            inviter=_inviter_of(meeting, member),
        )
        for member in meeting.inside
        if member.stay is not None
    ]


def _inviter_of(meeting: Meeting, member: Member) -> str | None:
    """The participant who asked them in."""
    if member.invitation is None or not member.is_invited:
        return None
    inviter = meeting.find(member.invitation.inviter_id)
    return inviter.participant.uid if inviter else None


def _seat_of_person(room: Room, person: str) -> Seat | None:
    return next((seat for seat in room.seats.values() if seat.person == person), None)


def _facts(meeting: Meeting, ring_expires_at: str | None) -> dict[str, Any]:
    session = meeting.session
    return {
        "id": session.uid,
        "kind": session.kind.value,
        "state": session.state.value,
        "consult": meeting.consult.uid if meeting.consult else None,
        "started_at": session.met_at.isoformat() if session.met_at else None,
        "ring_expires_at": ring_expires_at,
    }


def _unsent(room: Room, seat: Seat, entries: Sequence[log.LogEntry]) -> list[Push]:
    return [
        Push(seat.sid, "session:event", event_of(room.uid, entry))
        for entry in entries
        if seat.sid is not None and entry.number > seat.last_sent
    ]


def _reason_of(entries: Sequence[log.LogEntry], participant: str) -> str:
    reasons = [
        str(entry.data.get("reason", ""))
        for entry in entries
        if entry.kind == "participant_left" and entry.participant == participant
    ]
    return reasons[-1] if reasons else LeaveReason.LEFT.value
