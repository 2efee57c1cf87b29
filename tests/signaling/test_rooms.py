"""Rooms without sockets: seats, politeness, and the one worker that owns each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial

import pytest

from telemed.core.clock import TaskOwner
from telemed.core.errors import Conflict, Unavailable
from telemed.signaling.protocol import State, TrickledCandidate
from telemed.signaling.rooms import MOST_WAITING, Push, Room, Rooms, Seat, peer

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def seat(number: int) -> Seat:
    return Seat(
        participant=f"p{number}",
        rank=number,
        person=f"person{number}",
        name=f"Bác sĩ {number}",
        role="requester",
        joined_at=NOW,
    )


def room_of(count: int) -> Room:
    """Everybody inside with a connection; the last one came last."""
    room = Room("s1")
    for number in range(1, count + 1):
        room.sit(
            [seat(each) for each in range(1, number + 1)], f"p{number}", f"sid{number}", number
        )
    return room


def candidate(to: str, epoch: int) -> TrickledCandidate:
    return TrickledCandidate(session="s1", to=to, epoch=epoch, candidate=None)


@pytest.fixture
async def rooms() -> AsyncIterator[Rooms]:
    tasks = TaskOwner("test")
    yield Rooms(tasks)
    await tasks.close()


def test_exactly_one_of_each_pair_is_polite() -> None:
    seats = [seat(number) for number in range(4)]
    pairs = [(a, b) for a in seats for b in seats if a is not b]
    assert all(peer(a, b)["polite"] is not peer(b, a)["polite"] for a, b in pairs)


def test_the_epoch_of_a_pair_is_that_of_who_came_last() -> None:
    room = room_of(3)
    first, second = room.get("sid1"), room.get("sid2")
    assert room.relay(first, candidate("p2", 2)).sid == "sid2"
    assert room.relay(second, candidate("p1", 2)).sid == "sid1"
    assert room.relay(first, candidate("p3", 3)).sid == "sid3"
    with pytest.raises(Conflict) as refused:
        room.relay(first, candidate("p2", 3))
    assert refused.value.code == "stale_epoch"


def test_one_who_comes_anew_leaves_the_pairs_of_the_others_alone() -> None:
    room = room_of(3)
    room.sit([seat(1), seat(2), seat(3)], "p3", "sid3b", 4)
    assert room.relay(room.get("sid1"), candidate("p2", 2)).sid == "sid2"
    assert room.relay(room.get("sid1"), candidate("p3", 4)).sid == "sid3b"


@pytest.mark.parametrize("target", ["p1", "p9", "sid2", "s1"])
def test_only_another_one_inside_is_a_target(target: str) -> None:
    room = room_of(2)
    with pytest.raises(Conflict) as refused:
        room.relay(room.get("sid1"), candidate(target, 2))
    assert refused.value.code == "peer_absent"


def test_one_whose_epoch_is_not_known_yet_is_no_target() -> None:
    room = Room("s1")
    room.sit([seat(1), seat(2)], "p1", "sid1", 5)
    with pytest.raises(Conflict) as refused:
        room.relay(room.get("sid1"), candidate("p2", 5))
    assert refused.value.code == "peer_absent"


def test_sitting_down_again_gives_back_the_connection_before() -> None:
    room = room_of(2)
    assert room.sit([seat(1), seat(2)], "p2", "sid2", 2) is None
    assert room.sit([seat(1), seat(2)], "p2", "sid2b", 2) == "sid2"
    assert room.find("sid2") is None


def test_whoever_is_no_longer_inside_by_the_database_has_no_seat() -> None:
    room = room_of(2)
    room.sit([seat(2)], "p2", "sid2", 3)
    assert list(room.seats) == ["p2"]


def test_a_lost_connection_keeps_its_seat_and_is_shown_as_lost() -> None:
    room = room_of(2)
    lost, pushes = room.lose("sid2")
    assert lost is room.seats["p2"]
    assert [(push.sid, push.event) for push in pushes] == [("sid1", "session:peer-state")]
    assert pushes[0].payload["peer"]["connected"] is False
    assert room.lose("sid2") == (None, [])


def test_removing_tells_the_others_and_the_one() -> None:
    room = room_of(2)
    left = {"session": "s1", "participant": "p2", "reason": "revoked"}
    evicted = {"session": "s1", "reason": "revoked"}
    assert room.remove("p2", "revoked") == [
        Push("sid1", "session:peer-left", left),
        Push("sid2", "session:evicted", evicted),
    ]
    assert room.remove("p2", "revoked") == []


def test_a_state_goes_to_the_others_only() -> None:
    room = room_of(3)
    state = State(session="s1", muted=True, camera_off=False)
    pushes = room.set_state(room.get("sid1"), state)
    assert {push.sid for push in pushes} == {"sid2", "sid3"}
    assert all(push.payload["peer"]["muted"] for push in pushes)


def test_whoever_has_no_seat_is_told_so() -> None:
    with pytest.raises(Conflict) as refused:
        room_of(1).get("sid9")
    assert refused.value.code == "not_joined"


async def test_steps_of_a_room_run_one_after_another(rooms: Rooms) -> None:
    trace: list[str] = []

    async def step(name: str, room: Room) -> None:
        trace.append(f"{name} begins")
        await asyncio.sleep(0)
        trace.append(f"{name} ends")

    await asyncio.gather(*(rooms.run("s1", partial(step, name)) for name in "abc"))
    assert trace == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]


async def test_one_room_does_not_wait_for_another(rooms: Rooms) -> None:
    gate = asyncio.Event()

    async def wait(_room: Room) -> None:
        await gate.wait()

    async def open_gate(_room: Room) -> None:
        gate.set()

    await asyncio.wait_for(asyncio.gather(rooms.run("s1", wait), rooms.run("s2", open_gate)), 30)


async def test_a_step_that_fails_tells_its_caller_and_the_room_goes_on(rooms: Rooms) -> None:
    async def fail(_room: Room) -> None:
        raise ValueError

    async def answer(room: Room) -> str:
        return room.uid

    failed, answered = await asyncio.gather(
        rooms.run("s1", fail), rooms.run("s1", answer), return_exceptions=True
    )
    assert isinstance(failed, ValueError)
    assert answered == "s1"


async def test_a_room_in_which_nobody_sits_is_forgotten(rooms: Rooms) -> None:
    async def sit(room: Room) -> None:
        room.sit([seat(1)], "p1", "sid1", 1)

    async def stand_up(room: Room) -> None:
        room.remove("p1", "left")

    await rooms.run("s1", sit)
    assert rooms.has("s1")
    await rooms.run("s1", stand_up)
    await asyncio.sleep(0)
    assert not rooms.has("s1")


async def test_what_a_room_lets_wait_is_bounded(rooms: Rooms) -> None:
    gate = asyncio.Event()

    async def wait(_room: Room) -> None:
        await gate.wait()

    waiting = [asyncio.ensure_future(rooms.run("s1", wait)) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.append(asyncio.ensure_future(rooms.run("s1", wait)))
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as refused:
        await rooms.run("s1", wait)
    assert refused.value.code == "busy"
    gate.set()
    await asyncio.gather(*waiting)
