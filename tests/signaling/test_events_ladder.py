"""Modes and stills: what the others see, what is written down, what is passed on and to whom."""

from __future__ import annotations

from typing import Any

from telemed.core.columns import new_uid
from telemed.signaling import stills
from telemed.signaling.rooms import LOGGED_MODES
from tests.signaling.conftest import World

IMAGE = "UklGR" + "A" * 4000
RUNGS = ("voice", "small")


def mode(rung: str, reason: str = "link_slow") -> dict[str, Any]:
    """What a page says of itself."""
    return {"rung": rung, "reason": reason, "ask": "full", "ask_reason": "start"}


async def test_a_mode_is_seen_by_the_other_and_written_into_the_log(world: World) -> None:
    _, second = await world.both_settle()
    await world.doctor.do("session:mode", session=world.session, **mode("voice"))
    peer = (await world.specialist.push("session:peer-state"))["peer"]
    assert (peer["participant"], peer["mode"]) == (second["participant"], mode("voice"))
    for client in (world.doctor, world.specialist):
        event = await client.push("session:event", lambda event: event["kind"] == "mode_changed")
        assert event["participant"] == second["participant"]
        assert event["data"] == {"rung": "voice", "reason": "link_slow"}
    again = await world.specialist.do("session:join", session=world.session)
    assert [peer["mode"] for peer in again["participants"]] == [mode("voice")]


async def test_the_beginning_and_a_mere_wish_are_not_written_down(world: World) -> None:
    await world.both_settle()
    await world.doctor.do("session:mode", session=world.session, **mode("small", "start"))
    await world.doctor.do(
        "session:mode", session=world.session, **(mode("small", "start") | {"ask": "voice"})
    )
    pushed = [event for event, _ in await world.specialist.quiet()]
    assert pushed == ["session:peer-state"] * 2


async def test_a_mode_that_changes_all_the_time_does_not_fill_the_log(world: World) -> None:
    await world.both_settle()
    for turn in range(30):
        await world.doctor.do("session:mode", session=world.session, **mode(RUNGS[turn % 2]))
    log = await world.doctor.do("session:replay", session=world.session, after=0)
    written = [event for event in log["events"] if event["kind"] == "mode_changed"]
    assert len(written) == LOGGED_MODES[1]
    peers = (await world.specialist.do("session:join", session=world.session))["participants"]
    assert [peer["mode"]["rung"] for peer in peers] == [RUNGS[1]]


async def test_a_still_reaches_its_target_alone_and_the_next_waits_for_it(world: World) -> None:
    first, second = await world.both_settle()
    own, other = second["participant"], first["participant"]
    still = {"session": world.session, "to": other, "image": IMAGE}
    await world.doctor.do("session:still", **still, number=1)
    got = await world.specialist.push("session:still")
    assert got == {"session": world.session, "from": own, "number": 1, "image": IMAGE}
    assert await world.doctor.code("session:still", **still, number=2) == "still_waiting"
    seen = {"session": world.session, "to": own}
    await world.specialist.do("session:still-seen", **seen, number=9)
    assert await world.doctor.code("session:still", **still, number=2) == "still_waiting"
    await world.specialist.do("session:still-seen", **seen, number=1)
    answers = [await world.doctor.push("session:still-seen") for _ in range(2)]
    assert [(each["from"], each["number"]) for each in answers] == [(other, 9), (other, 1)]
    await world.doctor.do("session:still", **still, number=2)
    log = await world.doctor.do("session:replay", session=world.session, after=0)
    assert IMAGE not in str(log)


async def test_a_still_that_was_lost_does_not_hold_up_the_next(
    world: World, monkeypatch: Any
) -> None:
    first, _ = await world.both_settle()
    still = {"session": world.session, "to": first["participant"], "image": IMAGE}
    await world.doctor.do("session:still", **still, number=1)
    monkeypatch.setattr(stills, "STILL_SECONDS", 0.0)
    await world.doctor.do("session:still", **still, number=2)


async def test_a_still_to_nobody_and_one_that_is_no_picture_are_refused(world: World) -> None:
    first, second = await world.both_settle()
    for target in (new_uid(), second["participant"]):
        for name, more in (("session:still", {"image": IMAGE}), ("session:still-seen", {})):
            sent = {"session": world.session, "to": target, "number": 1, **more}
            assert await world.doctor.code(name, **sent) == "peer_absent"
    for image in ("", "PHN2Zz4=", "UklGR\n", "UklGR" + "A" * 24_576):
        sent = {"session": world.session, "to": first["participant"], "number": 1, "image": image}
        assert await world.doctor.code("session:still", **sent) == "fields_invalid"
