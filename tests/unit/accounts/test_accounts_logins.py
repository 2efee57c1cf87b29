"""Who a token stands for, until when, and who is told when it ends."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from sqlmodel import select

from telemed.accounts.logins import (
    LoginLimits,
    end_login,
    find_pending,
    hash_token,
    list_logins,
    open_login,
    resolve_login,
    resolve_login_session,
    revoke_login,
    revoke_logins,
    rotate_login,
    touch_login,
)
from telemed.accounts.models import (
    LoginSession,
    LoginStrength,
    Person,
    PersonState,
    Posting,
)
from telemed.accounts.permissions import Actor, Role
from telemed.core.clock import LOCAL_ZONE, FakeClock
from telemed.core.config import Settings
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Missing
from telemed.facilities.models import Facility
from tests.factories import Factory
from tests.fakes import FakeAnnouncer

FULL = LoginStrength.FULL


@pytest.fixture
def limits(settings: Settings) -> LoginLimits:
    """How long logins live in these tests."""
    return LoginLimits.of(settings)


async def login_of(work: UnitOfWork, person: Person, limits: LoginLimits) -> str:
    """A full login of a person."""
    assert person.id
    return await open_login(work, person.id, FULL, limits, "Chrome 142 · Windows")


async def resolved(work: UnitOfWork, token: str) -> Actor:
    """Whom a living token stands for."""
    actor = await resolve_login(work, token)
    assert actor
    return actor


async def post(
    work: UnitOfWork, person: Person, station: Facility, starts_on: date, ends_on: date
) -> None:
    """Send a person to a station for some days."""
    assert person.id
    assert station.id
    work.session.add(
        Posting(person_id=person.id, facility_id=station.id, starts_on=starts_on, ends_on=ends_on)
    )
    await work.session.flush()


async def test_tokens_are_256_random_bits_and_only_their_hash_is_kept(
    work: UnitOfWork, make: Factory, limits: LoginLimits
) -> None:
    person = await make.person(Role.COMMUNE_DOCTOR)
    tokens = [await login_of(work, person, limits) for _ in range(20)]

    kept = (await work.session.exec(select(LoginSession))).all()
    assert {len(token) for token in tokens} == {43}
    assert len({token[:4] for token in tokens}) > 15
    assert {login.token_hash for login in kept} == {hash_token(token) for token in tokens}
    assert not any(token in str(login.model_dump()) for token in tokens for login in kept)


async def test_a_login_stands_for_the_person_with_everything_the_rules_need(
    work: UnitOfWork, make: Factory, limits: LoginLimits
) -> None:
    specialty = await make.specialty()
    person = await make.person(
        Role.SPECIALIST, Role.TRAINER, specialty=specialty, full_name="Phạm Thu Hà", locale="en"
    )
    hospital = await make.hospital()

    actor = await resolved(work, await login_of(work, person, limits))
    assert actor.roles == {Role.SPECIALIST, Role.TRAINER}
    assert actor.specialty_ids == {specialty.id}
    assert (actor.name, actor.initials, actor.title) == ("Phạm Thu Hà", "PH", "Bác sĩ")
    assert (actor.facility_id, actor.place) == (hospital.id, hospital.name)
    assert (actor.locale, actor.login_session_id > 0) == ("en", True)
    assert actor.posted_station_id is None


async def test_specialties_count_for_specialists_only(
    work: UnitOfWork, make: Factory, limits: LoginLimits
) -> None:
    person = await make.person(Role.TRAINER, specialty=await make.specialty())

    assert (await resolved(work, await login_of(work, person, limits))).specialty_ids == set()


@pytest.mark.parametrize(
    ("local_time", "is_posted"),
    [
        (datetime(2026, 11, 30, 23, 59, 59, tzinfo=LOCAL_ZONE), False),
        (datetime(2026, 12, 1, 0, 0, 0, tzinfo=LOCAL_ZONE), True),
        (datetime(2026, 12, 31, 23, 59, 59, tzinfo=LOCAL_ZONE), True),
        (datetime(2027, 1, 1, 0, 0, 0, tzinfo=LOCAL_ZONE), False),
    ],
)
async def test_a_posting_counts_on_its_days_by_the_clock_of_the_province(
    database: Database, clock: FakeClock, local_time: datetime, is_posted: bool
) -> None:
    long = LoginLimits(timedelta(days=90), timedelta(days=90))
    async with database.work() as work:
        make = Factory(work)
        person, station = await make.person(Role.ROTATED_DOCTOR), await make.facility()
        await post(work, person, station, date(2026, 12, 1), date(2026, 12, 31))
        token = await login_of(work, person, long)
    clock.set(local_time)

    async with database.read() as work:
        actor = await resolved(work, token)
    assert (actor.posted_station_id == station.id) is is_posted
    assert (actor.place == station.name) is is_posted


async def test_of_two_postings_the_later_one_counts(
    work: UnitOfWork, make: Factory, limits: LoginLimits
) -> None:
    first, second = await make.facility(), await make.facility()
    person = await make.person(Role.ROTATED_DOCTOR, posted_to=first)
    today = work.now().date()
    await post(work, person, second, today, today)

    actor = await resolved(work, await login_of(work, person, limits))
    assert actor.posted_station_id == second.id


async def test_a_posting_gives_nothing_to_those_who_are_not_rotated(
    work: UnitOfWork, make: Factory, limits: LoginLimits
) -> None:
    person = await make.person(Role.TRAINER, posted_to=await make.facility())

    assert (await resolved(work, await login_of(work, person, limits))).posted_station_id is None


@pytest.mark.parametrize("state", [PersonState.DISABLED, PersonState.INVITED])
async def test_a_closed_account_has_no_login(
    work: UnitOfWork, make: Factory, limits: LoginLimits, state: PersonState
) -> None:
    person = await make.person(Role.COMMUNE_DOCTOR)
    token = await login_of(work, person, limits)
    person.state = state
    await work.session.flush()

    assert await resolve_login(work, token) is None


async def test_a_token_that_nobody_has_stands_for_nobody(work: UnitOfWork) -> None:
    assert await resolve_login(work, "") is None
    assert await resolve_login(work, "x" * 43) is None
    assert await find_pending(work, "x" * 43) is None
    assert await resolve_login_session(work, 1) is None


async def test_a_login_without_its_second_factor_stands_for_nobody(
    work: UnitOfWork, make: Factory, limits: LoginLimits
) -> None:
    person = await make.person(Role.SPECIALIST)
    assert person.id
    token = await open_login(work, person.id, LoginStrength.PASSWORD, limits, "")
    full = await login_of(work, person, limits)

    assert await resolve_login(work, token) is None
    assert await find_pending(work, full) is None


async def test_a_login_is_found_again_by_its_key(
    work: UnitOfWork, make: Factory, limits: LoginLimits
) -> None:
    person = await make.person(Role.COMMUNE_DOCTOR)
    actor = await resolved(work, await login_of(work, person, limits))

    assert await resolve_login_session(work, actor.login_session_id) == actor
    await end_login(work, person.uid, actor.id, actor.login_session_id)
    assert await resolve_login_session(work, actor.login_session_id) is None


async def test_rotation_leaves_the_old_token_dead(
    work: UnitOfWork, make: Factory, limits: LoginLimits
) -> None:
    person = await make.person(Role.COMMUNE_DOCTOR)
    before = await login_of(work, person, limits)
    login_id = (await resolved(work, before)).login_session_id
    after = await rotate_login(work, login_id, limits)

    assert await resolve_login(work, before) is None
    assert (await resolved(work, after)).login_session_id == login_id


async def test_rotation_of_a_full_login_does_not_prolong_it(
    work: UnitOfWork, make: Factory, limits: LoginLimits, clock: FakeClock
) -> None:
    token = await login_of(work, await make.person(Role.COMMUNE_DOCTOR), limits)
    login_id = (await resolved(work, token)).login_session_id
    clock.advance(limits.idle / 2)
    await rotate_login(work, login_id, limits)

    login = await work.session.get_one(LoginSession, login_id)
    assert login.expires_at == login.created_at + limits.absolute


async def test_a_revoked_login_cannot_be_rotated(
    work: UnitOfWork, make: Factory, limits: LoginLimits
) -> None:
    person = await make.person(Role.COMMUNE_DOCTOR)
    login_id = (await resolved(work, await login_of(work, person, limits))).login_session_id
    await revoke_logins(work, person.id or 0, person.uid)

    with pytest.raises(Missing):
        await rotate_login(work, login_id, limits)


async def test_use_puts_the_idle_expiry_off_at_most_once_a_minute(
    database: Database, clock: FakeClock, limits: LoginLimits
) -> None:
    async with database.work() as work:
        person = await Factory(work).person(Role.COMMUNE_DOCTOR)
        token = await login_of(work, person, limits)
        actor = await resolved(work, token)
    start = clock.now()
    seen = []
    for seconds in (59, 60, 61):
        clock.set(start + timedelta(seconds=seconds))
        await touch_login(database, actor, limits)
        async with database.read() as work:
            seen.append((await resolved(work, token)).login_seen_at)

    assert seen == [start, start + timedelta(seconds=60), start + timedelta(seconds=61)]


async def test_use_does_not_bring_a_revoked_login_back(
    database: Database, clock: FakeClock, limits: LoginLimits
) -> None:
    async with database.work() as work:
        person = await Factory(work).person(Role.COMMUNE_DOCTOR)
        token = await login_of(work, person, limits)
        actor = await resolved(work, token)
        await revoke_logins(work, actor.id, actor.uid)
    clock.advance(timedelta(minutes=2))
    await touch_login(database, actor, limits)

    async with database.read() as work:
        assert await resolve_login(work, token) is None


async def test_listing_shows_living_full_logins_the_latest_used_first(
    work: UnitOfWork, make: Factory, limits: LoginLimits, clock: FakeClock
) -> None:
    person = await make.person(Role.SPECIALIST)
    other = await make.person(Role.SPECIALIST)
    assert person.id
    await login_of(work, person, limits)
    clock.advance(limits.idle)
    older = await resolved(work, await login_of(work, person, limits))
    clock.advance(timedelta(minutes=1))
    newer = await resolved(work, await login_of(work, person, limits))
    ended = await resolved(work, await login_of(work, person, limits))
    await end_login(work, person.uid, person.id, ended.login_session_id)
    await open_login(work, person.id, LoginStrength.PASSWORD, limits, "")
    await login_of(work, other, limits)

    listed = [login.id for login in await list_logins(work, person.id)]
    assert listed == [newer.login_session_id, older.login_session_id]


async def test_a_login_is_revoked_by_its_owner_only(
    work: UnitOfWork, make: Factory, limits: LoginLimits
) -> None:
    mine, stranger = await make.actor(Role.COMMUNE_DOCTOR), await make.actor(Role.ADMINISTRATOR)
    token = await open_login(work, mine.id, FULL, limits, "")
    uid = (await list_logins(work, mine.id))[0].uid

    with pytest.raises(Missing):
        await revoke_login(work, stranger, uid)
    await revoke_login(work, mine, uid)
    assert await resolve_login(work, token) is None
    with pytest.raises(Missing):
        await revoke_login(work, mine, uid)


async def test_whoever_listens_is_told_after_the_commit_which_login_has_ended(
    database: Database, limits: LoginLimits, announcer: FakeAnnouncer
) -> None:
    async with database.work() as work:
        person = await Factory(work).person(Role.COMMUNE_DOCTOR)
        actor = await resolved(work, await login_of(work, person, limits))
        await end_login(work, person.uid, actor.id, actor.login_session_id)
        assert announcer.hints == []
    async with database.work() as work:
        await revoke_logins(work, actor.id, actor.uid)

    numbers = [(hint.channel, hint.event, hint.number) for hint in announcer.hints]
    channel = f"person:{actor.uid}"
    assert numbers == [
        (channel, "login_revoked", actor.login_session_id),
        (channel, "login_revoked", 0),
    ]


async def test_revoking_all_but_one_keeps_that_one(
    work: UnitOfWork, make: Factory, limits: LoginLimits
) -> None:
    person = await make.person(Role.COMMUNE_DOCTOR)
    assert person.id
    tokens = [await login_of(work, person, limits) for _ in range(3)]
    kept = (await resolved(work, tokens[1])).login_session_id
    await revoke_logins(work, person.id, person.uid, keep=kept)

    alive = [await resolve_login(work, token) is not None for token in tokens]
    assert alive == [False, True, False]


async def test_a_login_ends_at_its_limits_to_the_second(
    work: UnitOfWork, make: Factory, clock: FakeClock
) -> None:
    limits = LoginLimits(idle=timedelta(minutes=60), absolute=timedelta(minutes=90))
    person = await make.person(Role.COMMUNE_DOCTOR)
    token = await login_of(work, person, limits)
    clock.advance(limits.idle - timedelta(seconds=1))
    before = await resolve_login(work, token)
    clock.advance(timedelta(seconds=1))

    assert before
    assert await resolve_login(work, token) is None
