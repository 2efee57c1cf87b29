"""The events of the protocol, each a few lines to a service or to the sender's room."""

from __future__ import annotations

from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

from telemed.accounts.permissions import Action, Actor, may
from telemed.consults.service import get_case
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, Denied, Missing
from telemed.core.events import last_number
from telemed.sessions import log, pictures, ringing, service
from telemed.signaling import protocol
from telemed.signaling.dispatch import Caller, Events
from telemed.signaling.protocol import Rate
from telemed.signaling.rooms import Room, not_joined

if TYPE_CHECKING:
    from telemed.signaling.server import Signaling

events = Events()

MOST_CHANNELS = 64


@events.on("probe", Action.SOCKET)
async def probe(hub: Signaling, _caller: Caller, _message: protocol.Probe) -> dict[str, Any]:
    """Is the path alive?"""
    return {"now": hub.clock.now().isoformat(), "protocol": protocol.PROTOCOL_VERSION}


@events.on("channel:watch", Action.SOCKET)
async def watch(hub: Signaling, caller: Caller, message: protocol.Watch) -> dict[str, Any]:
    """Subscribe to hints: to all the channels or, if one is not for this person, to none."""
    watched = caller.connection.channels | set(message.channels)
    if len(watched) > MOST_CHANNELS:
        raise Conflict(
            "too_many_channels", N_("Theo dõi nhiều nhất {most} kênh"), most=MOST_CHANNELS
        )
    async with hub.database.read() as work:
        numbers = {
            channel: await _number_of(work, caller.actor, channel) for channel in message.channels
        }
    for channel in message.channels:
        await hub.server.enter_room(caller.sid, channel)
    caller.connection.channels = watched
    return {"channels": numbers}


async def _number_of(work: UnitOfWork, actor: Actor, channel: str) -> int:
    """The last number of a channel that the actor may watch. Raises Missing for any other."""
    kind, _, uid = channel.partition(":")
    try:
        if kind == "consult":
            await get_case(work, actor, uid)
        elif kind == "session":
            await service.get(work, actor, uid)
        elif (kind == "person" and uid != actor.uid) or (
            kind == "worklist" and not may(actor, Action.WORKLIST)
        ):
            raise Missing
    except Denied as denied:
        raise Missing(refused_action=denied.refused_action) from None
    return await last_number(work, channel)


@events.on("channel:unwatch", Action.SOCKET)
async def unwatch(hub: Signaling, caller: Caller, message: protocol.Unwatch) -> dict[str, Any]:
    """No more hints of these channels."""
    for channel in message.channels:
        await hub.server.leave_room(caller.sid, channel)
    caller.connection.channels -= set(message.channels)
    return {}


@events.on("session:join", Action.SESSION_JOIN)
async def join(hub: Signaling, caller: Caller, message: protocol.Join) -> dict[str, Any]:
    """Take a seat, or come back to it."""
    return await hub.presence.join(caller, message)


@events.on("session:leave", Action.SESSION_JOIN)
async def leave(hub: Signaling, caller: Caller, message: protocol.Leave) -> dict[str, Any]:
    """Go out; the session goes on."""
    await hub.presence.leave(caller, message.session)
    return {}


@events.on("session:end", Action.SESSION_JOIN)
async def end(hub: Signaling, caller: Caller, message: protocol.End) -> dict[str, Any]:
    """End the session for everybody; the log tells those inside."""

    async def step(room: Room) -> dict[str, Any]:
        room.get(caller.sid)
        async with hub.database.work(caller.request_id) as work:
            await service.end(work, caller.actor, message.session)
        return {}

    return await hub.in_room(caller, message, step)


@events.on("session:replay", Action.SESSION_JOIN)
async def replay(hub: Signaling, caller: Caller, message: protocol.Replay) -> dict[str, Any]:
    """The numbered events after the last one seen."""
    if message.session not in caller.connection.sessions:
        raise not_joined()
    async with hub.database.read() as work:
        meeting = await service.get(work, caller.actor, message.session)
        return log_answer(message.session, await log.read_log(work, meeting, message.after))


@events.on("session:offer", Action.SESSION_JOIN, Rate.SIGNAL)
async def offer(hub: Signaling, caller: Caller, message: protocol.Offer) -> dict[str, Any]:
    """An offer for one other participant."""
    return await _relay(hub, caller, message)


@events.on("session:answer", Action.SESSION_JOIN, Rate.SIGNAL)
async def answer(hub: Signaling, caller: Caller, message: protocol.Answer) -> dict[str, Any]:
    """The answer to an offer."""
    return await _relay(hub, caller, message)


@events.on("session:candidate", Action.SESSION_JOIN, Rate.SIGNAL)
async def candidate(
    hub: Signaling, caller: Caller, message: protocol.TrickledCandidate
) -> dict[str, Any]:
    """A candidate for one other participant."""
    return await _relay(hub, caller, message)


async def _relay(
    hub: Signaling,
    caller: Caller,
    message: protocol.Offer | protocol.Answer | protocol.TrickledCandidate,
) -> dict[str, Any]:
    # Not through the room's worker: it changes nothing, and a call must not wait for the database.
    room = hub.room_of(caller, message)
    await hub.push([room.relay(room.get(caller.sid), message)])
    return {}


@events.on("session:state", Action.SESSION_JOIN, Rate.SIGNAL)
async def state(hub: Signaling, caller: Caller, message: protocol.State) -> dict[str, Any]:
    """What the sender's own devices are doing."""
    room = hub.room_of(caller, message)
    await hub.push(room.set_state(room.get(caller.sid), message))
    return {}


