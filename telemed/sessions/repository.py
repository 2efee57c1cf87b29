"""Queries of live sessions. A session found here is no permission: `access.py` holds it against the actor."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import exists, update
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Actor
from telemed.consults.models import Consult
from telemed.core.db import UnitOfWork
from telemed.core.events import stream_of
from telemed.sessions.lifecycle import SessionState
from telemed.sessions.models import (
    Attendance,
    Capacity,
    Invitation,
    LiveSession,
    Participant,
    ParticipantRole,
)

# Their right to be there comes from the case, and goes with it.
OF_THE_CASE = frozenset({ParticipantRole.REQUESTER, ParticipantRole.SPECIALIST})


@dataclass(frozen=True)
class Member:
    """Somebody who belongs to a session; `stay` while they are inside."""

    participant: Participant
    person: Person
    stay: Attendance | None
    invitation: Invitation | None = None

    @property
    def is_inside(self) -> bool:
        """True from coming in until leaving, also while the link is broken."""
        return self.stay is not None

    @property
    def is_invited(self) -> bool:
        """True for a third party whose invitation stands."""
        return self.invitation is not None and self.invitation.removed_at is None


@dataclass(frozen=True)
class Meeting:
    """A session with its case and everybody who belongs to it."""

    session: LiveSession
    consult: Consult | None
    members: tuple[Member, ...]

    @property
    def subject(self) -> str:
        """What its log and its lines in the audit chain go by."""
        return stream_of("session", self.session.uid)

    @property
    def patient_id(self) -> int | None:
        """Whose case it is about; None for a session without one."""
        return self.consult.patient_id if self.consult else None

    @property
    def inside(self) -> tuple[Member, ...]:
        """Those who are in the room now."""
        return tuple(member for member in self.members if member.is_inside)

    def find(self, person_id: int) -> Member | None:
        """The member who is this person."""
        return next((each for each in self.members if each.person.id == person_id), None)

    def find_participant(self, uid: str) -> Member | None:
        """The member with this id of signalling."""
        return next((each for each in self.members if each.participant.uid == uid), None)

    def having(self, member: Member) -> Meeting:
        """The same with one member as they are now."""
        others = [each for each in self.members if each.person.id != member.person.id]
        return replace(self, members=(*others, member))

    @property
    def guest_ids(self) -> frozenset[int]:
        """Those who may come in because they were asked to, not because of the case."""
        return frozenset(
            each.participant.person_id
            for each in self.members
            if each.participant.role not in OF_THE_CASE and self._is_welcome(each)
        )

    @property
    def announced_ids(self) -> frozenset[int]:
        """Those of `guest_ids`, also after the session."""
        return frozenset(
            each.participant.person_id
            for each in self.members
            if each.participant.role not in OF_THE_CASE
        )

    @property
    def host_ids(self) -> frozenset[int]:
        """Those who lead a session that belongs to no case."""
        return frozenset(
            each.participant.person_id
            for each in self.members
            if each.participant.role is ParticipantRole.TRAINER and each.invitation is None
        )

    def _is_welcome(self, member: Member) -> bool:
        if member.invitation is None:
            return True
        return member.is_invited and self.session.state is not SessionState.ENDED


async def find_meeting(work: UnitOfWork, uid: str, *, lock: bool = False) -> Meeting | None:
    """A session by its uid, for the server's own acts; locked until the transaction ends."""
    query = select(LiveSession).where(col(LiveSession.uid) == uid)
    found = await work.session.exec(query.with_for_update() if lock else query)
    session = found.one_or_none()
    if session is None:
        return None
    consult = None
    if session.consult_id is not None:
        consult = await work.session.get_one(
            Consult, session.consult_id, with_for_update=lock or None
        )
    return Meeting(session, consult, await list_members(work, session))


async def list_members(work: UnitOfWork, session: LiveSession) -> tuple[Member, ...]:
    """Who belongs to a session, in the order of being added."""
    query = (
        select(Participant, Person, Attendance, Invitation)
        .join(Person, col(Person.id) == col(Participant.person_id))
        .outerjoin(Invitation, col(Invitation.participant_id) == col(Participant.id))
        .outerjoin(
            Attendance,
            (col(Attendance.participant_id) == col(Participant.id))
            & col(Attendance.left_at).is_(None),
        )
        .where(col(Participant.session_id) == session.id)
        .order_by(col(Participant.id))
    )
    return tuple(Member(*row) for row in (await work.session.exec(query)).all())


async def find_open(work: UnitOfWork, consult_id: int) -> LiveSession | None:
    """The session of a case that is not over."""
    query = select(LiveSession).where(
        col(LiveSession.consult_id) == consult_id, col(LiveSession.state) != SessionState.ENDED
    )
    return (await work.session.exec(query.order_by(col(LiveSession.id).desc()))).first()


async def list_ringing(
    work: UnitOfWork, actor: Actor, since: datetime
) -> list[tuple[LiveSession, Participant]]:
    """Sessions that call the actor now: somebody else is inside, waiting."""
    other = aliased(Participant)
    waiting = exists().where(
        col(other.session_id) == col(LiveSession.id),
        col(other.person_id) != actor.id,
        col(Attendance.participant_id) == col(other.id),
        col(Attendance.left_at).is_(None),
    )
    inside = exists().where(
        col(Attendance.participant_id) == col(Participant.id), col(Attendance.left_at).is_(None)
    )
    query = (
        select(LiveSession, Participant)
        .join(Participant, col(Participant.session_id) == col(LiveSession.id))
        .where(
            col(Participant.person_id) == actor.id,
            col(Participant.invited_at) > since,
            col(Participant.ring_ended_at).is_(None),
            col(LiveSession.state) != SessionState.ENDED,
            waiting,
            ~inside,
        )
        .order_by(col(LiveSession.id))
    )
    return [(live, participant) for live, participant in await work.session.exec(query)]


async def list_stays(
    work: UnitOfWork, session_id: int
) -> list[tuple[Attendance, Participant, Person]]:
    """Every coming and going of a session, in order."""
    query = (
        select(Attendance, Participant, Person)
        .join(Participant, col(Participant.id) == col(Attendance.participant_id))
        .join(Person, col(Person.id) == col(Participant.person_id))
        .where(col(Participant.session_id) == session_id)
        .order_by(col(Attendance.joined_at), col(Attendance.id))
    )
    return [
        (stay, participant, person) for stay, participant, person in await work.session.exec(query)
    ]


async def list_capacities(work: UnitOfWork, session_id: int) -> Mapping[int, Capacity]:
    """What the third parties of a session were invited as, by participant."""
    query = (
        select(Invitation)
        .join(Participant, col(Participant.id) == col(Invitation.participant_id))
        .where(col(Participant.session_id) == session_id)
    )
    return {each.participant_id: each.capacity for each in await work.session.exec(query)}


async def touch_stays(work: UnitOfWork, participants: Collection[str]) -> None:
    """Write down that these participants are still there."""
    ids = select(Participant.id).where(col(Participant.uid).in_(participants))
    await work.session.exec(
        update(Attendance)
        .where(col(Attendance.participant_id).in_(ids), col(Attendance.left_at).is_(None))
        .values(last_seen_at=work.now())
        .execution_options(synchronize_session=False)
    )


async def names_of(work: UnitOfWork, person_ids: Collection[int]) -> Mapping[int, Person]:
    """People by key, for the events that name them."""
    found = await work.session.exec(select(Person).where(col(Person.id).in_(person_ids)))
    return {person.id: person for person in found if person.id is not None}
