"""The loop closes: days come, stations are reminded, tell, and the specialist sees it."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from telemed.accounts.permissions import Actor, Role
from telemed.consults.lifecycle import ConsultEvent, ConsultState
from telemed.consults.outcomes import satisfaction, service
from telemed.consults.outcomes.models import (
    Asked,
    FollowUp,
    Outcome,
    SatisfactionAnswer,
    SatisfactionAsk,
)
from telemed.consults.outcomes.planning import (
    DECIDE_JOB,
    REMIND_JOB,
    remind_of_decision,
    remind_of_outcome,
)
from telemed.consults.outcomes.rules import FINAL, PatientStatus, TransferResult
from telemed.consults.service import transition
from telemed.core.clock import LOCAL_ZONE, FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict, Denied, Invalid, Missing
from telemed.core.jobs import JobRunner
from telemed.notices.kinds import NoticeKind
from telemed.notices.models import Notice
from tests.factories import Case, Factory

TODAY = date(2026, 11, 23)
S, E = ConsultState, ConsultEvent


async def close(work: UnitOfWork, make: Factory, **changes: Any) -> Case:
    case = await make.case(S.ANSWERED, answered_at=make_time(work), **changes)
    await transition(work, case.doctor, case.consult, E.CLOSE)
    return case


def make_time(work: UnitOfWork) -> datetime:
    return work.now()


@pytest.fixture
async def closed(work: UnitOfWork, make: Factory) -> Case:
    return await close(work, make)


async def tell(
    work: UnitOfWork,
    case: Case,
    status: PatientStatus = PatientStatus.IMPROVED,
    *,
    by: Actor | None = None,
    note: str = "",
) -> Outcome:
    is_moved = status is PatientStatus.TRANSFERRED
    return await service.record(
        work,
        by or case.doctor,
        case.consult.uid,
        status=status,
        transfer=TransferResult.MADE if is_moved else TransferResult.AVOIDED,
        observed_on=work.now().astimezone(LOCAL_ZONE).date(),
        note=note,
    )


async def due(work: UnitOfWork) -> list[date]:
    query = select(FollowUp).where(col(FollowUp.done_at).is_(None))
    rows = (await work.session.exec(query.order_by(col(FollowUp.due_on)))).all()
    return [row.due_on for row in rows]


async def test_a_closed_case_is_due_after_a_week_and_a_month(
    work: UnitOfWork, closed: Case
) -> None:
    assert await due(work) == [TODAY + timedelta(days=7), TODAY + timedelta(days=30)]
    rows = (await work.session.exec(select(FollowUp))).all()
    assert {row.station_id for row in rows} == {closed.station.id}
    assert {row.specialist_id for row in rows} == {closed.specialist.id}


async def test_the_first_day_is_the_one_that_was_asked_for(work: UnitOfWork, make: Factory) -> None:
    await close(work, make, follow_up_on="2026-11-25")
    assert await due(work) == [date(2026, 11, 25), TODAY + timedelta(days=30)]


@pytest.mark.parametrize("status", PatientStatus)
async def test_telling_ends_what_was_due_and_a_final_word_everything(
    work: UnitOfWork, closed: Case, clock: FakeClock, status: PatientStatus
) -> None:
    clock.advance(timedelta(days=8))
    await tell(work, closed, status)
    left = [] if status in FINAL else [TODAY + timedelta(days=30)]
    assert await due(work) == left


async def test_whoever_tells_before_the_day_has_told(work: UnitOfWork, closed: Case) -> None:
    await tell(work, closed)
    assert await due(work) == [TODAY + timedelta(days=30)]


async def test_the_specialist_is_told_and_has_seen_it(
    work: UnitOfWork, closed: Case, clock: FakeClock
) -> None:
    row = await tell(work, closed, note="Hết sốt ngày thứ ba")
    notice = (await work.session.exec(select(Notice))).all()[-1]
    assert (notice.kind, notice.person_id) == (NoticeKind.OUTCOME_RECORDED, closed.specialist.id)
    loop = await service.open_loop(work, closed.doctor, closed.consult.uid)
    assert [each.outcome.seen_at for each in loop.told] == [None]
    clock.advance(timedelta(hours=1))
    await service.open_loop(work, closed.specialist, closed.consult.uid)
    await work.session.refresh(row)
    assert row.seen_at == clock.now()


async def test_feedback_reaches_the_specialist_after_the_case_is_closed_to_them(
    work: UnitOfWork, closed: Case, clock: FakeClock
) -> None:
    clock.advance(timedelta(days=60))
    row = await tell(work, closed)
    with pytest.raises(Missing):
        await service.open_loop(work, closed.specialist, closed.consult.uid)
    (found,) = await service.read_feedback(work, closed.specialist)
    assert (found.outcome.uid, found.number) == (row.uid, closed.consult.number)
    await work.session.refresh(row)
    assert row.seen_at == clock.now()


async def test_only_the_station_tells_and_only_of_a_closed_case(
    work: UnitOfWork, make: Factory, closed: Case
) -> None:
    with pytest.raises(Denied):
        await tell(work, closed, by=closed.specialist)
    with pytest.raises(Missing):
        await tell(work, closed, by=await make.actor(Role.COMMUNE_DOCTOR))
    open_case = await make.case(S.ANSWERED, doctor=closed.doctor)
    with pytest.raises(Conflict):
        await tell(work, open_case)


async def test_open_loops_are_listed_by_day_for_those_they_concern(
    work: UnitOfWork, make: Factory, clock: FakeClock
) -> None:
    first = await close(work, make)
    clock.advance(timedelta(days=1))
    second = await make.case(
        S.ANSWERED, doctor=first.doctor, specialist=first.specialist, answered_at=work.now()
    )
    await transition(work, first.doctor, second.consult, E.CLOSE)
    await close(work, make)
    for actor in (first.doctor, first.specialist):
        found = await service.list_open(work, actor)
        days = [row.follow_up.due_on for row in found.rows]
        assert days == sorted(days)
        assert {row.consult.uid for row in found.rows} == {first.consult.uid, second.consult.uid}
    assert (await service.list_open(work, await make.actor(Role.COORDINATOR))).rows == []


async def test_whose_access_is_over_reads_no_name(
    work: UnitOfWork, closed: Case, clock: FakeClock
) -> None:
    (row, *_) = (await service.list_open(work, closed.specialist)).rows
    assert (row.patient_name, row.may_read) == (closed.patient.full_name, True)
    clock.advance(timedelta(days=60))
    (row, *_) = (await service.list_open(work, closed.specialist)).rows
    assert (row.patient_name, row.may_read) == ("", False)
    (row, *_) = (await service.list_open(work, closed.doctor)).rows
    assert row.patient_name == closed.patient.full_name


async def test_a_long_list_is_walked_without_gaps(
    work: UnitOfWork, make: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE", 3)
    first = await close(work, make)
    for _ in range(4):
        case = await make.case(S.ANSWERED, doctor=first.doctor, answered_at=work.now())
        await transition(work, first.doctor, case.consult, E.CLOSE)
    seen: list[str] = []
    after = ""
    while True:
        found = await service.list_open(work, first.doctor, after=after)
        seen += [row.follow_up.uid for row in found.rows]
        after = found.after
        if not after:
            break
    assert len(seen) == len(set(seen)) == 10


@pytest.mark.parametrize("after", ["x", "2026-13-01.1", "2026-11-23.x", "2026-11-23", "."])
async def test_an_odd_cursor_is_refused(work: UnitOfWork, closed: Case, after: str) -> None:
    with pytest.raises(Invalid):
        await service.list_open(work, closed.doctor, after=after)


async def test_a_coordinator_sees_how_stations_keep_up_and_no_patient(
    work: UnitOfWork, make: Factory, closed: Case, clock: FakeClock
) -> None:
    clock.advance(timedelta(days=8))
    (row,) = await service.list_stations(work, await make.actor(Role.COORDINATOR))
    assert (row.station, row.due, row.overdue, row.told) == (closed.station.name, 1, 1, 0)
    await tell(work, closed)
    (row,) = await service.list_stations(work, await make.actor(Role.COORDINATOR))
    assert (row.due, row.overdue, row.told) == (1, 0, 1)
    assert await service.list_stations(work, closed.doctor) == []


async def reminded(database: Database, clock: FakeClock, to: datetime) -> list[NoticeKind]:
    """What stations were reminded of when it has become this time."""
    clock.set(to)
    jobs = {REMIND_JOB: remind_of_outcome, DECIDE_JOB: remind_of_decision}
    await JobRunner(database, jobs).run_due()
    async with database.read() as work:
        rows = (await work.session.exec(select(Notice).order_by(col(Notice.id)))).all()
    kinds = [row.kind for row in rows]
    return [kind for kind in kinds if kind in {NoticeKind.OUTCOME_DUE, NoticeKind.DECISION_DUE}]


def morning(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 8, 0, tzinfo=LOCAL_ZONE)


async def test_a_station_is_reminded_on_the_morning_and_three_times_at_most(
    work: UnitOfWork, database: Database, clock: FakeClock, closed: Case
) -> None:
    await work.commit()
    first = morning(TODAY + timedelta(days=7))
    assert await reminded(database, clock, first - timedelta(seconds=1)) == []
    assert len(await reminded(database, clock, first)) == 1
    assert len(await reminded(database, clock, first + timedelta(days=7))) == 2
    assert len(await reminded(database, clock, first + timedelta(days=14))) == 3
    assert len(await reminded(database, clock, first + timedelta(days=21))) == 3


async def test_what_was_told_reminds_nobody(
    work: UnitOfWork, database: Database, clock: FakeClock, closed: Case
) -> None:
    await tell(work, closed, PatientStatus.RECOVERED)
    await work.commit()
    assert await reminded(database, clock, morning(TODAY + timedelta(days=60))) == []


async def test_a_conclusion_waits_a_day_for_its_decision_then_reminds(
    work: UnitOfWork, make: Factory, database: Database, clock: FakeClock
) -> None:
    case = await make.case(S.ACCEPTED)
    await transition(work, case.specialist, case.consult, E.ANSWER)
    await work.commit()
    now = clock.now()
    assert await reminded(database, clock, now + timedelta(hours=23)) == []
    assert await reminded(database, clock, now + timedelta(days=1)) == [NoticeKind.DECISION_DUE]
    async with database.work() as closing:
        consult = await closing.session.merge(case.consult)
        await closing.session.refresh(consult)
        await transition(closing, case.doctor, consult, E.CLOSE)
    kinds = await reminded(database, clock, now + timedelta(days=9))
    assert kinds.count(NoticeKind.DECISION_DUE) == 1


# --- satisfaction ----------------------------------------------------------------------------


async def test_a_patients_answer_leads_to_no_case(work: UnitOfWork, closed: Case) -> None:
    uid = closed.consult.uid
    assert await satisfaction.ask(work, closed.doctor, uid, Asked.PATIENT)
    await satisfaction.answer(work, closed.doctor, uid, Asked.PATIENT, {"overall": 5})
    assert not await satisfaction.ask(work, closed.doctor, uid, Asked.PATIENT)
    answer = (await work.session.exec(select(SatisfactionAnswer))).one()
    assert set(SatisfactionAnswer.model_fields) == {
        "key",
        "station_id",
        "asked",
        "month",
        "marks",
    }
    assert (answer.month, answer.marks) == ("2026-11", {"overall": 5})


async def test_fifty_answers_at_once_are_one(database: Database) -> None:
    async with database.work() as work:
        case = await close(work, Factory(work))
        await satisfaction.ask(work, case.doctor, case.consult.uid, Asked.PATIENT)

    async def answer() -> bool:
        try:
            async with database.work() as mine:
                await satisfaction.answer(
                    mine, case.doctor, case.consult.uid, Asked.PATIENT, {"overall": 4}
                )
        except Conflict:
            return False
        return True

    assert sum(await asyncio.gather(*(answer() for _ in range(50)))) == 1
    async with database.read() as reading:
        assert len((await reading.session.exec(select(SatisfactionAnswer))).all()) == 1


async def test_the_score_stands_beside_how_many_were_asked(work: UnitOfWork, make: Factory) -> None:
    first = await close(work, make)
    cases = [first]
    for _ in range(5):
        case = await make.case(S.ANSWERED, doctor=first.doctor, answered_at=work.now())
        cases.append(case)
    marks = [5, 4, 4, 2, 5]
    for case in cases:
        await satisfaction.ask(work, first.doctor, case.consult.uid, Asked.PATIENT)
    for case, mark in zip(cases, marks, strict=False):
        given = {"overall": mark, "explained": mark}
        await satisfaction.answer(work, first.doctor, case.consult.uid, Asked.PATIENT, given)
    trainer = await make.actor(Role.TRAINER)
    (score,) = await satisfaction.list_scores(work, trainer, "2026-11")
    assert (score.people, score.answers, score.content, score.is_small) == (6, 5, 4, False)
    assert await satisfaction.list_scores(work, trainer, "2026-10") == []
    with pytest.raises(Denied):
        await satisfaction.list_scores(work, first.doctor, "2026-11")


async def test_nobody_is_asked_before_there_is_a_conclusion(
    work: UnitOfWork, make: Factory
) -> None:
    case = await make.case(S.ACCEPTED)
    with pytest.raises(Conflict):
        await satisfaction.ask(work, case.doctor, case.consult.uid, Asked.PATIENT)
    assert (await work.session.exec(select(SatisfactionAsk))).all() == []


async def test_an_answer_without_a_mark_is_none(work: UnitOfWork, closed: Case) -> None:
    uid = closed.consult.uid
    await satisfaction.ask(work, closed.doctor, uid, Asked.REQUESTER)
    for marks in ({}, {"overall": 5}):
        with pytest.raises(Invalid):
            await satisfaction.answer(work, closed.doctor, uid, Asked.REQUESTER, marks)
