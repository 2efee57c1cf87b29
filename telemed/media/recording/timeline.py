"""From moments of the recorder's clock to milliseconds of the file; pauses are cut out."""

from __future__ import annotations


class Timeline:
    """Begins with the first frame, stands still during pauses, never goes back."""

    def __init__(self) -> None:
        self._zero: float | None = None
        self._paused_at: float | None = None
        self._resumed_at: float | None = None

    @property
    def is_paused(self) -> bool:
        """Whether time stands still."""
        return self._paused_at is not None

    @property
    def began(self) -> float | None:
        """When the file's first millisecond was, less all pauses; None before it."""
        return self._zero

    def begin(self, seconds: float) -> None:
        """The file starts at this moment."""
        self._zero = seconds

    def pause(self, now: float) -> None:
        """Nothing after `now` belongs into the file."""
        self._paused_at = now

    def resume(self, now: float) -> None:
        """Go on where the pause began; nothing before `now` belongs into the file."""
        if self._paused_at is not None and self._zero is not None:
            self._zero += now - self._paused_at
        self._paused_at = None
        self._resumed_at = now

    def holds(self, seconds: float) -> bool:
        """Whether that moment belongs into the file, as far as pauses say."""
        if self._paused_at is not None:
            return seconds <= self._paused_at
        return self._resumed_at is None or seconds >= self._resumed_at

    def milliseconds_at(self, seconds: float) -> int:
        """Where in the file that moment is; the file must have begun."""
        if self._zero is None:
            raise ValueError(seconds)
        return max(0, round((seconds - self._zero) * 1000))
