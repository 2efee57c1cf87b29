"""The events of recording a session with consent; what they bring about reaches all by the log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from telemed.accounts.permissions import Action
from telemed.core.db import UnitOfWork
from telemed.sessions.recording import service
from telemed.sessions.recording.service import Said
from telemed.signaling import protocol
from telemed.signaling.dispatch import Caller
from telemed.signaling.namespace import events
from telemed.signaling.rooms import Room

if TYPE_CHECKING:
    from telemed.signaling.server import Signaling

Act = Callable[[UnitOfWork], Awaitable[object]]


@events.on("session:record-ask", Action.SESSION_JOIN)
async def ask(hub: Signaling, caller: Caller, message: protocol.Record) -> dict[str, Any]:
    """Ask everybody inside."""
    hub.room_of(caller, message)
    hub.recorders.require()
    return await _act(
        hub, caller, message, lambda work: service.ask(work, caller.actor, message.session)
    )


@events.on("session:record-answer", Action.SESSION_JOIN)
async def answer(hub: Signaling, caller: Caller, message: protocol.RecordAnswer) -> dict[str, Any]:
    """What the sender, or the patient of their station, says to it."""
    said = Said(message.is_agreed, message.text_version, message.giver_name)
    take = service.answer_for_patient if message.for_patient else service.answer
    return await _act(
        hub, caller, message, lambda work: take(work, caller.actor, message.session, said)
    )


@events.on("session:record-withdraw", Action.SESSION_JOIN)
async def withdraw(
    hub: Signaling, caller: Caller, message: protocol.RecordWithdraw
) -> dict[str, Any]:
    """Take an agreement back."""
    return await _act(
        hub,
        caller,
        message,
        lambda work: service.withdraw(
            work, caller.actor, message.session, for_patient=message.for_patient
        ),
    )


@events.on("session:record-pause", Action.SESSION_JOIN)
async def pause(hub: Signaling, caller: Caller, message: protocol.Record) -> dict[str, Any]:
    """Nothing is recorded for a while."""
    return await _act(
        hub, caller, message, lambda work: service.pause(work, caller.actor, message.session)
    )


@events.on("session:record-resume", Action.SESSION_JOIN)
async def resume(hub: Signaling, caller: Caller, message: protocol.Record) -> dict[str, Any]:
    """Go on."""
    return await _act(
        hub, caller, message, lambda work: service.resume(work, caller.actor, message.session)
    )


@events.on("session:record-stop", Action.SESSION_JOIN)
async def stop(hub: Signaling, caller: Caller, message: protocol.Record) -> dict[str, Any]:
    """End the recording."""
    return await _act(
        hub, caller, message, lambda work: service.stop(work, caller.actor, message.session)
    )


async def _act(
    hub: Signaling, caller: Caller, message: protocol.InSession, act: Act
) -> dict[str, Any]:
    async def step(room: Room) -> dict[str, Any]:
        room.get(caller.sid)
        async with hub.database.work(caller.request_id) as work:
            await act(work)
        hub.note_activity(caller.actor)
        return {}

    return await hub.in_room(caller, message, step)
