"""One transaction: rows, audit records and hints stand or fall together."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlmodel import col, select

from telemed.accounts.permissions import Role
from telemed.core.audit import AuditRecord, AuditTag, verify_chain
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict, Unavailable
from telemed.facilities.models import Facility
from telemed.migrations import migrate
from telemed.patients.models import Patient
from tests.conftest import make_settings
from tests.factories import Factory
from tests.fakes import FakeAnnouncer
from tests.servers import free_port

HANDS = 50


async def names(database: Database) -> list[str]:
    async with database.read() as work:
        return list(await work.session.exec(select(Facility.name).order_by(col(Facility.id))))


async def tags(database: Database) -> list[AuditTag]:
    async with database.read() as work:
        assert await verify_chain(work.session) is None
        return list(
            await work.session.exec(
                select(col(AuditRecord.tag)).order_by(col(AuditRecord.sequence))
            )
        )


def act(work: UnitOfWork) -> None:
    """Everything that a transaction may carry besides rows."""
    work.audit(AuditTag.FACILITY_CHANGE, None, "facility:1")
    work.announce("worklist", "changed")


async def test_rows_records_and_hints_become_fact_together(
    database: Database, announcer: FakeAnnouncer
) -> None:
    async with database.work() as work:
        await Factory(work).facility(name="Một")
        act(work)
        assert announcer.hints == []
        assert await names(database) == []
    assert await names(database) == ["Một"]
    assert await tags(database) == [AuditTag.FACILITY_CHANGE]
    assert announcer.events("worklist") == ["changed"]


async def test_an_error_undoes_everything(database: Database, announcer: FakeAnnouncer) -> None:
    told: list[str] = []

    async def fail() -> None:
        async with database.work() as work:
            await Factory(work).facility()
            act(work)
            work.after_commit(lambda: told.append("told"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert (await names(database), await tags(database)) == ([], [])
    assert (announcer.hints, told) == ([], [])


async def test_an_edge_that_does_not_commit_changes_nothing(
    database: Database, announcer: FakeAnnouncer
) -> None:
    async with database.open() as work:
        await Factory(work).facility()
        act(work)
    assert (await names(database), await tags(database), announcer.hints) == ([], [], [])


async def test_what_was_refused_stays_on_record_though_the_rest_is_undone(
    database: Database,
) -> None:
    async def fail() -> None:
        async with database.work() as work:
            await Factory(work).facility()
            act(work)
            work.audit_refusal(AuditTag.SIGN_IN_REFUSED, None, "person:unknown")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await names(database) == []
    assert await tags(database) == [AuditTag.SIGN_IN_REFUSED]


async def test_a_second_commit_repeats_nothing(
    database: Database, announcer: FakeAnnouncer
) -> None:
    told: list[str] = []
    async with database.open() as work:
        act(work)
        work.audit_refusal(AuditTag.SIGN_IN_REFUSED, None, "person:unknown")
        work.after_commit(lambda: told.append("told"))
        await work.commit()
        await work.commit()
        await work.rollback()
    assert await tags(database) == [AuditTag.FACILITY_CHANGE, AuditTag.SIGN_IN_REFUSED]
    assert (announcer.events("worklist"), told) == (["changed"], ["told"])


async def test_the_same_hint_twice_is_sent_once_after_what_was_asked_for_first(
    database: Database, announcer: FakeAnnouncer
) -> None:
    seen: list[int] = []

    async def look() -> None:
        await asyncio.sleep(0)
        seen.append(len(announcer.hints))

    async with database.work() as work:
        work.announce("worklist", "changed", 3)
        work.announce("worklist", "changed", 3)
        work.announce("worklist", "changed", 4)
        work.after_commit(look)
    assert seen == [0]
    assert [hint.number for hint in announcer.hints] == [3, 4]


async def test_news_that_cannot_be_told_takes_no_fact_back(
    database: Database, announcer: FakeAnnouncer, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR):
        async with database.work() as work:
            await Factory(work).facility(name="Một")
            act(work)
            work.after_commit(fail)
    assert await names(database) == ["Một"]
    assert announcer.events("worklist") == ["changed"]
    assert [record.message for record in caplog.records] == ["after a commit: ZeroDivisionError"]


async def test_a_row_that_moved_meanwhile_is_a_conflict_that_leaves_nothing(
    database: Database, announcer: FakeAnnouncer
) -> None:
    async with database.work() as work:
        make = Factory(work)
        patient = await make.patient(by=await make.actor(Role.COMMUNE_DOCTOR))

    async def overtake() -> None:
        async with database.work() as slow:
            stale = await slow.session.get_one(Patient, patient.id)
            await slow.commit()
            async with database.work() as quick:
                fresh = await quick.session.get_one(Patient, patient.id)
                fresh.phone = "0912000111"
                quick.session.add(fresh)
            stale.phone = "0912000222"
            slow.session.add(stale)
            act(slow)
            await slow.session.flush()

    with pytest.raises(Conflict) as refusal:
        await overtake()
    assert refusal.value.code == "changed_meanwhile"
    async with database.read() as work:
        now = await work.session.get_one(Patient, patient.id)
    assert now.phone == "0912000111"
    assert (await tags(database), announcer.hints) == ([], [])


async def test_a_reader_cannot_write_on_an_embedded_database(tmp_path: Path) -> None:
    """Also in a folder whose name means something in an address."""
    folder = tmp_path / "a b#c?d%20e"
    settings = make_settings(data_dir=folder)
    database = Database(settings.database)
    await migrate(database)
    with pytest.raises(Unavailable):
        async with database.read() as work:
            await Factory(work).facility()
    assert await names(database) == []
    await database.close()


async def test_fifty_transactions_at_once_leave_one_unbroken_chain(database: Database) -> None:
    async def one(number: int) -> None:
        async with database.work() as work:
            work.audit(AuditTag.FACILITY_CHANGE, None, f"facility:{number}")

    await asyncio.gather(*(one(number) for number in range(HANDS)))
    assert len(await tags(database)) == HANDS


async def test_who_loses_a_deadlock_is_told_that_somebody_was_faster(
    postgresql_url: str,
) -> None:
    database = Database(postgresql_url)
    async with database.work() as work:
        make = Factory(work)
        ids = [(await make.facility()).id for _ in range(2)]
    first_is_locked, second_is_locked = asyncio.Event(), asyncio.Event()

    async def take(order: list[int | None], mine: asyncio.Event, other: asyncio.Event) -> None:
        async with database.work() as work:
            lock = "SELECT 1 FROM facility WHERE id = :id FOR UPDATE"
            connection = await work.session.connection()
            await connection.execute(text(lock), {"id": order[0]})
            mine.set()
            await other.wait()
            await connection.execute(text(lock), {"id": order[1]})

    outcomes = await asyncio.gather(
        take(ids, first_is_locked, second_is_locked),
        take(ids[::-1], second_is_locked, first_is_locked),
        return_exceptions=True,
    )
    refusals = [outcome for outcome in outcomes if outcome is not None]
    assert [type(refusal) for refusal in refusals] == [Conflict]
    await database.close()


async def test_a_server_that_goes_away_may_be_asked_again(
    postgresql_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(postgresql_url)
    address = make_url(postgresql_url)

    async def ask_a_server_that_ends_us() -> None:
        async with database.work() as work:
            connection = await work.session.connection()
            own = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            other = await asyncpg.connect(
                host=address.host,
                port=address.port,
                user=address.username,
                database=address.database,
            )
            await other.execute("SELECT pg_terminate_backend($1)", own)
            await other.close()
            await connection.execute(text("SELECT 1"))

    with pytest.raises(Unavailable) as refusal:
        await ask_a_server_that_ends_us()
    assert refusal.value.code == "database_unavailable"
    assert await names(database) == []
    await database.close()


async def test_a_server_that_is_not_there_may_be_asked_later() -> None:
    database = Database(f"postgresql+asyncpg://telemed@127.0.0.1:{free_port()}/none")
    with pytest.raises(Unavailable):
        await names(database)
    await database.close()
