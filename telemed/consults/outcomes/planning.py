"""What a change of state brings with it: days that are due, and reminders of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from sqlmodel import col, select

from telemed.consults.lifecycle import ConsultEvent, ConsultState
from telemed.consults.models import Consult
from telemed.consults.outcomes.models import FollowUp
from telemed.consults.outcomes.rules import due_days
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.core.events import stream_of
from telemed.core.jobs import cancel, enqueue
from telemed.notices.kinds import NoticeKind
from telemed.notices.service import News, notify

REMIND_JOB: Final = "outcome.remind"
DECIDE_JOB: Final = "decision.remind"
# When the station's day begins.
MORNING: Final = time(8)
AGAIN_AFTER: Final = timedelta(days=7)
MOST_REMINDERS: Final = 3
DECISION_AFTER: Final = timedelta(days=1)


async def plan_loops(work: UnitOfWork, consult: Consult, event: ConsultEvent) -> None:
    """An answered case waits for the station's decision, a closed one for what became of the patient."""
    if event is ConsultEvent.ANSWER:
        payload = {"uid": consult.uid, "tries": 0}
        await enqueue(work, DECIDE_JOB, consult.uid, work.now() + DECISION_AFTER, payload)
    elif event is ConsultEvent.CLOSE:
        await cancel(work, DECIDE_JOB, consult.uid)
        await _plan_follow_ups(work, consult)


async def _plan_follow_ups(work: UnitOfWork, consult: Consult) -> None:
    asked = date.fromisoformat(consult.follow_up_on) if consult.follow_up_on else None
    today = work.now().astimezone(LOCAL_ZONE).date()
    for day in due_days(today, asked, work.settings.follow_up_days):
        row = FollowUp(
            consult_id=consult.id or 0,
            station_id=consult.station_id,
            specialist_id=consult.assigned_id,
            due_on=day,
        )
        work.session.add(row)
        at = datetime.combine(day, MORNING, LOCAL_ZONE)
        await enqueue(work, REMIND_JOB, row.uid, at, {"uid": row.uid})


async def remind_of_outcome(work: UnitOfWork, payload: Mapping[str, Any]) -> None:
    """Job `outcome.remind`: tell the station that a day has come, and again while nothing is told."""
    query = (
        select(FollowUp, Consult)
        .join(Consult, col(Consult.id) == col(FollowUp.consult_id))
        .where(col(FollowUp.uid) == str(payload["uid"]), col(FollowUp.done_at).is_(None))
    )
    found = (await work.session.exec(query)).one_or_none()
    if found is None:
        return
    row, consult = found
    row.reminders += 1
    work.session.add(row)
    await _tell(work, consult, NoticeKind.OUTCOME_DUE, f"{row.uid}:{row.reminders}")
    if row.reminders < MOST_REMINDERS:
        await enqueue(work, REMIND_JOB, row.uid, work.now() + AGAIN_AFTER, {"uid": row.uid})


async def remind_of_decision(work: UnitOfWork, payload: Mapping[str, Any]) -> None:
    """Job `decision.remind`: tell the station that a conclusion waits for its decision."""
    uid, tries = str(payload["uid"]), int(payload["tries"]) + 1
    query = select(Consult).where(col(Consult.uid) == uid)
    consult = (await work.session.exec(query)).one_or_none()
    if consult is None or consult.state is not ConsultState.ANSWERED:
        return
    await _tell(work, consult, NoticeKind.DECISION_DUE, f"{uid}:{tries}")
    if tries < MOST_REMINDERS:
        again = work.now() + AGAIN_AFTER
        await enqueue(work, DECIDE_JOB, uid, again, {"uid": uid, "tries": tries})


async def _tell(work: UnitOfWork, consult: Consult, kind: NoticeKind, mark: str) -> None:
    about = stream_of("consult", consult.uid)
    key = f"{kind.value}:{mark}"
    await notify(work, News(kind, {consult.requester_id}, key=key, about=about))
