"""Whatever is done to the audit trail behind the product's back is found, and where."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select

from telemed.commands.check import check_chain
from telemed.core.anchors import ANCHOR_EVERY, ANCHOR_JOB, FILE, anchor, plan_anchors, read_anchors
from telemed.core.audit import (
    GENESIS,
    Anchor,
    AuditHead,
    AuditRecord,
    AuditTag,
    ChainFault,
    link_hash,
    verify_chain,
)
from telemed.core.clock import FakeClock
from telemed.core.config import Settings
from telemed.core.db import Database, UnitOfWork
from telemed.core.jobs import Job, JobRunner

# Who can do this owns the machine; the chain is for the day on which somebody does.
DISARM: Mapping[str, Sequence[str]] = {
    "sqlite": (
        "DROP TRIGGER audit_record_no_UPDATE",
        "DROP TRIGGER audit_record_no_DELETE",
    ),
    "postgresql": ("ALTER TABLE audit_record DISABLE TRIGGER ALL",),
}
LENGTH = 9


@pytest.fixture
async def chain(database: Database) -> Database:
    """A database in which nine acts were noted, in three transactions."""
    for number in range(LENGTH):
        async with database.work() as work:
            work.audit(AuditTag.PATIENT_READ, None, f"patient:{number}", patient_id=number)
    return database


async def _tamper(database: Database, *statements: str) -> None:
    async with database.engine.begin() as connection:
        for statement in (*DISARM[database.engine.dialect.name], *statements):
            await connection.execute(text(statement))


async def _fault(database: Database, anchors: Sequence[Anchor] = ()) -> ChainFault | None:
    async with database.read() as work:
        return await verify_chain(work.session, anchors)


async def _head(database: Database) -> Anchor:
    async with database.read() as work:
        head = (await work.session.exec(select(AuditHead))).one()
    return Anchor(head.sequence, head.hash)


async def test_an_untouched_chain_holds(chain: Database) -> None:
    assert await _fault(chain) is None
    assert await _fault(chain, [await _head(chain)]) is None


async def test_an_empty_chain_holds(database: Database) -> None:
    assert await _fault(database) is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_record SET subject = 'other' WHERE sequence = 4",
        "DELETE FROM audit_record WHERE sequence = 4",
    ],
)
async def test_the_database_itself_refuses_to_change_a_record(
    chain: Database, statement: str
) -> None:
    with pytest.raises(DBAPIError, match="append-only"):
        async with chain.engine.begin() as connection:
            await connection.execute(text(statement))
    assert await _fault(chain) is None


@pytest.mark.parametrize(
    "change",
    [
        "subject = 'patient:999'",
        "person_id = 77",
        "patient_id = NULL",
        "tag = 'consult:read'",
        "request_id = 'x'",
        "at = '2001-01-01 00:00:00+00:00'",
        "detail = '{\"more\": 1}'",
        f"previous = '{GENESIS}'",
        f"hash = '{'f' * 64}'",
    ],
)
async def test_an_edit_of_any_column_is_found(chain: Database, change: str) -> None:
    await _tamper(chain, f"UPDATE audit_record SET {change} WHERE sequence = 4")
    assert await _fault(chain) == ChainFault(4, "record changed or moved")


async def test_a_deletion_is_found(chain: Database) -> None:
    await _tamper(chain, "DELETE FROM audit_record WHERE sequence = 5")
    assert await _fault(chain) == ChainFault(5, "missing or inserted record")


async def test_a_deletion_whose_gap_was_closed_is_found(chain: Database) -> None:
    closing = [
        f"UPDATE audit_record SET sequence = {number - 1} WHERE sequence = {number}"
        for number in range(6, LENGTH + 1)
    ]
    await _tamper(chain, "DELETE FROM audit_record WHERE sequence = 5", *closing)
    assert await _fault(chain) == ChainFault(5, "record changed or moved")


async def test_a_swap_is_found(chain: Database) -> None:
    await _tamper(
        chain,
        "UPDATE audit_record SET sequence = 100 WHERE sequence = 3",
        "UPDATE audit_record SET sequence = 3 WHERE sequence = 4",
        "UPDATE audit_record SET sequence = 4 WHERE sequence = 100",
    )
    assert await _fault(chain) == ChainFault(3, "record changed or moved")


async def test_an_insertion_is_found(chain: Database) -> None:
    await _add_record(chain, LENGTH + 1, previous=(await _head(chain)).hash)
    assert await _fault(chain) == ChainFault(LENGTH + 2, "tail cut off")


async def test_an_insertion_in_the_middle_is_found(chain: Database) -> None:
    moving = [
        f"UPDATE audit_record SET sequence = {number + 1} WHERE sequence = {number}"
        for number in range(LENGTH, 4, -1)
    ]
    await _tamper(chain, *moving)
    async with chain.read() as work:
        before = await work.session.get_one(AuditRecord, 4)
    await _add_record(chain, 5, previous=before.hash)
    assert await _fault(chain) == ChainFault(6, "record changed or moved")


async def test_a_cut_tail_is_found(chain: Database) -> None:
    await _tamper(chain, "DELETE FROM audit_record WHERE sequence > 6")
    assert await _fault(chain) == ChainFault(7, "tail cut off")


async def test_a_tail_cut_together_with_its_head_is_found_by_an_anchor(chain: Database) -> None:
    anchors = [await _head(chain)]
    async with chain.read() as work:
        last = await work.session.get_one(AuditRecord, 6)
    await _tamper(
        chain,
        "DELETE FROM audit_record WHERE sequence > 6",
        f"UPDATE audit_head SET sequence = 6, hash = '{last.hash}'",
    )
    assert await _fault(chain) is None
    assert await _fault(chain, anchors) == ChainFault(7, "shorter than its anchor")


async def test_a_chain_made_anew_is_found_by_an_anchor(chain: Database) -> None:
    anchors = [await _head(chain)]
    await _tamper(chain, "UPDATE audit_record SET subject = 'nobody' WHERE sequence = 2")
    await _remake(chain)
    assert await _fault(chain) is None
    assert await _fault(chain, anchors) == ChainFault(LENGTH, "chain differs from its anchor")


async def _add_record(database: Database, sequence: int, *, previous: str) -> None:
    record = AuditRecord(
        sequence=sequence,
        at=database.clock.now(),
        tag=AuditTag.PATIENT_READ,
        subject="patient:smuggled",
        previous=previous,
        hash="",
    )
    record.hash = link_hash(record)
    async with database.work() as work:
        work.session.add(record)


async def _remake(database: Database) -> None:
    """Everything again from the beginning, as somebody would who knows how it is made."""
    previous = GENESIS
    async with database.work() as work:
        query = select(AuditRecord).order_by(col(AuditRecord.sequence))
        for record in (await work.session.exec(query)).all():
            record.previous = previous
            record.hash = previous = link_hash(record)
            work.session.add(record)
            await work.session.flush()
        head = (await work.session.exec(select(AuditHead))).one()
        head.hash = previous
        work.session.add(head)


async def test_anchors_are_written_every_hour(
    database: Database, settings: Settings, clock: FakeClock
) -> None:
    runner = JobRunner(database, {ANCHOR_JOB: anchor})
    async with database.work() as work:
        await plan_anchors(work)
    heads = []
    for _ in range(3):
        async with database.work() as work:
            work.audit(AuditTag.SIGN_OUT, None, "person:one")
        heads.append(await _head(database))
        assert await runner.run_due() == 1
        assert await runner.run_due() == 0
        clock.advance(ANCHOR_EVERY)
    assert await asyncio.to_thread(read_anchors, settings.data_dir / FILE) == heads
    assert await check_chain(database, settings.data_dir / FILE) == (3, None)


async def test_a_plan_is_made_once(work: UnitOfWork, clock: FakeClock) -> None:
    await plan_anchors(work)
    due = (await work.session.exec(select(Job.due_at))).one()
    clock.advance(ANCHOR_EVERY)
    await plan_anchors(work)
    assert (await work.session.exec(select(Job.due_at))).one() == due


@pytest.fixture
def torn(settings: Settings) -> Path:
    """One whole anchor and the beginning of another."""
    whole = json.dumps({"sequence": 0, "hash": GENESIS, "at": "2026-11-23T01:00:00+00:00"})
    path = settings.data_dir / FILE
    path.parent.mkdir(parents=True)
    path.write_text(f"{whole}\n{whole[:40]}")
    return path


async def test_a_torn_anchor_spoils_no_other(torn: Path, database: Database) -> None:
    async with database.work() as work:
        await anchor(work, {})
    anchors = await asyncio.to_thread(read_anchors, torn)
    assert anchors == [Anchor(0, GENESIS), Anchor(0, GENESIS)]
