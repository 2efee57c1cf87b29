import hashlib
from datetime import timedelta

import pytest
from sqlmodel import col, select

from telemed.accounts.permissions import Role
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.clock import FakeClock
from telemed.core.db import UnitOfWork
from telemed.core.errors import Conflict, Invalid, Missing
from telemed.patients import consents
from telemed.patients.consent_texts import CURRENT, EARLIER, find_text
from telemed.patients.consents import ConsentAnswer
from telemed.patients.models import ConsentGiver, ConsentPurpose
from tests.factories import Case, Factory

YES = ConsentAnswer(ConsentPurpose.CONSULT, is_granted=True)

# A wording that somebody agreed to must stay what it was: change it under a new version only.
PINNED = {
    (ConsentPurpose.CONSULT, "2026-01"): "aeb480638f6c1413",
    (ConsentPurpose.RECORDING, "2026-01"): "d98b3511c6b707d6",
    (ConsentPurpose.TEACHING, "2026-01"): "be154a391b89e7e6",
}


@pytest.fixture
async def case(make: Factory) -> Case:
    return await make.case()


def digest(purpose: ConsentPurpose, version: str) -> str:
    wording = find_text(purpose, version)
    assert wording
    return hashlib.sha256(wording.text.encode()).hexdigest()[:16]


def test_a_wording_never_changes_under_its_version() -> None:
    assert {key: digest(*key) for key in PINNED} == PINNED
    assert set(PINNED) == {
        (purpose, text.version)
        for purpose in ConsentPurpose
        for text in (CURRENT[purpose], *EARLIER[purpose])
    }


@pytest.mark.parametrize("purpose", ConsentPurpose)
def test_every_wording_says_that_the_data_is_sensitive(purpose: ConsentPurpose) -> None:
    assert "nhạy cảm" in CURRENT[purpose].text
    assert "rút lại" in CURRENT[purpose].text


@pytest.mark.parametrize("purpose", [ConsentPurpose.RECORDING, ConsentPurpose.TEACHING])
def test_refusing_a_secondary_purpose_does_not_block_care(purpose: ConsentPurpose) -> None:
    assert "Từ chối không ảnh hưởng đến việc khám và chữa bệnh" in CURRENT[purpose].text


async def test_an_answer_keeps_who_what_and_which_words(work: UnitOfWork, case: Case) -> None:
    answer = ConsentAnswer(
        ConsentPurpose.RECORDING,
        is_granted=True,
        given_by=ConsentGiver.GUARDIAN,
        giver_name=" Lò Thị  Mai ",
        language="hmong",
        interpreter="Vàng A Páo",
    )
    consent = await consents.record_consent(
        work, case.doctor, case.patient.uid, answer, consult_uid=case.consult.uid
    )
    assert consent.text_version == CURRENT[ConsentPurpose.RECORDING].version
    assert (consent.giver_name, consent.interpreter) == ("Lò Thị Mai", "Vàng A Páo")
    assert (consent.language, consent.given_by) == ("hmong", ConsentGiver.GUARDIAN)
    assert (consent.recorded_by_id, consent.at) == (case.doctor.id, work.now())
    await work.commit()
    record = (await work.session.exec(select(AuditRecord))).one()
    assert record.tag is AuditTag.CONSENT_RECORD
    assert record.detail["purpose"] == "recording"


async def test_purposes_are_apart(work: UnitOfWork, case: Case) -> None:
    await consents.record_consent(
        work, case.doctor, case.patient.uid, YES, consult_uid=case.consult.uid
    )
    granted = {
        purpose: await consents.has_consent(work, case.patient.id or 0, purpose, case.consult.uid)
        for purpose in ConsentPurpose
    }
    assert granted == {
        ConsentPurpose.CONSULT: True,
        ConsentPurpose.RECORDING: False,
        ConsentPurpose.TEACHING: False,
    }


async def test_a_refusal_is_an_answer_and_ends_an_earlier_yes(
    work: UnitOfWork, case: Case, clock: FakeClock
) -> None:
    uid = case.consult.uid
    first = await consents.record_consent(work, case.doctor, case.patient.uid, YES, consult_uid=uid)
    clock.advance(timedelta(hours=1))
    no = ConsentAnswer(ConsentPurpose.CONSULT, is_granted=False)
    await consents.record_consent(work, case.doctor, case.patient.uid, no, consult_uid=uid)
    assert first.withdrawn_at == work.now()
    assert not await consents.has_consent(work, case.patient.id or 0, YES.purpose, uid)
    listed = await consents.list_consents(work, case.doctor, case.patient)
    assert [consent.is_granted for consent in listed] == [False, True]


async def test_consent_can_be_withdrawn_once(work: UnitOfWork, case: Case) -> None:
    uid = case.consult.uid
    await consents.record_consent(work, case.doctor, case.patient.uid, YES, consult_uid=uid)
    (withdrawn,) = await consents.withdraw_consent(
        work, case.doctor, case.patient.uid, ConsentPurpose.CONSULT
    )
    assert withdrawn.withdrawn_at == work.now()
    assert not await consents.has_consent(work, case.patient.id or 0, YES.purpose, uid)
    with pytest.raises(Conflict) as refused:
        await consents.withdraw_consent(work, case.doctor, case.patient.uid, ConsentPurpose.CONSULT)
    assert refused.value.code == "consent_not_in_force"
    await work.commit()
    tags = select(AuditRecord.tag).order_by(col(AuditRecord.sequence))
    assert list((await work.session.exec(tags)).all()) == [
        AuditTag.CONSENT_RECORD,
        AuditTag.CONSENT_WITHDRAW,
    ]


async def test_an_emergency_stands_in_for_the_consult_only(work: UnitOfWork, case: Case) -> None:
    emergency = ConsentAnswer(
        ConsentPurpose.CONSULT, is_granted=True, given_by=ConsentGiver.EMERGENCY
    )
    consent = await consents.record_consent(work, case.doctor, case.patient.uid, emergency)
    assert consent.given_by is ConsentGiver.EMERGENCY
    for purpose in (ConsentPurpose.RECORDING, ConsentPurpose.TEACHING):
        answer = ConsentAnswer(purpose, is_granted=True, given_by=ConsentGiver.EMERGENCY)
        with pytest.raises(Invalid) as refused:
            consents.check_answer(answer)
        assert [error.field for error in refused.value.fields] == ["given_by"]


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        (ConsentAnswer(YES.purpose, True, given_by=ConsentGiver.GUARDIAN), "giver_name"),
        (ConsentAnswer(YES.purpose, True, text_version="1999-01"), "text_version"),
        (ConsentAnswer(YES.purpose, True, interpreter="a" * 101), "interpreter"),
        (ConsentAnswer(YES.purpose, True, language="a" * 21), "language"),
    ],
)
def test_an_incomplete_answer_is_refused_by_its_field(answer: ConsentAnswer, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        consents.check_answer(answer, prefix="consult.")
    assert [error.field for error in refused.value.fields] == [f"consult.{field}"]


async def test_another_station_neither_records_nor_withdraws(
    work: UnitOfWork, case: Case, make: Factory
) -> None:
    stranger = await make.actor(Role.COMMUNE_DOCTOR)
    with pytest.raises(Missing):
        await consents.record_consent(work, stranger, case.patient.uid, YES)
    with pytest.raises(Missing):
        await consents.withdraw_consent(work, stranger, case.patient.uid, ConsentPurpose.CONSULT)
    with pytest.raises(Missing):
        await consents.list_consents(work, stranger, case.patient)
