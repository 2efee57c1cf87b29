"""Live rooms: who sits where, what each of them is told. One worker owns each room, so no locks.

A room knows no database: it is told what was stored, and answers with what has to be pushed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar

from telemed.core.clock import TaskOwner
from telemed.core.errors import N_, Conflict, Unavailable
from telemed.signaling import stills
from telemed.signaling.engine.limits import Allowance
from telemed.signaling.engine.upstream_logs import describe_failure
from telemed.signaling.protocol import (
    Answer,
    Mode,
    Offer,
    Signal,
    State,
    Still,
    StillSeen,
    TrickledCandidate,
)
from telemed.signaling.stills import StillQueue

log = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")
Step = Callable[["Room"], Awaitable[ResultT]]

MOST_WAITING: Final = 256
# Changes of mode that are written down: entries a second of one participant, and burst. The page
# shows every change; a link that goes up and down all day must not fill the log.
LOGGED_MODES: Final = (1 / 15, 6)
WITHOUT_PICTURE: Final = frozenset({"voice", "written"})
_KINDS: Final[Mapping[type[Signal], str]] = {
    Offer: "offer",
    Answer: "answer",
    TrickledCandidate: "candidate",
}


class Change(NamedTuple):
    """What somebody sends, or receives, from now on: an entry of the session's log."""

    kind: str
    rung: str
    reason: str


class Push(NamedTuple):
    """Something for one connection."""

    sid: str
    event: str
    payload: dict[str, Any]


@dataclass
class Seat:
    """The place of one participant; without `sid` while their link is broken.

    `epoch` is None after a restart of the server, until the page has come back with its own.
    """

    participant: str
    rank: int
    person: str
    name: str
    role: str
    joined_at: datetime
    capacity: str | None = None
    inviter: str | None = None
    sid: str | None = None
    epoch: int | None = None
    muted: bool = False
    camera_off: bool = False
    last_sent: int = 0
    mode: Mode | None = None
    may_log: Allowance = field(default_factory=lambda: Allowance(*LOGGED_MODES))
    # The number of the still on its way, and since when.
    still: tuple[int, float] | None = None
    # What the others send to whoever sees no moving picture.
    stills: StillQueue[Push] = field(default_factory=StillQueue)


