"""Who may come into a session: by the right to its case, or because they were asked to."""

from __future__ import annotations

from telemed.accounts.permissions import Action, Actor, SessionFacts, may, require
from telemed.consults import service as consults
from telemed.core.db import UnitOfWork
from telemed.core.errors import Missing
from telemed.sessions.repository import Meeting, Member, find_meeting

__all__ = ["Meeting", "Member", "find_meeting", "get_meeting"]


async def get_meeting(work: UnitOfWork, actor: Actor, uid: str, *, lock: bool = False) -> Meeting:
    """A session that the actor may join. Raises Missing for any other, known or not."""
    meeting = await find_meeting(work, uid, lock=lock)
    if meeting is None:
        raise Missing
    require(actor, Action.SESSION_JOIN, _facts(work, meeting))
    return meeting


async def get_meeting_to_invite(
    work: UnitOfWork, actor: Actor, uid: str, *, lock: bool = False
) -> Meeting:
    """A session that the actor may bring others into. Raises Missing, Denied."""
    meeting = await get_meeting(work, actor, uid, lock=lock)
    require(actor, Action.SESSION_INVITE, _facts(work, meeting))
    return meeting


def may_invite(work: UnitOfWork, actor: Actor, meeting: Meeting) -> bool:
    """Whether the actor may bring others into a session that they were let into."""
    return may(actor, Action.SESSION_INVITE, _facts(work, meeting))


def reads_case(work: UnitOfWork, actor: Actor, meeting: Meeting) -> bool:
    """Whether the case is theirs to read; an invitation to its session opens nothing of it."""
    consult = meeting.consult
    return consult is not None and may(actor, Action.MINUTES_READ, consults.facts_of(consult, work))


def _facts(work: UnitOfWork, meeting: Meeting) -> SessionFacts:
    case = consults.facts_of(meeting.consult, work) if meeting.consult else None
    return SessionFacts(meeting.guest_ids, case, meeting.host_ids)
