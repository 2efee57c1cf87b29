"""A process that answers questions: warm, capped, and replaced whenever it is of no use any more."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from telemed.core.worker import (
    AbsentError,
    BusyError,
    Limits,
    LostError,
    RefusedError,
    Worker,
    WorkerError,
)

LIMITS = Limits(start_seconds=30, answer_seconds=10, waiting=3, answer_bytes=1000)
SCRIPT = """
import os, resource, sys, time

CAPS = {resource.RLIMIT_FSIZE: 0}
MOST_BYTES = 100

def set_up(frame):
    if frame == b"no":
        raise LookupError("never said")
    acts = {
        b"die": lambda: os._exit(1),
        b"hang": lambda: time.sleep(99),
        b"fail": lambda: 1 / 0,
        b"leave": lambda: sys.exit(3),
        b"long": lambda: b"x" * 2000,
        b"nonsense": lambda: os.write(1, bytes([255]) * 8) and b"",
        b"environment": lambda: repr(sorted(os.environ)).encode(),
        b"limit": lambda: str(resource.getrlimit(resource.RLIMIT_FSIZE)).encode(),
    }
    return lambda question: acts.get(question, lambda: frame + b":" + question)()
"""


@pytest.fixture
async def worker(tmp_path: Path) -> AsyncIterator[Worker]:
    script = tmp_path / "echo.py"
    script.write_text(SCRIPT)
    worker = Worker(script, LIMITS, lambda: b"set up")
    yield worker
    await worker.close()


async def test_it_is_started_once_and_stays_warm(worker: Worker) -> None:
    assert worker.pid is None
    assert await worker.ask(b"a") == b"set up:a"
    pid = worker.pid
    assert pid
    assert await worker.ask(b"") == b"set up:"
    assert worker.pid == pid


@pytest.mark.parametrize(
    ("question", "name"), [(b"fail", "ZeroDivisionError"), (b"leave", "SystemExit")]
)
async def test_why_it_does_not_answer_is_said_by_a_name_alone(
    worker: Worker, question: bytes, name: str
) -> None:
    await worker.ask(b"a")
    pid = worker.pid
    with pytest.raises(RefusedError, match=f"^{name}$"):
        await worker.ask(question)
    assert (await worker.ask(b"a"), worker.pid) == (b"set up:a", pid)


@pytest.mark.parametrize("question", [b"die", b"hang", b"long", b"nonsense", b"x" * 101])
async def test_one_that_is_of_no_use_any_more_is_replaced(worker: Worker, question: bytes) -> None:
    await worker.ask(b"a")
    worker.limits = replace(LIMITS, answer_seconds=0.3)
    with pytest.raises(LostError):
        await worker.ask(question)
    assert worker.pid is None
    worker.limits = LIMITS
    assert await worker.ask(b"a") == b"set up:a"


async def test_one_that_died_while_nobody_asked_is_replaced_unseen(worker: Worker) -> None:
    await worker.ask(b"a")
    process = worker._process  # nobody else knows it
    assert process
    process.kill()
    await process.wait()
    assert await worker.ask(b"b") == b"set up:b"


async def test_whoever_goes_away_leaves_the_answer_to_nobody_else(worker: Worker) -> None:
    await worker.ask(b"a")
    gone = asyncio.create_task(worker.ask(b"hang"))
    await asyncio.sleep(0.1)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await worker.ask(b"mine") == b"set up:mine"


async def test_questions_are_answered_in_turn_and_too_many_are_told(worker: Worker) -> None:
    asked = [worker.ask(str(number).encode()) for number in range(5)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert found[:3] == [b"set up:0", b"set up:1", b"set up:2"]
    assert [type(each) for each in found[3:]] == [BusyError, BusyError]
    assert await worker.ask(b"a") == b"set up:a"


@pytest.mark.parametrize("missing", ["script", "setup"])
async def test_one_that_does_not_start_is_away(
    worker: Worker, tmp_path: Path, missing: str
) -> None:
    if missing == "script":
        worker.script = tmp_path / "nowhere.py"
    else:
        worker = Worker(worker.script, LIMITS, lambda: b"no")
    with pytest.raises(AbsentError) as away:
        await worker.ask(b"a")
    assert isinstance(away.value, WorkerError)
    assert worker.pid is None


async def test_it_sees_no_settings_and_is_capped(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELEMED_SECRET_KEY", "must not be seen")
    assert b"TELEMED" not in await worker.ask(b"environment")
    assert await worker.ask(b"limit") == b"(0, 0)"
    assert resource.getrlimit(resource.RLIMIT_FSIZE) != (0, 0)


async def test_closing_ends_the_process(worker: Worker) -> None:
    await worker.ask(b"a")
    pid = worker.pid
    assert pid
    await worker.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
