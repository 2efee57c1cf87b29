"""Which way media goes, who is told of it, and what the relay is asked on whose behalf."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from telemed.accounts.permissions import Role
from telemed.core.errors import Invalid
from telemed.keys import SIGNALING
from telemed.media.forwarding import MOST_RELAYED, Reason
from telemed.media.rooms import Picture, Wish
from tests.factories import Factory
from tests.fakes import FakeRelay
from tests.signaling.conftest import Connect, World
from tests.signaling.foreign import ForeignClient
from tests.signaling.test_protocol import SDP

OFFER = {"type": "offer", "sdp": SDP}


class Three:
    """Both sides of a case and a colleague of the station, all inside."""

    def __init__(self, world: World, third: ForeignClient) -> None:
        self.session = world.session
        self.clients = {"doctor": world.doctor, "specialist": world.specialist, "third": third}
        self.joined: dict[str, dict[str, Any]] = {}

    def id_of(self, who: str) -> str:
        return str(self.joined[who]["participant"])

    async def publish(self, who: str) -> dict[str, Any]:
        epoch = self.joined[who]["epoch"]
        return await self.clients[who].do(
            "session:publish", session=self.session, epoch=epoch, description=OFFER
        )

    def subscription(self, who: str, *publishers: str) -> dict[str, Any]:
        return {
            "session": self.session,
            "epoch": self.joined[who]["epoch"],
            "description": OFFER,
            "publishers": [self.id_of(each) for each in publishers],
        }


@pytest.fixture
async def three(world: World, connect: Connect) -> Three:
    """The third has just come in."""
    three = Three(world, await connect(world.people["colleague"]))
    specialist, doctor = await world.both_settle()
    joined = await three.clients["third"].do("session:join", session=world.session)
    assert await media(three.clients["third"]) == ("relay", [])
    three.joined = {"specialist": specialist, "doctor": doctor, "third": joined}
    return three


async def media(client: ForeignClient) -> tuple[str, list[str]]:
    pushed = await client.push("session:media")
    return pushed["media"], [each["participant"] for each in pushed["publishers"]]


async def test_two_talk_directly(world: World) -> None:
    first, second = await world.both_join()
    assert [(each["media"], each["publishers"]) for each in (first, second)] == [("direct", [])] * 2
    sent = {"session": world.session, "epoch": second["epoch"], "description": OFFER}
    assert await world.doctor.code("session:publish", **sent) == "not_relayed"


async def test_with_the_third_all_go_to_the_relay(three: Three) -> None:
    assert three.joined["third"]["media"] == "relay"
    for who in ("doctor", "specialist"):
        assert await media(three.clients[who]) == ("relay", [])
        # The way is known before the newcomer is, so that nobody offers to them.
        assert await three.clients[who].push("session:peer-joined")


async def test_whoever_publishes_is_told_of_to_all_and_can_be_watched(three: Three) -> None:
    doctor = three.id_of("doctor")
    answer = await three.publish("doctor")
    assert answer["description"] == {"type": "answer", "sdp": f"v=0\r\na=publishes:{doctor}\r\n"}
    assert await media(three.clients["third"]) == ("relay", [doctor])
    watched = [
        await three.clients["third"].do(
            "session:subscribe", **three.subscription("third", "doctor")
        )
        for _ in range(2)
    ]
    viewers = [each["description"]["sdp"].split()[1] for each in watched]
    # The connection before it goes on beside the new one.
    assert viewers == [f"a=watches:{three.id_of('third')}{letter}" for letter in "ba"]


async def test_nobody_watches_themselves_or_whoever_publishes_nothing(three: Three) -> None:
    await three.publish("doctor")
    for publishers in (("third",), ("doctor", "third"), ("specialist",)):
        sent = three.subscription("third", *publishers)
        assert await three.clients["third"].code("session:subscribe", **sent) == "publisher_absent"


async def test_what_the_relay_refuses_reaches_its_sender_alone(
    three: Three, relay: FakeRelay
) -> None:
    relay.refusal = Invalid("offer_malformed", "x", field="offer")
    sent = {"session": three.session, "epoch": three.joined["third"]["epoch"], "description": OFFER}
    assert await three.clients["third"].code("session:publish", **sent) == "offer_malformed"
    relay.refusal = None
    await three.publish("doctor")
    assert await media(three.clients["third"]) == ("relay", [three.id_of("doctor")])


async def test_an_offer_of_another_epoch_is_stale(three: Three) -> None:
    sent = {"session": three.session, "epoch": 99, "description": OFFER}
    assert await three.clients["third"].code("session:publish", **sent) == "stale_epoch"


async def test_a_wish_is_that_of_the_newest_connection(three: Three, relay: FakeRelay) -> None:
    await three.publish("doctor")
    await three.clients["third"].do("session:subscribe", **three.subscription("third", "doctor"))
    wish = {"session": three.session, "publisher": three.id_of("doctor"), "picture": "none"}
    await three.clients["third"].do("session:wish", **wish)
    viewer = f"{three.id_of('third')}b"
    assert relay.wishes == [(viewer, three.id_of("doctor"), Wish(Picture.NONE))]
    absent = wish | {"publisher": three.id_of("specialist")}
    assert await three.clients["third"].code("session:wish", **absent) == "publisher_absent"


async def test_when_the_third_leaves_two_are_direct_again(three: Three) -> None:
    await three.publish("third")
    doctor = three.clients["doctor"]
    assert [await media(doctor) for _ in range(2)] == [
        ("relay", []),
        ("relay", [three.id_of("third")]),
    ]
    await three.clients["third"].do("session:leave", session=three.session)
    assert await media(doctor) == ("direct", [])


async def test_a_relay_that_died_is_published_to_anew(three: Three, relay: FakeRelay) -> None:
    await three.publish("doctor")
    doctor, own = three.clients["doctor"], three.id_of("doctor")
    assert [await media(doctor) for _ in range(2)] == [("relay", []), ("relay", [own])]
    relay.die()
    assert await media(doctor) == ("relay", [])
    await three.publish("doctor")
    assert relay.rooms[three.session] == {own}


async def test_a_new_page_publishes_anew(three: Three) -> None:
    await three.publish("third")
    joined = await three.clients["third"].do("session:join", session=three.session)
    assert joined["publishers"] == []


async def test_a_recording_is_a_reason_as_well(world: World, app: web.Application) -> None:
    await world.both_settle()
    forwarder = app[SIGNALING].forwarder
    await forwarder.require(world.session, Reason.RECORDING)
    await forwarder.require(world.session, Reason.RECORDING)
    assert await media(world.doctor) == ("relay", [])
    await forwarder.release(world.session, Reason.THIRD)
    await forwarder.release(world.session, Reason.RECORDING)
    assert await media(world.doctor) == ("direct", [])


async def test_a_full_room_takes_nobody_else_and_disturbs_nobody(
    three: Three, make: Factory, connect: Connect, world: World
) -> None:
    for _ in range(MOST_RELAYED - len(three.clients)):
        more = await connect(await make.actor(Role.COMMUNE_DOCTOR, at=world.case.station))
        await more.do("session:join", session=three.session)
    last = await connect(await make.actor(Role.COMMUNE_DOCTOR, at=world.case.station))
    before = await three.clients["doctor"].quiet()
    assert await last.code("session:join", session=three.session) == "session_full"
    assert await three.clients["doctor"].quiet() == before


IMAGE = "UklGR" + "A" * 40


def mode(rung: str, ask: str, ask_reason: str = "link_slow") -> dict[str, Any]:
    """What a page says of itself."""
    return {"rung": rung, "reason": "link_slow", "ask": ask, "ask_reason": ask_reason}


async def shows(three: Three, who: str, number: int) -> None:
    """Somebody sends a still to whoever needs one."""
    still = {"session": three.session, "to": None, "number": number, "image": IMAGE}
    await three.clients[who].do("session:still", **still)


async def stills(three: Three, who: str) -> list[tuple[str, int]]:
    """From whom stills have come so far, and their numbers."""
    pushed = [payload for event, payload in await three.clients[who].quiet() if event == STILL]
    names = {joined["participant"]: name for name, joined in three.joined.items()}
    return [(names[each["from"]], each["number"]) for each in pushed]


STILL = "session:still"


async def test_what_a_viewer_can_receive_through_the_relay_is_written_down(three: Three) -> None:
    third = three.clients["third"]
    for ask, reason in (("full", "start"), ("voice", "link_slow"), ("full", "link_good")):
        await third.do("session:mode", session=three.session, **mode("small", ask, reason))
    log = await third.do("session:replay", session=three.session, after=0)
    written = [each["data"] for each in log["events"] if each["kind"] == "reception_changed"]
    assert written == [
        {"rung": "voice", "reason": "link_slow"},
        {"rung": "full", "reason": "link_good"},
    ]


async def test_stills_of_a_sender_without_picture_reach_all_and_others_who_asks(
    three: Three,
) -> None:
    doctor, third = three.clients["doctor"], three.clients["third"]
    await shows(three, "doctor", 1)
    assert [await stills(three, who) for who in ("specialist", "third")] == [[], []]
    await third.do("session:mode", session=three.session, **mode("small", "voice"))
    await shows(three, "doctor", 2)
    assert [await stills(three, who) for who in ("specialist", "third")] == [[], [("doctor", 2)]]
    await doctor.do("session:mode", session=three.session, **mode("voice", "full"))
    await shows(three, "doctor", 3)
    # The third has not said yet that the second has arrived.
    assert [await stills(three, who) for who in ("specialist", "third")] == [
        [("doctor", 3)],
        [("doctor", 2)],
    ]


async def test_a_viewer_gets_one_still_at_a_time_and_of_each_sender_the_newest(
    three: Three,
) -> None:
    third = three.clients["third"]
    await third.do("session:mode", session=three.session, **mode("small", "voice"))
    for who, number in (("doctor", 1), ("specialist", 5), ("doctor", 2), ("doctor", 3)):
        await shows(three, who, number)
    shown = [("doctor", 1)]
    assert await stills(three, "third") == shown
    for who, number, following in (
        ("doctor", 9, []),
        ("doctor", 1, [("specialist", 5)]),
        ("specialist", 5, [("doctor", 3)]),
        ("doctor", 3, []),
    ):
        seen = {"session": three.session, "to": three.id_of(who), "number": number}
        await third.do("session:still-seen", **seen)
        shown += following
        assert await stills(three, "third") == shown
    await shows(three, "doctor", 4)
    assert await stills(three, "third") == [*shown, ("doctor", 4)]
