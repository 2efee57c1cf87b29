"""What falls due in a session: a call that nobody answered, a stay that nobody saw end, an empty room."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from telemed.core.db import UnitOfWork
from telemed.core.jobs import JobHandler, enqueue
from telemed.sessions.access import find_meeting
from telemed.sessions.lifecycle import SessionEvent, SessionState
from telemed.sessions.link import drill
from telemed.sessions.models import LeaveReason
from telemed.sessions.opening import EMPTY_JOB
from telemed.sessions.ringing import RING_JOB, note_unanswered
from telemed.sessions.service import (
    SWEEP_EVERY,
    SWEEP_JOB,
    close_meeting,
    end_stay,
    settle,
)

# Longer than a seat is kept by the process that holds it, so that it acts first while it lives.
UNSEEN_ENDS_AFTER = timedelta(seconds=90)


async def stop_ringing(work: UnitOfWork, payload: Mapping[str, Any]) -> None:
    """A call has rung for long enough."""
    meeting = await find_meeting(work, payload["session"], lock=True)
    if meeting is not None and meeting.session.state is not SessionState.ENDED:
        await note_unanswered(work, meeting)


async def sweep(work: UnitOfWork, payload: Mapping[str, Any]) -> None:
    """End the stays of those who were lost with a process, and look again while somebody is there."""
    meeting = await find_meeting(work, payload["session"], lock=True)
    if meeting is None:
        return
    oldest = work.now() - UNSEEN_ENDS_AFTER
    for member in meeting.inside:
        assert member.stay
        if (member.stay.last_seen_at or member.stay.joined_at) < oldest:
            await end_stay(work, meeting, member, LeaveReason.LINK_LOST)
    uid = meeting.session.uid
    # A process may have gone between somebody's coming in and what follows from it.
    await settle(work, uid)
    left = await find_meeting(work, uid)
    if left is not None and left.inside:
        await enqueue(work, SWEEP_JOB, uid, work.now() + SWEEP_EVERY, {"session": uid})


async def end_empty(work: UnitOfWork, payload: Mapping[str, Any]) -> None:
    """End a session to which nobody has come back."""
    meeting = await find_meeting(work, payload["session"], lock=True)
    if meeting is None or meeting.inside or meeting.session.state is SessionState.ENDED:
        return
    await close_meeting(work, meeting, SessionEvent.EXPIRE, None)


JOBS: Mapping[str, JobHandler] = {
    RING_JOB: stop_ringing,
    SWEEP_JOB: sweep,
    EMPTY_JOB: end_empty,
    drill.PLAN_JOB: drill.plan,
    drill.ASK_JOB: drill.ask,
}
