"""Whoever has not signed is told at once, and again while the signature is missing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import col, select

from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.jobs import Job, JobRunner
from telemed.notices.kinds import NoticeKind
from telemed.notices.models import Notice
from telemed.training import transfers
from telemed.training.signature_reminders import AGAIN_AFTER, REMIND_JOB, remind
from tests.unit.training.classroom import Class, sign


async def told(database: Database) -> list[int]:
    """Who was told, in the order of their notices."""
    query = select(Notice.person_id).where(col(Notice.kind) == NoticeKind.SIGNATURE_DUE)
    async with database.read() as read:
        return list((await read.session.exec(query.order_by(col(Notice.id)))).all())


async def test_the_first_signature_tells_the_others_and_no_later_one_does(
    database: Database, work: UnitOfWork, lesson: Class
) -> None:
    log = await transfers.start(work, lesson.author, lesson.given)
    await work.commit()
    assert await told(database) == []
    await sign(work, lesson.author, log)
    await work.commit()
    others = {lesson.trainer.id, *(trainee.id for trainee in lesson.trainees)}
    assert sorted(await told(database)) == sorted(others)
    await sign(work, lesson.trainees[0], log)
    await work.commit()
    assert len(await told(database)) == len(others)


async def test_who_still_has_not_signed_is_told_again_and_not_for_ever(
    database: Database, work: UnitOfWork, lesson: Class, clock: FakeClock
) -> None:
    log = await transfers.start(work, lesson.author, lesson.given)
    for actor in (lesson.author, lesson.trainer, lesson.trainees[0]):
        await sign(work, actor, log)
    await work.commit()
    last = lesson.trainees[1].id
    runner = JobRunner(database, {REMIND_JOB: remind})
    begun, counts = clock.now(), []
    for day in range(1, 40):
        clock.set(begun + timedelta(days=day, minutes=1))
        # A second look on the same day finds nothing more to do.
        await runner.run_due()
        await runner.run_due()
        counts.append((await told(database)).count(last))
    steps = [day for day in range(1, 39) if counts[day] > counts[day - 1]]
    assert [timedelta(days=day + 1) for day in steps] == list(AGAIN_AFTER)
    assert counts[-1] == 1 + len(AGAIN_AFTER)
    assert (await told(database)).count(lesson.trainer.id) == 1


async def test_nobody_is_reminded_of_a_log_that_all_have_signed(
    database: Database, work: UnitOfWork, lesson: Class, clock: FakeClock
) -> None:
    log = await transfers.start(work, lesson.author, lesson.given)
    for actor in lesson.everybody:
        await sign(work, actor, log)
    await work.commit()
    before = await told(database)
    clock.advance(timedelta(days=60))
    await JobRunner(database, {REMIND_JOB: remind}).run_due()
    assert await told(database) == before
    async with database.read() as read:
        planned = select(Job).where(col(Job.kind) == REMIND_JOB)
        assert (await read.session.exec(planned)).all() == []


@pytest.mark.parametrize("uid", ["", "x" * 22])
async def test_a_reminder_of_a_log_that_is_no_more_does_nothing(
    database: Database, uid: str
) -> None:
    async with database.work() as work:
        await remind(work, {"uid": uid, "number": 0})
    assert await told(database) == []
