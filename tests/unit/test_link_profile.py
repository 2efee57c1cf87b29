"""What is concluded from looks at a link, and how they are kept for each station."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from telemed.accounts.permissions import Actor, Role
from telemed.core.clock import LOCAL_ZONE, FakeClock
from telemed.core.db import UnitOfWork
from telemed.core.errors import Denied
from telemed.media.link import Figures, LinkMode, Look, profile_of
from telemed.sessions.link import service
from telemed.sessions.link.models import LinkSource
from telemed.sessions.link.service import (
    DRILL_EVERY,
    KEPT,
    KNOWN_FOR,
    LEAST_UPLOAD_BYTES,
    STATIONS_A_PAGE,
    Finding,
    Measured,
)
from telemed.sessions.link.words import spans_of, words_of
from tests.factories import Factory

MORNING = datetime(2026, 11, 23, 8, 0, tzinfo=LOCAL_ZONE)


def look(hour: int = 8, day: int = 0, **found: Any) -> Look:
    return Look(at=MORNING.replace(hour=hour) + timedelta(days=day), **found)


@pytest.mark.parametrize(
    ("up", "down", "loss", "mode"),
    [
        (None, None, None, None),
        (2000, 2000, 0, LinkMode.VIDEO),
        (150, 150, None, LinkMode.VIDEO),
        (149, 2000, 0, LinkMode.VOICE),
        (2000, 149, 0, LinkMode.VOICE),
        (2000, 2000, 151, LinkMode.VOICE),
        (2000, 2000, 301, LinkMode.WRITTEN),
        (39, 2000, 0, LinkMode.WRITTEN),
        (None, 39, 0, LinkMode.WRITTEN),
    ],
)
def test_the_narrower_way_and_the_loss_decide_how_to_talk(
    up: int | None, down: int | None, loss: int | None, mode: LinkMode | None
) -> None:
    assert Figures(up, down, 100, loss).mode is mode


def test_nothing_known_is_no_profile() -> None:
    assert profile_of([]) is None


def test_one_bad_day_does_not_make_the_profile_and_old_looks_fade() -> None:
    old = [look(day=day, up_kbps=100, down_kbps=100) for day in range(12)]
    recent = [look(day=day, up_kbps=900, down_kbps=900) for day in range(12, 24)]
    bad = look(day=25, up_kbps=20, down_kbps=20)
    profile = profile_of([*recent, bad, *old])
    assert profile
    assert (profile.usual.up_kbps, profile.usual.mode) == (900, LinkMode.VIDEO)
    assert profile.latest_at == bad.at


def test_what_a_call_happened_to_use_lifts_a_rate_and_never_lowers_it() -> None:
    tested = [look(up_kbps=500, down_kbps=500)]
    modest = [look(day=day, up_kbps=30, down_kbps=30, is_floor=True) for day in range(5)]
    rich = [look(day=day, up_kbps=800, down_kbps=800, is_floor=True) for day in range(5)]
    for used, expected in ((modest, 500), (rich, 800)):
        profile = profile_of([*tested, *used])
        assert profile
        assert profile.usual.up_kbps == expected


def test_hours_that_are_clearly_better_are_named_and_single_looks_are_not_believed() -> None:
    looks = [
        *(look(hour=7, day=day, up_kbps=900, down_kbps=900, rtt_ms=60) for day in range(2)),
        *(look(hour=8, day=day, up_kbps=800, down_kbps=800, rtt_ms=60) for day in range(2)),
        *(look(hour=14, day=day, up_kbps=90, down_kbps=90, rtt_ms=700) for day in range(8)),
        look(hour=22, up_kbps=5000, down_kbps=5000, rtt_ms=20),
    ]
    profile = profile_of(looks)
    assert profile
    assert [hour for hour, _ in profile.hours] == [7, 8, 14]
    assert profile.better_hours == (7, 8)
    assert words_of(profile).hours == "7–9"


def test_even_hours_are_not_told_apart() -> None:
    looks = [
        look(hour=hour, day=day, up_kbps=500, down_kbps=500, rtt_ms=80)
        for hour in (8, 14)
        for day in range(3)
    ]
    profile = profile_of(looks)
    assert profile
    assert profile.better_hours == ()


def test_hours_in_words() -> None:
    assert spans_of((7, 8, 15)) == "7–9, 15–16"
    assert spans_of((23,)) == "23–24"
    assert spans_of(()) == ""


def test_a_relay_is_as_it_was_seen_last() -> None:
    profile = profile_of([look(relay_udp=True), look(day=1, relay_udp=False), look(day=2)])
    assert profile
    assert (profile.relay_udp, profile.relay_tls) == (False, None)


FOUND = Measured(up_kbps=400, down_kbps=900, rtt_ms=70, relay_udp=True)
KEY = "a-check-of-somebody"


async def test_a_check_is_kept_once_for_the_station_of_who_made_it(
    work: UnitOfWork, make: Factory
) -> None:
    doctor = await make.actor(Role.COMMUNE_DOCTOR)
    await service.save_check(work, doctor, LinkSource.CHECK, KEY, Measured(up_kbps=1))
    await service.save_check(work, doctor, LinkSource.CHECK, KEY, FOUND)
    (profile,) = await service.list_own(work, doctor)
    assert (profile.looks, profile.usual.up_kbps, profile.relay_udp) == (1, 400, True)
    assert profile.latest_at.astimezone(UTC) == work.now()


async def test_the_same_key_of_two_people_is_two_checks(work: UnitOfWork, make: Factory) -> None:
    station = await make.facility()
    for _ in range(2):
        doctor = await make.actor(Role.COMMUNE_DOCTOR, at=station)
        await service.save_check(work, doctor, LinkSource.CHECK, KEY, FOUND)
    profile = await service.find_profile(work, station.id or 0)
    assert profile
    assert profile.looks == 2


async def test_a_check_at_the_hospital_is_for_no_station(work: UnitOfWork, make: Factory) -> None:
    specialist = await make.actor(Role.SPECIALIST)
    await service.save_check(work, specialist, LinkSource.CHECK, KEY, FOUND)
    assert await service.list_own(work, specialist) == []
    assert await service.find_profile(work, specialist.facility_id or 0) is None


async def test_files_tell_how_fast_a_station_sends_and_the_last_of_an_hour_counts(
    work: UnitOfWork, make: Factory, clock: FakeClock
) -> None:
    doctor = await make.actor(Role.COMMUNE_DOCTOR)
    (station,) = doctor.station_ids

    async def send(size_bytes: int, seconds: float) -> tuple[int, int | None]:
        await service.note_upload(work, doctor, station, size_bytes=size_bytes, seconds=seconds)
        profile = await service.find_profile(work, station)
        assert profile
        return profile.looks, profile.usual.up_kbps

    assert await send(500_000, 40.0) == (1, 100)
    assert await send(500_000, 20.0) == (1, 200)
    # What fits into a buffer, or took no time, says nothing.
    assert await send(LEAST_UPLOAD_BYTES - 1, 0.1) == (1, 200)
    assert await send(500_000, 0.0) == (1, 200)
    clock.advance(timedelta(hours=1))
    assert await send(500_000, 10.0) == (2, 300)


async def test_a_file_that_was_sent_elsewhere_tells_nothing_of_the_station(
    work: UnitOfWork, make: Factory
) -> None:
    doctor = await make.actor(Role.COMMUNE_DOCTOR)
    (station,) = doctor.station_ids
    specialist = await make.actor(Role.SPECIALIST)
    await service.note_upload(work, specialist, station, size_bytes=500_000, seconds=9.0)
    assert await service.find_profile(work, station) is None


async def test_old_looks_are_forgotten(work: UnitOfWork, make: Factory, clock: FakeClock) -> None:
    doctor = await make.actor(Role.COMMUNE_DOCTOR)
    await service.save_check(work, doctor, LinkSource.CHECK, KEY, FOUND)
    clock.advance(KEPT + timedelta(minutes=1))
    assert await service.list_own(work, doctor) == []


async def found_of(work: UnitOfWork, coordinator: Actor) -> Finding | None:
    """Why the only station is red."""
    ((link,), _) = await service.list_stations(work, coordinator)
    assert link.is_red == (link.finding is not None)
    return link.finding


@pytest.fixture
async def coordinator(make: Factory) -> Actor:
    return await make.actor(Role.COORDINATOR, at=await make.hospital())


async def test_a_station_is_red_until_it_drilled_when_that_failed_and_when_it_is_too_old(
    work: UnitOfWork, make: Factory, clock: FakeClock, coordinator: Actor
) -> None:
    doctor = await make.actor(Role.COMMUNE_DOCTOR)

    async def drill(**found: Any) -> Finding | None:
        clock.advance(timedelta(minutes=1))
        key = f"drill-{clock.now().timestamp():.0f}"
        await service.save_check(work, doctor, LinkSource.DRILL, key, Measured(**found))
        return await found_of(work, coordinator)

    assert await found_of(work, coordinator) is Finding.NEVER
    assert await drill(loss_permille=300) is None
    assert await drill(loss_permille=301) is Finding.LOSSY
    assert await drill(loss_permille=1000) is Finding.NO_MEDIA
    assert await drill(loss_permille=0, is_well=False) is Finding.FAILED
    # Answers to everything but the voice are no proof of a call.
    assert await drill(loss_permille=None) is Finding.FAILED
    assert await drill(loss_permille=0) is None
    clock.advance(KNOWN_FOR)
    assert await found_of(work, coordinator) is Finding.SILENT


async def test_a_call_proves_as_much_as_a_drill_and_a_check_by_hand_does_not(
    work: UnitOfWork, make: Factory, coordinator: Actor
) -> None:
    doctor = await make.actor(Role.COMMUNE_DOCTOR)
    await service.save_check(work, doctor, LinkSource.CHECK, KEY, FOUND)
    assert await found_of(work, coordinator) is Finding.NEVER
    (station,) = doctor.station_ids
    await service.observe(work, station, LinkSource.CALL, KEY, FOUND)
    assert await found_of(work, coordinator) is None


async def test_a_drill_is_due_until_one_went_well_and_again_after_some_hours(
    work: UnitOfWork, make: Factory, clock: FakeClock
) -> None:
    doctor = await make.actor(Role.COMMUNE_DOCTOR)
    assert await service.is_drill_due(work, doctor)
    for loss, is_due in ((1000, True), (0, False)):
        found = Measured(loss_permille=loss)
        await service.save_check(work, doctor, LinkSource.DRILL, f"drill-{loss}", found)
        clock.advance(timedelta(minutes=1))
        assert await service.is_drill_due(work, doctor) is is_due
    clock.advance(DRILL_EVERY)
    assert await service.is_drill_due(work, doctor)
    assert not await service.is_drill_due(work, await make.actor(Role.SPECIALIST))


async def test_stations_come_in_pages(work: UnitOfWork, make: Factory) -> None:
    for _ in range(STATIONS_A_PAGE + 1):
        await make.facility()
    coordinator = await make.actor(Role.COORDINATOR, at=await make.hospital())
    first, more = await service.list_stations(work, coordinator)
    assert more == first[-1].station.code
    second, end = await service.list_stations(work, coordinator, more)
    assert (len(first), len(second), end) == (STATIONS_A_PAGE, 1, None)


@pytest.mark.parametrize("role", [Role.COMMUNE_DOCTOR, Role.SPECIALIST, Role.ADMINISTRATOR])
async def test_the_links_of_all_stations_are_not_for_everybody(
    work: UnitOfWork, make: Factory, role: Role
) -> None:
    with pytest.raises(Denied):
        await service.list_stations(work, await make.actor(role))