class Room:
    """The seats of one session, by participant."""

    def __init__(self, uid: str) -> None:
        self.uid = uid
        self.seats: dict[str, Seat] = {}

    def sit(self, seats: Iterable[Seat], own: str, sid: str, epoch: int) -> str | None:
        """Take in who is inside by the database, and give one of them a connection.

        Returns the connection that held the seat before.
        """
        inside = {seat.participant: seat for seat in seats}
        self.seats = {uid: self.seats.get(uid, seat) for uid, seat in inside.items()}
        for uid, seat in inside.items():
            self.seats[uid].capacity, self.seats[uid].inviter = seat.capacity, seat.inviter
        seat = self.seats[own]
        before, seat.sid, seat.epoch = seat.sid, sid, epoch
        seat.still = None
        seat.stills = StillQueue()
        return before if before != sid else None

    def find(self, sid: str) -> Seat | None:
        """The seat that a connection holds."""
        return next((seat for seat in self.seats.values() if seat.sid == sid), None)

    def get(self, sid: str) -> Seat:
        """The seat that a connection holds. Raises Conflict for one that is outside."""
        seat = self.find(sid)
        if seat is None:
            raise not_joined()
        return seat

    @property
    def connected(self) -> list[Seat]:
        """Those who can be told something now."""
        return [seat for seat in self.seats.values() if seat.sid is not None]

    def peers_of(self, viewer: Seat) -> list[dict[str, Any]]:
        """The others, as one of them sees them."""
        return [peer(seat, viewer) for seat in self.seats.values() if seat is not viewer]

    def tell_of(self, seat: Seat, event: str) -> list[Push]:
        """A push about one seat to each of the others."""
        return [
            Push(sid, event, {"session": self.uid, "peer": peer(seat, viewer)})
            for sid, viewer in self._others(seat)
        ]

    def relay(self, sender: Seat, signal: Offer | Answer | TrickledCandidate) -> Push:
        """A signal on its way to its target. Raises Conflict (`peer_absent`, `stale_epoch`)."""
        target = self.seats.get(signal.to)
        if target is None or target is sender or target.sid is None or target.epoch is None:
            raise peer_absent()
        if signal.epoch != max(sender.epoch or 0, target.epoch):
            raise Conflict("stale_epoch", N_("Tín hiệu này thuộc về một kết nối cũ"))
        content = signal.model_dump(include={"description", "candidate"}, by_alias=True)
        payload = {
            "session": self.uid,
            "from": sender.participant,
            "kind": _KINDS[type(signal)],
            "epoch": signal.epoch,
            **content,
        }
        return Push(target.sid, "session:signal", payload)

    def set_state(self, seat: Seat, state: State) -> list[Push]:
        """Somebody's devices changed."""
        seat.muted, seat.camera_off = state.muted, state.camera_off
        return self.tell_of(seat, "session:peer-state")

    def set_mode(
        self, seat: Seat, mode: Mode, *, is_relayed: bool = False
    ) -> tuple[list[Push], list[Change]]:
        """Somebody went up or down the ladder; what to push, and what to write down."""
        before, seat.mode = seat.mode, mode
        is_news = before is None or before.rung != mode.rung
        # Everybody starts low: only what differs from that tells anything.
        is_news = is_news and not (before is None and mode.reason == "start")
        steps = [Change("mode_changed", mode.rung, mode.reason)] if is_news else []
        # Browser to browser it shows in what the other side sends; the relay's senders send on.
        is_told = is_relayed and mode.ask_reason not in ("start", "chosen")
        if is_told and (before.ask if before else "full") != mode.ask:
            steps.append(Change("reception_changed", mode.ask, mode.ask_reason))
        written = [step for step in steps if seat.may_log.spend(1)]
        return self.tell_of(seat, "session:peer-state"), written

    def send_still(self, sender: Seat, still: Still, now: float) -> list[Push]:
        """A still on its way. Raises Conflict (`peer_absent`, `still_waiting`)."""
        if still.to is None:
            return self._show_still(sender, still, now)
        sid = self._target(sender, still.to)
        if sender.still is not None and now - sender.still[1] < stills.STILL_SECONDS:
            raise Conflict("still_waiting", N_("Ảnh trước chưa tới nơi"))
        sender.still = (still.number, now)
        return [self._still_to(sid, sender, still)]

    def _show_still(self, sender: Seat, still: Still, now: float) -> list[Push]:
        """To all who see no moving picture of the sender, each as fast as their own link goes."""
        is_still = sender.mode is not None and sender.mode.rung in WITHOUT_PICTURE
        return [
            push
            for sid, viewer in self._others(sender)
            if is_still or (viewer.mode is not None and viewer.mode.ask in WITHOUT_PICTURE)
            for push in viewer.stills.offer(
                sender.participant, still.number, self._still_to(sid, sender, still), now
            )
        ]

    def _still_to(self, sid: str, sender: Seat, still: Still) -> Push:
        payload = {"number": still.number, "image": still.image}
        return Push(
            sid, "session:still", {"session": self.uid, "from": sender.participant, **payload}
        )

    def see_still(self, viewer: Seat, seen: StillSeen, now: float) -> list[Push]:
        """Word that a still has arrived: the next may follow. Raises Conflict."""
        following = viewer.stills.see(seen.to, seen.number, now)
        if following is not None:
            return following
        sid = self._target(viewer, seen.to)
        sender = self.seats[seen.to]
        if sender.still is not None and sender.still[0] == seen.number:
            sender.still = None
        payload = {"session": self.uid, "from": viewer.participant, "number": seen.number}
        return [Push(sid, "session:still-seen", payload)]

    def _target(self, sender: Seat, participant: str) -> str:
        target = self.seats.get(participant)
        if target is None or target is sender or target.sid is None:
            raise peer_absent()
        return target.sid

    def lose(self, sid: str) -> tuple[Seat | None, list[Push]]:
        """A connection broke: its seat is kept, the others see it."""
        seat = self.find(sid)
        if seat is None:
            return None, []
        seat.sid = None
        return seat, self.tell_of(seat, "session:peer-state")

    def remove(self, participant: str, reason: str) -> list[Push]:
        """Somebody has left: they and the others are told."""
        seat = self.seats.pop(participant, None)
        if seat is None:
            return []
        for other in self.seats.values():
            other.stills.drop(participant)
        left = {"session": self.uid, "participant": participant, "reason": reason}
        pushes = [Push(sid, "session:peer-left", left) for sid, _ in self._others(seat)]
        if seat.sid is not None:
            pushes.append(self.eviction(seat.sid, reason))
        return pushes

    def eviction(self, sid: str, reason: str) -> Push:
        """Word to a connection that it is no longer inside."""
        return Push(sid, "session:evicted", {"session": self.uid, "reason": reason})

    def _others(self, seat: Seat) -> Iterator[tuple[str, Seat]]:
        for other in self.seats.values():
            if other is not seat and other.sid is not None:
                yield other.sid, other


