"""The events of third parties: found by name, invited, sent out; all hear of it by the log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from telemed.accounts.permissions import Action
from telemed.core.db import UnitOfWork
from telemed.sessions import invitations
from telemed.sessions.models import Capacity
from telemed.signaling import protocol
from telemed.signaling.dispatch import Caller
from telemed.signaling.namespace import events
from telemed.signaling.rooms import Room

if TYPE_CHECKING:
    from telemed.signaling.server import Signaling


@events.on("session:find-people", Action.SESSION_INVITE)
async def find_people(
    hub: Signaling, caller: Caller, message: protocol.FindPeople
) -> dict[str, Any]:
    """People who may be invited."""
    hub.room_of(caller, message).get(caller.sid)
    async with hub.database.read() as work:
        found = await invitations.find_invitable(work, caller.actor, message.session, message.name)
    people = [
        {"person": each.uid, "name": each.name, "title": each.title, "place": each.place}
        for each in found
    ]
    return {"people": people}


@events.on("session:invite", Action.SESSION_INVITE)
async def invite(hub: Signaling, caller: Caller, message: protocol.Invite) -> dict[str, Any]:
    """Call somebody into the room."""
    capacity = Capacity(message.capacity)

    async def act(work: UnitOfWork) -> dict[str, Any]:
        participant = await invitations.invite(
            work, caller.actor, message.session, message.person, capacity
        )
        return {"participant": participant}

    return await _act(hub, caller, message, act)


@events.on("session:remove", Action.SESSION_INVITE)
async def remove(hub: Signaling, caller: Caller, message: protocol.Remove) -> dict[str, Any]:
    """Take an invitation back; the log tells all, and ends the seat."""

    async def act(work: UnitOfWork) -> dict[str, Any]:
        await invitations.remove(work, caller.actor, message.session, message.participant)
        return {}

    return await _act(hub, caller, message, act)


async def _act(
    hub: Signaling,
    caller: Caller,
    message: protocol.InSession,
    act: Callable[[UnitOfWork], Awaitable[dict[str, Any]]],
) -> dict[str, Any]:
    async def step(room: Room) -> dict[str, Any]:
        room.get(caller.sid)
        async with hub.database.work(caller.request_id) as work:
            answer = await act(work)
        hub.note_activity(caller.actor)
        return answer

    return await hub.in_room(caller, message, step)
