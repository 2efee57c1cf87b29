"""Tasks have an owner that keeps them, tells of their failure and ends them all."""

from __future__ import annotations

import asyncio
import logging

import pytest

from telemed.core.clock import SystemClock, TaskOwner


async def test_every_task_is_ended_and_waited_for() -> None:
    owner, ended = TaskOwner("room"), list[str]()

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(name)

    tasks = [owner.start(name, work(name)) for name in ("a", "b")]
    await asyncio.sleep(0)
    await owner.close()
    assert sorted(ended) == ["a", "b"]
    assert all(task.cancelled() for task in tasks)
    assert [task.get_name() for task in tasks] == ["room:a", "room:b"]
    await owner.close()


async def test_a_task_that_fails_is_told_of_and_takes_no_other_with_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    owner, goes_on = TaskOwner("room"), asyncio.Event()

    async def fail() -> None:
        raise ZeroDivisionError

    async def last() -> None:
        goes_on.set()

    with caplog.at_level(logging.ERROR):
        failed = owner.start("bad", fail())
        await asyncio.wait([failed])
        owner.start("good", last())
        await goes_on.wait()
        await owner.close()
    assert [record.message for record in caplog.records] == [
        "task room:bad failed: ZeroDivisionError"
    ]


def test_the_clock_of_the_machine_knows_its_zone() -> None:
    assert SystemClock().now().utcoffset() is not None
