"""Jobs: rows that fall due, run once by somebody, and again when they fail."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.jobs import (
    LEASE,
    MOST_TRIES,
    Job,
    JobRunner,
    Plan,
    Together,
    cancel,
    claim_next,
    enqueue,
    enqueue_all,
)
from telemed.facilities.models import Facility
from tests.factories import Factory

HANDS = 50


async def plan(database: Database, *keys: str, after: timedelta = timedelta()) -> None:
    async with database.work() as work:
        for key in keys:
            await enqueue(work, "greet", key, work.now() + after, {"name": key})


async def jobs(database: Database) -> list[Job]:
    async with database.read() as work:
        return list(await work.session.exec(select(Job).order_by(col(Job.id))))


class Greeter:
    """A handler that keeps count, and fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.greeted: Counter[str] = Counter()
        self._failures = failures

    async def greet(self, work: UnitOfWork, payload: dict[str, Any]) -> None:
        self.greeted[payload["name"]] += 1
        await Factory(work).facility(name=payload["name"], code=payload["name"])
        if self._failures:
            self._failures -= 1
            raise ZeroDivisionError


async def greetings(database: Database) -> list[str]:
    async with database.read() as work:
        return sorted(await work.session.exec(select(Facility.name)))


async def test_a_job_runs_when_it_is_due_and_then_is_gone(
    database: Database, clock: FakeClock
) -> None:
    await plan(database, "a", after=timedelta(minutes=5))
    runner = JobRunner(database, {"greet": Greeter().greet})
    assert await runner.run_due() == 0
    clock.advance(timedelta(minutes=5))
    assert await runner.run_due() == 1
    assert (await greetings(database), await jobs(database)) == (["a"], [])
    assert await runner.run_due() == 0


async def test_fifty_runners_at_once_run_each_job_once(database: Database) -> None:
    keys = [f"{number:02}" for number in range(HANDS)]
    await plan(database, *keys)
    greeter = Greeter()
    runners = [JobRunner(database, {"greet": greeter.greet}) for _ in range(HANDS)]
    done = await asyncio.gather(*(runner.run_due() for runner in runners))
    assert sum(done) == HANDS
    assert greeter.greeted == Counter(keys)
    assert (await greetings(database), await jobs(database)) == (keys, [])


async def test_fifty_plans_of_one_job_are_one_job(database: Database) -> None:
    await asyncio.gather(*(plan(database, "a") for _ in range(HANDS)))
    assert [job.key for job in await jobs(database)] == ["a"]


async def test_a_plan_that_changes_is_moved_and_forgets_its_failures(
    database: Database, clock: FakeClock
) -> None:
    await plan(database, "a")
    async with database.work() as work:
        await claim_next(work, "somebody")
    await plan(database, "a", after=timedelta(hours=1))
    (job,) = await jobs(database)
    assert (job.due_at, job.tries) == (clock.now() + timedelta(hours=1), 0)
    assert (job.claimed_by, job.claimed_until) == (None, None)


async def test_what_is_planned_falls_with_its_transaction(database: Database) -> None:
    async def fail() -> None:
        async with database.work() as work:
            await enqueue(work, "greet", "a", work.now())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await jobs(database) == []


async def test_a_planned_job_can_be_forgotten(database: Database) -> None:
    await plan(database, "a", "b")
    async with database.work() as work:
        await cancel(work, "greet", "a")
    assert [job.key for job in await jobs(database)] == ["b"]


