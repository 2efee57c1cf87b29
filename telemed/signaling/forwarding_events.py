"""The events of media that goes through the relay: what a page sends there, and takes from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telemed.accounts.permissions import Action
from telemed.core.errors import N_, Conflict
from telemed.media.rooms import Picture, Wish
from telemed.signaling import protocol
from telemed.signaling.dispatch import Caller
from telemed.signaling.namespace import events

if TYPE_CHECKING:
    from telemed.signaling.server import Signaling

# Not through the room's worker: a call must not wait for the relay to start.


@events.on("session:publish", Action.SESSION_JOIN)
async def publish(hub: Signaling, caller: Caller, message: protocol.Publish) -> dict[str, Any]:
    """Send voice and picture to the relay."""
    participant = _seated(hub, caller, message)
    answer = await hub.forwarder.publish(message.session, participant, message.description.sdp)
    return _described(answer)


@events.on("session:subscribe", Action.SESSION_JOIN)
async def subscribe(hub: Signaling, caller: Caller, message: protocol.Subscribe) -> dict[str, Any]:
    """Have the voices and pictures of others from the relay."""
    participant = _seated(hub, caller, message)
    answer = await hub.forwarder.subscribe(
        message.session, participant, message.description.sdp, message.publishers
    )
    return _described(answer)


@events.on("session:wish", Action.SESSION_JOIN)
async def wish(hub: Signaling, caller: Caller, message: protocol.PictureWish) -> dict[str, Any]:
    """How much of one other participant's picture is wanted."""
    participant = hub.room_of(caller, message).get(caller.sid).participant
    wanted = Wish(Picture(message.picture))
    await hub.forwarder.wish(message.session, participant, message.publisher, wanted)
    return {}


def _seated(hub: Signaling, caller: Caller, message: protocol.Publish | protocol.Subscribe) -> str:
    seat = hub.room_of(caller, message).get(caller.sid)
    if seat.epoch != message.epoch:
        raise Conflict("stale_epoch", N_("Tín hiệu này thuộc về một kết nối cũ"))
    return seat.participant


def _described(answer: str) -> dict[str, Any]:
    return {"description": {"type": "answer", "sdp": answer}}
