"""What became of the synthetic patients: most stations tell in time, some are late."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final

from sqlmodel import SQLModel

from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult
from telemed.consults.outcomes.models import FollowUp, Outcome
from telemed.consults.outcomes.planning import MORNING, REMIND_JOB
from telemed.consults.outcomes.rules import FINAL, PatientStatus, TransferResult, due_days
from telemed.core.clock import LOCAL_ZONE
from telemed.core.jobs import Job
from telemed.demo.world import World

TOLD_SHARE: Final = 0.85
DAYS: Final = (7, 30)
ENDS: Final = (
    *[(PatientStatus.IMPROVED, TransferResult.AVOIDED)] * 5,
    *[(PatientStatus.RECOVERED, TransferResult.AVOIDED)] * 3,
    *[(PatientStatus.RECOVERED, TransferResult.NOT_NEEDED)] * 2,
    *[(PatientStatus.TRANSFERRED, TransferResult.MADE)] * 2,
    (PatientStatus.UNCHANGED, TransferResult.NOT_NEEDED),
    (PatientStatus.LOST, TransferResult.NOT_NEEDED),
)


def make_outcomes(world: World, consults: Iterable[Consult]) -> list[SQLModel]:
    """Days that are due, and what was told on those that have come."""
    rows: list[SQLModel] = []
    for consult in consults:
        if consult.state is ConsultState.CLOSED and consult.closed_at and consult.assigned_id:
            rows += _of_case(world, consult, consult.closed_at)
    return rows


def _of_case(world: World, consult: Consult, closed_at: datetime) -> list[SQLModel]:
    asked = date.fromisoformat(consult.follow_up_on) if consult.follow_up_on else None
    today = world.now.astimezone(LOCAL_ZONE).date()
    rows: list[SQLModel] = []
    waiting: list[tuple[FollowUp, Job]] = []
    is_over = False
    for day in due_days(closed_at.astimezone(LOCAL_ZONE).date(), asked, DAYS):
        at = datetime.combine(day, MORNING, LOCAL_ZONE)
        due = FollowUp(
            consult_id=consult.id or 0,
            station_id=consult.station_id,
            specialist_id=consult.assigned_id,
            due_on=day,
        )
        rows.append(due)
        is_told = day < today and world.chance.random() < TOLD_SHARE
        if is_over:
            due.done_at = closed_at
        elif is_told:
            told = _told(world, consult, day, at)
            for earlier, _ in [*waiting, (due, None)]:
                earlier.done_at = told.recorded_at
            waiting.clear()
            is_over = told.status in FINAL
            rows.append(told)
        else:
            later = max(at, world.now + timedelta(days=1))
            job = Job(kind=REMIND_JOB, key=due.uid, due_at=later, payload={"uid": due.uid})
            waiting.append((due, job))
    return [*rows, *(job for _, job in waiting)]


def _told(world: World, consult: Consult, day: date, at: datetime) -> Outcome:
    status, transfer = world.chance.choice(ENDS)
    said_at = at + timedelta(minutes=world.chance.randint(30, 420))
    is_seen = world.chance.random() < TOLD_SHARE
    return Outcome(
        consult_id=consult.id or 0,
        specialist_id=consult.assigned_id,
        observed_on=day,
        status=status,
        transfer=transfer,
        recorded_by_id=consult.requester_id,
        recorded_at=said_at,
        seen_at=min(said_at + timedelta(hours=3), world.now) if is_seen else None,
    )