async def test_a_failure_undoes_the_job_and_tries_again_with_growing_pauses(
    database: Database, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    await plan(database, "a")
    greeter = Greeter(failures=2)
    runner = JobRunner(database, {"greet": greeter.greet})
    pauses = []
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            assert await runner.run_due() == 1
            (job,) = await jobs(database)
            assert (job.last_error, job.claimed_by) == ("ZeroDivisionError", None)
            pauses.append(job.due_at - clock.now())
            assert await runner.run_due() == 0
            clock.advance(pauses[-1])
    assert pauses == [timedelta(seconds=10), timedelta(seconds=20)]
    assert await greetings(database) == []
    assert await runner.run_due() == 1
    assert (await greetings(database), await jobs(database)) == (["a"], [])


async def test_one_failing_job_does_not_hold_up_the_others(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await plan(database, "a", "b")
    runner = JobRunner(database, {"greet": Greeter(failures=1).greet})
    with caplog.at_level(logging.ERROR):
        assert await runner.run_due() == 2
    assert await greetings(database) == ["b"]


async def test_a_job_that_always_fails_is_given_up_and_stays_to_be_seen(
    database: Database, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    await plan(database, "a")
    runner = JobRunner(database, {})
    with caplog.at_level(logging.ERROR):
        for _ in range(MOST_TRIES):
            assert await runner.run_due() == 1
            clock.advance(timedelta(days=1))
    assert await runner.run_due() == 0
    (job,) = await jobs(database)
    assert (job.tries, job.last_error) == (MOST_TRIES, "KeyError")


async def test_a_job_of_a_runner_that_died_is_taken_over_when_its_lease_ends(
    database: Database, clock: FakeClock
) -> None:
    await plan(database, "a")
    async with database.work() as work:
        assert await claim_next(work, "died")
    runner = JobRunner(database, {"greet": Greeter().greet})
    assert await runner.run_due() == 0
    clock.advance(LEASE + timedelta(seconds=1))
    assert await runner.run_due() == 1


async def test_a_job_may_plan_itself_again(database: Database, clock: FakeClock) -> None:
    async def repeat(work: UnitOfWork, payload: dict[str, Any]) -> None:
        await enqueue(work, "repeat", "a", work.now() + timedelta(hours=1), payload)

    async with database.work() as work:
        await enqueue(work, "repeat", "a", work.now())
    runner = JobRunner(database, {"repeat": repeat})
    assert await runner.run_due() == 1
    (job,) = await jobs(database)
    assert (job.due_at, job.tries) == (clock.now() + timedelta(hours=1), 0)


async def test_a_runner_looks_again_and_again_until_it_is_stopped(database: Database) -> None:
    greeted = asyncio.Event()

    async def greet(work: UnitOfWork, payload: dict[str, Any]) -> None:
        greeted.set()

    runner = JobRunner(database, {"greet": greet})
    task = asyncio.create_task(runner.run_forever(pause_seconds=0.01))
    await plan(database, "a")
    async with asyncio.timeout(30):
        await greeted.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# --- crowds ----------------------------------------------------------------------------------


class Crowd(Greeter):
    """Greets many in one transaction; whoever is called `bad` fails it."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    async def greet_all(self, work: UnitOfWork, payloads: Sequence[dict[str, Any]]) -> None:
        self.sizes.append(len(payloads))
        for payload in payloads:
            await self.greet(work, payload)
            if payload["name"] == "bad":
                raise ZeroDivisionError


async def plan_crowd(database: Database, keys: Sequence[str]) -> None:
    async with database.work() as work:
        plans = [Plan(key, work.now(), {"name": key}) for key in keys]
        await enqueue_all(work, "greet", plans)


async def test_a_crowd_is_done_in_one_transaction(database: Database) -> None:
    keys = [f"{number:02}" for number in range(HANDS)]
    await plan_crowd(database, keys)
    crowd = Crowd()
    assert await JobRunner(database, {"greet": Together(crowd.greet_all)}).run_due() == HANDS
    assert crowd.sizes == [HANDS]
    assert (await greetings(database), await jobs(database)) == (keys, [])


async def test_fifty_runners_share_a_crowd_and_do_each_job_once(database: Database) -> None:
    keys = [f"{number:03}" for number in range(200)]
    await plan_crowd(database, keys)
    crowd = Crowd()
    runners = [JobRunner(database, {"greet": Together(crowd.greet_all)}) for _ in range(HANDS)]
    done = await asyncio.gather(*(runner.run_due() for runner in runners))
    assert sum(done) == len(keys)
    assert (await greetings(database), await jobs(database)) == (keys, [])


async def test_one_that_fails_takes_nobody_with_it(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await plan_crowd(database, ["a", "b", "bad", "c"])
    with caplog.at_level(logging.CRITICAL, "telemed.core.jobs"):
        await JobRunner(database, {"greet": Together(Crowd().greet_all)}).run_due()
    assert await greetings(database) == ["a", "b", "c"]
    (left,) = await jobs(database)
    assert (left.key, left.tries, left.last_error) == ("bad", 1, "ZeroDivisionError")


async def test_a_crowd_that_is_planned_anew_is_moved(database: Database, clock: FakeClock) -> None:
    await plan_crowd(database, ["a", "b"])
    clock.advance(timedelta(hours=1))
    await plan_crowd(database, ["b", "c"])
    found = {job.key: job.due_at for job in await jobs(database)}
    now = clock.now()
    assert found == {"a": now - timedelta(hours=1), "b": now, "c": now}
    async with database.work() as work:
        await enqueue_all(work, "greet", [])
    assert len(await jobs(database)) == 3
