"""Rooms whose media a server forwards: what the rest of Telemed may ask of whoever does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Picture(StrEnum):
    """The most that a viewer wants of one publisher's picture."""

    LARGE = "large"
    SMALL = "small"
    NONE = "none"


class Redundancy(StrEnum):
    """How voice goes to one viewer: as its losses ask for; as it came; each packet twice, or once."""

    AUTO = "auto"
    PASS = "pass"  # noqa: S105 - no password
    MAKE = "make"
    STRIP = "strip"


@dataclass(frozen=True)
class Wish:
    """What one viewer wants of one publisher. Voice always comes."""

    picture: Picture = Picture.LARGE
    redundancy: Redundancy = Redundancy.AUTO


@dataclass(frozen=True)
class PeerStats:
    """What passed one participant's connection so far; rates in bits a second."""

    name: str
    is_connected: bool
    packets_received: int
    packets_sent: int
    packets_dropped: int
    estimate: int
    paused: tuple[str, ...]


@dataclass(frozen=True)
class RoomStats:
    """The publishers and the viewers of one room."""

    publishers: tuple[PeerStats, ...]
    viewers: tuple[PeerStats, ...]


class MediaRooms(Protocol):
    """Forwards media among the participants of rooms.

    Raises `Invalid` for offers that are none, `Missing` for rooms and participants unknown,
    `Conflict` for what is taken or full, `Unavailable` while the media process is not there.
    """

    async def open_room(self, room: str) -> None:
        """Make a room."""
        ...

    async def close_room(self, room: str) -> None:
        """End every connection of a room; an unknown room is closed already."""
        ...

    async def publish(self, room: str, name: str, offer: str) -> str:
        """Take what `name` sends; the answer.

        Who publishes again replaces what they sent; whoever watched it subscribes again.
        """
        ...

    async def subscribe(self, room: str, name: str, offer: str, publishers: Sequence[str]) -> str:
        """Send to the viewer `name` what the publishers send; the answer.

        The nth section for voice, and the nth for pictures, are those of the nth publisher.
        """
        ...

    async def set_wish(self, room: str, viewer: str, publisher: str, wish: Wish) -> None:
        """Change what a viewer gets of a publisher."""
        ...

    async def leave(self, room: str, name: str) -> None:
        """End both connections of a participant."""
        ...

    async def get_stats(self, room: str) -> RoomStats:
        """What passed so far."""
        ...

    async def start_recording(self, room: str, directory: str, stem: str) -> None:
        """Begin a recording that is called `stem`; nobody is in it yet.

        It outlives the room and its connections: who publishes again goes on in the same file.
        """
        ...

    async def set_recording(self, room: str, names: Sequence[str], *, is_paused: bool) -> None:
        """Who is recorded from now on. Raises `Missing` when none runs (any more)."""
        ...

    async def end_recording(self, room: str) -> str | None:
        """Finish the files; the code of what ended it before its time. Raises `Missing`."""
        ...
