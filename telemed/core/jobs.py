"""Jobs: rows that fall due, claimed atomically, tried again with growing pauses."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import UniqueConstraint, delete, or_, update
from sqlmodel import Field, SQLModel, col, select

from telemed.core.columns import Json, UtcDateTime, new_uid
from telemed.core.db import Database, UnitOfWork

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
MOST_TRIES = 8


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
    query = select(Job).where(col(Job.kind) == kind, col(Job.key) == key)
    job = (await work.session.exec(query)).one_or_none()
    if job is None:
        job = Job(kind=kind, key=key, due_at=due_at, payload=payload or {})
    else:
        job.due_at, job.payload = due_at, payload or {}
        job.claimed_by = job.claimed_until = None
        job.tries = 0
    work.session.add(job)
    await work.session.flush()


async def cancel(work: UnitOfWork, kind: str, key: str) -> None:
    """Forget a planned job."""
    await work.session.exec(delete(Job).where(col(Job.kind) == kind, col(Job.key) == key))


async def claim_due(work: UnitOfWork, owner: str, limit: int = 10) -> list[Job]:
    """Take due jobs for a lease; exactly one owner gets each."""
    now = work.now()
    free = or_(col(Job.claimed_until).is_(None), col(Job.claimed_until) < now)
    due = select(Job.id).where(col(Job.due_at) <= now, free, col(Job.tries) < MOST_TRIES)
    chosen = due.order_by(col(Job.due_at)).limit(limit).with_for_update(skip_locked=True)
    ids = list((await work.session.exec(chosen)).all())
    if not ids:
        return []
    await work.session.exec(
        update(Job)
        .where(col(Job.id).in_(ids), free)
        .values(claimed_by=owner, claimed_until=now + LEASE, tries=Job.tries + 1)
        .execution_options(synchronize_session=False)
    )
    mine = select(Job).where(col(Job.id).in_(ids), col(Job.claimed_by) == owner)
    return list((await work.session.exec(mine.execution_options(populate_existing=True))).all())


class JobRunner:
    """Claims due jobs and runs each in a transaction of its own."""

    def __init__(self, database: Database, handlers: Mapping[str, JobHandler]) -> None:
        self._database = database
        self._handlers = handlers
        self._owner = new_uid()

    async def run_due(self) -> int:
        """Run what is due now; how many were run."""
        async with self._database.work() as work:
            jobs = await claim_due(work, self._owner)
        for job in jobs:
            await self._run(job)
        return len(jobs)

    async def _run(self, job: Job) -> None:
        try:
            async with self._database.work() as work:
                await self._handlers[job.kind](work, job.payload)
                await self._finish(work, job)
        except Exception as error:  # a job may fail in any way and is tried again
            log.error("job %s failed: %s", job.kind, type(error).__name__, exc_info=error)
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
                log.error("job round failed: %s", type(error).__name__, exc_info=error)
                busy = 0
            if not busy:
                await asyncio.sleep(pause_seconds)
