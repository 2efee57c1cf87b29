"""Light media: real connections to the relay, packets made beforehand, counted where they arrive."""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from typing import Any, Final

from tests.media.peers import SyntheticPublisher, SyntheticViewer, picture
from tests.media.recording.sender import Microphone

TICK_SECONDS: Final = 0.02
TICKS_OF_A_PICTURE: Final = 5
PICTURES_OF_A_KEY: Final = 10
TICKS_OF_AN_ESTIMATE: Final = 50
ESTIMATE_BITS: Final = 3_000_000
FILLS: Final = {"s": 300, "l": 1000}
HALF: Final = 2**15
# Fewer say little of whether somebody is heard.
ENOUGH_VOICE: Final = 5


def speech() -> list[bytes]:
    """A second of encoded voice."""
    microphone = Microphone()
    return [microphone.encode(number * TICK_SECONDS) for number in range(50)]


class LightPublisher(SyntheticPublisher):
    """A voice of 50 packets a second and a picture of 10 frames in two layers."""

    def __init__(self, voice: list[bytes]) -> None:
        super().__init__()
        self._voice = voice
        self._number = 0

    def opened(self, kind: str) -> None:
        super().opened(kind)
        self.transport._handle_rtcp_data = _drop

    async def tick(self) -> None:
        """What is due every 20 ms."""
        self._number += 1
        await self.send_voice(self._number & 0xFFFF, self._voice[self._number % len(self._voice)])
        frame, rest = divmod(self._number, TICKS_OF_A_PICTURE)
        if rest == 0:
            for rid, fill in FILLS.items():
                is_key = frame % PICTURES_OF_A_KEY == 0
                payload = picture(frame & 0x7FFF, key=is_key, fill=fill)
                await self.send_picture(frame, payload, rid=rid)

    async def offered(self) -> str:
        """An offer of both layers."""
        return await self.offer(rids=tuple(FILLS))


class LightViewer(SyntheticViewer):
    """Counts what comes of so many others."""

    def __init__(self, others: int, changed: asyncio.Event) -> None:
        super().__init__(*["audio"] * others, *["video"] * others)
        self.changed = changed
        self._others = others
        self._newest: dict[int, int] = {}
        self._ticks = 0
        self.voices: Counter[int] = Counter()
        self.pictures = 0
        self.lost = 0

    def opened(self, kind: str) -> None:
        super().opened(kind)
        self.transport._handle_rtcp_data = _drop

    async def tick(self) -> None:
        """Say once a second what the line can take."""
        self._ticks += 1
        if self._ticks % TICKS_OF_AN_ESTIMATE == 0:
            await self.estimate(ESTIMATE_BITS)

    @property
    def hears_all(self) -> bool:
        """Each of the others has been heard through this connection."""
        return sum(count >= ENOUGH_VOICE for count in self.voices.values()) == self._others

    async def _hear(self, data: bytes, arrival_time_ms: int) -> None:
        _, kind, number, _, ssrc = struct.unpack_from("!BBHLL", data)
        if self.codecs[kind & 0x7F].startswith("audio/"):
            step = (number - self._newest.get(ssrc, number - 1)) & 0xFFFF
            self.lost += step - 1 if 1 < step < HALF else 0
            self._newest[ssrc] = number
            self.voices[ssrc] += 1
        else:
            self.pictures += 1
        self.changed.set()


async def _drop(_data: Any) -> None:
    """Reports are of no use here."""


class Clock:
    """Beats for everybody's media, one task for all of them."""

    def __init__(self) -> None:
        self.peers: set[LightPublisher | LightViewer] = set()

    async def run(self) -> None:
        """Until it is cancelled; a machine that is late sends late."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + TICK_SECONDS, loop.time() - 1)
            await asyncio.sleep(due - loop.time())
            for peer in tuple(self.peers):
                try:
                    await peer.tick()
                except ConnectionError:
                    # It is being closed at the other end.
                    self.peers.discard(peer)
