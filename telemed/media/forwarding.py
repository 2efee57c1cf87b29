"""Which way the media of a session goes, and why. Pure.

Whoever needs the server to forward a session says so with a reason of their own, and takes it back
with the same: `Forwarding.require(session, Reason.RECORDING)`, `Forwarding.release(…)`. On a running
server it is `Forwarder` (`telemed/signaling/forwarder.py`) that is told, under the same two names;
it tells the pages as well.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from enum import StrEnum
from typing import Final

# Browser to browser carries two; a relayed room as many as its pages and the relay were made for.
MOST_DIRECT: Final = 2
MOST_RELAYED: Final = 12
CANDIDATE_ADDRESS: Final = 4


class Way(StrEnum):
    """How media goes: browser to browser, or through the relay."""

    DIRECT = "direct"
    RELAY = "relay"


class Reason(StrEnum):
    """Why a session's media goes through the relay."""

    THIRD = "third"
    RECORDING = "recording"


class Forwarding:
    """The reasons of every session; one is enough."""

    def __init__(self) -> None:
        self._reasons: defaultdict[str, set[Reason]] = defaultdict(set)

    def require(self, session: str, reason: Reason) -> bool:
        """True when the session's media goes another way from now on."""
        before = self.way_of(session)
        self._reasons[session].add(reason)
        return before is Way.DIRECT

    def release(self, session: str, reason: Reason) -> bool:
        """True when the session's media goes another way from now on."""
        before = self.way_of(session)
        if session in self._reasons:
            self._reasons[session].discard(reason)
            if not self._reasons[session]:
                del self._reasons[session]
        return before is not self.way_of(session)

    def way_of(self, session: str) -> Way:
        """How its media should go now."""
        return Way.RELAY if self._reasons.get(session) else Way.DIRECT


def announced(answer: str, address: str) -> str:
    """The relay's answer with the address under which others reach it; "" leaves it as it is."""
    if not address:
        return answer
    version = ipaddress.ip_address(address).version
    return "\r\n".join(_announced(line, address, version) for line in answer.split("\r\n"))


def _announced(line: str, address: str, version: int) -> str:
    if not line.startswith("a=candidate:") or " typ host" not in line:
        return line
    parts = line.split(" ")
    if ipaddress.ip_address(parts[CANDIDATE_ADDRESS]).version == version:
        parts[CANDIDATE_ADDRESS] = address
    return " ".join(parts)
