"""From RTP timestamps to the recorder's own clock, by the sender's reports."""

from __future__ import annotations

from math import inf

SLEW_SECONDS = 0.005
# A difference that no drift explains: the sender's clock was set.
STEP_SECONDS = 0.3


class Unwrapper:
    """Extends counters of `bits` bits so that they grow for ever; starts above 0."""

    def __init__(self, bits: int) -> None:
        self._span = 1 << bits
        self._newest: int | None = None

    def unwrap(self, value: int) -> int:
        """The extended counter nearest to the newest one seen."""
        if self._newest is None:
            self._newest = value + self._span
        half = self._span >> 1
        extended = self._newest + (value - self._newest + half) % self._span - half
        self._newest = max(self._newest, extended)
        return extended


class StreamClock:
    """Maps one stream's timestamps to seconds of the recorder's clock.

    A report gives the sender's time; `anchor` (one for all streams of a sender, so that they stay
    in step) takes it to the recorder's. Until a report came, the quickest packet stands for all.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._by_arrival = inf
        self._by_report: float | None = None

    @property
    def is_reported(self) -> bool:
        """Whether a sender report came."""
        return self._by_report is not None

    @property
    def own_anchor(self) -> float | None:
        """What takes the sender's clock to ours, as far as this stream can say."""
        if self._by_report is None or self._by_arrival == inf:
            return None
        return self._by_arrival - self._by_report

    def note_arrival(self, timestamp: int, arrival: float) -> None:
        """A packet came at `arrival` (seconds)."""
        self._by_arrival = min(self._by_arrival, arrival - timestamp / self._rate)

    def note_report(self, timestamp: int, ntp_seconds: float) -> None:
        """The sender says when `timestamp` was; small corrections are taken in small steps."""
        found = ntp_seconds - timestamp / self._rate
        error = inf if self._by_report is None else found - self._by_report
        if self._by_report is None or abs(error) > STEP_SECONDS:
            self._by_report = found
        else:
            self._by_report += max(-SLEW_SECONDS, min(SLEW_SECONDS, error))

    def seconds_at(self, timestamp: int, anchor: float | None) -> float:
        """When that was, in seconds of the recorder's clock."""
        return timestamp / self._rate + self._offset(anchor)

    def _offset(self, anchor: float | None) -> float:
        if self._by_report is None or anchor is None:
            return self._by_arrival
        return self._by_report + anchor
