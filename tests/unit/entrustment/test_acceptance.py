"""Acceptance by somebody who did not teach it, approval, and what is asked months later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from telemed.accounts.permissions import Actor, Role
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict, Denied, Invalid, Missing
from telemed.core.jobs import Job
from telemed.core.records import SignatureMethod
from telemed.notices.kinds import NoticeKind
from telemed.notices.models import Notice
from telemed.training.caselog.rules import Level
from telemed.training.entrustment import acceptance, rechecks, service
from telemed.training.entrustment.acceptance import AcceptanceInput
from telemed.training.entrustment.levels import Entrusted, Verdict
from telemed.training.entrustment.matrix import MatrixFilter, read_matrix
from telemed.training.entrustment.models import Acceptance, Recheck
from telemed.training.entrustment.rechecks import AnswerInput
from tests.factories import Factory
from tests.races import HANDS, attempt_all
from tests.unit.entrustment.conftest import CODE, TODAY, School, practised

DAY = timedelta(days=1)
PASSWORD = SignatureMethod.PASSWORD


@pytest.fixture
async def wanted(work: UnitOfWork, school: School) -> AcceptanceInput:
    """What an assessor writes where somebody is entrusted."""
    await service.decide(work, school.sent, school.given, PASSWORD)
    return AcceptanceInput(
        station_id=school.station.id or 0,
        technique_key=CODE,
        verdict=Verdict.PASSED,
        findings="Đã xem 3 ca, làm đúng quy trình",
    )


async def accepted(work: UnitOfWork, school: School, wanted: AcceptanceInput) -> Acceptance:
    return await acceptance.accept(work, school.assessor, wanted, PASSWORD)


async def test_an_acceptance_is_signed_and_asks_again_after_three_and_six_months(
    work: UnitOfWork, school: School, wanted: AcceptanceInput
) -> None:
    made = await accepted(work, school, wanted)
    opened = await acceptance.open_acceptance(work, school.trainee, made.uid)
    assert opened.is_intact
    assert opened.record.content["people"][0]["level"] == 4
    assert [each.due_on for each in opened.row.rechecks] == [date(2027, 2, 23), date(2027, 5, 23)]
    (block,) = (await read_matrix(work, school.coordinator, MatrixFilter())).stations
    assert block.marks == ["passed"]


async def test_whoever_taught_it_does_not_accept_it(
    work: UnitOfWork, make: Factory, school: School, wanted: AcceptanceInput
) -> None:
    teacher = await make.actor(Role.TRAINER)
    await practised(work, school.trainee, teacher, Level.ASSISTED, 9)
    both = await make.actor(Role.COMMUNE_DOCTOR, Role.TRAINER, at=school.station)
    for actor, code in ((teacher, "assessor_taught"), (both, "assessor_own")):
        with pytest.raises(Invalid) as refused:
            await acceptance.accept(work, actor, wanted, PASSWORD)
        assert code in {each.code for each in refused.value.fields}
    for actor in (school.trainee, school.sent, school.coordinator):
        with pytest.raises(Denied):
            await acceptance.accept(work, actor, wanted, PASSWORD)
    assert (await work.session.exec(select(Acceptance))).all() == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"findings": " "}, "findings:findings_missing"),
        ({"findings": "a" * 1001}, "findings:text_long"),
        ({"conditions": "a" * 1001}, "conditions:text_long"),
        ({"verdict": Verdict.CONDITIONAL}, "conditions:conditions_missing"),
    ],
)
async def test_what_cannot_be_is_refused_by_its_field(
    work: UnitOfWork,
    school: School,
    wanted: AcceptanceInput,
    changes: dict[str, Any],
    fault: str,
) -> None:
    with pytest.raises(Invalid) as refused:
        await accepted(work, school, replace(wanted, **changes))
    assert fault in {f"{each.field}:{each.code}" for each in refused.value.fields}


@pytest.mark.parametrize("level", list(Entrusted))
async def test_nothing_passes_where_nobody_is_entrusted(
    work: UnitOfWork, school: School, wanted: AcceptanceInput, level: Entrusted
) -> None:
    await service.decide(work, school.trainer, replace(school.given, level=level), PASSWORD)
    if level >= Entrusted.HELP_AT_HAND:
        assert (await accepted(work, school, wanted)).verdict is Verdict.PASSED
        return
    with pytest.raises(Invalid) as refused:
        await accepted(work, school, wanted)
    assert [each.code for each in refused.value.fields] == ["nobody_entrusted"]


async def test_what_failed_is_not_asked_about_and_not_approved(
    work: UnitOfWork, school: School, wanted: AcceptanceInput
) -> None:
    made = await accepted(work, school, replace(wanted, verdict=Verdict.FAILED))
    assert (await work.session.exec(select(Recheck))).all() == []
    with pytest.raises(Conflict):
        await acceptance.approve(work, school.coordinator, made.uid, "12/QĐ", TODAY)


async def test_a_technique_nobody_practised_cannot_be_chosen(
    work: UnitOfWork, make: Factory, school: School, wanted: AcceptanceInput
) -> None:
    elsewhere = await make.facility()
    for changes in ({"technique_key": "2.1"}, {"station_id": elsewhere.id or 0}):
        with pytest.raises(Missing):
            await accepted(work, school, replace(wanted, **changes))


async def test_approval_is_written_once(
    work: UnitOfWork, school: School, wanted: AcceptanceInput
) -> None:
    made = await accepted(work, school, wanted)
    for number, day, field in (
        ("", TODAY, "number"),
        ("a" * 61, TODAY, "number"),
        ("12/QĐ", TODAY + DAY, "approved_on"),
        ("12/QĐ", TODAY - DAY, "approved_on"),
    ):
        with pytest.raises(Invalid) as refused:
            await acceptance.approve(work, school.coordinator, made.uid, number, day)
        assert [each.field for each in refused.value.fields] == [field]
    await acceptance.approve(work, school.coordinator, made.uid, "12/QĐ", TODAY)
    with pytest.raises(Conflict):
        await acceptance.approve(work, school.trainer, made.uid, "13/QĐ", TODAY)


async def test_the_station_is_told_when_it_is_due_and_again(
    work: UnitOfWork, school: School, wanted: AcceptanceInput, clock: FakeClock
) -> None:
    await accepted(work, school, wanted)
    query = select(Job).where(Job.kind == rechecks.RECHECK_JOB)
    jobs = sorted((await work.session.exec(query)).all(), key=lambda each: each.due_at)
    assert [each.due_at.date() for each in jobs] == [date(2027, 2, 23), date(2027, 5, 23)]
    clock.advance(92 * DAY)
    for number in range(3):
        await rechecks.remind(work, {**jobs[0].payload, "number": number})
    told = await work.session.exec(
        select(Notice.person_id).where(Notice.kind == NoticeKind.RECHECK_DUE)
    )
    assert Counter(told.all()) == {school.trainee.id: 3, school.assessor.id: 2}


async def first_recheck(work: UnitOfWork) -> Recheck:
    query = select(Recheck).order_by(col(Recheck.months))
    return (await work.session.exec(query)).all()[0]


async def test_the_station_answers_once_and_not_too_early(
    work: UnitOfWork, school: School, wanted: AcceptanceInput, clock: FakeClock
) -> None:
    made = await accepted(work, school, wanted)
    asked = await first_recheck(work)
    done = AnswerInput(is_still_done=True, times=7, result="Không tai biến")
    with pytest.raises(Invalid) as early:
        await rechecks.answer(work, school.trainee, asked.uid, done)
    assert [each.code for each in early.value.fields] == ["too_early"]
    clock.advance(92 * DAY)
    for given, field in (
        (replace(done, times=2001), "times"),
        (replace(done, result="a" * 1001), "result"),
        (replace(done, reason="a" * 1001), "reason"),
    ):
        with pytest.raises(Invalid) as refused:
            await rechecks.answer(work, school.trainee, asked.uid, given)
        assert [each.field for each in refused.value.fields] == [field]
    await rechecks.answer(work, school.trainee, asked.uid, done)
    with pytest.raises(Conflict):
        await rechecks.answer(work, school.trainee, asked.uid, done)
    await rechecks.remind(work, {"uid": asked.uid, "number": 1})
    assert (await work.session.exec(select(Notice))).all() == []
    opened = await acceptance.open_acceptance(work, school.coordinator, made.uid)
    assert [each.is_still_done for each in opened.row.rechecks] == [True, None]
    assert opened.logged == 0


async def test_what_is_no_longer_done_is_seen_on_the_matrix(
    work: UnitOfWork, school: School, wanted: AcceptanceInput, clock: FakeClock
) -> None:
    await accepted(work, school, wanted)
    clock.advance(92 * DAY)
    given = AnswerInput(is_still_done=False, reason="Hỏng máy")
    await rechecks.answer(work, school.trainee, (await first_recheck(work)).uid, given)
    (block,) = (await read_matrix(work, school.coordinator, MatrixFilter())).stations
    assert block.marks == ["stopped"]


async def test_of_fifty_answers_one_is_kept(
    database: Database,
    work: UnitOfWork,
    school: School,
    wanted: AcceptanceInput,
    clock: FakeClock,
) -> None:
    await accepted(work, school, wanted)
    uid = (await first_recheck(work)).uid
    clock.advance(92 * DAY)
    await work.commit()

    def answer(other: UnitOfWork) -> Awaitable[object]:
        return rechecks.answer(other, school.trainee, uid, AnswerInput(True, 5))

    said = Counter(await attempt_all(database, [answer] * HANDS))
    assert said == {"done": 1, "answered_already": HANDS - 1}


async def test_other_stations_neither_see_nor_answer(
    work: UnitOfWork,
    make: Factory,
    school: School,
    wanted: AcceptanceInput,
    clock: FakeClock,
) -> None:
    made = await accepted(work, school, wanted)
    uid = (await first_recheck(work)).uid
    clock.advance(92 * DAY)
    other: Actor = await make.actor(Role.COMMUNE_DOCTOR)
    with pytest.raises(Missing):
        await acceptance.open_acceptance(work, other, made.uid)
    with pytest.raises(Missing):
        await rechecks.answer(work, other, uid, AnswerInput(True, 5))
    assert await acceptance.list_acceptances(work, other) == ([], None)
    seen, older = await acceptance.list_acceptances(work, school.trainee)
    assert [row.acceptance.uid for row in seen] == [made.uid]
    assert older is None
