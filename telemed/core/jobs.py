"""Jobs: rows that fall due, claimed atomically, tried again with growing pauses."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import UniqueConstraint, delete, or_, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import Field, SQLModel, col, select

from telemed.core.columns import Json, UtcDateTime, new_uid
from telemed.core.db import Database, UnitOfWork

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
MOST_TRIES = 8
MOST_AT_ONCE = 20


class Job(SQLModel, table=True):
    """Something to do at `due_at`; (kind, key) is unique while it waits, so it is never doubled."""

    __tablename__ = "job"
    __table_args__ = (UniqueConstraint("kind", "key"),)

    id: int | None = Field(default=None, primary_key=True)
    kind: str = Field(max_length=40)
    key: str = Field(max_length=80)
    due_at: datetime = Field(sa_type=UtcDateTime, index=True)
    payload: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    claimed_by: str | None = Field(default=None, max_length=22)
    claimed_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    tries: int = 0
    last_error: str = Field(default="", max_length=200)


JobHandler = Callable[[UnitOfWork, dict[str, Any]], Awaitable[None]]


async def enqueue(
    work: UnitOfWork, kind: str, key: str, due_at: datetime, payload: dict[str, Any] | None = None
) -> None:
    """Plan a job in this transaction; one with the same kind and key is moved instead."""
    plan = {
        "due_at": due_at,
        "payload": payload or {},
        "claimed_by": None,
        "claimed_until": None,
        "tries": 0,
        "last_error": "",
    }
    insert = postgresql_insert if work.dialect == "postgresql" else sqlite_insert
    await work.session.exec(
        insert(Job)
        .values(kind=kind, key=key, **plan)
        .on_conflict_do_update(index_elements=["kind", "key"], set_=plan)
    )


async def cancel(work: UnitOfWork, kind: str, key: str) -> None:
    """Forget a planned job."""
    await work.session.exec(delete(Job).where(col(Job.kind) == kind, col(Job.key) == key))


async def claim_next(work: UnitOfWork, owner: str) -> Job | None:
    """Take the job that has been due longest, for a lease; exactly one owner gets it."""
    now = work.now()
    free = or_(col(Job.claimed_until).is_(None), col(Job.claimed_until) < now)
    due = select(Job.id).where(col(Job.due_at) <= now, free, col(Job.tries) < MOST_TRIES)
    chosen = due.order_by(col(Job.due_at)).limit(1).with_for_update(skip_locked=True)
    claim = (
        update(Job)
        .where(col(Job.id) == chosen.scalar_subquery())
        .values(claimed_by=owner, claimed_until=now + LEASE, tries=Job.tries + 1)
        .returning(Job)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return (await work.session.exec(claim)).scalars().one_or_none()


class JobRunner:
    """Claims due jobs one by one and runs each in a transaction of its own."""

    def __init__(self, database: Database, handlers: Mapping[str, JobHandler]) -> None:
        self._database = database
        self._handlers = handlers
        self._owner = new_uid()

    async def run_due(self) -> int:
        """Run what is due now, a bounded number; how many were run."""
        for done in range(MOST_AT_ONCE):
            async with self._database.work() as work:
                job = await claim_next(work, self._owner)
            if job is None:
                return done
            await self._run(job)
        return MOST_AT_ONCE

    async def _run(self, job: Job) -> None:
        try:
            async with self._database.work() as work:
                await self._handlers[job.kind](work, job.payload)
                await self._finish(work, job)
        except Exception as error:  # a job may fail in any way and is tried again
            log.exception("job %s failed: %s", job.kind, type(error).__name__)
            async with self._database.work() as work:
                await self._postpone(work, job, type(error).__name__)

    async def _finish(self, work: UnitOfWork, job: Job) -> None:
        mine = (col(Job.id) == job.id, col(Job.claimed_by) == self._owner)
        await work.session.exec(delete(Job).where(*mine))

    async def _postpone(self, work: UnitOfWork, job: Job, reason: str) -> None:
        later = work.now() + timedelta(seconds=min(3600, 5 * 2**job.tries))
        await work.session.exec(
            update(Job)
            .where(col(Job.id) == job.id, col(Job.claimed_by) == self._owner)
            .values(due_at=later, claimed_by=None, claimed_until=None, last_error=reason[:200])
            .execution_options(synchronize_session=False)
        )

    async def run_forever(self, pause_seconds: float = 1.0) -> None:
        """Look for due jobs until cancelled."""
        while True:
            try:
                busy = await self.run_due()
            except Exception as error:  # the database may be away; the next round tries again
                log.exception("job round failed: %s", type(error).__name__)
                busy = 0
            if not busy:
                await asyncio.sleep(pause_seconds)
