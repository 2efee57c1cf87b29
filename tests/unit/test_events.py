"""Numbered event logs: in order and without gaps, however many write at once."""

from __future__ import annotations

import asyncio

import pytest

from telemed.core.db import Database
from telemed.core.events import append_event, last_number, list_events, open_stream, stream_of
from tests.fakes import FakeAnnouncer

HANDS = 50
STREAM = stream_of("consult", "x" * 22)


@pytest.fixture
async def stream(database: Database) -> str:
    async with database.work() as work:
        await open_stream(work, STREAM)
        await open_stream(work, "consult:other")
    return STREAM


async def append(database: Database, number: int) -> int:
    async with database.work() as work:
        return await append_event(work, STREAM, "said", None, what=number)


async def test_fifty_appends_at_once_give_fifty_numbers_in_a_row(
    database: Database, stream: str, announcer: FakeAnnouncer
) -> None:
    numbers = await asyncio.gather(*(append(database, number) for number in range(HANDS)))
    async with database.read() as work:
        events = await list_events(work, stream)
        assert await last_number(work, stream) == HANDS
    assert sorted(numbers) == [event.number for event in events] == list(range(1, HANDS + 1))
    assert {event.data["what"] for event in events} == set(range(HANDS))
    assert [numbers[event.data["what"]] for event in events] == [event.number for event in events]
    assert len(announcer.events(stream)) == HANDS


async def test_an_undone_append_leaves_no_gap_and_no_hint(
    database: Database, stream: str, announcer: FakeAnnouncer
) -> None:
    async def fail() -> None:
        async with database.work() as work:
            await append_event(work, stream, "said", None)
            raise ZeroDivisionError

    await append(database, 1)
    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await append(database, 2) == 2
    assert len(announcer.events(stream)) == 2


async def test_a_log_is_read_from_a_number_on_and_in_pieces(
    database: Database, stream: str
) -> None:
    for number in range(4):
        await append(database, number)
    async with database.read() as work:
        events = await list_events(work, stream, after=1, limit=2)
        assert [event.number for event in events] == [2, 3]
        assert await list_events(work, "consult:other") == []
        assert await last_number(work, "consult:other") == 0
        assert await last_number(work, "consult:unknown") == 0


async def test_a_log_that_was_not_opened_takes_nothing(database: Database) -> None:
    with pytest.raises(KeyError):
        await append(database, 1)
