"""Jobs: rows that fall due, claimed atomically, tried again with growing pauses."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
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
MOST_TOGETHER = 500


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


@dataclass(frozen=True)
class Together:
    """A handler of many jobs of its kind in one transaction, for kinds that fall due in crowds."""

    run: Callable[[UnitOfWork, Sequence[dict[str, Any]]], Awaitable[None]]


Handlers = Mapping[str, JobHandler | Together]


@dataclass(frozen=True)
class Plan:
    """A job to be: what `enqueue` takes."""

    key: str
    due_at: datetime
    payload: dict[str, Any]


async def enqueue(
    work: UnitOfWork, kind: str, key: str, due_at: datetime, payload: dict[str, Any] | None = None
) -> None:
    """Plan a job in this transaction; one with the same kind and key is moved instead."""
    await enqueue_all(work, kind, [Plan(key, due_at, payload or {})])


async def enqueue_all(work: UnitOfWork, kind: str, plans: Sequence[Plan]) -> None:
    """Plan jobs of one kind, each of another key."""
    if not plans:
        return
    fresh = {"claimed_by": None, "claimed_until": None, "tries": 0, "last_error": ""}
    rows = [vars(plan) | {"kind": kind} | fresh for plan in plans]
    insert = postgresql_insert if work.dialect == "postgresql" else sqlite_insert
    planned = insert(Job).values(rows)
    changed = {name: planned.excluded[name] for name in ("due_at", "payload", *fresh)}
    await work.session.exec(
        planned.on_conflict_do_update(index_elements=["kind", "key"], set_=changed)
    )


async def cancel(work: UnitOfWork, kind: str, key: str) -> None:
    """Forget a planned job."""
    await work.session.exec(delete(Job).where(col(Job.kind) == kind, col(Job.key) == key))


async def claim_next(work: UnitOfWork, owner: str) -> Job | None:
    """Take the job that has been due longest, for a lease; exactly one owner gets it."""
    claimed = await _claim(work, owner, limit=1)
    return claimed[0] if claimed else None


async def claim_more(work: UnitOfWork, owner: str, kind: str) -> list[Job]:
    """Take more of a kind; those that another owner takes at this moment are left to them."""
    return await _claim(work, owner, limit=MOST_TOGETHER - 1, kind=kind)


async def _claim(work: UnitOfWork, owner: str, *, limit: int, kind: str = "") -> list[Job]:
    now = work.now()
    free = or_(col(Job.claimed_until).is_(None), col(Job.claimed_until) < now)
    due = select(Job.id).where(col(Job.due_at) <= now, free, col(Job.tries) < MOST_TRIES)
    if kind:
        due = due.where(col(Job.kind) == kind)
    # By itself, so that it is looked for once: a lock within a join may be taken for more rows.
    chosen = due.order_by(col(Job.due_at)).limit(limit).with_for_update(skip_locked=True).cte()
    claim = (
        update(Job)
        .where(col(Job.id).in_(select(chosen.c.id)))
        .values(claimed_by=owner, claimed_until=now + LEASE, tries=Job.tries + 1)
        .returning(Job)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return list((await work.session.exec(claim)).scalars().all())


class JobRunner:
    """Claims due jobs and runs each in a transaction of its own, or a crowd of a kind in one."""

    def __init__(self, database: Database, handlers: Handlers) -> None:
        self._database = database
        self._handlers = handlers
        self._owner = new_uid()

    async def run_due(self) -> int:
        """Run what is due now, a bounded number; how many were run."""
        done = 0
        for _ in range(MOST_AT_ONCE):
            async with self._database.work() as work:
                job = await claim_next(work, self._owner)
                handler = self._handlers.get(job.kind) if job else None
                others = (
                    await claim_more(work, self._owner, job.kind)
                    if job and isinstance(handler, Together)
                    else []
                )
            if job is None:
                break
            await self._run_together([job, *others])
            done += 1 + len(others)
        return done

    async def _run_together(self, jobs: Sequence[Job]) -> None:
        if len(jobs) > 1:
            try:
                await self._do(jobs)
            except (
                Exception
            ) as error:  # one of them failed: each by itself, so that the others pass
                log.exception(
                    "%s jobs %s failed: %s", len(jobs), jobs[0].kind, type(error).__name__
                )
            else:
                return
        for job in jobs:
            await self._run(job)

    async def _run(self, job: Job) -> None:
        try:
            await self._do([job])
        except Exception as error:  # a job may fail in any way and is tried again
            log.exception("job %s failed: %s", job.kind, type(error).__name__)
            async with self._database.work() as work:
                await self._postpone(work, job, type(error).__name__)

    async def _do(self, jobs: Sequence[Job]) -> None:
        handler = self._handlers[jobs[0].kind]
        async with self._database.work() as work:
            if isinstance(handler, Together):
                await handler.run(work, [job.payload for job in jobs])
            else:
                await handler(work, jobs[0].payload)
            await self._finish(work, jobs)

    async def _finish(self, work: UnitOfWork, jobs: Sequence[Job]) -> None:
        mine = (col(Job.id).in_([job.id for job in jobs]), col(Job.claimed_by) == self._owner)
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
