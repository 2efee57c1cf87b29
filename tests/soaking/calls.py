"""What goes on in a province: calls of two, and a session of six whose media is relayed."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from tests.signaling.test_protocol import SDP
from tests.soaking.people import Member, Person, refusal_of

CANDIDATE: Final = {
    "candidate": "candidate:1 1 udp 2122260223 192.0.2.7 50000 typ host",
    "sdpMid": "0",
    "sdpMLineIndex": 0,
    "usernameFragment": "abcd",
}
CANDIDATES: Final = 5
STILL: Final = "UklGR" + "A" * 4003
RUNGS: Final = ("full", "small", "voice", "full")
WISHES: Final = ("small", "none", "large")
HEARTBEAT_SECONDS: Final = 1.0
MEASURED: Final = (
    *("media_ms", "packets_received", "packets_lost", "audio_ms", "concealed_ms"),
    *("freezes", "freeze_ms", "bytes_up", "bytes_down"),
)
TIMELINE: Final = [[5, 10, 10, 90, 300, 300]] * 12


@dataclass
class Tally:
    """What was done, and what went wrong."""

    calls: int = 0
    joins: int = 0
    messages: int = 0
    churns: int = 0
    failures: Counter[str] = field(default_factory=Counter)


class Rest(Protocol):
    """Where a call in full swing may be asked to stand still for a look."""

    async def __call__(self) -> None: ...


@dataclass(frozen=True)
class Pace:
    """How long each part of a call lasts, in heartbeats a second; how often one of six changes."""

    beats: int = 10
    churns: int = 20


class Call(Protocol):
    """Something that is begun, goes on and is ended."""

    async def once(self, rest: Rest) -> None: ...
    async def stop(self) -> None: ...


class Pair:
    """Two people of one case, browser to browser: the server carries their signals alone."""

    def __init__(self, consult: str, people: Sequence[Person], tally: Tally, pace: Pace) -> None:
        self._consult = consult
        self._people = tuple(people)
        self._tally = tally
        self._pace = pace

    async def once(self, rest: Rest) -> None:
        """One call from its beginning to its end."""
        session = await begin(self._people[-1], self._consult)
        await self._all_come(session)
        await self._talk()
        await rest()
        station, specialist = self._people
        await station.break_line()
        await self._talk()
        await specialist.leave()
        await self._come(specialist, session)
        await self._talk()
        await end(specialist, self._people)
        self._tally.calls += 1

    async def stop(self) -> None:
        for person in self._people:
            await person.go()

    async def _all_come(self, session: str) -> None:
        for person in self._people:
            await self._come(person, session)

    async def _come(self, person: Person, session: str) -> None:
        await person.come(session)
        self._tally.joins += 1

    async def _talk(self) -> None:
        await connect(*self._people)
        await converse(self._people, self._tally)
        await show(*self._people)
        for person in self._people:
            await measure(person)
        for _ in range(self._pace.beats):
            for person in self._people:
                await person.probe()
            await asyncio.sleep(HEARTBEAT_SECONDS)


class Conference:
    """Six people whose media goes through the relay; one after the other goes and comes again."""

    def __init__(self, consult: str, people: Sequence[Member], tally: Tally, pace: Pace) -> None:
        self._consult = consult
        self.people = tuple(people)
        self._tally = tally
        self._pace = pace

    async def once(self, rest: Rest) -> None:
        """One session from its beginning to its end."""
        station, specialist, *guests = self.people
        session = await begin(specialist, self._consult)
        for person in self.people:
            await self._come(person, session)
        await self._all_hear(self.people)
        for churn in range(self._pace.churns):
            await rest()
            await self._churn(guests[churn % len(guests)], session, churn)
        for guest in guests:
            await guest.leave()
        await station.is_direct()
        await specialist.is_direct()
        for person in (station, specialist):
            await person.stop()
        await end(specialist, (station, specialist))
        self._tally.calls += 1

    async def stop(self) -> None:
        for person in self.people:
            await person.stop()
            await person.go()

    async def _come(self, person: Member, session: str) -> None:
        await person.come(session)
        self._tally.joins += 1

    async def _churn(self, guest: Member, session: str, number: int) -> None:
        """One goes and comes again; another's line breaks, and media goes on meanwhile."""
        rest = [person for person in self.people if person is not guest]
        await guest.leave()
        await self._all_hear(rest)
        await self._come(guest, session)
        await self._all_hear(self.people)
        await rest[0].break_line()
        wish = WISHES[number % len(WISHES)]
        await rest[1].do("session:wish", publisher=guest.participant, picture=wish)
        await converse(self.people, self._tally)
        for person in self.people:
            await measure(person)
        self._tally.churns += 1
        for _ in range(self._pace.beats):
            for person in self.people:
                await person.probe()
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def _all_hear(self, people: Sequence[Member]) -> None:
        await asyncio.gather(*(person.hears(len(people) - 1) for person in people))
        for person in people:
            self._tally.failures.update(person.failures)
            person.failures.clear()


async def begin(caller: Person, consult: str) -> str:
    """Call the other side; the session."""
    answer = await caller.login.ask("POST", f"/consults/{consult}/call", {})
    return str(json.loads(answer)["url"]).rpartition("/")[2]


async def end(who: Person, people: Sequence[Person]) -> None:
    """End it for everybody; each of them is told."""
    await who.do("session:end")
    for person in people:
        await person.sees("session_ended")
        await person.go()


async def connect(one: Person, other: Person) -> None:
    """An offer, an answer, and what both can be reached at."""
    epoch = max(one.epoch, other.epoch)
    for sender, receiver, kind in ((one, other, "offer"), (other, one, "answer")):
        to = {"to": receiver.participant, "epoch": epoch}
        await sender.do(f"session:{kind}", description={"type": kind, "sdp": SDP}, **to)
        await receiver.sees(f"{kind} {epoch}")
        for _ in range(CANDIDATES):
            await sender.do("session:candidate", candidate=CANDIDATE, **to)
        await receiver.sees(f"candidate {epoch}")


async def converse(people: Sequence[Person], tally: Tally) -> None:
    """Everybody writes something, which reaches everybody."""
    for person in people:
        text = secrets.token_urlsafe(8)
        await person.do("session:chat", text=text, key=text)
        for each in people:
            await each.sees(f"chat {text}")
        tally.messages += len(people)


async def show(station: Person, specialist: Person) -> None:
    """Up and down the ladder, with a still where there is no picture."""
    for rung in RUNGS:
        mode = {"rung": rung, "reason": "link_slow", "ask": "full", "ask_reason": "start"}
        await station.do("session:mode", **mode)
    await specialist.do("session:state", muted=False, camera_off=True)
    number = secrets.randbelow(2**31)
    await station.do("session:still", to=specialist.participant, number=number, image=STILL)
    await specialist.sees(f"still {number}")
    await specialist.do("session:still-seen", to=station.participant, number=number)


async def measure(person: Person) -> None:
    """Tell how the call was so far, as a page does three times a minute."""
    await person.tell_quality(dict.fromkeys(MEASURED, 1000) | {"timeline": TIMELINE})


async def go_on(call: Call, tally: Tally, rest: Rest) -> None:
    """One call after the other; one that breaks down is counted, and another begun."""
    while True:
        try:
            await call.once(rest)
        except (AssertionError, TimeoutError, OSError) as error:
            tally.failures[refusal_of(error)] += 1
            await call.stop()
