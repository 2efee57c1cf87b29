"""What patients ask for is received, answered in time, done, or refused with a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import col, select

from telemed.accounts.permissions import Action, Actor, Role, may
from telemed.consults import handling
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult, Urgency
from telemed.consults.request.service import create_draft
from telemed.consults.rights import copies, service
from telemed.consults.rights.models import RightsRequest
from telemed.consults.rights.reminders import REMIND_JOB, remind
from telemed.consults.rights.rules import AskedBy, RightKind, RightState
from telemed.consults.rights.service import Asked
from telemed.consults.service import facts_of
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict, Invalid, Missing
from telemed.core.jobs import JobRunner
from telemed.notices.kinds import NoticeKind
from telemed.notices.models import Notice
from telemed.patients.models import Consent, ConsentPurpose, Patient
from telemed.patients.retention import RetentionKind
from telemed.review.history import HistoryFilter, open_lesson, search
from telemed.sessions import withdrawal
from tests.factories import Case, Factory
from tests.races import HANDS, attempt_all

K, S = RightKind, RightState
RECEIVED_ON = date(2026, 11, 23)


async def asked(
    work: UnitOfWork, case: Case, kind: RightKind, text: str = "Sai năm sinh"
) -> RightsRequest:
    return await service.receive(work, case.doctor, case.patient.uid, Asked(kind, text=text))


async def done(work: UnitOfWork, case: Case, kind: RightKind) -> RightsRequest:
    request = await asked(work, case, kind)
    await service.accept(work, case.doctor, request.uid, "")
    return await service.complete(work, case.doctor, request.uid, "Đã làm")


@pytest.fixture
async def ended(make: Factory, work: UnitOfWork) -> Case:
    """A case that was closed an hour ago."""
    return await make.case(ConsultState.CLOSED, closed_at=work.now() - timedelta(hours=1))


# --- the register ----------------------------------------------------------------------------


async def test_a_request_has_its_days_and_ends_with_who_did_what(
    work: UnitOfWork, ended: Case
) -> None:
    request = await asked(work, ended, K.CORRECT)
    assert (request.state, request.due_on) == (S.RECEIVED, date(2026, 11, 25))
    await service.accept(work, ended.doctor, request.uid, "Sẽ sửa")
    assert (request.state, request.due_on) == (S.ACCEPTED, date(2026, 12, 3))
    with pytest.raises(Invalid) as refusal:
        await service.complete(work, ended.doctor, request.uid, " ")
    assert [error.field for error in refusal.value.fields] == ["reply"]
    await service.complete(work, ended.doctor, request.uid, "Đã sửa năm sinh")
    assert (request.state, request.due_on) == (S.DONE, None)
    assert request.answered_by_id == request.ended_by_id == ended.doctor.id
    register = await service.list_register(work, ended.doctor)
    assert [row.request.uid for row in register.ended] == [request.uid]
    assert register.open == []


async def test_what_is_open_stands_first_by_its_day(work: UnitOfWork, ended: Case) -> None:
    late = await asked(work, ended, K.DELETE)
    first = await asked(work, ended, K.VIEW)
    await service.accept(work, ended.doctor, first.uid, "")
    register = await service.list_register(work, ended.doctor)
    assert [row.request.uid for row in register.open] == [late.uid, first.uid]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (Asked(K.CORRECT, text=" "), "text"),
        (Asked(K.VIEW, text="a" * 501), "text"),
        (Asked(K.VIEW, AskedBy.GUARDIAN), "asker_name"),
        (Asked(K.VIEW, AskedBy.GUARDIAN, "a" * 101), "asker_name"),
    ],
)
async def test_a_request_that_says_too_little_or_too_much_is_refused(
    work: UnitOfWork, ended: Case, given: Asked, field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        await service.receive(work, ended.doctor, ended.patient.uid, given)
    assert [error.field for error in refusal.value.fields] == [field]
    assert (await work.session.exec(select(RightsRequest))).all() == []


async def test_refusing_needs_a_reason(work: UnitOfWork, ended: Case) -> None:
    request = await asked(work, ended, K.VIEW)
    with pytest.raises(Invalid):
        await service.refuse(work, ended.doctor, request.uid, "")
    await service.refuse(work, ended.doctor, request.uid, "Không phải người đại diện")
    assert (request.state, request.reply) == (S.REFUSED, "Không phải người đại diện")


async def test_other_stations_know_of_no_request(
    work: UnitOfWork, make: Factory, ended: Case
) -> None:
    request = await asked(work, ended, K.VIEW)
    stranger = await make.actor(Role.COMMUNE_DOCTOR)
    acts = (service.accept, service.complete, service.refuse, service.lift)
    for act in acts:
        with pytest.raises(Missing):
            await act(work, stranger, request.uid, "x")
    for look in (service.get_request, copies.make_copy):
        with pytest.raises(Missing):
            await look(work, stranger, request.uid)
    register = await service.list_register(work, stranger)
    assert (register.open, register.ended) == ([], [])
    with pytest.raises(Missing):
        await service.receive(work, stranger, ended.patient.uid, Asked(K.VIEW))


async def test_withdrawing_a_consent_stands_in_the_register(
    work: UnitOfWork, make: Factory, ended: Case
) -> None:
    await make.consent(ended, ConsentPurpose.TEACHING)
    said = withdrawal.Said(AskedBy.GUARDIAN, "Lò Thị Mai")
    with pytest.raises(Invalid):
        await withdrawal.withdraw(
            work,
            ended.doctor,
            ended.patient.uid,
            ConsentPurpose.TEACHING,
            withdrawal.Said(AskedBy.GUARDIAN),
        )
    await withdrawal.withdraw(work, ended.doctor, ended.patient.uid, ConsentPurpose.TEACHING, said)
    (request,) = await service.list_of_patient(work, ended.patient)
    assert (request.kind, request.state) == (K.WITHDRAW, S.DONE)
    assert (request.purpose, request.asker_name) == (ConsentPurpose.TEACHING, "Lò Thị Mai")


# --- seeing ----------------------------------------------------------------------------------


async def test_a_copy_holds_what_is_held_and_who_has_read_it(
    work: UnitOfWork, make: Factory, ended: Case
) -> None:
    await make.consent(ended)
    request = await asked(work, ended, K.VIEW)
    with pytest.raises(Missing):
        await copies.make_copy(work, ended.doctor, request.uid)
    await service.accept(work, ended.doctor, request.uid, "")
    await work.commit()
    held = await copies.make_copy(work, ended.doctor, request.uid)
    assert [case.row.uid for case in held.cases] == [ended.consult.uid]
    assert held.cases[0].retention.until == date(2036, 12, 31)
    assert len(held.consents) == 1
    assert {look.person for look in held.looks} == {ended.doctor.name}
    other = await asked(work, ended, K.CORRECT)
    with pytest.raises(Missing):
        await copies.make_copy(work, ended.doctor, other.uid)


# --- restricting -----------------------------------------------------------------------------


async def reads(work: UnitOfWork, actor: Actor, case: Case) -> bool:
    row = await work.session.get_one(Consult, case.consult.id, populate_existing=True)
    return may(actor, Action.CONSULT_READ, facts_of(row, work))


async def test_a_restriction_closes_ended_cases_to_everybody_but_the_station_and_is_lifted(
    work: UnitOfWork, make: Factory, ended: Case
) -> None:
    trainer = await make.actor(Role.TRAINER)
    under_way = await make.case(ConsultState.ACCEPTED, doctor=ended.doctor)
    under_way.consult.patient_id = ended.patient.id or 0
    work.session.add(under_way.consult)
    assert await reads(work, ended.specialist, ended)
    request = await done(work, ended, K.RESTRICT)
    assert not await reads(work, ended.specialist, ended)
    assert await reads(work, ended.doctor, ended)
    assert await reads(work, under_way.specialist, under_way)
    found, _ = await search(work, trainer, HistoryFilter())
    assert found == []
    own, _ = await search(work, ended.doctor, HistoryFilter())
    assert {row.uid for row in own} == {ended.consult.uid, under_way.consult.uid}
    with pytest.raises(Missing):
        await open_lesson(work, trainer, ended.consult.uid)
    draft = await create_draft(work, ended.doctor, ended.patient.uid)
    assert draft.is_restricted
    await service.lift(work, ended.doctor, request.uid, "Người bệnh đổi ý")
    assert request.state is S.LIFTED
    assert await reads(work, ended.specialist, ended)
    found, _ = await search(work, trainer, HistoryFilter())
    assert len(found) == 2


async def test_a_restricted_patient_is_sent_on_in_an_emergency_only(
    work: UnitOfWork, make: Factory
) -> None:
    for urgency in Urgency:
        case = await make.case(ConsultState.DECLINED, urgency=urgency)
        await done(work, case, K.RESTRICT)
        await work.session.refresh(case.consult)
        if urgency is Urgency.EMERGENCY:
            await handling.resubmit(work, case.doctor, case.consult.uid, "internal")
            continue
        with pytest.raises(Invalid) as refusal:
            await handling.resubmit(work, case.doctor, case.consult.uid, "internal")
        assert refusal.value.code == "patient_restricted"
        await work.session.refresh(case.consult)


async def test_only_a_restriction_is_lifted(work: UnitOfWork, ended: Case) -> None:
    request = await done(work, ended, K.VIEW)
    with pytest.raises(Conflict):
        await service.lift(work, ended.doctor, request.uid, "Nhầm")


# --- deleting --------------------------------------------------------------------------------


async def test_a_record_that_the_law_keeps_is_not_deleted(work: UnitOfWork, ended: Case) -> None:
    request = await asked(work, ended, K.DELETE)
    found = await service.get_request(work, ended.doctor, request.uid)
    assert found.kept
    assert (found.kept.kind, found.kept.until) == (RetentionKind.CARE, date(2036, 12, 31))
    for act in (service.accept, service.complete):
        with pytest.raises(Conflict) as refusal:
            await act(work, ended.doctor, request.uid, "")
        assert refusal.value.code == "kept_by_law"
    await service.refuse(work, ended.doctor, request.uid, "Phải giữ đến 31/12/2036")
    assert await work.session.get(Patient, ended.patient.id)


async def test_the_record_that_is_kept_longest_is_the_reason(
    work: UnitOfWork, make: Factory, ended: Case
) -> None:
    other = await make.case(
        ConsultState.CLOSED,
        doctor=ended.doctor,
        closed_at=work.now(),
        record_kind=RetentionKind.INCIDENT,
    )
    other.consult.patient_id = ended.patient.id or 0
    work.session.add(other.consult)
    request = await asked(work, ended, K.DELETE)
    found = await service.get_request(work, ended.doctor, request.uid)
    assert found.kept
    assert found.kept.is_forever


async def test_somebody_without_a_record_is_erased_and_the_register_stays(
    work: UnitOfWork, make: Factory
) -> None:
    doctor = await make.actor(Role.COMMUNE_DOCTOR)
    case = await make.case(ConsultState.DRAFT, doctor=doctor)
    patient = await make.patient(case.station, by=doctor)
    await make.consent(Case(case.consult, patient, case.station, doctor, case.specialist))
    given = Asked(K.DELETE, AskedBy.GUARDIAN, "Lò Thị Mai", text="Ghi nhầm người")
    request = await service.receive(work, doctor, patient.uid, given)
    await service.accept(work, doctor, request.uid, "")
    await service.complete(work, doctor, request.uid, "")
    gone = select(Patient).where(col(Patient.uid) == patient.uid)
    assert (await work.session.exec(gone)).all() == []
    assert (await work.session.exec(select(Consent))).all() == []
    kept = await service.get_request(work, doctor, request.uid)
    assert kept.patient is None
    assert (kept.request.asker_name, kept.request.text) == ("", "")
    (row,) = (await service.list_register(work, doctor)).ended
    assert row.patient_name == ""


# --- in time, and once -----------------------------------------------------------------------


async def told(database: Database) -> list[tuple[NoticeKind, int]]:
    async with database.read() as work:
        rows = (await work.session.exec(select(Notice).order_by(col(Notice.id)))).all()
    return [(row.kind, row.person_id) for row in rows]


async def test_a_station_is_reminded_the_day_before_and_the_day_after_once_each(
    database: Database, work: UnitOfWork, ended: Case, clock: FakeClock
) -> None:
    await asked(work, ended, K.VIEW)
    await work.commit()
    runner = JobRunner(database, {REMIND_JOB: remind})
    counts = []
    for day in range(24, 30):
        clock.set(datetime(2026, 11, day, 3, tzinfo=UTC))
        await runner.run_due()
        await runner.run_due()
        counts.append(len(await told(database)))
    # Due on Wednesday the 25th.
    assert counts == [1, 1, 2, 2, 2, 2]
    assert set(await told(database)) == {(NoticeKind.RIGHTS_DUE, ended.doctor.id)}


async def test_what_has_ended_reminds_nobody(
    database: Database, work: UnitOfWork, ended: Case, clock: FakeClock
) -> None:
    request = await asked(work, ended, K.VIEW)
    await service.refuse(work, ended.doctor, request.uid, "Không phải người đại diện")
    await work.commit()
    clock.advance(timedelta(days=30))
    await JobRunner(database, {REMIND_JOB: remind}).run_due()
    assert await told(database) == []


async def test_fifty_who_answer_at_once_answer_once(
    database: Database, work: UnitOfWork, ended: Case
) -> None:
    request = await asked(work, ended, K.VIEW)
    await work.commit()

    def accept(other: UnitOfWork) -> Awaitable[object]:
        return service.accept(other, ended.doctor, request.uid, "Trả lời")

    said = Counter(await attempt_all(database, [accept] * HANDS))
    assert said == {"done": 1, "right_moved": HANDS - 1}
