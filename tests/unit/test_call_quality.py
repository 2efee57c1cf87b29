"""The quality record: taken once however often it is told, and only from who was there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from telemed.accounts.permissions import Role
from telemed.consults.lifecycle import ConsultState
from telemed.core.clock import FakeClock
from telemed.core.db import UnitOfWork
from telemed.core.errors import Conflict, Missing
from telemed.sessions import opening, service
from telemed.sessions.link.models import LinkObservation
from telemed.sessions.models import LiveSession
from telemed.sessions.quality.service import MOST_PAGES, list_records, record
from telemed.sessions.quality.summary import Summary
from tests.factories import Case, Factory

pytestmark = pytest.mark.usefixtures("both_inside")

PAGE = "a-page-of-somebody"


def summary(**changes: Any) -> Summary:
    fields = {
        "page": PAGE,
        "number": 1,
        "media_ms": 60_000,
        "setup_ms": 900,
        "packets_received": 2970,
        "packets_lost": 30,
        "audio_ms": 60_000,
        "concealed_ms": 600,
        "freezes": 1,
        "freeze_ms": 400,
        "bytes_up": 3_000_000,
        "bytes_down": 6_000_000,
        "rtt_ms": 80,
        "worst_rtt_ms": 200,
        "up_kbps": 400,
        "down_kbps": 800,
        "timeline": [[10, 5, 1, 80, 800, 400]],
    }
    return Summary.model_validate(fields | changes)


async def test_a_later_summary_replaces_and_a_repeated_or_late_one_changes_nothing(
    work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    assert await record(work, case.doctor, live.uid, summary())
    assert await record(work, case.doctor, live.uid, summary(number=3, bytes_up=5_000_000))
    assert not await record(work, case.doctor, live.uid, summary(number=3))
    assert not await record(work, case.doctor, live.uid, summary(number=2, bytes_up=1))
    (kept,) = await list_records(work, live)
    assert kept.sum("bytes_up") == 5_000_000
    assert (kept.loss_permille, kept.concealed_permille, kept.rtt_ms) == (10, 10, 80)


async def test_the_pages_of_one_person_add_up_and_each_person_has_a_record(
    work: UnitOfWork, clock: FakeClock, case: Case, live: LiveSession
) -> None:
    await record(work, case.doctor, live.uid, summary(rtt_ms=100))
    clock.advance(timedelta(minutes=2))
    again = summary(page="b-page-of-somebody", setup_ms=None, rtt_ms=400, media_ms=30_000)
    await record(work, case.doctor, live.uid, again)
    await record(work, case.specialist, live.uid, summary(page="c-page-of-somebody"))
    doctor, specialist = sorted(
        await list_records(work, live), key=lambda each: each.name != case.doctor.name
    )
    assert (doctor.name, specialist.name) == (case.doctor.name, case.specialist.name)
    assert (doctor.setup_ms, doctor.rtt_ms, doctor.sum("freezes")) == (900, 200, 2)
    assert [slot[0] for slot in doctor.timeline] == [10, 160]


async def test_only_who_was_in_the_room_tells_of_it(work: UnitOfWork, make: Factory) -> None:
    case = await make.case(ConsultState.ACCEPTED)
    live = await opening.open_for_consult(work, case.specialist, case.consult.uid)
    with pytest.raises(Conflict) as refused:
        await record(work, case.doctor, live.uid, summary())
    assert refused.value.code == "not_joined"
    for role in (Role.COMMUNE_DOCTOR, Role.SPECIALIST):
        with pytest.raises(Missing):
            await record(work, await make.actor(role), live.uid, summary())


async def test_the_last_word_is_taken_shortly_after_the_end_and_not_later(
    work: UnitOfWork, clock: FakeClock, case: Case, live: LiveSession
) -> None:
    await service.end(work, case.specialist, live.uid)
    clock.advance(timedelta(minutes=9))
    assert await record(work, case.doctor, live.uid, summary())
    clock.advance(timedelta(minutes=2))
    with pytest.raises(Conflict) as refused:
        await record(work, case.doctor, live.uid, summary(number=2))
    assert refused.value.code == "session_ended"


async def test_nobody_tells_of_more_pages_than_a_person_opens(
    work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    for number in range(MOST_PAGES):
        await record(work, case.doctor, live.uid, summary(page=f"a-page-of-somebody{number}"))
    with pytest.raises(Conflict) as refused:
        await record(work, case.doctor, live.uid, summary(page="one-page-too-many"))
    assert refused.value.code == "too_many_pages"
    assert await record(work, case.doctor, live.uid, summary(page="a-page-of-somebody0", number=2))


async def looks_at(work: UnitOfWork) -> list[LinkObservation]:
    return list(
        (
            await work.session.exec(
                select(LinkObservation).execution_options(populate_existing=True)
            )
        ).all()
    )


async def test_the_link_of_the_station_learns_from_its_own_side_once(
    work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    await record(work, case.doctor, live.uid, summary())
    await record(work, case.doctor, live.uid, summary(number=2, up_kbps=500))
    await record(work, case.specialist, live.uid, summary(page="c-page-of-somebody"))
    (look,) = await looks_at(work)
    assert (look.station_id, look.up_kbps, look.down_kbps) == (case.station.id, 500, 800)
    assert (look.rtt_ms, look.loss_permille) == (80, 10)


async def test_a_call_too_short_to_judge_by_teaches_nothing(
    work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    await record(work, case.doctor, live.uid, summary(media_ms=5_000))
    assert await looks_at(work) == []
