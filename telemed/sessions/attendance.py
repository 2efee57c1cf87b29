"""Who met when: the list that minutes and transfer logs carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.consults.models import Consult
from telemed.core.db import UnitOfWork
from telemed.sessions.models import (
    Attendance,
    Capacity,
    LeaveReason,
    LiveSession,
    Participant,
    ParticipantRole,
)
from telemed.sessions.recording.models import Recording
from telemed.sessions.recording.repository import list_recordings
from telemed.sessions.repository import list_capacities, list_stays


@dataclass(frozen=True)
class Stay:
    """One coming and going; without an end while it lasts. `capacity` is that of a third party."""

    person_id: int
    name: str
    title: str
    role: ParticipantRole
    capacity: Capacity | None
    joined_at: datetime
    left_at: datetime | None
    reason: LeaveReason | None

    @property
    def seconds(self) -> int | None:
        """How long it lasted."""
        return round((self.left_at - self.joined_at).total_seconds()) if self.left_at else None


async def list_attendance(work: UnitOfWork, session: LiveSession) -> list[Stay]:
    """Every stay of a session that the caller was let into, in the order of coming."""
    capacities = await list_capacities(work, session.id or 0)
    return [
        Stay(
            person_id=participant.person_id,
            name=person.full_name,
            title=person.title,
            role=participant.role,
            capacity=capacities.get(participant.id or 0),
            joined_at=stay.joined_at,
            left_at=stay.left_at,
            reason=stay.leave_reason,
        )
        for stay, participant, person in await list_stays(work, session.id or 0)
    ]


async def list_meetings(work: UnitOfWork, consult: Consult) -> list[dict[str, Any]]:
    """Sessions of a case: times, stays by person, how often a link was lost. ISO times, UTC."""
    query = select(LiveSession).where(col(LiveSession.consult_id) == consult.id)
    sessions = (await work.session.exec(query.order_by(col(LiveSession.id)))).all()
    return [await _meeting(work, session) for session in sessions if session.met_at]


async def _meeting(work: UnitOfWork, session: LiveSession) -> dict[str, Any]:
    return describe_meeting(
        session,
        await list_stays(work, session.id or 0),
        recordings=await list_recordings(work, session.id or 0),
        capacities=await list_capacities(work, session.id or 0),
    )


def describe_meeting(
    session: LiveSession,
    stays: Sequence[tuple[Attendance, Participant, Person]],
    *,
    recordings: Sequence[Recording] = (),
    capacities: Mapping[int, Capacity] = MappingProxyType({}),
) -> dict[str, Any]:
    """One meeting as minutes carry it; `capacities` of third parties by participant."""
    return {
        "session": session.uid,
        "met_at": session.met_at.isoformat() if session.met_at else None,
        "ended_at": session.ended_at.isoformat() if session.ended_at else None,
        "links_lost": sum(stay.leave_reason is LeaveReason.LINK_LOST for stay, *_ in stays),
        "stays": [
            {
                "name": person.full_name,
                "title": person.title,
                "role": participant.role.value,
                "capacity": capacities[participant.id or 0].value
                if participant.id in capacities
                else None,
                "reason": stay.leave_reason.value if stay.leave_reason else None,
                "joined_at": stay.joined_at.isoformat(),
                "left_at": stay.left_at.isoformat() if stay.left_at else None,
            }
            for stay, participant, person in stays
        ],
        "recordings": [
            {
                "recording": each.uid,
                "started_at": each.started_at.isoformat() if each.started_at else None,
                "ended_at": each.ended_at.isoformat() if each.ended_at else None,
            }
            for each in recordings
        ],
    }
