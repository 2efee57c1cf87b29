"""The synthetic province holds together: a handful of looks at one filled database an engine."""

from __future__ import annotations

import asyncio
import csv
import stat
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from random import Random

import pyotp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import func
from sqlmodel import SQLModel, col, select

from telemed.accounts.logins import make_actor
from telemed.accounts.models import Person, PersonRole
from telemed.accounts.permissions import Actor, Role
from telemed.accounts.service import (
    Accounts,
    Pending,
    find_pending,
    finish_sign_in,
    sign_in,
)
from telemed.app import Overrides, create_app
from telemed.commands.demo import DemoRefused, fill_demo
from telemed.commands.tables import bring_up
from telemed.consults.lifecycle import ConsultEvent, ConsultState, next_state
from telemed.consults.models import Consult, Urgency
from telemed.consults.request.service import list_drafts
from telemed.consults.service import FACTS
from telemed.consults.worklist.homes import open_home
from telemed.consults.worklist.rows import TriageRow
from telemed.consults.worklist.service import open_worklist
from telemed.core import records
from telemed.core.audit import AuditRecord, verify_chain
from telemed.core.clock import FakeClock
from telemed.core.config import Settings
from telemed.core.db import Database, UnitOfWork
from telemed.core.events import Event, EventStream
from telemed.core.records import RecordState, SignedRecord
from telemed.demo.fill import SEED, Filled
from telemed.demo.plan import COUNTS, make_plan
from telemed.demo.texts import read_texts
from telemed.facilities.models import Facility
from telemed.imaging.models import StoredFile
from telemed.imaging.storage import DirectoryStorage
from telemed.keys import SETTINGS
from telemed.media.link import LinkMode
from telemed.patients.models import Patient
from telemed.sessions.link.service import Finding, list_stations
from telemed.sessions.minutes import open_papers
from telemed.sessions.quality.months import list_months
from telemed.training.models import TransferLog, TransferState
from telemed.training.packages.rules import PackageState
from telemed.training.packages.service import list_packages
from telemed.training.rotations.models import Rotation
from telemed.training.techniques import service as techniques
from telemed.training.transfers import list_awaiting
from tests.conftest import MONDAY_MORNING, Client, make_settings
from tests.factories import Factory
from tests.servers import Postgres

MARK = "Dữ liệu mô phỏng"


@dataclass(frozen=True)
class Province:
    """A filled database."""

    settings: Settings
    filled: Filled


def _fill(settings: Settings) -> Province:
    async def run() -> Filled | None:
        database = Database(settings.database, clock=FakeClock(MONDAY_MORNING), settings=settings)
        try:
            await bring_up(database)
            return await fill_demo(settings, database)
        finally:
            await database.close()

    filled = asyncio.run(run())
    assert filled
    return Province(settings, filled)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def province(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Province:
    folder = tmp_path_factory.mktemp("province")
    name = request.getfixturevalue(f"{request.param}_province_url")
    return _fill(make_settings(data_dir=folder / "var", database_url=name))


@pytest.fixture(scope="module")
def sqlite_province_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('sqlite') / 'telemed.sqlite3'}"


@pytest.fixture(scope="module")
def postgresql_province_url(postgres: Postgres) -> Iterator[str]:
    name = asyncio.run(postgres.create())
    yield postgres.url(name)
    asyncio.run(postgres.drop(name))


@pytest.fixture
async def filled(province: Province) -> AsyncIterator[Database]:
    settings = province.settings
    database = Database(settings.database, clock=FakeClock(MONDAY_MORNING), settings=settings)
    yield database
    await database.close()


@pytest.fixture
async def look(filled: Database) -> AsyncIterator[UnitOfWork]:
    """A transaction of which nothing is kept: reads leave traces too."""
    async with filled.open() as work:
        yield work
        await work.rollback()


async def _count(work: UnitOfWork, model: type[SQLModel]) -> int:
    return (await work.session.exec(select(func.count()).select_from(model))).one()


async def _first(work: UnitOfWork, role: Role) -> Actor:
    query = (
        select(Person, Facility.name)
        .join(PersonRole, col(PersonRole.person_id) == col(Person.id))
        .join(Facility, col(Facility.id) == col(Person.facility_id))
        .where(col(PersonRole.role) == role)
        .order_by(col(Person.id))
    )
    person, place = (await work.session.exec(query)).first() or (None, "")
    assert person
    return await make_actor(work, person, place=place)


async def test_the_province_is_as_large_as_it_says(look: UnitOfWork, province: Province) -> None:
    assert await _count(look, Patient) == province.filled.patients == 300
    assert await _count(look, Consult) == province.filled.consults == 500
    assert await _count(look, Person) == len(province.filled.logins) == 65
    assert await _count(look, Rotation) == 20
    assert await _count(look, TransferLog) == 30


async def test_nobody_and_nothing_in_it_is_real(look: UnitOfWork) -> None:
    for model in (Person, Patient, Consult, TransferLog):
        real = select(model.id).where(col(model.is_synthetic).is_(False))
        assert (await look.session.exec(real)).all() == []


