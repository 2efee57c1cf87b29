"""Who may come into a session: by the right to its case, or because they were asked to."""

from __future__ import annotations

from telemed.accounts.permissions import Action, Actor, SessionFacts, require
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
    case = consults.facts_of(meeting.consult, work) if meeting.consult else None
    require(actor, Action.SESSION_JOIN, SessionFacts(meeting.guest_ids, case))
    return meeting
