"""Who finds which consults, by which words, and in which order; on both engines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, select

from telemed.accounts.permissions import Actor, Role
from telemed.consults.lifecycle import ConsultState
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.clock import FakeClock
from telemed.core.db import UnitOfWork
from telemed.core.errors import Denied, Missing
from telemed.core.text import fold
from telemed.review.history import (
    PAGE,
    HistoryFilter,
    HistoryRow,
    age_band,
    open_lesson,
    search,
    words_of,
)
from tests.factories import Case, Factory

CLOSED = ConsultState.CLOSED


@dataclass
class Town:
    """People who look into the history."""

    trainer: Actor
    doctor: Actor
    specialist: Actor


@pytest.fixture
async def town(make: Factory) -> Town:
    specialty = await make.specialty()
    return Town(
        trainer=await make.actor(Role.TRAINER),
        doctor=await make.actor(Role.COMMUNE_DOCTOR),
        specialist=await make.actor(Role.SPECIALIST, specialty=specialty),
    )


async def found(work: UnitOfWork, actor: Actor, text: str = "", **wanted: Any) -> list[str]:
    rows, _ = await search(work, actor, HistoryFilter(text=text, **wanted))
    return [row.uid for row in rows]


async def case_of(make: Factory, text: str = "Sốt", **changes: Any) -> Case:
    return await make.case(
        changes.pop("state", CLOSED), reason=text, search_text=fold(text), **changes
    )


# --- who finds what --------------------------------------------------------------------------


async def test_a_trainer_finds_all_and_the_others_their_own(
    work: UnitOfWork, make: Factory, town: Town
) -> None:
    own = await case_of(make, doctor=town.doctor)
    taken = await case_of(make, specialist=town.specialist)
    others = await case_of(make)
    everything = [others.consult.uid, taken.consult.uid, own.consult.uid]
    assert await found(work, town.trainer) == everything
    assert await found(work, town.doctor) == [own.consult.uid]
    assert await found(work, town.specialist) == [taken.consult.uid]


async def test_a_rotated_doctor_finds_the_cases_of_the_station(
    work: UnitOfWork, make: Factory
) -> None:
    case = await case_of(make)
    await case_of(make)
    rotated = await make.actor(Role.ROTATED_DOCTOR, posted_to=case.station)
    assert await found(work, rotated) == [case.consult.uid]


@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.ADMINISTRATOR])
async def test_others_have_no_history(work: UnitOfWork, make: Factory, role: Role) -> None:
    actor = await make.actor(role)
    with pytest.raises(Denied):
        await found(work, actor)
    with pytest.raises(Denied):
        await open_lesson(work, actor, "x" * 22)


async def test_what_was_never_sent_is_nobodys_history(
    work: UnitOfWork, make: Factory, town: Town
) -> None:
    draft = await case_of(make, doctor=town.doctor, state=ConsultState.DRAFT)
    assert await found(work, town.doctor) == []
    assert await found(work, town.trainer) == []
    with pytest.raises(Missing):
        await open_lesson(work, town.trainer, draft.consult.uid)


async def test_a_specialist_loses_a_case_some_time_after_it_was_closed(
    work: UnitOfWork, make: Factory, town: Town, clock: FakeClock
) -> None:
    case = await case_of(make, specialist=town.specialist, closed_at=clock.now())
    access = timedelta(days=work.settings.case_access_days_after_close)
    clock.advance(access)
    assert await found(work, town.specialist) == [case.consult.uid]
    clock.advance(timedelta(seconds=1))
    assert await found(work, town.specialist) == []
    assert await found(work, case.doctor) == [case.consult.uid]
    assert await found(work, town.trainer) == [case.consult.uid]


async def test_a_specialist_who_passed_a_case_on_has_it_no_more(
    work: UnitOfWork, make: Factory, town: Town
) -> None:
    case = await case_of(make, specialist=town.specialist, state=ConsultState.ACCEPTED)
    case.consult.assigned_id = None
    case.consult.named_id = town.specialist.id
    work.session.add(case.consult)
    assert await found(work, town.specialist) == []


async def test_only_ones_own_rows_say_who_it_was(
    work: UnitOfWork, make: Factory, town: Town
) -> None:
    case = await case_of(make, doctor=town.doctor)

    async def row_for(actor: Actor) -> HistoryRow:
        rows, _ = await search(work, actor, HistoryFilter())
        return rows[0]

    own, masked = await row_for(town.doctor), await row_for(town.trainer)
    assert (own.name, own.day, own.number) == (
        case.patient.full_name,
        date(2026, 11, 23),
        case.consult.number,
    )
    assert (masked.name, masked.day, masked.number) == (None, None, "")
    assert (masked.month, masked.age_band) == ("11/2026", "40–44")
    assert (own.is_open_to_me, masked.is_open_to_me) == (True, False)


async def test_every_search_is_on_record_with_whom_it_named(
    work: UnitOfWork, make: Factory, town: Town
) -> None:
    case = await case_of(make, doctor=town.doctor)
    await found(work, town.doctor)
    await found(work, town.trainer)
    await open_lesson(work, town.trainer, case.consult.uid)
    await work.commit()
    query = select(AuditRecord).order_by(col(AuditRecord.sequence))
    records = (await work.session.exec(query)).all()
    assert [(each.tag, each.person_id, each.patient_id) for each in records] == [
        (AuditTag.HISTORY_SEARCH, town.doctor.id, None),
        (AuditTag.HISTORY_SEARCH, town.trainer.id, None),
        (AuditTag.HISTORY_READ, town.trainer.id, case.patient.id),
    ]
    assert [each.detail.get("cases") for each in records[:2]] == [[case.consult.uid], []]


async def test_a_lesson_is_for_trainers_alone(work: UnitOfWork, make: Factory, town: Town) -> None:
    case = await case_of(make, doctor=town.doctor, specialist=town.specialist)
    for actor in (town.doctor, town.specialist):
        with pytest.raises(Missing):
            await open_lesson(work, actor, case.consult.uid)
    with pytest.raises(Missing):
        await open_lesson(work, town.trainer, "x" * 22)


# --- by which words --------------------------------------------------------------------------

TEXT = "Sốt/ho khan 3 ngày, SpO2 94%, nghi viêm phổi (J18.9); COVID-19 âm tính. Kali 3.5 mmol/l"


@pytest.mark.parametrize(
    "typed",
    [
        "viêm phổi",
        "VIÊM PHỔI",
        "viem phoi",
        "phổi viêm",
        "viem ph",
        "  viem,phoi.  ",
        "ho",
        "sốt",
        "khan ho",
        "J18",
        "j18.9",
        "19",
        "covid-19",
        "âm-tính",
        "spo2 94",
        "3.5",
        "mmol/l",
        "mmol_l",
        "“viêm phổi”",
    ],
)
async def test_words_are_found_however_they_are_marked_or_parted(
    work: UnitOfWork, make: Factory, town: Town, typed: str
) -> None:
    case = await case_of(make, TEXT)
    await case_of(make, "Gãy xương đòn")
    assert await found(work, town.trainer, typed) == [case.consult.uid]


@pytest.mark.parametrize("typed", ["hô hấp", "iem phoi", "viem phoi gay", "xương phổi", "spo 94"])
async def test_other_words_are_not_found(
    work: UnitOfWork, make: Factory, town: Town, typed: str
) -> None:
    await case_of(make, TEXT)
    await case_of(make, "Gãy xương đòn")
    assert await found(work, town.trainer, typed) == []


INJECTIONS = [
    '"*',
    "*",
    '""',
    "' OR 1=1--",
    "' OR '1'='1",
    "%",
    "_",
    "__",
    "\\",
    "a' | !b",
    "(a",
    "a:*",
    "a <-> b",
    "NEAR(sot ho)",
    "sot OR gay",
    "NOT sot",
    "search_text: sot",
    "{a b}: sot",
    "^sot",
    "-sot",
    "²",
    "\u200b",
    "'; DROP TABLE consult; --",
    "a" * 200,
    "𝕊𝕠𝕥",
    "ส็อต",
]


@pytest.mark.parametrize("typed", INJECTIONS)
async def test_signs_neither_break_nor_widen_a_search(
    work: UnitOfWork, make: Factory, town: Town, typed: str
) -> None:
    own = await case_of(make, TEXT, doctor=town.doctor)
    await case_of(make, TEXT)
    await case_of(make, "Gãy xương đòn", doctor=town.doctor)
    assert set(await found(work, town.doctor, typed)) <= {own.consult.uid}
    assert await found(work, town.doctor, code=typed[:7]) == []


@given(st.text())
def test_words_of_a_search_hold_no_sign_of_any_query_language(typed: str) -> None:
    words = words_of(typed)
    assert all(word.isalnum() for word in words)
    assert words == words_of(" ".join(words))


# --- narrowed and in which order -------------------------------------------------------------


async def test_a_search_is_narrowed_by_what_the_form_offers(
    work: UnitOfWork, make: Factory, town: Town
) -> None:
    other = await make.specialty("surgery")
    surgeon = await make.actor(Role.SPECIALIST, specialty=other)
    one = await case_of(make, icd_code="J18.9")
    two = await case_of(make, specialist=surgeon, icd_code="S42", state=ConsultState.ANSWERED)
    uids = (one.consult.uid, two.consult.uid)
    assert await found(work, town.trainer, station_id=one.station.id) == [uids[0]]
    assert await found(work, town.trainer, specialty_id=other.id) == [uids[1]]
    assert await found(work, town.trainer, code="j18") == [uids[0]]
    assert await found(work, town.trainer, state=ConsultState.ANSWERED) == [uids[1]]
    assert await found(work, town.trainer, code="J18", state=ConsultState.ANSWERED) == []


async def test_days_are_local_and_both_ends_belong_to_them(
    work: UnitOfWork, make: Factory, town: Town, clock: FakeClock
) -> None:
    midnight = clock.now() - timedelta(hours=9)
    before = await case_of(make, doctor=town.doctor, requested_at=midnight - timedelta(seconds=1))
    first = await case_of(make, doctor=town.doctor, requested_at=midnight)
    day, eve = date(2026, 11, 23), date(2026, 11, 22)
    assert await found(work, town.doctor, first=day) == [first.consult.uid]
    assert await found(work, town.doctor, last=eve) == [before.consult.uid]
    assert await found(work, town.doctor, first=day, last=day) == [first.consult.uid]


async def test_a_trainer_cannot_ask_for_a_day(
    work: UnitOfWork, make: Factory, town: Town, clock: FakeClock
) -> None:
    inside = await case_of(make, requested_at=clock.now() - timedelta(days=20))
    await case_of(make, requested_at=clock.now() - timedelta(days=40))
    day = date(2026, 11, 23)
    assert await found(work, town.trainer, first=day, last=day) == [inside.consult.uid]


@pytest.mark.parametrize("size", [0, 1, PAGE - 1, PAGE, PAGE + 1, 60])
async def test_pages_hold_everything_once_newest_first(
    work: UnitOfWork, make: Factory, town: Town, size: int
) -> None:
    cases = [await case_of(make, doctor=town.doctor) for _ in range(size)]
    await case_of(make)
    seen: list[str] = []
    before: int | None = None
    for _ in range(max(1, ceil(size / PAGE))):
        rows, before = await search(work, town.doctor, HistoryFilter(text="sot", before=before))
        seen += [row.uid for row in rows]
        # What comes in meanwhile stands on a page that was read already.
        await case_of(make, doctor=town.doctor)
    assert before is None
    assert seen == [case.consult.uid for case in reversed(cases)]


@given(st.integers(0, 130))
def test_an_age_lies_in_its_band(years: int) -> None:
    band = age_band(years)
    low, _, high = band.partition("–")
    assert (band == "90+") == (years >= 90)
    assert band == "90+" or int(low) <= years <= int(high) == int(low) + 4


def test_an_unknown_age_has_no_band() -> None:
    assert age_band(None) == ""