async def test_there_are_cases_and_logs_in_every_state(look: UnitOfWork) -> None:
    states = Counter((await look.session.exec(select(Consult.state))).all())
    assert set(states) == set(ConsultState)
    assert set((await look.session.exec(select(TransferLog.state))).all()) == set(TransferState)


async def test_every_case_came_to_its_state_by_the_table(look: UnitOfWork) -> None:
    told = {fact: event for event, fact in FACTS.items()}
    query = (
        select(EventStream.name, Event.number, Event.kind)
        .join(Event, col(Event.stream_id) == col(EventStream.id))
        .where(col(EventStream.name).startswith("consult:"))
        .order_by(col(EventStream.id), col(Event.number))
    )
    steps: dict[str, list[ConsultEvent]] = {}
    for stream, _, kind in await look.session.exec(query):
        steps.setdefault(stream, []).extend([told[kind]] if kind in told else [])
    for consult in await look.session.exec(select(Consult)):
        state = ConsultState.DRAFT
        for event in steps.get(f"consult:{consult.uid}", []):
            state = next_state(state, event)
        assert state is consult.state


async def test_nothing_has_happened_yet_that_lies_ahead(look: UnitOfWork) -> None:
    for column in (AuditRecord.at, Event.at, Consult.created_at, SignedRecord.fixed_at):
        newest = (await look.session.exec(select(func.max(column)))).one()
        assert newest
        assert newest <= MONDAY_MORNING


async def test_the_audit_chain_holds_and_goes_forward_in_time(look: UnitOfWork) -> None:
    assert await verify_chain(look.session) is None
    times = (
        await look.session.exec(select(AuditRecord.at).order_by(col(AuditRecord.sequence)))
    ).all()
    assert list(times) == sorted(times)


async def test_every_signed_paper_is_what_was_signed(look: UnitOfWork) -> None:
    query = select(SignedRecord).where(col(SignedRecord.state) == RecordState.SIGNED)
    papers = (await look.session.exec(query)).all()
    assert len(papers) > 700
    for paper in papers:
        signatures = await records.list_signatures(look, paper)
        assert signatures
        assert records.is_intact(paper, signatures)


async def test_the_papers_of_a_closed_case_open(look: UnitOfWork) -> None:
    doctor = await _first(look, Role.COMMUNE_DOCTOR)
    query = select(Consult.uid).where(
        col(Consult.state) == ConsultState.CLOSED, col(Consult.station_id) == doctor.facility_id
    )
    uids = (await look.session.exec(query)).all()
    assert len(uids) >= 16
    for uid in uids:
        papers = await open_papers(look, doctor, uid)
        assert papers.minutes
        assert papers.minutes.is_intact
        assert papers.decision


async def test_the_doctor_who_is_tried_has_work_of_every_kind(look: UnitOfWork) -> None:
    doctor = await _first(look, Role.COMMUNE_DOCTOR)
    home = await open_home(look, doctor)
    assert home.station
    assert home.station.next
    assert {case.row.state for case in home.station.cases} >= {
        ConsultState.REQUESTED,
        ConsultState.NEEDS_INFO,
        ConsultState.ACCEPTED,
        ConsultState.SCHEDULED,
        ConsultState.PAUSED,
        ConsultState.ANSWERED,
        ConsultState.DECLINED,
        ConsultState.DRAFT,
    }
    assert len(await list_drafts(look, doctor)) >= 2
    assert await list_awaiting(look, doctor)


async def test_the_specialist_who_is_tried_finds_fresh_emergencies(look: UnitOfWork) -> None:
    specialist = await _first(look, Role.SPECIALIST)
    worklist = await open_worklist(look, specialist)
    waiting = [row for row in worklist.rows if isinstance(row, TriageRow)]
    assert [row.urgency for row in waiting[:2]] == [Urgency.EMERGENCY, Urgency.EMERGENCY]
    assert {row.urgency for row in waiting} == set(Urgency)
    for row in waiting[:2]:
        assert (MONDAY_MORNING - row.requested_at).total_seconds() < 10 * 60
    home = await open_home(look, specialist)
    assert home.specialist
    assert home.specialist.open_count >= 7


async def test_the_rotated_doctor_who_is_tried_is_at_that_station(look: UnitOfWork) -> None:
    rotated = await _first(look, Role.ROTATED_DOCTOR)
    doctor = await _first(look, Role.COMMUNE_DOCTOR)
    assert rotated.station_ids == doctor.station_ids


async def test_most_stations_can_be_reached_and_the_others_say_why_not(look: UnitOfWork) -> None:
    stations, _ = await list_stations(look, await _first(look, Role.COORDINATOR))
    findings = Counter(station.finding for station in stations)
    assert {finding for finding in findings if finding} == set(Finding) - {
        Finding.NEVER,
        Finding.FAILED,
    }
    assert findings[None] == len(stations) - 3 > 40
    modes = Counter(each.profile.usual.mode for each in stations if each.profile)
    assert modes[LinkMode.VIDEO] > 30
    assert modes[LinkMode.VOICE] >= 3
    assert modes[LinkMode.WRITTEN] >= 2
    doctor = await _first(look, Role.COMMUNE_DOCTOR)
    (own,) = [station for station in stations if station.station.id == doctor.facility_id]
    assert not own.is_red


