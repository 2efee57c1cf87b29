"""What case pages are made of: steps, the timeline, vital signs, lists, marks of reading."""

from __future__ import annotations

import re
import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from telemed.accounts.permissions import Role
from telemed.consults.case.casefile import list_for_patient, open_case
from telemed.consults.case.conversation import list_lines, mark_read, post
from telemed.consults.case.timeline import FACTS_TOLD, tell
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Urgency, VitalSigns
from telemed.consults.service import FACTS, start_session
from telemed.consults.vitals.cells import cells_of
from telemed.consults.worklist.homes import open_home
from telemed.consults.worklist.rows import Cursor
from telemed.consults.worklist.steps import Side, Step, step_of
from telemed.core.clock import FakeClock
from telemed.core.db import UnitOfWork
from telemed.core.errors import Invalid
from telemed.core.events import Event, append_event, list_events, stream_of
from tests.factories import RANKS, Factory

S = ConsultState
AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def texts_of(step: Step) -> list[str]:
    doors = [door for door in (step.door, *step.others) if door]
    return [step.title, step.brief, step.text, *(door.label for door in doors)]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("state", ConsultState)
def test_every_step_has_words_that_name_nobody_but_doctor_and_patient(
    state: ConsultState, side: Side
) -> None:
    step = step_of(state, side)
    names = {
        name for text in texts_of(step) for _, name, _, _ in string.Formatter().parse(text) if name
    }
    assert step.title
    assert step.brief
    assert names <= {"doctor", "patient"}


def test_every_fact_is_told_in_words_of_its_own() -> None:
    assert set(FACTS.values()) <= set(FACTS_TOLD)
    assert len({told.text for told in FACTS_TOLD.values()}) == len(FACTS_TOLD)


def event(number: int, kind: str, by: int | None = 1, /, **data: object) -> Event:
    return Event(stream_id=1, number=number, at=AT, kind=kind, person_id=by, data=data)


def test_the_timeline_tells_steps_and_leaves_talk_to_the_conversation() -> None:
    log = [
        event(1, "consult_requested"),
        event(2, "message_posted"),
        event(3, "consult_passed_on", specialty="Ngoại", person="BS Hà", reason="Cần mổ"),
        event(4, "consult_scheduled", start_at=AT.isoformat()),
        event(5, "file_attached"),
        event(6, "file_attached"),
        event(7, "something_new", None),
    ]
    moments = tell(log, {})
    assert [(moment.number, moment.count) for moment in moments] == [
        (1, 1),
        (3, 1),
        (4, 1),
        (6, 2),
        (7, 1),
    ]
    assert (moments[1].to, moments[1].reason) == ("BS Hà", "Cần mổ")
    assert moments[2].starts_at == AT


def test_vital_signs_are_shown_in_the_order_of_the_table_and_judged() -> None:
    values = {
        "temperature": 38.6,
        "pulse": 112,
        "systolic": 104,
        "diastolic": 62,
        "spo2": "97",
        "consciousness": "V",
        "oxygen": True,
        "unknown": 1,
        "weight": None,
    }
    signs = VitalSigns(consult_id=1, taken_at=AT, values=values)
    assert [(cell.key, cell.value, cell.flag) for cell in cells_of(signs, 40)] == [
        ("pulse", "112", "high"),
        ("spo2", "97", "normal"),
        ("blood_pressure", "104/62", "low"),
        ("temperature", "38,6", "high"),
        ("consciousness", "", "abnormal"),
        ("oxygen", "", None),
    ]
    assert {cell.flag for cell in cells_of(signs, 3) if cell.value} == {None}


@pytest.mark.parametrize("values", [{}, {"systolic": 120}, {"pulse": "soon"}, {"pulse": True}])
def test_odd_or_missing_measurements_are_left_out(values: dict[str, object]) -> None:
    signs = VitalSigns(consult_id=1, taken_at=AT, values=values)
    assert [cell.key for cell in cells_of(signs, 40)] == [
        key for key in values if key == "systolic"
    ]


@given(
    st.integers(1, 3),
    st.none() | st.datetimes(timezones=st.just(UTC), min_value=AT.replace(tzinfo=None)),
    st.integers(1, 2**31 - 1),
)
def test_a_place_in_a_list_survives_its_address(
    rank: int, due: datetime | None, row_id: int
) -> None:
    cursor = Cursor(rank, due, row_id)
    assert Cursor.read(str(cursor)) == cursor


