"""What was refused stays on record though its transaction is undone."""

from __future__ import annotations

import pytest
from sqlmodel import col, select

from telemed.core.audit import AuditRecord, AuditTag, verify_chain
from telemed.core.db import Database
from telemed.core.errors import Denied


async def tags(database: Database) -> list[AuditTag]:
    """What is on record, oldest first."""
    async with database.read() as work:
        query = select(col(AuditRecord.tag)).order_by(col(AuditRecord.sequence))
        return list((await work.session.exec(query)).all())


async def refuse(database: Database) -> None:
    """A transaction that notes an act and a refusal, and is undone."""
    async with database.work() as work:
        work.audit(AuditTag.SIGN_IN, None, "person:x")
        work.audit_refusal(AuditTag.SIGN_IN_REFUSED, None, "person:x")
        raise Denied


async def test_a_refusal_outlives_its_transaction_and_an_act_does_not(database: Database) -> None:
    with pytest.raises(Denied):
        await refuse(database)

    assert await tags(database) == [AuditTag.SIGN_IN_REFUSED]


async def test_a_refusal_in_a_transaction_that_commits_is_written_once(database: Database) -> None:
    async with database.open() as work:
        work.audit(AuditTag.SIGN_IN, None, "person:x")
        work.audit_refusal(AuditTag.SIGN_IN_REFUSED, None, "person:x")
        await work.commit()
        await work.rollback()

    assert await tags(database) == [AuditTag.SIGN_IN, AuditTag.SIGN_IN_REFUSED]


async def test_the_chain_holds_across_refusals(database: Database) -> None:
    for _ in range(3):
        with pytest.raises(Denied):
            await refuse(database)

    async with database.read() as work:
        assert await verify_chain(work.session) is None
