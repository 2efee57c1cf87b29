"""Is it still done? Asked of the station three and six months after acceptance, answered once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from sqlmodel import col, func, select

from telemed.accounts.models import Person, PersonRole, PersonState
from telemed.accounts.permissions import Action, Actor, Role, require
from telemed.core.audit import AuditTag
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, FieldError, Invalid, Missing, too_long
from telemed.core.jobs import cancel, enqueue
from telemed.core.text import clean_text
from telemed.notices.kinds import NoticeKind
from telemed.notices.service import News, notify
from telemed.training.caselog.models import CaseRow
from telemed.training.caselog.rules import RowState
from telemed.training.entrustment.models import Acceptance, Recheck
from telemed.training.entrustment.rules import (
    LONGEST_REASON,
    MOST_TIMES,
    RECHECK_MONTHS,
    check_answer,
    months_later,
)

RECHECK_JOB: Final = "recheck.remind"
_MORNING: Final = time(7)
# After the day it is due; from the second time on the assessor hears of it as well.
AGAIN_AFTER: Final = (timedelta(0), timedelta(days=7), timedelta(days=21))


@dataclass(frozen=True)
class AnswerInput:
    """What a station answers."""

    is_still_done: bool
    times: int = 0
    result: str = ""
    reason: str = ""


async def plan(work: UnitOfWork, made: Acceptance) -> None:
    """Ask again after three and after six months."""
    for months in RECHECK_MONTHS:
        asked = Recheck(
            acceptance_id=made.id or 0,
            months=months,
            due_on=months_later(made.assessed_on, months),
        )
        work.session.add(asked)
        await work.session.flush()
        await _remind_at(work, asked, 0)


async def _remind_at(work: UnitOfWork, asked: Recheck, number: int) -> None:
    if number < len(AGAIN_AFTER):
        day = asked.due_on + AGAIN_AFTER[number]
        due_at = datetime.combine(day, _MORNING, LOCAL_ZONE)
        await enqueue(work, RECHECK_JOB, asked.uid, due_at, {"uid": asked.uid, "number": number})


async def remind(work: UnitOfWork, payload: Mapping[str, Any]) -> None:
    """Job `recheck.remind`: tell the station, later the assessor too, while there is no answer."""
    query = (
        select(Recheck, Acceptance)
        .join(Acceptance, col(Acceptance.id) == col(Recheck.acceptance_id))
        .where(col(Recheck.uid) == str(payload["uid"]), col(Recheck.answered_at).is_(None))
    )
    found = (await work.session.exec(query)).one_or_none()
    if found is None:
        return
    asked, made = found
    number = int(payload["number"])
    told = await _doctors(work, made.station_id)
    if number:
        told.add(made.assessor_id)
    if told:
        about = f"acceptance:{made.uid}"
        key = f"{about}:{asked.months}:{number}"
        await notify(work, News(NoticeKind.RECHECK_DUE, told, key=key, about=about))
    await _remind_at(work, asked, number + 1)


async def _doctors(work: UnitOfWork, station_id: int) -> set[int]:
    query = (
        select(Person.id)
        .join(PersonRole, col(PersonRole.person_id) == col(Person.id))
        .where(
            col(Person.facility_id) == station_id,
            col(Person.state) == PersonState.ACTIVE,
            col(PersonRole.role) == Role.COMMUNE_DOCTOR,
        )
    )
    return {person_id or 0 for person_id in (await work.session.exec(query)).all()}


async def answer(work: UnitOfWork, actor: Actor, uid: str, given: AnswerInput) -> Acceptance:
    """The station answers. Raises Missing, Invalid, Conflict (`answered_already`)."""
    require(actor, Action.RECHECK_WRITE)
    query = select(Recheck).where(col(Recheck.uid) == uid).with_for_update()
    asked = (await work.session.exec(query)).one_or_none()
    made = await work.session.get(Acceptance, asked.acceptance_id) if asked else None
    if asked is None or made is None or made.station_id not in actor.station_ids:
        raise Missing
    if asked.answered_at is not None:
        raise Conflict("answered_already", N_("Lần kiểm tra này đã có trả lời"))
    _check(given, asked.due_on, work.now().astimezone(LOCAL_ZONE).date())
    asked.answered_at, asked.answered_by_id = work.now(), actor.id
    asked.is_still_done, asked.times = given.is_still_done, given.times
    asked.result, asked.reason = clean_text(given.result), clean_text(given.reason)
    work.session.add(asked)
    await work.session.flush()
    await cancel(work, RECHECK_JOB, asked.uid)
    work.audit(
        AuditTag.RECHECK_WRITE, actor, f"acceptance:{made.uid}", still_done=asked.is_still_done
    )
    return made


def _check(given: AnswerInput, due_on: date, today: date) -> None:
    result, reason = clean_text(given.result), clean_text(given.reason)
    faults = too_long("result", result, LONGEST_REASON)
    faults += too_long("reason", reason, LONGEST_REASON)
    if not 0 <= given.times <= MOST_TIMES:
        text = N_("Từ 0 đến {most}")
        faults.append(FieldError("times", "out_of_bounds", text, {"most": MOST_TIMES}))
    else:
        faults += check_answer(is_still_done=given.is_still_done, times=given.times, reason=reason)
    if today < due_on:
        text = N_("Chưa đến ngày kiểm tra lại")
        faults.append(FieldError("is_still_done", "too_early", text))
    if faults:
        raise Invalid.of(faults)


async def list_of(work: UnitOfWork, acceptance_ids: Sequence[int]) -> dict[int, list[Recheck]]:
    """The re-checks of some acceptances, by day."""
    query = select(Recheck).where(col(Recheck.acceptance_id).in_(acceptance_ids))
    found: dict[int, list[Recheck]] = {}
    for asked in (await work.session.exec(query.order_by(col(Recheck.due_on)))).all():
        found.setdefault(asked.acceptance_id, []).append(asked)
    return found


async def count_logged(work: UnitOfWork, made: Acceptance) -> int:
    """Confirmed cases of the technique at the station since the acceptance."""
    query = select(func.count()).where(
        col(CaseRow.station_id) == made.station_id,
        col(CaseRow.state) == RowState.CONFIRMED,
        col(CaseRow.performed_on) > made.assessed_on,
        col(CaseRow.technique_code) == made.technique_code,
    )
    if not made.technique_code:
        query = query.where(col(CaseRow.technique_name) == made.technique_name)
    return (await work.session.exec(query)).one()