async def test_calls_were_measured_as_the_links_of_their_stations_are(look: UnitOfWork) -> None:
    months = await list_months(look, await _first(look, Role.COORDINATOR))
    assert len({one.month for one in months}) >= 2
    assert all(one.calls > 0 and one.minutes > 0 and one.setup_ms for one in months)
    assert min(one.loss_permille for one in months) < 10 < max(one.loss_permille for one in months)


async def test_every_file_is_in_storage(look: UnitOfWork, province: Province) -> None:
    folder = province.settings.data_dir / "files"
    storage = await asyncio.to_thread(DirectoryStorage.prepared, folder)
    query = select(StoredFile.sha256, StoredFile.preview_sha256).distinct()
    named = {sha256 for row in await look.session.exec(query) for sha256 in row}
    kept = [storage.path_of(str(sha256)) for sha256 in named]
    assert len(kept) >= 10
    assert await asyncio.to_thread(lambda: all(path.stat().st_size for path in kept))


async def test_one_can_really_sign_in_with_what_the_file_says(
    province: Province, filled: Database
) -> None:
    path = province.filled.accounts_file
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    _head, *rows = csv.reader(path.read_text("utf-8").splitlines(), delimiter="\t")
    _name, password, secret, _ = next(row for row in rows if row[0] == "noi.a")
    accounts = await asyncio.to_thread(Accounts.open, province.settings, filled)
    async with filled.work() as work:
        first = await sign_in(
            work, accounts, name="noi.a", password=password, network="192.0.2.1", browser=""
        )
        assert not first.is_full
        pending = await _pending(work, first.token)
        code = pyotp.TOTP(secret).at(MONDAY_MORNING)
        done = await finish_sign_in(work, accounts, pending, code=code, network="192.0.2.1")
        assert done.is_full
        await work.rollback()
    accounts.close()


async def _pending(work: UnitOfWork, token: str) -> Pending:
    pending = await find_pending(work, token)
    assert pending
    return pending


async def test_a_second_start_finds_it_filled_and_changes_nothing(
    province: Province, filled: Database
) -> None:
    accounts = province.filled.accounts_file.read_text("utf-8")
    assert await fill_demo(province.settings, filled) is None
    assert province.filled.accounts_file.read_text("utf-8") == accounts


async def test_it_is_refused_where_anything_else_is(
    settings: Settings, database: Database, work: UnitOfWork, make: Factory
) -> None:
    await make.person(Role.COMMUNE_DOCTOR)
    await work.commit()
    with pytest.raises(DemoRefused):
        await fill_demo(settings, database)
    assert await _count(work, Consult) == 0


@pytest.fixture
def filled_app(province: Province) -> web.Application:
    return create_app(province.settings, Overrides(runs_jobs=False))


@pytest.fixture
def empty_app(settings: Settings) -> web.Application:
    flagged = settings.model_copy(update={"demo": True})
    return create_app(flagged, Overrides(runs_jobs=False))


async def test_pages_of_a_filled_database_say_so_without_the_flag(
    filled_app: web.Application,
) -> None:
    assert not filled_app[SETTINGS].demo
    assert MARK in await _sign_in_page(filled_app)


async def test_pages_of_an_empty_database_do_not_even_with_it(empty_app: web.Application) -> None:
    assert MARK not in await _sign_in_page(empty_app)


async def _sign_in_page(app: web.Application) -> str:
    client: Client = TestClient(TestServer(app))
    async with client:
        answer = await client.get("/sign-in", headers={"Accept": "text/html"})
        return await answer.text()


def test_the_plan_is_the_same_every_time() -> None:
    texts = read_texts()
    plans = [make_plan(MONDAY_MORNING, texts, Random(SEED)) for _ in range(2)]
    assert plans[0] == plans[1]
    assert sum(COUNTS.values()) == len(plans[0]) == 500


def test_every_question_of_a_made_up_case_has_its_conclusion() -> None:
    texts = read_texts()
    assert all(len(case.questions) == len(case.conclusions) for case in texts.cases)
    assert len(texts.by_specialty) == 17


async def test_two_packages_run_with_sessions_under_them(look: UnitOfWork) -> None:
    trainer = await _first(look, Role.TRAINER)
    rows = await list_packages(look, trainer, PackageState.RUNNING)
    assert {row.package.title for row in rows} == {"Cấp cứu ban đầu 2026", "Siêu âm cơ bản 2026"}
    assert sum(row.sessions for row in rows) > 0
    for row in rows:
        for each in row.techniques:
            known = await techniques.find_technique(look, each.code)
            assert known
            assert known.name == each.name
    found = await techniques.search(look, trainer, "sieu am")
    assert [each.code for each in found] == ["18.1", "18.20"]
