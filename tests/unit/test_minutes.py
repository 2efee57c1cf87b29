"""Minutes: kept as typed, signed when complete, decided on by the station, then fixed for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from telemed.accounts.permissions import Actor, Role
from telemed.consults import handling
from telemed.consults.lifecycle import UNDER_WAY, ConsultState
from telemed.consults.models import Consult, ConsultQuestion
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.clock import FakeClock
from telemed.core.db import UnitOfWork
from telemed.core.errors import Conflict, Denied, Invalid, Missing
from telemed.core.events import list_events
from telemed.core.records import RecordState, SignatureMethod, SignedRecord
from telemed.sessions import minutes
from tests.factories import Case, Factory

METHOD = SignatureMethod.PASSWORD_AND_CODE
TYPED = {
    "conclusion_1": "Chuyển tuyến nếu SpO2 dưới 92 %",
    "conclusion_2": "Tiếp tục Ceftriaxone",
    "findings": "Mờ thùy dưới phải",
    "advice": "Thở oxy 2 l/phút",
    "referral": "planned",
    "follow_up_on": "29/11/2026",
}


@pytest.fixture
async def case(work: UnitOfWork, make: Factory) -> Case:
    """A case in hand with two questions."""
    case = await make.case(ConsultState.ACCEPTED)
    consult_id = case.consult.id or 0
    work.session.add(ConsultQuestion(consult_id=consult_id, number=2, text="Đổi kháng sinh không?"))
    await work.session.flush()
    return case


async def save(work: UnitOfWork, case: Case, revision: int = 0, **typed: str) -> SignedRecord:
    return await save_typed(work, case, typed, revision)


async def save_typed(
    work: UnitOfWork, case: Case, typed: dict[str, str], revision: int = 0
) -> SignedRecord:
    uid = case.consult.uid
    return await minutes.save_draft(work, case.specialist, uid, typed, revision=revision)


async def sign(work: UnitOfWork, case: Case, **changes: str) -> SignedRecord:
    typed = TYPED | changes
    return await minutes.sign(work, case.specialist, case.consult.uid, typed, METHOD)


async def decide(
    work: UnitOfWork, case: Case, verdict: str = "accepted", reason: str = ""
) -> SignedRecord:
    return await minutes.decide(
        work, case.doctor, case.consult.uid, verdict=verdict, reason=reason, method=METHOD
    )


async def add(work: UnitOfWork, actor: Actor, case: Case, text: str = "Thêm") -> SignedRecord:
    return await minutes.add_addendum(
        work, actor, case.consult.uid, text=text, reason="Có kết quả mới", method=METHOD
    )


# --- the draft -------------------------------------------------------------------------------


async def test_a_draft_is_kept_exactly_as_typed(work: UnitOfWork, case: Case) -> None:
    typed = {"conclusion_1": "  Chưa xong \n\n", "follow_up_on": "2", "referral": "?"}
    record = await save_typed(work, case, typed)
    papers = await minutes.open_papers(work, case.specialist, case.consult.uid)
    assert (papers.draft, papers.draft and papers.draft.content) == (record, typed)
    assert papers.may_write
    assert case.consult.state is ConsultState.ACCEPTED


async def test_a_draft_saved_elsewhere_meanwhile_is_not_written_over(
    work: UnitOfWork, case: Case
) -> None:
    first = await save(work, case, advice="Một")
    revision = first.revision
    second = await save(work, case, revision, advice="Hai")
    for stale in (0, revision, second.revision + 1):
        with pytest.raises(Conflict) as refusal:
            await save(work, case, stale, advice="Ba")
        assert refusal.value.code == "draft_changed"
    newer = await minutes.find_draft(work, case.specialist, case.consult.uid)
    assert newer
    assert newer.content == {"advice": "Hai"}


async def test_a_draft_that_never_was_has_no_revision(work: UnitOfWork, case: Case) -> None:
    with pytest.raises(Conflict):
        await save(work, case, 3, advice="Một")


@pytest.mark.parametrize(
    ("typed", "field", "code"),
    [
        ({"conclusion_3": "a"}, "conclusion_3", "extra_forbidden"),
        ({"password": "a"}, "password", "extra_forbidden"),
        ({"conclusion_1": "a" * 4001}, "conclusion_1", "text_long"),
        ({"findings": "a" * 8001}, "findings", "text_long"),
        ({"referral": "a" * 21}, "referral", "text_long"),
    ],
)
async def test_what_the_form_does_not_have_is_refused_by_its_name(
    work: UnitOfWork, case: Case, typed: dict[str, str], field: str, code: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        await save_typed(work, case, typed)
    assert [(fault.field, fault.code) for fault in refusal.value.fields] == [(field, code)]


async def test_the_station_sees_no_draft_and_writes_none(work: UnitOfWork, case: Case) -> None:
    await save(work, case, advice="Chưa xong")
    papers = await minutes.open_papers(work, case.doctor, case.consult.uid)
    assert (papers.draft, papers.minutes, papers.may_write) == (None, None, False)
    with pytest.raises(Denied):
        await minutes.save_draft(work, case.doctor, case.consult.uid, {}, revision=0)


async def test_strangers_know_of_nothing(work: UnitOfWork, make: Factory, case: Case) -> None:
    await sign(work, case)
    other = await make.case(ConsultState.ACCEPTED)
    for stranger in (other.doctor, other.specialist):
        with pytest.raises(Missing):
            await minutes.open_papers(work, stranger, case.consult.uid)
        with pytest.raises(Missing):
            await minutes.open_print(work, stranger, case.consult.uid)
        with pytest.raises(Missing):
            await add(work, stranger, case)
    with pytest.raises(Missing):
        await minutes.save_draft(work, other.specialist, case.consult.uid, {}, revision=0)
    with pytest.raises(Missing):
        await minutes.decide(
            work, other.doctor, case.consult.uid, verdict="accepted", reason="", method=METHOD
        )


@pytest.mark.parametrize("state", [state for state in ConsultState if state not in UNDER_WAY])
async def test_minutes_are_written_only_while_the_case_is_under_way(
    work: UnitOfWork, make: Factory, state: ConsultState
) -> None:
    case = await make.case(state)
    for attempt in (save(work, case, advice="Muộn"), sign(work, case, conclusion_2="")):
        with pytest.raises((Conflict, Missing, Invalid)):
            await attempt
    query = select(SignedRecord).where(col(SignedRecord.author_id) == case.specialist.id)
    assert (await work.session.exec(query)).all() == []


async def test_whoever_takes_the_case_over_goes_on_from_what_is_written(
    work: UnitOfWork, make: Factory, case: Case
) -> None:
    first = await save(work, case, advice="Của người trước", conclusion_1="Nháp")
    await handling.release(work, case.specialist, case.consult.uid, "Hết ca trực")
    specialty = await make.specialty()
    other = await make.actor(Role.SPECIALIST, specialty=specialty)
    uid = case.consult.uid
    await handling.claim(work, other, uid)
    papers = await minutes.open_papers(work, other, uid)
    assert papers.draft
    assert papers.draft.content == {"advice": "Của người trước", "conclusion_1": "Nháp"}
    typed = TYPED | {"advice": "Của người sau"}
    saved = await minutes.save_draft(work, other, uid, typed, revision=papers.draft.revision)
    assert (saved.uid, saved.author_id) == (first.uid, other.id)
    with pytest.raises(Missing):
        await save(work, case, saved.revision, advice="Người trước viết tiếp")
    signed = await minutes.sign(work, other, uid, typed, METHOD)
    assert signed.content["chair"]["name"] == other.name
    assert (await minutes.open_papers(work, case.doctor, uid)).minutes


# --- signing ---------------------------------------------------------------------------------


async def test_signed_minutes_answer_the_case_and_are_fixed(work: UnitOfWork, case: Case) -> None:
    draft = await save(work, case, advice="Nháp")
    record = await sign(work, case)
    assert (record.uid, record.state) == (draft.uid, RecordState.SIGNED)
    assert case.consult.state is ConsultState.ANSWERED
    assert case.consult.follow_up_on == "2026-11-29"
    papers = await minutes.open_papers(work, case.doctor, case.consult.uid)
    assert papers.minutes
    assert papers.minutes.is_intact
    assert [(each.person.id, each.signature.method) for each in papers.minutes.signatures] == [
        (case.specialist.id, METHOD)
    ]
    assert (papers.may_decide, papers.may_write) == (True, False)
    for attempt in (save(work, case, record.revision, advice="Sửa"), sign(work, case)):
        with pytest.raises(Conflict) as refusal:
            await attempt
        assert refusal.value.code == "minutes_closed"


async def test_signed_content_holds_what_form_27_asks_for(
    work: UnitOfWork, make: Factory, case: Case
) -> None:
    case.patient.address, case.patient.insurance_number = "Bản Co Chạy", "DN4010112345678"
    work.session.add(case.patient)
    content = (await sign(work, case)).content
    assert content["number"] == case.consult.number
    assert content["patient"]["full_name"] == case.patient.full_name
    assert content["patient"]["birth"] == "1985-03-08"
    assert content["patient"]["insurance_number"] == "DN4010112345678"
    assert content["station"] == case.station.name
    assert content["requester"]["name"] == case.doctor.name
    assert content["summary"]["reason"] == case.consult.reason
    assert [(each["number"], each["conclusion"]) for each in content["conclusions"]] == [
        (1, TYPED["conclusion_1"]),
        (2, TYPED["conclusion_2"]),
    ]
    assert (content["referral"], content["follow_up_on"]) == ("planned", "2026-11-29")
    assert content["meetings"] == []


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"conclusion_1": ""}, {"conclusion_1": "conclusion_missing"}),
        ({"conclusion_2": "  \n"}, {"conclusion_2": "conclusion_missing"}),
        ({"referral": ""}, {"referral": "referral_missing"}),
        ({"referral": "helicopter"}, {"referral": "referral_missing"}),
        ({"follow_up_on": "mai"}, {"follow_up_on": "date_malformed"}),
        ({"follow_up_on": "31/02/2026"}, {"follow_up_on": "date_malformed"}),
        ({"follow_up_on": "22/11/2026"}, {"follow_up_on": "date_past"}),
        (
            {"conclusion_1": "", "conclusion_2": "", "referral": "", "follow_up_on": "x"},
            {
                "conclusion_1": "conclusion_missing",
                "conclusion_2": "conclusion_missing",
                "referral": "referral_missing",
                "follow_up_on": "date_malformed",
            },
        ),
    ],
)
async def test_incomplete_minutes_are_refused_field_by_field(
    work: UnitOfWork, case: Case, changes: dict[str, str], faults: dict[str, str]
) -> None:
    uid, typed = case.consult.uid, TYPED | changes
    for attempt in (
        minutes.check_complete(work, case.specialist, uid, typed),
        sign(work, case, **changes),
    ):
        with pytest.raises(Invalid) as refusal:
            await attempt
        assert {each.field: each.code for each in refusal.value.fields} == faults
    assert case.consult.state is ConsultState.ACCEPTED


@pytest.mark.parametrize("follow_up", ["", "23/11/2026", "2026-11-23", " 29/11/2026 "])
async def test_a_day_of_today_or_later_or_none_will_do(
    work: UnitOfWork, case: Case, follow_up: str
) -> None:
    await sign(work, case, follow_up_on=follow_up)
    assert case.consult.state is ConsultState.ANSWERED


# --- the station's decision ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [("accepted", ""), ("accepted", "Đồng ý"), ("modified", "Hết thuốc"), ("declined", "Đã về")],
)
async def test_the_station_decides_and_the_case_is_closed(
    work: UnitOfWork, case: Case, verdict: str, reason: str
) -> None:
    signed = await sign(work, case)
    decision = await decide(work, case, verdict, f" {reason} ")
    assert (decision.content["verdict"], decision.content["reason"]) == (verdict, reason)
    assert decision.content["minutes_hash"] == signed.content_hash
    assert case.consult.state is ConsultState.CLOSED
    papers = await minutes.open_papers(work, case.specialist, case.consult.uid)
    assert papers.decision
    assert [each.person.id for each in papers.decision.signatures] == [case.doctor.id]
    facts = [event.kind for event in await list_events(work, f"consult:{case.consult.uid}")]
    assert facts == ["consult_answered", "consult_closed"]
    with pytest.raises(Conflict) as refusal:
        await decide(work, case)
    assert refusal.value.code == "not_awaiting_decision"


@pytest.mark.parametrize("verdict", ["modified", "declined"])
@pytest.mark.parametrize("reason", ["", "  \n "])
async def test_another_way_than_advised_needs_a_reason(
    work: UnitOfWork, case: Case, verdict: str, reason: str
) -> None:
    await sign(work, case)
    uid = case.consult.uid
    for attempt in (
        decide(work, case, verdict, reason),
        minutes.check_decision(work, case.doctor, uid, verdict=verdict, reason=reason),
    ):
        with pytest.raises(Invalid) as refusal:
            await attempt
        assert [each.field for each in refusal.value.fields] == ["reason"]
    assert case.consult.state is ConsultState.ANSWERED


async def test_nothing_is_decided_before_it_is_answered(work: UnitOfWork, case: Case) -> None:
    await save(work, case, advice="Nháp")
    with pytest.raises(Conflict):
        await decide(work, case)


async def test_a_colleague_of_the_station_may_decide_the_specialist_may_not(
    work: UnitOfWork, make: Factory, case: Case
) -> None:
    await sign(work, case)
    uid, words = case.consult.uid, {"verdict": "accepted", "reason": "", "method": METHOD}
    arguments: dict[str, Any] = words
    with pytest.raises(Denied):
        await minutes.decide(work, case.specialist, uid, **arguments)
    colleague = await make.actor(Role.COMMUNE_DOCTOR, at=case.station)
    decision = await minutes.decide(work, colleague, uid, **arguments)
    assert decision.author_id == colleague.id


# --- afterwards ------------------------------------------------------------------------------


async def test_either_side_adds_to_signed_minutes_which_stay_as_they_are(
    work: UnitOfWork, case: Case
) -> None:
    with pytest.raises(Missing):
        await add(work, case.specialist, case)
    signed = await sign(work, case)
    before = (dict(signed.content), signed.content_hash)
    await add(work, case.specialist, case, "Kết quả cấy máu")
    await decide(work, case)
    await add(work, case.doctor, case, "Đã chuyển viện")
    papers = await minutes.open_papers(work, case.doctor, case.consult.uid)
    assert papers.minutes
    assert (papers.minutes.record.content, papers.minutes.record.content_hash) == before
    told = [(each.record.content["text"], each.is_intact) for each in papers.addenda]
    assert told == [("Kết quả cấy máu", True), ("Đã chuyển viện", True)]
    signed_as = [each.signatures[0].signature.signed_as for each in papers.addenda]
    assert signed_as == ["chair", "secretary"]
    assert papers.addenda[0].record.content["reason"] == "Có kết quả mới"


async def test_a_specialist_adds_nothing_once_the_case_is_out_of_reach(
    work: UnitOfWork, case: Case, clock: FakeClock
) -> None:
    await sign(work, case)
    await decide(work, case)
    clock.advance(timedelta(days=work.settings.case_access_days_after_close, seconds=1))
    with pytest.raises(Missing):
        await add(work, case.specialist, case)
    await add(work, case.doctor, case)


async def test_every_look_and_every_print_is_on_record(work: UnitOfWork, case: Case) -> None:
    await sign(work, case)
    await work.commit()
    await minutes.open_papers(work, case.doctor, case.consult.uid)
    await minutes.open_print(work, case.specialist, case.consult.uid)
    await work.commit()
    seen = [AuditTag.MINUTES_READ, AuditTag.RECORD_PRINT]
    query = select(AuditRecord).where(col(AuditRecord.tag).in_(seen))
    records = (await work.session.exec(query.order_by(col(AuditRecord.sequence)))).all()
    assert [(each.tag, each.person_id) for each in records] == [
        (AuditTag.MINUTES_READ, case.doctor.id),
        (AuditTag.MINUTES_READ, case.specialist.id),
        (AuditTag.RECORD_PRINT, case.specialist.id),
    ]
    assert {each.patient_id for each in records} == {case.patient.id}


async def test_nothing_is_printed_before_it_is_signed(work: UnitOfWork, case: Case) -> None:
    await save_typed(work, case, TYPED)
    with pytest.raises(Missing):
        await minutes.open_print(work, case.specialist, case.consult.uid)
    assert (await work.session.get_one(Consult, case.consult.id)).state is ConsultState.ACCEPTED
