"""A recording: a file for each participant, all on one time line and paused together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from telemed.media.recording.packets import Packet, SenderReport
from telemed.media.recording.participant import ParticipantRecorder, WrittenFile
from telemed.media.recording.timeline import Timeline
from telemed.media.recording.webm import StorageFull


@dataclass(frozen=True)
class Outcome:
    """What a recording left; `refusal` is the code of what ended it before its time."""

    files: tuple[WrittenFile, ...]
    refusal: str | None = None


class Recording:
    """Files `<stem>-1.webm`, `<stem>-2.webm` … in `directory`, in the order people came."""

    def __init__(
        self,
        directory: Path,
        stem: str,
        now: float,
        ask_key_frame: Callable[[str], None],
        note: Callable[[WrittenFile], None] | None = None,
    ) -> None:
        self._directory = directory
        self._stem = stem
        self._timeline = Timeline()
        self._timeline.begin(now)
        self._ask_key_frame = ask_key_frame
        self._note = note or _note_nothing
        self._participants: dict[str, ParticipantRecorder] = {}
        self._files: list[WrittenFile] = []
        self._count = 0
        self._refusal: str | None = None

    def add(self, source: str, now: float) -> None:
        """Somebody came; known already: nothing happens."""
        if source in self._participants:
            return
        self._count += 1
        participant = ParticipantRecorder(
            source,
            self._directory / f"{self._stem}-{self._count}.webm",
            now,
            lambda: self._ask_key_frame(source),
        )
        if self._timeline.is_paused:
            participant.pause(now)
        self._participants[source] = participant

    def remove(self, source: str, now: float) -> None:
        """Somebody left for good: their file is finished."""
        participant = self._participants.pop(source, None)
        if participant is not None:
            self._finish(participant, now)

    def push(self, source: str, packet: Packet) -> None:
        """Take a packet of a participant; unknown ones are passed over."""
        if source in self._participants:
            self._participants[source].push(packet)

    def report(self, source: str, report: SenderReport) -> None:
        """Take a sender report of a participant."""
        if source in self._participants:
            self._participants[source].report(report)

    def tick(self, now: float) -> None:
        """Call it about every 100 ms. Raises StorageFull."""
        for participant in self._participants.values():
            participant.tick(now)
            if not participant.is_noted:
                self._note_beginning(participant)

    def pause(self, now: float) -> None:
        """Nothing that is sent from now on is written."""
        self._timeline.pause(now)
        for participant in self._participants.values():
            participant.pause(now)

    def resume(self, now: float) -> None:
        """Go on; the files go on where they paused."""
        self._timeline.resume(now)
        for participant in self._participants.values():
            participant.resume(now)

    def close(self, now: float) -> Outcome:
        """Finish every file. What does not fit any more is left out and said."""
        for participant in self._participants.values():
            self._finish(participant, now)
        self._participants.clear()
        return Outcome(tuple(self._files), self._refusal)

    def _finish(self, participant: ParticipantRecorder, now: float) -> None:
        try:
            participant.flush(now)
        except StorageFull as full:
            self._refusal = full.code
        file = participant.close(self._timeline.began or now)
        if file is not None:
            self._files.append(file)
            self._note(file)

    def _note_beginning(self, participant: ParticipantRecorder) -> None:
        """A file has begun; where it stands on the time line is known from now on."""
        file = participant.begun(self._timeline.began)
        if file is not None:
            self._note(file)


def _note_nothing(_file: WrittenFile) -> None:
    """Nobody keeps notes."""
