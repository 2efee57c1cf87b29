"""Stand-ins for what lies outside the process; they keep to the same protocols as the real ones."""

from __future__ import annotations

from telemed.core.db import Announcement


class FakeAnnouncer:
    """Remembers every hint that was sent after a commit."""

    def __init__(self) -> None:
        self.hints: list[Announcement] = []

    async def announce(self, hints: list[Announcement]) -> None:
        self.hints.extend(hints)

    def events(self, channel: str) -> list[str]:
        """What was hinted on one channel, oldest first."""
        return [hint.event for hint in self.hints if hint.channel == channel]