def _log_failure(answer: asyncio.Future[Any]) -> None:
    if not answer.cancelled() and (error := answer.exception()):
        log.error("step of a room failed: %s", describe_failure(error))


def peer(seat: Seat, viewer: Seat) -> dict[str, Any]:
    """A seat as somebody else sees it; exactly one of a pair is the polite side."""
    return {
        "participant": seat.participant,
        "person": seat.person,
        "name": seat.name,
        "role": seat.role,
        "capacity": seat.capacity,
        "inviter": seat.inviter,
        "connected": seat.sid is not None,
        "epoch": seat.epoch,
        "polite": viewer.rank > seat.rank,
        "muted": seat.muted,
        "camera_off": seat.camera_off,
        "mode": seat.mode.model_dump(exclude={"session"}) if seat.mode else None,
        "joined_at": seat.joined_at.isoformat(),
    }


def peer_absent() -> Conflict:
    """The refusal of whatever needs somebody who is not there."""
    return Conflict("peer_absent", N_("Người kia hiện không ở trong phòng"))


def not_joined() -> Conflict:
    """The refusal of whatever can only be done inside."""
    return Conflict("not_joined", N_("Bạn chưa vào phòng này"))


@dataclass
class _Owner:
    """The worker of a room and what waits for it."""

    room: Room
    queue: asyncio.Queue[tuple[Step[Any], asyncio.Future[Any]]]


class Rooms:
    """All rooms of this process; each step runs in its room's worker, one after another."""

    def __init__(self, tasks: TaskOwner) -> None:
        self._tasks = tasks
        self._owners: dict[str, _Owner] = {}

    def __iter__(self) -> Iterator[Room]:
        return iter([owner.room for owner in self._owners.values()])

    def has(self, uid: str) -> bool:
        """True while somebody has a seat there."""
        return uid in self._owners

    def find(self, uid: str) -> Room | None:
        """A room to look at, or to change without a pause in between."""
        owner = self._owners.get(uid)
        return owner.room if owner else None

    async def run(self, uid: str, step: Step[ResultT]) -> ResultT:
        """Do something in a room. Raises what the step raises, and Unavailable (`busy`)."""
        result: ResultT = await self._post(uid, step)
        return result

    def start(self, uid: str, step: Step[Any]) -> bool:
        """The same without waiting; False when there is no such room, or it is too busy."""
        if not self.has(uid):
            return False
        try:
            self._post(uid, step).add_done_callback(_log_failure)
        except Unavailable:
            return False
        return True

    def _post(self, uid: str, step: Step[Any]) -> asyncio.Future[Any]:
        owner = self._owners.get(uid)
        if owner is None:
            owner = _Owner(Room(uid), asyncio.Queue(MOST_WAITING))
            self._owners[uid] = owner
            self._tasks.start(f"room {uid}", self._work(owner))
        answer = asyncio.get_running_loop().create_future()
        try:
            owner.queue.put_nowait((step, answer))
        except asyncio.QueueFull:
            raise Unavailable("busy", N_("Phòng đang bận. Thử lại sau ít giây.")) from None
        return answer

    async def _work(self, owner: _Owner) -> None:
        uid = owner.room.uid
        while owner.room.seats or not owner.queue.empty():
            step, answer = await owner.queue.get()
            try:
                result = await step(owner.room)
            except Exception as error:  # noqa: BLE001 - whoever asked hears of it
                if not answer.done():
                    answer.set_exception(error)
            else:
                if not answer.done():
                    answer.set_result(result)
        # Nothing was awaited since the queue was seen empty, so nothing can be lost here.
        if self._owners.get(uid) is owner:
            del self._owners[uid]
