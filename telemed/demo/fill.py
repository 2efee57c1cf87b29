"""Filling an empty database with the synthetic province, in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

from sqlmodel import col, select

from telemed.accounts.passwords import PasswordHasher
from telemed.accounts.second_factor import SecretBox
from telemed.consults.icd import WHO_SYSTEM, WHO_VERSION
from telemed.consults.models import IcdCode, YearlyCounter
from telemed.consults.request.input import IcdChoice
from telemed.core.clock import FakeClock
from telemed.core.config import Settings
from telemed.core.db import Database, UnitOfWork
from telemed.demo.accounts_file import write_accounts
from telemed.demo.cast import Cast, Login, add_cast, all_parts, make_logins
from telemed.demo.casting import Casting
from telemed.demo.contracts import write_contracts
from telemed.demo.duty import make_shifts
from telemed.demo.entrustments import write_entrustments
from telemed.demo.ledger import Ledger
from telemed.demo.links import make_looks
from telemed.demo.outcomes import make_outcomes
from telemed.demo.packages import write_packages
from telemed.demo.pictures import draw_all
from telemed.demo.plan import make_plan
from telemed.demo.practice import write_practice
from telemed.demo.rights import make_requests
from telemed.demo.texts import FOLDER, Part, Texts, read_texts
from telemed.demo.training import make_placements, make_transfers
from telemed.demo.world import WEEK, Diary, World
from telemed.demo.writing import add_all, write_placements, write_stories, write_transfers
from telemed.facilities.models import Facility, FacilityKind, Specialty
from telemed.facilities.reference import read_communes
from telemed.imaging.previews import Previewer
from telemed.imaging.service import Arrival, take_in
from telemed.imaging.storage import DirectoryStorage
from telemed.scheduling.models import WeeklyHours
from telemed.training.techniques.service import import_file

SEED = 2026
PICTURE_LIMIT_BYTES = 4 * 1024 * 1024

Pictures = Mapping[str, Sequence[Arrival]]


@dataclass(frozen=True)
class Filled:
    """What was made, and where it is written what one signs in with."""

    logins: Sequence[Login]
    patients: int
    consults: int
    accounts_file: Path


async def fill(settings: Settings, database: Database) -> Filled:
    """Make the whole province. The database is empty but for its reference data."""
    texts = await asyncio.to_thread(read_texts)
    parts = all_parts(await asyncio.to_thread(read_communes), texts)
    box = SecretBox(await asyncio.to_thread(settings.signing_key))
    # Slow work comes before the transaction, and goes on side by side.
    pictures, logins = await asyncio.gather(
        _take_pictures(settings, texts), _make_logins(settings, parts)
    )
    clock = FakeClock(database.clock.now())
    async with _one_transaction(settings, database, clock) as work:
        ledger = Ledger()
        cast = await add_cast(work, ledger, logins, box, work.now())
        world = await _make_world(work, texts, ledger, cast, pictures)
        casting = await _tell(work, world)
        await ledger.write(work, clock)
        # Before the commit: a filled province with lost passwords would be of no use.
        path = await asyncio.to_thread(write_accounts, settings.data_dir, logins)
    return Filled(logins, len(casting.patients), len(casting.stories), path)


@asynccontextmanager
async def _one_transaction(
    settings: Settings, database: Database, clock: FakeClock
) -> AsyncIterator[UnitOfWork]:
    """Like `Database.work`, on the same writing connection, with a clock that can be set."""
    work = UnitOfWork(database.engine, clock, database.announcer, settings)
    try:
        yield work
        await work.commit()
    except BaseException:
        await work.rollback()
        raise
    finally:
        await work.close()


async def _make_logins(settings: Settings, parts: Sequence[Part]) -> list[Login]:
    hasher = await asyncio.to_thread(PasswordHasher.of, settings)
    try:
        return await make_logins(parts, hasher)
    finally:
        hasher.close()


async def _take_pictures(settings: Settings, texts: Texts) -> Pictures:
    storage = await asyncio.to_thread(DirectoryStorage.prepared, settings.data_dir / "files")
    previewer = Previewer()
    drawn = await asyncio.to_thread(lambda: list(draw_all(SEED)))

    async def take(kind: str, data: bytes) -> tuple[str, Arrival]:
        received = await storage.receive(_whole(data), PICTURE_LIMIT_BYTES)
        name = f"{texts.phrases['file_names'][kind]}.jpg"
        return kind, await take_in(storage, previewer, received, name)

    pictures: dict[str, list[Arrival]] = {}
    for kind, arrival in await asyncio.gather(*(take(kind, data) for kind, data in drawn)):
        pictures.setdefault(kind, []).append(arrival)
    return pictures


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _make_world(
    work: UnitOfWork, texts: Texts, ledger: Ledger, cast: Cast, pictures: Pictures
) -> World:
    specialties = (await work.session.exec(select(Specialty))).all()
    return World(
        now=work.now(),
        chance=Random(SEED),
        texts=texts,
        ledger=ledger,
        cast=cast,
        stations=await _stations(work, first=next(iter(cast.doctors))),
        specialties={specialty.code: specialty for specialty in specialties},
        codes=await _codes(work, texts),
        pictures=pictures,
        expires_after=timedelta(days=work.settings.request_expires_days),
        diary=Diary(),
    )


async def _stations(work: UnitOfWork, *, first: int) -> dict[int, Facility]:
    query = select(Facility).where(col(Facility.kind) == FacilityKind.STATION)
    rows = (await work.session.exec(query.order_by(col(Facility.code)))).all()
    shown_first = sorted(rows, key=lambda station: station.id != first)
    return {station.id or 0: station for station in shown_first}


async def _codes(work: UnitOfWork, texts: Texts) -> dict[str, IcdChoice]:
    query = select(IcdCode).where(
        col(IcdCode.system) == WHO_SYSTEM,
        col(IcdCode.version) == WHO_VERSION,
        col(IcdCode.code).in_({case.icd for case in texts.cases}),
    )
    return {
        row.code: IcdChoice(row.code, row.title, row.system, row.version)
        for row in await work.session.exec(query)
    }


async def _tell(work: UnitOfWork, world: World) -> Casting:
    """Everything that happened in the province."""
    await write_contracts(work, world)
    await import_file(work, FOLDER / "techniques.csv")
    casting = Casting(world)
    plan = make_plan(world.now, world.texts, world.chance)
    begun = [(slot, casting.choose_patient(slot)) for slot in plan]
    casting.fill_up()
    await add_all(work, casting.patients)
    for slot, patient in begun:
        casting.tell(slot, patient)
    await write_stories(work, casting.stories)
    placements = make_placements(world)
    await write_placements(work, placements)
    packages = await write_packages(work, world)
    await write_transfers(work, make_transfers(world, placements, packages))
    await write_practice(work, world, packages)
    await write_entrustments(work, world)
    await add_all(work, [*_hours(world.cast), *_counters(world), *make_looks(world)])
    await add_all(work, make_shifts(world))
    consults = [story.consult for story in casting.stories]
    await add_all(work, [*make_outcomes(world, consults), *make_requests(world, consults)])
    return casting


def _hours(cast: Cast) -> list[WeeklyHours]:
    return [
        WeeklyHours(
            person_id=specialist.id,
            weekday=hours.weekday,
            start_minute=hours.start_minute,
            end_minute=hours.end_minute,
            slot_minutes=hours.slot_minutes,
        )
        for specialist in cast.specialists
        for hours in WEEK
    ]


def _counters(world: World) -> list[YearlyCounter]:
    return [YearlyCounter(series=name, last_number=last) for name, last in world.numbers.items()]
