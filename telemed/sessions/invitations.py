"""Third parties of a live session: found by name, invited in a capacity, announced, sent out again."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from telemed.accounts.models import Person, PersonRole, PersonState
from telemed.accounts.permissions import GRANTS, Action, Actor
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, Missing
from telemed.core.events import append_event, stream_of
from telemed.core.text import fold
from telemed.facilities.models import Facility
from telemed.sessions.access import Meeting, get_meeting_to_invite
from telemed.sessions.lifecycle import SessionState
from telemed.sessions.models import Capacity, Invitation, LeaveReason, Participant, ParticipantRole
from telemed.sessions.ringing import call_one, silence
from telemed.sessions.service import end_stay

MOST_FOUND = 8
ROLES = {
    Capacity.COLLEAGUE: ParticipantRole.GUEST,
    Capacity.INTERPRETER: ParticipantRole.GUEST,
    Capacity.TRAINER: ParticipantRole.TRAINER,
    Capacity.TRAINEE: ParticipantRole.TRAINEE,
}


@dataclass(frozen=True)
class Invitable:
    """Somebody who may be asked to come in."""

    uid: str
    name: str
    title: str
    place: str


async def find_invitable(work: UnitOfWork, actor: Actor, uid: str, name: str) -> list[Invitable]:
    """People by a part of their name who are not inside. Raises Missing, Conflict."""
    meeting = await _get_as_host(work, actor, uid)
    inside = {member.person.id for member in meeting.inside}
    query = (
        select(Person, Facility.name)
        .outerjoin(Facility, col(Facility.id) == col(Person.facility_id))
        .where(
            col(Person.folded_name).contains(fold(name), autoescape=True),
            col(Person.state) == PersonState.ACTIVE,
            col(Person.id).in_(_joining()),
            col(Person.id).not_in(inside | {actor.id}),
        )
        .order_by(col(Person.sort_key), col(Person.id))
        .limit(MOST_FOUND)
    )
    found = (await work.session.exec(query)).all()
    return [
        Invitable(person.uid, person.full_name, person.title, place or "")
        for person, place in found
    ]


async def invite(
    work: UnitOfWork, actor: Actor, uid: str, person_uid: str, capacity: Capacity
) -> str:
    """Call somebody into an open session; the participant they will be. Raises Missing, Conflict."""
    meeting = await _get_as_host(work, actor, uid, lock=True)
    person = await _get_invitable(work, person_uid)
    member = meeting.find(person.id or 0)
    if person.id == actor.id or (member is not None and member.is_inside):
        raise Conflict("already_inside", N_("Người này đang ở trong phòng"))
    participant = member.participant if member else await _add(work, meeting, person, capacity)
    await _note(work, actor, participant, member.invitation if member else None, capacity)
    await append_event(
        work,
        stream_of("session", uid),
        "person_invited",
        actor.id,
        participant=participant.uid,
        name=person.full_name,
        capacity=capacity.value,
    )
    _audit(work, actor, meeting, participant, act="invite", capacity=capacity.value)
    await call_one(work, meeting, participant, person, by=actor)
    return participant.uid


async def remove(work: UnitOfWork, actor: Actor, uid: str, participant_uid: str) -> None:
    """Take an invitation back, and send whoever came by it out. Raises Missing, Conflict."""
    meeting = await _get_as_host(work, actor, uid, lock=True)
    member = meeting.find_participant(participant_uid)
    if member is None or not member.is_invited or member.invitation is None:
        raise Missing
    if not _may_remove(meeting, actor, member.invitation):
        raise Conflict("not_inviter", N_("Chỉ người đã mời mới đưa người này ra được"))
    member.invitation.removed_at = work.now()
    member.invitation.removed_by_id = actor.id
    member.participant.ring_ended_at = work.now()
    work.session.add(member.invitation)
    work.session.add(member.participant)
    await append_event(
        work,
        stream_of("session", uid),
        "person_removed",
        actor.id,
        participant=participant_uid,
        name=member.person.full_name,
    )
    _audit(work, actor, meeting, member.participant, act="remove")
    await end_stay(work, meeting, member, LeaveReason.REVOKED, actor)
    await silence(work, member.person.uid)


async def _get_as_host(work: UnitOfWork, actor: Actor, uid: str, *, lock: bool = False) -> Meeting:
    meeting = await get_meeting_to_invite(work, actor, uid, lock=lock)
    if meeting.session.state is SessionState.ENDED:
        raise Conflict("session_ended", N_("Buổi hội chẩn này đã kết thúc"))
    own = meeting.find(actor.id)
    if own is None or not own.is_inside:
        raise Conflict("not_joined", N_("Bạn chưa vào phòng này"))
    return meeting


def _may_remove(meeting: Meeting, actor: Actor, invitation: Invitation) -> bool:
    """The inviter; when they have left, whoever else might have invited."""
    if invitation.inviter_id == actor.id:
        return True
    inviter = meeting.find(invitation.inviter_id)
    return inviter is None or not inviter.is_inside


def _joining() -> SelectOfScalar[int]:
    roles = col(PersonRole.role).in_(GRANTS[Action.SESSION_JOIN])
    return select(PersonRole.person_id).where(roles)


async def _get_invitable(work: UnitOfWork, person_uid: str) -> Person:
    query = select(Person).where(
        col(Person.uid) == person_uid,
        col(Person.state) == PersonState.ACTIVE,
        col(Person.id).in_(_joining()),
    )
    person = (await work.session.exec(query)).one_or_none()
    if person is None:
        raise Missing
    return person


async def _add(
    work: UnitOfWork, meeting: Meeting, person: Person, capacity: Capacity
) -> Participant:
    assert meeting.session.id
    assert person.id
    participant = Participant(
        session_id=meeting.session.id,
        person_id=person.id,
        role=ROLES[capacity],
        invited_at=work.now(),
    )
    work.session.add(participant)
    await work.session.flush()
    return participant


async def _note(
    work: UnitOfWork,
    actor: Actor,
    participant: Participant,
    before: Invitation | None,
    capacity: Capacity,
) -> None:
    assert participant.id
    invitation = before or Invitation(
        participant_id=participant.id,
        inviter_id=actor.id,
        capacity=capacity,
        invited_at=work.now(),
    )
    invitation.inviter_id = actor.id
    invitation.capacity = capacity
    invitation.invited_at = work.now()
    invitation.removed_at = None
    invitation.removed_by_id = None
    work.session.add(invitation)
    await work.session.flush()


def _audit(
    work: UnitOfWork,
    actor: Actor,
    meeting: Meeting,
    participant: Participant,
    **detail: str,
) -> None:
    work.audit(
        AuditTag.SESSION_INVITE,
        actor,
        meeting.subject,
        patient_id=meeting.patient_id,
        participant=participant.uid,
        **detail,
    )
