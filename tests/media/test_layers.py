"""Which of the layers that a publisher sends reaches whom."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiortc import rtp

from telemed.media.relay.local import LocalRooms
from telemed.media.relay.packets import read_vp8
from telemed.media.relay.renumbering import Renumbering
from telemed.media.rooms import Picture, Wish
from tests.media.conftest import ROOM, Publish, Watch
from tests.media.peers import PATIENCE_SECONDS, SyntheticPublisher, picture

SMALL, LARGE = 50, 800


def reports(publisher: SyntheticPublisher) -> list[rtp.RtcpRrPacket]:
    """One comes each second."""
    return [each for each in publisher.control if isinstance(each, rtp.RtcpRrPacket)]


async def test_each_viewer_gets_the_layer_of_their_wish(
    relay: LocalRooms, publish: Publish, watch: Watch
) -> None:
    publisher = await publish(rids=("a", "b"))
    for number in range(20):
        await publisher.send_picture(number, picture(number, key=True, fill=SMALL), rid="a")
        await publisher.send_picture(number, picture(number, key=True, fill=LARGE), rid="b")
    # The rates are known only after half a second: until then any layer may come first.
    await publisher.until(lambda: len(reports(publisher)) > 1)
    modest, curious = await watch("modest"), await watch("curious")
    await relay.set_wish(ROOM, "modest", "doctor", Wish(Picture.SMALL))
    await relay.set_wish(ROOM, "curious", "doctor", Wish(Picture.LARGE))
    for number in range(20, 24):
        await publisher.send_picture(number, picture(number, key=True, fill=SMALL), rid="a")
        await publisher.send_picture(number, picture(number, key=True, fill=LARGE), rid="b")
    sizes = [
        {len(packet.payload) for packet in await viewer.gets("video", 4)}
        for viewer in (modest, curious)
    ]
    assert sizes == [{len(picture(0, fill=SMALL))}, {len(picture(0, fill=LARGE))}]


async def test_a_layer_that_is_no_longer_sent_is_replaced_by_what_is(
    publish: Publish, watch: Watch
) -> None:
    publisher = await publish(rids=("a", "b"))
    await publisher.send_picture(0, picture(0, key=True, fill=LARGE), rid="b")
    viewer = await watch()
    await publisher.send_picture(1, picture(1, key=True, fill=LARGE), rid="b")
    await viewer.gets("video", 1)
    number = 0
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(viewer.packets["video"]) == 1:
            number += 1
            await publisher.send_picture(number, picture(number, key=True, fill=SMALL), rid="a")
            viewer.changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(viewer.changed.wait(), 0.05)
    sizes = [len(packet.payload) for packet in viewer.packets["video"]]
    assert sizes == [len(picture(0, fill=LARGE)), len(picture(0, fill=SMALL))]


def pass_all(numbers: Renumbering, pictures: list[tuple[int, int, int]]) -> list[int | None]:
    """Sequence numbers of one-packet pictures (number, picture, temporal layer) that go out."""
    out = [
        numbers.pass_picture(number, read_vp8(picture(index, temporal=temporal)))
        for number, index, temporal in pictures
    ]
    return [each.number if each else None for each in out]


def test_a_temporal_layer_left_out_leaves_no_gap() -> None:
    numbers = Renumbering(0)
    numbers.switch(10, read_vp8(picture(10, key=True)))
    numbers.most_temporal = 0
    out = pass_all(numbers, [(10, 10, 0), (11, 11, 1), (12, 12, 0), (13, 13, 1), (14, 14, 0)])
    assert out == [10, None, 11, None, 12]
    last = numbers.pass_picture(15, read_vp8(picture(15)))
    assert last is not None
    assert last.picture is not None
    assert last.picture[1] == 13


def test_the_way_up_is_taken_where_the_decoder_can_follow() -> None:
    numbers = Renumbering(0)
    numbers.switch(0, read_vp8(picture(0, key=True)))
    numbers.most_temporal = 0
    pass_all(numbers, [(0, 0, 0), (1, 1, 1)])
    numbers.most_temporal = 1
    assert numbers.pass_picture(2, read_vp8(picture(2, temporal=1))) is None
    assert numbers.pass_picture(3, read_vp8(picture(3, temporal=1, sync=True))) is not None


def test_what_comes_late_takes_its_place_and_what_comes_twice_does_not() -> None:
    numbers = Renumbering(0)
    numbers.switch(0, read_vp8(picture(0, key=True)))
    out = pass_all(numbers, [(0, 0, 0), (3, 3, 0), (1, 1, 0), (1, 1, 0), (2, 2, 0)])
    assert out == [0, 3, 1, None, 2]


def test_a_late_packet_of_what_is_left_out_becomes_an_empty_one() -> None:
    numbers = Renumbering(0)
    numbers.switch(0, read_vp8(picture(0, key=True)))
    numbers.most_temporal = 0
    pass_all(numbers, [(0, 0, 0), (2, 2, 0)])
    late = numbers.pass_picture(1, read_vp8(picture(1, temporal=1)))
    assert late is not None
    assert (late.number, late.is_hole) == (1, True)


def test_another_layer_continues_the_numbers_of_the_first() -> None:
    numbers = Renumbering(0)
    numbers.switch(65_534, read_vp8(picture(7, key=True)))
    assert pass_all(numbers, [(65_534, 7, 0), (65_535, 8, 0)]) == [65_534, 65_535]
    numbers.switch(400, read_vp8(picture(900, key=True)))
    out = numbers.pass_picture(400, read_vp8(picture(900, key=True)))
    assert out is not None
    assert (out.number, out.picture and out.picture[1]) == (0, 9)
