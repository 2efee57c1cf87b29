"""Every event against everything that can be wrong with it; nobody else ever notices."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError
from aiohttp.test_utils import TestServer

from telemed.core.columns import new_uid
from telemed.core.config import Settings
from telemed.signaling.protocol import EVENTS, LIMITS, MAX_MESSAGE_BYTES, Rate
from tests.signaling.conftest import Connect, World
from tests.signaling.foreign import ForeignClient, Refused, open_socket
from tests.signaling.test_protocol import VALID

IN_SESSION = sorted(name for name in EVENTS if name.startswith("session:"))
INSIDE_ONLY = sorted(set(IN_SESSION) - {"session:join", "session:decline-ring", "session:leave"})
SIGNALS = ["session:answer", "session:candidate", "session:offer"]
MALFORMED: list[tuple[object, ...]] = [
    (),
    ({}, {}),
    (None,),
    ("x",),
    ([],),
    ({"session": ["x"]},),
    ({"session": "x" * 65, "extra": {"deep": [[[[]]]]}},),
]


def payload(name: str, session: str, to: str = "p2", epoch: int = 2) -> dict[str, Any]:
    changed = {"session": session, "to": to, "epoch": epoch}
    return VALID[name] | {key: changed[key] for key in changed if key in VALID[name]}


@pytest.mark.parametrize("name", sorted(EVENTS))
async def test_malformed_input_is_refused_to_its_sender_alone(world: World, name: str) -> None:
    await world.both_settle()
    for arguments in MALFORMED:
        answer = await world.doctor.ask(name, *arguments)
        assert (answer["ok"], answer["code"]) in {(False, "fields_invalid"), (False, "one_payload")}
        assert answer["fields"]
    assert await world.specialist.quiet() == []


async def test_an_unknown_and_a_foreign_session_look_the_same(
    world: World, connect: Connect
) -> None:
    await world.both_join()
    for who in ("stranger", "other specialist"):
        # A connection for each, so that neither is slowed down.
        client, other = [await connect(world.people[who]) for _ in range(2)]
        foreign = [await client.ask(each, payload(each, world.session)) for each in IN_SESSION]
        unknown = [await other.ask(each, payload(each, new_uid())) for each in IN_SESSION]
        assert foreign == unknown
        # Leaving where one has never been is no mistake, and says nothing.
        assert {each.get("code") for each in foreign} == {"not_found", "not_joined", None}


async def test_a_member_outside_does_nothing_inside(world: World) -> None:
    await world.specialist.do("session:join", session=world.session)
    codes = {
        name: await world.doctor.code(name, **payload(name, world.session)) for name in INSIDE_ONLY
    }
    assert codes == dict.fromkeys(INSIDE_ONLY, "not_joined")


async def test_a_role_without_the_function_is_told_so(world: World, connect: Connect) -> None:
    client = await connect(world.people["administrator"])
    codes = {name: await client.code(name, **payload(name, world.session)) for name in IN_SESSION}
    assert codes == dict.fromkeys(IN_SESSION, "not_allowed")


async def test_a_target_that_is_not_inside_is_absent_whoever_it_is(world: World) -> None:
    _, second = await world.both_join()
    targets = [new_uid(), second["participant"], world.case.specialist.uid, world.session]
    for name, target in product(SIGNALS, targets):
        refused = await world.doctor.code(name, **payload(name, world.session, to=target))
        assert refused == "peer_absent"


async def test_a_signal_of_another_epoch_is_stale(world: World) -> None:
    first, _ = await world.both_join()
    for name, epoch in product(SIGNALS, (1, 3)):
        sent = payload(name, world.session, to=first["participant"], epoch=epoch)
        assert await world.doctor.code(name, **sent) == "stale_epoch"
    assert "session:signal" not in [event for event, _ in await world.specialist.quiet()]


async def test_a_target_whose_link_is_broken_is_absent(world: World) -> None:
    first, _ = await world.both_join()
    await world.specialist.close()
    await world.doctor.push("session:peer-state")
    sent = payload("session:candidate", world.session, to=first["participant"])
    assert await world.doctor.code("session:candidate", **sent) == "peer_absent"


async def test_an_unknown_event_is_answered(world: World) -> None:
    for name in ("session:kick", "message", "x" * 200, ""):
        assert (await world.doctor.ask(name, {}))["code"] == "unknown_event"


@pytest.mark.parametrize("name", ["connect", "disconnect"])
async def test_a_reserved_event_ends_the_connection(world: World, name: str) -> None:
    await world.doctor.send_text(f'420["{name}",{{}}]')
    await world.doctor.closed.wait()


async def test_an_oversized_message_ends_its_connection_and_no_other(world: World) -> None:
    await world.both_join()
    await world.doctor.send_text(f'42["session:chat",{{"text":"{"x" * MAX_MESSAGE_BYTES}"}}]')
    await world.doctor.closed.wait()
    peer = (await world.specialist.push("session:peer-state"))["peer"]
    assert peer["connected"] is False
    await world.specialist.do("session:chat", session=world.session, text="a", key="k")


async def test_whoever_goes_too_fast_is_slowed_down(world: World) -> None:
    await world.both_join()
    _, burst = LIMITS[Rate.CHAT]
    said = {"session": world.session, "text": "a", "key": "k"}
    answers = [await world.doctor.ask("session:chat", said) for _ in range(2 * burst + 2)]
    assert answers[0]["ok"] is True
    assert (answers[-1]["code"], answers[-1]["retry_after_seconds"]) == ("throttled", 1)
    await world.specialist.do("session:chat", session=world.session, text="b", key="k2")


async def test_refusals_name_the_field_in_the_language_of_the_person(world: World) -> None:
    answer = await world.doctor.ask("session:join", {"session": new_uid()})
    assert answer["message"] == "Không tìm thấy nội dung này"
    field = (await world.doctor.ask("session:join", {}))["fields"][0]
    assert field == {"field": "session", "code": "missing", "message": "Thiếu trường này"}


WATCHERS = {
    "doctor": {"consult", "session", "own"},
    "specialist": {"worklist", "consult", "session", "own"},
    "colleague": {"consult", "session", "own"},
    "stranger": {"own"},
    "other specialist": {"worklist", "own"},
    "administrator": {"own"},
}


async def test_a_channel_is_watched_by_those_it_is_for(world: World, connect: Connect) -> None:
    for who, expected in WATCHERS.items():
        actor = world.people[who]
        client = await connect(actor)
        channels = {
            "worklist": "worklist",
            "consult": f"consult:{world.case.consult.uid}",
            "session": f"session:{world.session}",
            "own": f"person:{actor.uid}",
            "other": f"person:{new_uid()}",
            "unknown": f"consult:{new_uid()}",
        }
        answers = {
            name: await client.ask("channel:watch", {"channels": [channel]})
            for name, channel in channels.items()
        }
        assert {name for name, answer in answers.items() if answer["ok"]} == expected, who
        refused = [answer for answer in answers.values() if not answer["ok"]]
        assert all(answer == refused[0] for answer in refused)
        assert refused[0]["code"] == "not_found"


async def test_one_forbidden_channel_spoils_the_whole_request(world: World) -> None:
    mine = f"person:{world.case.doctor.uid}"
    refused = await world.doctor.code("channel:watch", channels=[mine, "worklist"])
    assert refused == "not_found"
    await world.specialist.do("session:join", session=world.session)
    assert await world.doctor.quiet() == []


async def test_watching_tells_the_number_and_then_every_step(world: World) -> None:
    channel = f"session:{world.session}"
    watched = await world.doctor.do("channel:watch", channels=[channel])
    joined = await world.specialist.do("session:join", session=world.session)
    hint = await world.doctor.push("hint")
    assert watched["channels"] == {channel: 2}
    assert hint == {"channel": channel, "event": "participant_joined", "number": 3}
    assert joined["last_event"] == 3
    await world.doctor.do("channel:unwatch", channels=[channel])
    await world.specialist.do("session:leave", session=world.session)
    assert await world.doctor.quiet() == []


async def test_channels_are_bounded(world: World) -> None:
    own = f"person:{world.case.doctor.uid}"
    await world.doctor.do("channel:watch", channels=[own] * 16)
    refused = await world.doctor.ask("channel:watch", {"channels": [own] * 17})
    assert refused["fields"][0]["code"] == "too_long"


async def test_nobody_comes_in_without_login_origin_and_protocol(
    server: TestServer, settings: Settings, connect: Connect, world: World
) -> None:
    url = str(server.make_url("")).rstrip("/")
    for origin in (None, "https://evil.example", "null", settings.origins[0] + ".evil.example"):
        with pytest.raises(WSServerHandshakeError) as closed:
            async with open_socket(url, origin=origin):
                pass
        assert closed.value.status == 403
    for cookies in ({}, {"telemed": "x" * 43}):
        async with open_socket(url, origin=settings.origins[0], cookies=cookies) as socket:
            with pytest.raises(Refused) as refused:
                await ForeignClient.connect(socket)
            assert refused.value.data == {"code": "sign_in_needed"}


@pytest.mark.parametrize("auth", [{}, {"protocol": 2}, {"protocol": "1"}, {"protocol": None}])
async def test_another_protocol_is_told_which_is_spoken(
    auth: dict[str, Any], server: TestServer, settings: Settings
) -> None:
    url = str(server.make_url("")).rstrip("/")
    async with open_socket(url, origin=settings.origins[0]) as socket:
        with pytest.raises(Refused) as refused:
            await ForeignClient.connect(socket, auth)
    assert refused.value.data == {"code": "protocol_unsupported", "supported": [1]}
