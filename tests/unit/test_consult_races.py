"""Races about one consult, fifty hands at once, on both engines: exactly one wins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable

import pytest
from sqlmodel import col, select

from telemed.accounts.permissions import Actor, Role
from telemed.consults import handling, service
from telemed.consults.case.conversation import list_lines, mark_read, post
from telemed.consults.lifecycle import ConsultEvent, ConsultState
from telemed.consults.models import Consult, ReadMark
from telemed.core.audit import AuditRecord, verify_chain
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict
from telemed.core.events import list_events, stream_of
from tests.factories import Case, Factory
from tests.fakes import FakeAnnouncer
from tests.races import HANDS, Attempt, attempt_all


async def _case_with_hands(database: Database) -> tuple[Case, list[Actor]]:
    async with database.work() as work:
        make = Factory(work)
        case = await make.case()
        specialty = await make.specialty()
        hands = [await make.actor(Role.SPECIALIST, specialty=specialty) for _ in range(HANDS)]
    return case, hands


async def test_one_of_fifty_claims_wins_and_the_losers_leave_nothing(
    database: Database, announcer: FakeAnnouncer
) -> None:
    case, hands = await _case_with_hands(database)
    uid, stream = case.consult.uid, stream_of("consult", case.consult.uid)

    def claim_of(actor: Actor) -> Attempt:
        return lambda work: handling.claim(work, actor, uid)

    outcomes = await attempt_all(database, map(claim_of, hands))
    assert Counter(outcomes) == {"done": 1, "claimed_by_other": HANDS - 1}
    winner = hands[outcomes.index("done")]
    async with database.read() as work:
        consult = await work.session.get_one(Consult, case.consult.id)
        facts = [
            (event.number, event.kind, event.person_id) for event in await list_events(work, stream)
        ]
        records = (await work.session.exec(select(AuditRecord))).all()
        assert await verify_chain(work.session) is None
    assert (consult.state, consult.assigned_id) == (ConsultState.ACCEPTED, winner.id)
    assert consult.revision == case.consult.revision + 1
    assert facts == [(1, "consult_claimed", winner.id)]
    assert [(record.person_id, record.detail["event"]) for record in records] == [
        (winner.id, "claim")
    ]
    assert announcer.events(stream) == ["consult_claimed"]


async def test_fifty_claims_of_one_person_are_one_claim(database: Database) -> None:
    case, (hand, *_) = await _case_with_hands(database)

    def claim(work: UnitOfWork) -> Awaitable[object]:
        return handling.claim(work, hand, case.consult.uid)

    outcomes = await attempt_all(database, [claim] * HANDS)
    assert set(outcomes) <= {"done", "claimed_by_other"}
    async with database.read() as work:
        facts = await list_events(work, stream_of("consult", case.consult.uid))
        assert len(facts) == 1


async def test_different_steps_at_once_leave_one_story(database: Database) -> None:
    case, hands = await _case_with_hands(database)
    uid, stream = case.consult.uid, stream_of("consult", case.consult.uid)
    steps: list[Attempt] = [
        lambda work: handling.cancel(work, case.doctor, uid, "Người bệnh đã về"),
        lambda work: handling.decline(work, hands[0], uid, "Không đúng chuyên khoa"),
        lambda work: handling.ask_info(work, hands[1], uid, "Đo lại huyết áp?"),
        lambda work: handling.claim(work, hands[2], uid),
        lambda work: handling.claim(work, hands[3], uid),
    ]
    outcomes = await attempt_all(database, steps * 10)
    async with database.read() as work:
        facts = await list_events(work, stream)
        consult = await work.session.get_one(Consult, case.consult.id)
        records = (await work.session.exec(select(AuditRecord))).all()
    steps_taken = [record for record in records if record.tag == "consult:transition"]
    assert [fact.number for fact in facts] == list(range(1, len(facts) + 1))
    assert len(steps_taken) == len(facts) == consult.revision - case.consult.revision
    assert [step.detail["after"] for step in steps_taken][-1:] == [consult.state]
    assert "internal" not in outcomes


async def test_a_change_over_a_newer_row_is_refused_whole(database: Database) -> None:
    case, (hand, *_) = await _case_with_hands(database)
    async with database.open() as slow:
        stale = await service.get_case(slow, case.doctor, case.consult.uid)
        await slow.commit()
        async with database.work() as quick:
            await handling.claim(quick, hand, case.consult.uid)
        stale.reason = "Viết đè lên bản mới"
        slow.session.add(stale)
        with pytest.raises(Conflict) as refusal:
            await service.transition(slow, case.doctor, stale, ConsultEvent.CANCEL)
        await slow.rollback()
    assert refusal.value.code == "changed_meanwhile"
    async with database.read() as work:
        now = await work.session.get_one(Consult, case.consult.id)
    assert (now.state, now.assigned_id, now.reason) == (
        ConsultState.ACCEPTED,
        hand.id,
        case.consult.reason,
    )


async def test_a_step_from_a_stale_state_is_refused_whole(database: Database) -> None:
    case, (hand, *_) = await _case_with_hands(database)
    async with database.open() as slow:
        stale = await service.get_case(slow, case.doctor, case.consult.uid)
        await slow.commit()
        async with database.work() as quick:
            await handling.claim(quick, hand, case.consult.uid)
        slow.session.add(stale)
        with pytest.raises(Conflict):
            await service.transition(slow, case.doctor, stale, ConsultEvent.DECLINE)
        await slow.rollback()
    async with database.read() as work:
        now = await work.session.get_one(Consult, case.consult.id)
        facts = await list_events(work, stream_of("consult", case.consult.uid))
    assert (now.state, now.assigned_id) == (ConsultState.ACCEPTED, hand.id)
    assert [fact.kind for fact in facts] == ["consult_claimed"]


async def test_fifty_messages_at_once_are_all_there_in_one_order(database: Database) -> None:
    async with database.work() as work:
        case = await Factory(work).case(ConsultState.ACCEPTED)

    def say(number: int) -> Attempt:
        who = (case.doctor, case.specialist)[number % 2]
        return lambda work: post(work, who, case.consult.uid, f"Tin {number}")

    outcomes = await attempt_all(database, map(say, range(HANDS)))
    assert set(outcomes) == {"done"}
    async with database.read() as work:
        lines = (await list_lines(work, case.doctor, case.consult)).shown
        facts = await list_events(work, stream_of("consult", case.consult.uid))
    assert sorted(line.text for line in lines) == sorted(f"Tin {n}" for n in range(HANDS))
    assert [fact.number for fact in facts] == list(range(1, HANDS + 1))


async def test_marks_set_by_many_tabs_at_once_end_at_the_newest(database: Database) -> None:
    async with database.work() as work:
        case = await Factory(work).case(ConsultState.ACCEPTED)
        ids = [
            (await post(work, case.doctor, case.consult.uid, f"Tin {n}")).id or 0 for n in range(9)
        ]

    def read_to(message_id: int) -> Attempt:
        return lambda work: mark_read(work, case.specialist, case.consult.uid, message_id)

    outcomes = await attempt_all(database, map(read_to, [*ids, *ids[::-1]]))
    assert set(outcomes) == {"done"}
    async with database.read() as work:
        query = select(ReadMark.message_id).where(col(ReadMark.person_id) == case.specialist.id)
        assert (await work.session.exec(query)).all() == [ids[-1]]
