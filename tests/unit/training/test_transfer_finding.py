"""Who finds which transfer logs, who meets about them, and fifty hands on one of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from sqlmodel import col, select

from telemed.accounts.permissions import Actor, Role
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict, Denied, Missing
from telemed.core.records import Signature, SignedRecord
from telemed.core.text import fold
from telemed.sessions import service as sessions
from telemed.sessions.lifecycle import SessionKind
from telemed.sessions.models import ParticipantRole
from telemed.training import transfers
from telemed.training.models import TransferLog, TransferPlace, TransferState
from telemed.training.repository import PAGE, LogFilter
from tests.factories import Factory
from tests.races import HANDS, Attempt, attempt_all
from tests.unit.training.classroom import METHOD, Class, sign


async def found(work: UnitOfWork, actor: Actor, **wanted: Any) -> list[str]:
    rows, _ = await transfers.search(work, actor, LogFilter(**wanted))
    return [log.uid for log, _ in rows]


# --- finding ---------------------------------------------------------------------------------


async def test_a_signed_log_is_found_by_those_it_concerns(
    work: UnitOfWork, make: Factory, lesson: Class
) -> None:
    log = await transfers.start(work, lesson.author, lesson.given)
    await sign(work, lesson.author, log)
    inside = [
        *lesson.everybody,
        await make.actor(Role.TRAINER),
        await make.actor(Role.COORDINATOR),
        await make.actor(Role.COMMUNE_DOCTOR, at=lesson.station),
    ]
    outside = [await make.actor(Role.COMMUNE_DOCTOR), await make.actor(Role.SPECIALIST)]
    for actor in inside:
        assert await found(work, actor) == [log.uid]
        await transfers.open_log(work, actor, log.uid)
    for actor in outside:
        assert await found(work, actor) == []
        with pytest.raises(Missing):
            await transfers.open_log(work, actor, log.uid)
    administrator = await make.actor(Role.ADMINISTRATOR)
    with pytest.raises(Denied):
        await found(work, administrator)


@pytest.mark.parametrize(
    ("typed", "is_found"),
    [
        ("siêu âm", True),
        ("SIEU AM", True),
        ("nà tấu", True),
        ("dau do", True),
        ("18.2", True),
        ("tim sieu", True),
        ("sieu phoi", False),
        ("%", False),
        ("_", False),
        ("' OR 1=1--", False),
        ("\\", False),
    ],
)
async def test_words_are_found_in_any_marks_and_signs_widen_nothing(
    work: UnitOfWork, lesson: Class, typed: str, is_found: bool
) -> None:
    log = await transfers.start(work, lesson.author, lesson.given)
    words = tuple(fold(typed).split())
    assert await found(work, lesson.author, words=words) == [log.uid] * is_found


async def test_a_search_is_narrowed_and_read_in_pages(
    work: UnitOfWork, make: Factory, lesson: Class
) -> None:
    logs = [
        await transfers.start(work, lesson.author, replace(lesson.given, technique_code=f"1.{n}"))
        for n in range(PAGE + 1)
    ]
    await sign(work, lesson.author, logs[0])
    newest_first = [log.uid for log in reversed(logs)]
    rows, older = await transfers.search(work, lesson.author, LogFilter())
    assert [log.uid for log, _ in rows] == newest_first[:PAGE]
    rows, last = await transfers.search(work, lesson.author, LogFilter(before=older))
    assert ([log.uid for log, _ in rows], last) == (newest_first[PAGE:], None)
    assert await found(work, lesson.author, technique_code="1.7") == [logs[7].uid]
    assert await found(work, lesson.author, state=TransferState.SUBMITTED) == [logs[0].uid]
    other = await make.facility()
    assert await found(work, lesson.author, station_id=other.id) == []


async def test_reading_and_writing_are_on_record(work: UnitOfWork, lesson: Class) -> None:
    log = await transfers.start(work, lesson.author, lesson.given)
    await transfers.open_log(work, lesson.trainer, log.uid)
    await work.commit()
    query = select(AuditRecord).order_by(col(AuditRecord.sequence))
    records = (await work.session.exec(query)).all()
    assert [(each.tag, each.person_id) for each in records] == [
        (AuditTag.TRANSFER_WRITE, lesson.author.id),
        (AuditTag.TRANSFER_READ, lesson.trainer.id),
    ]


# --- meeting, and many at once ---------------------------------------------------------------


async def test_the_same_people_meet_in_a_room_of_the_same_kind(
    work: UnitOfWork, lesson: Class
) -> None:
    log = await transfers.start(work, lesson.author, lesson.given)
    live = await transfers.start_session(work, lesson.author, log.uid)
    meeting = await sessions.get(work, lesson.trainees[0], live.uid)
    roles = {member.person.id: member.participant.role for member in meeting.members}
    assert (live.kind, live.title) == (SessionKind.TECHNICAL_TRANSFER, "Siêu âm tim cấp cứu")
    assert roles == {
        lesson.author.id: ParticipantRole.TRAINER,
        lesson.trainer.id: ParticipantRole.TRAINER,
        **{trainee.id: ParticipantRole.TRAINEE for trainee in lesson.trainees},
    }
    assert log.place is TransferPlace.LIVE_SESSION
    again = await transfers.start_session(work, lesson.trainer, log.uid)
    assert again.uid == live.uid
    await sessions.end(work, lesson.author, live.uid)
    another = await transfers.start_session(work, lesson.author, log.uid)
    assert another.uid != live.uid
    opened = await transfers.open_log(work, lesson.author, log.uid)
    assert opened.session == another


async def test_a_second_call_reaches_those_who_are_in_the_log_by_then(
    work: UnitOfWork, make: Factory, lesson: Class
) -> None:
    stays, leaves = lesson.trainees
    first = replace(lesson.given, trainer_ids=[lesson.author.id])
    log = await transfers.start(work, lesson.author, first)
    live = await transfers.start_session(work, lesson.author, log.uid)
    await work.session.flush()
    late = await make.actor(Role.COMMUNE_DOCTOR, at=lesson.station)
    given = replace(lesson.given, trainee_ids=[stays.id, late.id])
    await transfers.change(work, lesson.author, log.uid, given, revision=log.revision)
    again = await transfers.start_session(work, lesson.trainer, log.uid)
    assert again.uid == live.uid
    meeting = await sessions.get(work, late, live.uid)
    assert {member.person.id for member in meeting.members} == {
        lesson.author.id,
        lesson.trainer.id,
        stays.id,
        late.id,
    }
    with pytest.raises(Missing):
        await sessions.get(work, leaves, live.uid)


async def test_a_signed_log_calls_nobody(work: UnitOfWork, lesson: Class) -> None:
    log = await transfers.start(work, lesson.author, lesson.given)
    await sign(work, lesson.author, log)
    with pytest.raises(Conflict):
        await transfers.start_session(work, lesson.author, log.uid)
    with pytest.raises(Denied):
        await transfers.start_session(work, lesson.trainees[0], log.uid)


async def test_fifty_signatures_at_once_are_one_of_each(
    database: Database, work: UnitOfWork, lesson: Class
) -> None:
    log = await transfers.start(work, lesson.author, lesson.given)
    revision = log.revision
    await work.commit()

    def signing(actor: Actor) -> Attempt:
        return lambda other: transfers.sign(other, actor, log.uid, METHOD, revision=revision)

    first = await attempt_all(database, [signing(lesson.author)] * HANDS)
    assert Counter(first) == {"done": 1, "signed_already": HANDS - 1}
    others = lesson.everybody[1:]
    rest = await attempt_all(database, (signing(others[n % 3]) for n in range(HANDS)))
    assert Counter(rest) == {"done": 3, "signed_already": HANDS - 3}
    async with database.read() as read:
        assert len((await read.session.exec(select(SignedRecord))).all()) == 1
        assert len((await read.session.exec(select(Signature))).all()) == 4
        (state,) = (await read.session.exec(select(TransferLog.state))).all()
    assert state == TransferState.COMPLETE
