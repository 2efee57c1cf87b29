"""Sends the media of a session through the relay while there is a reason, and tells its pages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from telemed.core.errors import N_, Conflict, Missing, TelemedError, Unavailable
from telemed.media.forwarding import (
    MOST_DIRECT,
    MOST_RELAYED,
    Forwarding,
    Reason,
    Way,
    announced,
)
from telemed.media.rooms import MediaRooms, Wish
from telemed.signaling.rooms import Push, Room

if TYPE_CHECKING:
    from telemed.signaling.server import Signaling

log = logging.getLogger(__name__)

# The pages build the direct way beside the relayed one, and have left the relay by then.
LINGER_SECONDS: Final = 20.0


class Relay(MediaRooms, Protocol):
    """Rooms in a process that is started at the first need, and anew when it has died."""

    life: int
    on_life: Callable[[], None]

    async def be_up(self) -> None:
        """Started, and answering. Raises `Unavailable`."""
        ...


@dataclass
class _Forwarded:
    """What the relay holds of one session: in which life, and which publication is whose."""

    life: int = 0
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    telling: asyncio.Lock = field(default_factory=asyncio.Lock)
    # Participant -> the number of what they publish, another one each time.
    publications: dict[str, int] = field(default_factory=dict)
    published: int = 0
    # Participant -> how often they have subscribed.
    subscriptions: dict[str, int] = field(default_factory=dict)

    def viewer(self, participant: str) -> str:
        """The name of their newest connection; the one before it goes on under the other."""
        return participant + "ab"[self.subscriptions.get(participant, 0) % 2]


class Forwarder:
    """Which way the media of every session goes: `require`, `release`, and what the pages ask."""

    def __init__(self, hub: Signaling, relay: Relay | None, *, address: str = "") -> None:
        self._hub = hub
        self._relay = relay
        self._address = address
        self._forwarding = Forwarding()
        self._sessions: dict[str, _Forwarded] = {}
        self._closing: dict[str, asyncio.TimerHandle] = {}
        if relay is not None:
            relay.on_life = self._began_life

    @property
    def most_inside(self) -> int:
        """How many a room of this server holds."""
        return MOST_RELAYED if self._relay else MOST_DIRECT

    async def require(self, session: str, reason: Reason) -> None:
        """Media of this session goes through the relay from now on. Raises Unavailable."""
        self._get_relay()
        if self._forwarding.require(session, reason):
            self._stop_closing(session)
            self._sessions.setdefault(session, _Forwarded())
            await self._tell(session)

    async def release(self, session: str, reason: Reason) -> None:
        """The reason is over; without another one media goes browser to browser again."""
        if not self._forwarding.release(session, reason):
            return
        if session in self._sessions:
            self._sessions[session].publications.clear()
        await self._tell(session)
        loop = asyncio.get_running_loop()
        self._closing[session] = loop.call_later(
            LINGER_SECONDS, lambda: self._hub.begin(f"close {session}", self._close(session))
        )

    async def follow(self, room: Room) -> None:
        """Somebody has come in or gone: a third needs the relay, two do without."""
        state = self._sessions.get(room.uid)
        gone = [each for each in state.publications if each not in room.seats] if state else []
        for participant in gone:
            await self.forget(room.uid, participant)
        if len(room.seats) > MOST_DIRECT and self._relay is not None:
            await self.require(room.uid, Reason.THIRD)
        else:
            await self.release(room.uid, Reason.THIRD)
        if gone and self._forwarding.way_of(room.uid) is Way.RELAY:
            await self._tell(room.uid)
        if not room.seats and state:
            for reason in Reason:
                self._forwarding.release(room.uid, reason)
            self._hub.begin(f"close {room.uid}", self._close(room.uid))

    async def forget(self, session: str, participant: str) -> None:
        """What a participant had there is of no use any more: they are gone, or on a new page."""
        state = self._sessions.get(session)
        if state is None or self._relay is None:
            return
        was_there = state.publications.pop(participant, None) is not None
        names = [participant, *(participant + letter for letter in "ab")]
        if was_there or state.subscriptions.pop(participant, None) is not None:
            for name in names:
                self._hub.begin(f"leave {session}", self._leave(session, name))

    def view(self, session: str) -> dict[str, Any]:
        """The way and who publishes, in the form of the wire."""
        state = self._sessions.get(session)
        is_relayed = state is not None and self._forwarding.way_of(session) is Way.RELAY
        publications = state.publications if state is not None and is_relayed else {}
        return {
            "media": self._forwarding.way_of(session).value,
            "publishers": [
                {"participant": participant, "number": number}
                for participant, number in publications.items()
            ],
        }

    def is_relayed(self, session: str) -> bool:
        """Whether its media goes through the relay now."""
        return self._forwarding.way_of(session) is Way.RELAY

    async def publish(self, session: str, participant: str, offer: str) -> str:
        """Take what somebody inside sends; the relay's answer. Raises Conflict, Invalid."""
        relay, state = self._get_relay(), self._get(session)
        await self._open(relay, session, state)
        answer = await relay.publish(session, participant, offer)
        state.published += 1
        state.publications[participant] = state.published
        await self._tell(session)
        return announced(answer, self._address)

    async def subscribe(
        self, session: str, participant: str, offer: str, publishers: Sequence[str]
    ) -> str:
        """Send somebody inside what the others send. Raises Conflict (`publisher_absent`)."""
        relay, state = self._get_relay(), self._get(session)
        if participant in publishers or not set(publishers) <= state.publications.keys():
            raise _publisher_absent()
        state.subscriptions[participant] = state.subscriptions.get(participant, 0) + 1
        try:
            answer = await relay.subscribe(session, state.viewer(participant), offer, publishers)
        except Missing:
            raise _publisher_absent() from None
        return announced(answer, self._address)

    async def wish(self, session: str, participant: str, publisher: str, wish: Wish) -> None:
        """How much somebody wants of another's picture. Raises Conflict."""
        relay, state = self._get_relay(), self._get(session)
        if publisher not in state.publications:
            raise _publisher_absent()
        try:
            await relay.set_wish(session, state.viewer(participant), publisher, wish)
        except Missing:
            raise _publisher_absent() from None

    def close(self) -> None:
        """Forget what was planned."""
        for timer in self._closing.values():
            timer.cancel()
        self._closing.clear()

    async def _open(self, relay: Relay, session: str, state: _Forwarded) -> None:
        async with state.opening:
            await relay.be_up()
            if state.life != relay.life:
                # Taken already when an earlier one of this life has not been closed yet.
                try:
                    await relay.open_room(session)
                except Conflict:
                    await relay.close_room(session)
                    await relay.open_room(session)
                state.life = relay.life

    async def _close(self, session: str) -> None:
        self._stop_closing(session)
        if self._forwarding.way_of(session) is Way.RELAY or self._relay is None:
            return
        self._sessions.pop(session, None)
        try:
            await self._relay.close_room(session)
        except TelemedError as error:
            log.info("a room of the relay was not closed: %s", error.code)

    async def _leave(self, session: str, name: str) -> None:
        assert self._relay
        try:
            await self._relay.leave(session, name)
        except TelemedError as error:
            log.info("a place in the relay was not left: %s", error.code)

    def _stop_closing(self, session: str) -> None:
        timer = self._closing.pop(session, None)
        if timer is not None:
            timer.cancel()

    def _began_life(self) -> None:
        """A process came up: what was in the one before is gone, and everybody publishes anew."""
        for session, state in self._sessions.items():
            if state.life and state.publications:
                state.publications.clear()
                self._hub.begin(f"media {session}", self._tell(session))

    async def _tell(self, session: str) -> None:
        state = self._sessions.get(session)
        if state is None:
            return
        # In turn: what was true earlier must not arrive later.
        async with state.telling:
            room = self._hub.rooms.find(session)
            payload = {"session": session, **self.view(session)}
            seats = room.connected if room else []
            await self._hub.push([Push(seat.sid or "", "session:media", payload) for seat in seats])

    def _get(self, session: str) -> _Forwarded:
        state = self._sessions.get(session)
        if state is None or self._forwarding.way_of(session) is Way.DIRECT:
            raise Conflict("not_relayed", N_("Buổi này đang gọi thẳng, không qua máy chủ"))
        return state

    def _get_relay(self) -> Relay:
        if self._relay is None:
            text = N_("Máy chủ này chưa bật phần truyền hình cho nhiều người.")
            raise Unavailable("relay_off", text)
        return self._relay


def _publisher_absent() -> Conflict:
    return Conflict("publisher_absent", N_("Người này hiện không gửi tiếng và hình"))