@events.on("session:mode", Action.SESSION_JOIN)
async def mode(hub: Signaling, caller: Caller, message: protocol.Mode) -> dict[str, Any]:
    """The sender went up or down the ladder; written down unless it does so all the time."""

    async def step(room: Room) -> dict[str, Any]:
        is_relayed = hub.forwarder.is_relayed(message.session)
        seat = room.get(caller.sid)
        pushes, steps = room.set_mode(seat, message, is_relayed=is_relayed)
        await hub.push(pushes)
        for kind, rung, reason in steps:
            async with hub.database.work(caller.request_id) as work:
                await log.note_mode(
                    work, caller.actor, message.session, kind=kind, rung=rung, reason=reason
                )
        return {}

    return await hub.in_room(caller, message, step)


@events.on("session:still", Action.SESSION_JOIN, Rate.STILL)
async def still(hub: Signaling, caller: Caller, message: protocol.Still) -> dict[str, Any]:
    """A picture for one other participant, or for all who need it: passed on, stored nowhere."""
    room = hub.room_of(caller, message)
    await hub.push(room.send_still(room.get(caller.sid), message, monotonic()))
    return {}


@events.on("session:still-seen", Action.SESSION_JOIN)
async def still_seen(hub: Signaling, caller: Caller, message: protocol.StillSeen) -> dict[str, Any]:
    """A picture has arrived."""
    room = hub.room_of(caller, message)
    await hub.push(room.see_still(room.get(caller.sid), message, monotonic()))
    return {}


@events.on("session:chat", Action.SESSION_JOIN, Rate.CHAT)
async def chat(hub: Signaling, caller: Caller, message: protocol.Chat) -> dict[str, Any]:
    """A message to everybody inside; stored, then pushed as an event."""

    async def step(room: Room) -> dict[str, Any]:
        room.get(caller.sid)
        async with hub.database.work(caller.request_id) as work:
            number = await log.say(work, caller.actor, message.session, message.text, message.key)
        hub.note_activity(caller.actor)
        return {"number": number}

    return await hub.in_room(caller, message, step)


@events.on("session:picture-ask", Action.SESSION_JOIN)
async def picture_ask(
    hub: Signaling, caller: Caller, message: protocol.PictureAsk
) -> dict[str, Any]:
    """Ask the station for a sharp picture; its page hears of it as an event."""

    async def step(room: Room) -> dict[str, Any]:
        room.get(caller.sid)
        async with hub.database.work(caller.request_id) as work:
            number = await pictures.ask_for_picture(work, caller.actor, message.session, message.to)
        return {"ask": number}

    return await hub.in_room(caller, message, step)


@events.on("session:picture-answer", Action.SESSION_JOIN)
async def picture_answer(
    hub: Signaling, caller: Caller, message: protocol.PictureAnswer
) -> dict[str, Any]:
    """What became of it; the picture itself came over HTTP, as every attachment does."""
    outcome = pictures.Outcome(message.outcome)

    async def step(room: Room) -> dict[str, Any]:
        room.get(caller.sid)
        async with hub.database.work(caller.request_id) as work:
            number = await pictures.answer_with_picture(
                work, caller.actor, message.session, message.ask, outcome, file=message.file
            )
        return {"number": number}

    return await hub.in_room(caller, message, step)


@events.on("session:ice", Action.SESSION_JOIN)
async def ice(hub: Signaling, caller: Caller, message: protocol.Ice) -> dict[str, Any]:
    """Fresh ICE servers, for somebody inside only."""
    hub.room_of(caller, message).get(caller.sid)
    async with hub.database.read() as work:
        # By the database as well: the room hears a moment later that a session has ended.
        own = await service.get_inside(work, caller.actor, message.session)
    now = hub.clock.now().isoformat()
    return {"now": now, **hub.presence.ice_answer(own.participant.uid)}


@events.on("session:ring", Action.SESSION_JOIN)
async def ring(hub: Signaling, caller: Caller, message: protocol.Ring) -> dict[str, Any]:
    """Call those who are not inside."""

    async def step(room: Room) -> dict[str, Any]:
        room.get(caller.sid)
        async with hub.database.work(caller.request_id) as work:
            meeting = await service.ring(work, caller.actor, message.session)
            return {"expires_at": _moment(ringing.ring_ends_at(meeting, work.now()))}

    return await hub.in_room(caller, message, step)


@events.on("session:decline-ring", Action.SESSION_JOIN)
async def decline_ring(
    hub: Signaling, caller: Caller, message: protocol.DeclineRing
) -> dict[str, Any]:
    """Not now."""
    async with hub.database.work(caller.request_id) as work:
        await ringing.decline(work, caller.actor, message.session)
    return {}


def log_answer(session: str, page: log.LogPage) -> dict[str, Any]:
    """Numbered events in the form of the wire."""
    return {
        "events": [event_of(session, entry) for entry in page.entries],
        "last_event": page.last_number,
        "more": page.has_more,
    }


def event_of(session: str, entry: log.LogEntry) -> dict[str, Any]:
    """One numbered event in the form of the wire."""
    return {
        "session": session,
        "number": entry.number,
        "at": entry.at.isoformat(),
        "kind": entry.kind,
        "participant": entry.participant,
        "person": entry.person,
        "name": entry.name,
        "data": entry.data,
    }


def _moment(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
