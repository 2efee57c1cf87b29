"""Voice that carries its last packet once more (RFC 2198): its form, and who gets it. Pure."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from telemed.media.recording.opus import read_red

OFFSET_LIMIT: Final = 1 << 14
LENGTH_LIMIT: Final = 1 << 10
MOST_OLDER: Final = 4

FROM_LOSS: Final = 0.03
UNTIL_LOSS: Final = 0.01
HOLD_SECONDS: Final = 20.0
SMOOTHING: Final = 0.4
ROOM_SHARE: Final = 0.95
TRIAL_SECONDS: Final = 15.0
WORSE_BY: Final = 0.05
RETREAT_SECONDS: Final = 60.0


class Voice(NamedTuple):
    """What one packet says: its own voice, and of the packets before it (age, voice), oldest first."""

    newest: bytes
    older: tuple[tuple[int, bytes], ...] = ()


def unpack(payload: bytes) -> Voice | None:
    """A redundant payload taken apart; None for garbage."""
    parts = tuple(read_red(payload))
    if not parts or not parts[-1][1]:
        return None
    return Voice(parts[-1][1], parts[-1 - MOST_OLDER : -1])


def pack(voice: bytes, timestamp: int, before: tuple[int, bytes] | None, opus: int) -> bytes:
    """A redundant payload of this voice and the one `before` it (its time, voice)."""
    if before:
        age = (timestamp - before[0]) & 0xFFFFFFFF
        if 0 < age < OFFSET_LIMIT and len(before[1]) < LENGTH_LIMIT:
            head = (0x80 | opus) << 24 | age << 10 | len(before[1])
            return head.to_bytes(4, "big") + bytes([opus]) + before[1] + voice
    return bytes([opus]) + voice


class Protection:
    """Whether one viewer gets every voice twice: while packets are lost, and there is room."""

    def __init__(self) -> None:
        self.is_on = False
        self._loss = 0.0
        self._lossy_at = self._since = self._failed_at = -math.inf
        self._loss_before = 0.0

    def hear(self, now: float, lost: float) -> None:
        """The viewer reports which share of its packets was lost."""
        self._loss += SMOOTHING * (lost - self._loss)
        if self._loss > UNTIL_LOSS:
            self._lossy_at = now

    def judge(self, now: float, estimate: float, voices: float) -> bool:
        """Twice, from now on? `voices` is what they take once, in bits a second, as `estimate` is.

        Without an estimate (0) it is tried, and what it does to the loss decides.
        """
        has_room = not estimate or estimate * ROOM_SHARE >= 2 * voices
        if not self.is_on:
            may_try = now - self._failed_at >= RETREAT_SECONDS
            if self._loss > FROM_LOSS and has_room and may_try:
                self.is_on = True
                self._since, self._loss_before = now, self._loss
        elif self._has_failed(now):
            self.is_on = False
            self._failed_at = now
        elif not has_room or now - self._lossy_at >= HOLD_SECONDS:
            self.is_on = False
        return self.is_on

    def _has_failed(self, now: float) -> bool:
        """The link was full, not bad: what was added is lost as well."""
        is_trial = now - self._since < TRIAL_SECONDS
        return is_trial and self._loss > 2 * self._loss_before + WORSE_BY