@given(st.text(min_size=1))
def test_any_other_text_is_no_place_in_a_list(text: str) -> None:
    assume(not re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", text))
    with pytest.raises(Invalid) as refusal:
        Cursor.read(text)
    assert [error.field for error in refusal.value.fields] == ["after"]


@pytest.mark.parametrize("text", [f"{2**31}.0.1", f"1.0.{2**31}", f"1.{10**18}.1", "1.1.1.1"])
def test_numbers_that_no_row_can_have_are_no_place_in_a_list(text: str) -> None:
    with pytest.raises(Invalid):
        Cursor.read(text)


async def test_the_consults_of_a_patient_are_those_the_actor_may_open(
    work: UnitOfWork, make: Factory
) -> None:
    first = await make.case(S.ACCEPTED)
    second = await make.case(S.CLOSED, doctor=first.doctor, closed_at=work.now())
    draft = await make.case(S.DRAFT, doctor=first.doctor)
    for case in (second, draft):
        case.consult.patient_id = first.patient.id or 0
    await work.session.flush()
    station = await list_for_patient(work, first.doctor, first.patient)
    assert [row.uid for row in station] == [c.consult.uid for c in (draft, second, first)]
    hospital = await list_for_patient(work, first.specialist, first.patient)
    assert [row.uid for row in hospital] == [first.consult.uid]
    stranger = await make.actor(Role.COMMUNE_DOCTOR)
    assert await list_for_patient(work, stranger, first.patient) == []


async def test_the_most_pressing_case_of_a_station_comes_first(
    work: UnitOfWork, make: Factory
) -> None:
    doctor = await make.actor(Role.COMMUNE_DOCTOR)

    async def case(state: ConsultState, urgency: Urgency) -> str:
        made = await make.case(
            state, doctor=doctor, urgency=urgency, rank=RANKS[urgency], state_at=work.now()
        )
        return made.consult.uid

    await case(S.REQUESTED, Urgency.EMERGENCY)
    await case(S.IN_SESSION, Urgency.ROUTINE)
    await case(S.ANSWERED, Urgency.URGENT)
    asked = await case(S.NEEDS_INFO, Urgency.URGENT)
    home = await open_home(work, doctor)
    assert home.station
    assert home.station.next
    assert home.station.next.row.uid == asked
    assert home.station.open_count == 4


async def test_each_reader_stands_under_the_last_message_they_have_passed(
    work: UnitOfWork, make: Factory, clock: FakeClock
) -> None:
    case = await make.case(S.ACCEPTED)
    uid = case.consult.uid
    one = await post(work, case.doctor, uid, "Một")
    await post(work, case.doctor, uid, "Hai")
    clock.advance(timedelta(minutes=1))
    await mark_read(work, case.specialist, uid, one.id or 0)
    lines = (await list_lines(work, case.doctor, case.consult)).shown
    seen = [(line.text, line.seen.at if line.seen else None) for line in lines]
    assert seen == [("Một", work.now()), ("Hai", None)]
    theirs = (await list_lines(work, case.specialist, case.consult)).shown
    assert [line.is_new for line in theirs] == [False, True]
    await mark_read(work, case.specialist, uid, 1)
    await mark_read(work, case.specialist, uid, 2**40)
    lines = (await list_lines(work, case.doctor, case.consult)).shown
    assert [line.seen is not None for line in lines] == [False, True]


async def test_a_mark_counts_only_messages_of_its_case(work: UnitOfWork, make: Factory) -> None:
    case, other = await make.case(S.ACCEPTED), await make.case(S.ACCEPTED)
    await post(work, case.doctor, case.consult.uid, "Một")
    await mark_read(work, other.specialist, other.consult.uid, 2**40)
    assert [line.seen for line in (await list_lines(work, case.doctor, case.consult)).shown] == [
        None
    ]


async def test_a_case_opens_with_its_newest_facts(work: UnitOfWork, make: Factory) -> None:
    case = await make.case(S.ACCEPTED)
    stream = stream_of("consult", case.consult.uid)
    for _ in range(3):
        await append_event(work, stream, "file_attached", case.doctor.id)
    number = await start_session(work, case.specialist, case.consult, session="s")
    page = await open_case(work, case.doctor, case.consult.uid)
    assert (page.side, page.last_event) == (Side.STATION, number)
    assert [moment.kind for moment in page.moments] == ["file_attached", "session_started"]
    assert len(await list_events(work, stream)) == number
