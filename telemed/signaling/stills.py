"""Stills on their way to one viewer: one at a time, each sender's newest, in turn. No sockets here."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

# After this long a still without an answer is held to be lost.
STILL_SECONDS: Final = 10.0
Content = TypeVar("Content")


class StillQueue(Generic[Content]):
    """What a viewer has yet to get; never more than one still of each sender."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[int, Content]] = {}
        self._shown: tuple[str, int] | None = None
        self._shown_at = 0.0

    def offer(self, sender: str, number: int, content: Content, now: float) -> list[Content]:
        """A newer still takes the place of the one that waits; what may go out now."""
        self._waiting[sender] = (number, content)
        return self._next(now)

    def see(self, sender: str, number: int, now: float) -> list[Content] | None:
        """A still has arrived: what may go out now. None for one that never was in this queue."""
        if self._shown != (sender, number):
            return None
        self._shown = None
        return self._next(now)

    def drop(self, sender: str) -> None:
        """They have gone."""
        self._waiting.pop(sender, None)

    def _next(self, now: float) -> list[Content]:
        is_under_way = self._shown is not None and now - self._shown_at < STILL_SECONDS
        if is_under_way or not self._waiting:
            return []
        sender = next(iter(self._waiting))
        number, content = self._waiting.pop(sender)
        self._shown, self._shown_at = (sender, number), now
        return [content]
