"""How much one participant, one room and one relay may ask of it."""

from __future__ import annotations

import re
from typing import Final

OFFER_BYTES: Final = 128 * 1024
OFFER_LINES: Final = 4000
LINE_BYTES: Final = 2048
# A viewer has one voice and one picture for each of eleven others.
OFFER_SECTIONS: Final = 24
OFFER_CANDIDATES: Final = 128
PUBLISHED_SECTIONS: Final = 2
RIDS: Final = 3

ROOMS: Final = 64
# Twelve who publish and watch, each with a second connection beside the one it takes the place of.
PEERS_IN_A_ROOM: Final = 48
NAME_LENGTH: Final = 64
NAME: Final = re.compile(rf"[A-Za-z0-9_-]{{1,{NAME_LENGTH}}}", re.ASCII)
CONNECT_SECONDS: Final = 30.0
CLOSE_SECONDS: Final = 5.0

DATAGRAM_BYTES: Final = 1500
# STUN and DTLS, per connection: setting one up takes some dozens.
HANDSHAKES_A_SECOND: Final = 100.0
HANDSHAKES_AT_ONCE: Final = 200.0
WAITING_HANDSHAKES: Final = 64
# A publisher with two layers sends 1.3 Mbit/s; probing may double it.
PUBLISHED_BYTES_A_SECOND: Final = 750_000.0
PUBLISHED_BYTES_AT_ONCE: Final = 1_000_000.0
LAYERS_OF_A_TRACK: Final = 4
STREAMS_OF_A_PUBLISHER: Final = 16

HISTORY_PACKETS: Final = 1024
NACKED_AT_ONCE: Final = 64


class Bucket:
    """A token bucket: so much a second, so much at once."""

    def __init__(self, per_second: float, at_once: float, now: float) -> None:
        self._per_second = per_second
        self._at_once = at_once
        self._left = at_once
        self._filled_at = now

    def take(self, amount: float, now: float) -> bool:
        """Whether `amount` may pass; what may not is not counted."""
        grown = self._left + (now - self._filled_at) * self._per_second
        self._left = min(self._at_once, grown)
        self._filled_at = now
        if amount > self._left:
            return False
        self._left -= amount
        return True

    def refill_at(self, per_second: float, at_once: float) -> None:
        """Other bounds from now on."""
        self._per_second, self._at_once = per_second, at_once
