"""Fifty hands on one set of minutes, on both engines: one of each, and no text lost in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from sqlmodel import select

from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult
from telemed.core.db import Database
from telemed.core.records import RecordState, Signature, SignatureMethod, SignedRecord
from telemed.sessions import minutes
from tests.factories import Case, Factory
from tests.races import HANDS, Attempt, attempt_all

TYPED = {"conclusion_1": "Ở lại trạm", "referral": "stay"}
METHOD = SignatureMethod.PASSWORD


@pytest.fixture
async def case(database: Database) -> Case:
    async with database.work() as work:
        return await Factory(work).case(ConsultState.ACCEPTED)


async def outcomes(database: Database, attempt_of: Callable[[int], Attempt]) -> Counter[str]:
    return Counter(await attempt_all(database, map(attempt_of, range(HANDS))))


async def rows(database: Database) -> tuple[list[SignedRecord], list[Signature], ConsultState]:
    async with database.read() as work:
        return (
            list(await work.session.exec(select(SignedRecord))),
            list(await work.session.exec(select(Signature))),
            ConsultState((await work.session.exec(select(Consult.state))).one()),
        )


async def test_of_fifty_first_saves_one_wins_and_the_others_are_told(
    database: Database, case: Case
) -> None:
    def save(number: int) -> Attempt:
        typed = {"advice": f"Bản {number}"}
        uid = case.consult.uid
        return lambda work: minutes.save_draft(work, case.specialist, uid, typed, revision=0)

    assert await outcomes(database, save) == {"done": 1, "draft_changed": HANDS - 1}
    (draft,), _, _ = await rows(database)
    assert draft.state is RecordState.DRAFT


async def test_of_fifty_signatures_one_wins(database: Database, case: Case) -> None:
    def sign(_number: int) -> Attempt:
        uid = case.consult.uid
        return lambda work: minutes.sign(work, case.specialist, uid, TYPED, METHOD)

    assert await outcomes(database, sign) == {"done": 1, "minutes_closed": HANDS - 1}
    (record,), (signature,), state = await rows(database)
    assert (record.state, state) == (RecordState.SIGNED, ConsultState.ANSWERED)
    assert signature.content_hash == record.content_hash


async def test_saves_and_a_signature_at_once_leave_signed_minutes(
    database: Database, case: Case
) -> None:
    def act(number: int) -> Attempt:
        uid = case.consult.uid
        if number == HANDS // 2:
            return lambda work: minutes.sign(work, case.specialist, uid, TYPED, METHOD)
        typed = {"advice": f"Bản {number}"}
        return lambda work: minutes.save_draft(work, case.specialist, uid, typed, revision=0)

    told = await outcomes(database, act)
    assert set(told) <= {"done", "draft_changed", "minutes_closed"}
    (record,), _, state = await rows(database)
    assert (record.state, state) == (RecordState.SIGNED, ConsultState.ANSWERED)
    assert record.content["conclusions"][0]["conclusion"] == "Ở lại trạm"


async def test_of_fifty_decisions_one_wins(database: Database, case: Case) -> None:
    async with database.work() as work:
        await minutes.sign(work, case.specialist, case.consult.uid, TYPED, METHOD)

    def decide(number: int) -> Attempt:
        verdict, uid = ("accepted", "declined")[number % 2], case.consult.uid
        return lambda work: minutes.decide(
            work, case.doctor, uid, verdict=verdict, reason="Có lý do", method=METHOD
        )

    assert await outcomes(database, decide) == {"done": 1, "not_awaiting_decision": HANDS - 1}
    records, signatures, state = await rows(database)
    assert (len(records), len(signatures), state) == (2, 2, ConsultState.CLOSED)


async def test_fifty_addenda_are_fifty(database: Database, case: Case) -> None:
    async with database.work() as work:
        await minutes.sign(work, case.specialist, case.consult.uid, TYPED, METHOD)

    def add(number: int) -> Attempt:
        actor, uid = (case.specialist, case.doctor)[number % 2], case.consult.uid
        return lambda work: minutes.add_addendum(
            work, actor, uid, text=f"Thêm {number}", reason="Kết quả mới", method=METHOD
        )

    assert await outcomes(database, add) == {"done": HANDS}
    async with database.work() as work:
        papers = await minutes.open_papers(work, case.doctor, case.consult.uid)
    assert len({each.record.content["text"] for each in papers.addenda}) == HANDS
    assert all(each.is_intact for each in papers.addenda)
