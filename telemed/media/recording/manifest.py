"""What a recording is made of, written beside its files, so that a crash loses no names or times."""

from __future__ import annotations

import fcntl
import json
import os
import struct
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from telemed.media.recording.webm import DURATION, PART_SUFFIX, checksum_of

HEAD_BYTES: Final = 4096


@dataclass(frozen=True)
class Noted:
    """A participant's file as far as it is known; without checksum while it is being written."""

    file: str
    name: str
    offset_ms: int
    duration_ms: int = 0
    sha256: str = ""
    size: int = 0
    # False for what a crash cut.
    is_whole: bool = True


class Manifest:
    """The notes of the recorder's process, which holds them locked as long as it writes."""

    def __init__(self, folder: Path, stem: str) -> None:
        self._path = _path(folder, stem)
        self._lock = os.open(_lock_path(folder, stem), os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._noted: dict[str, Noted] = {}

    def note(self, noted: Noted) -> None:
        """Write down what is known of one file."""
        if self._noted.get(noted.file) != noted:
            self._noted[noted.file] = noted
            _write(self._path, list(self._noted.values()))

    def close(self) -> None:
        """Nothing more will be written."""
        os.close(self._lock)


def is_being_written(folder: Path, stem: str) -> bool:
    """Whether a recorder's process is still at it. Blocks shortly."""
    try:
        descriptor = os.open(_lock_path(folder, stem), os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def close_manifest(folder: Path, stem: str) -> list[Noted]:
    """Every file that a recording left; those that a crash cut are closed now. Blocks."""
    path = _path(folder, stem)
    try:
        noted = [Noted(**each) for each in json.loads(path.read_text())]
    except FileNotFoundError:
        return []
    closed = [found for each in noted if (found := _closed(folder, each)) is not None]
    # Before the files are moved: what is found a second time is what was found now.
    _write(path, closed)
    return closed


def forget(folder: Path, stem: str) -> None:
    """The files are elsewhere. Blocks shortly."""
    _path(folder, stem).unlink(missing_ok=True)
    _lock_path(folder, stem).unlink(missing_ok=True)


def _closed(folder: Path, noted: Noted) -> Noted | None:
    if noted.sha256:
        return noted
    path = folder / noted.file
    part = path.with_name(path.name + PART_SUFFIX)
    if part.exists():
        # It plays and seeks as it is; only its name and checksum are missing.
        part.rename(path)
    elif not path.exists():
        return None
    return replace(
        noted,
        duration_ms=_duration_ms(path),
        sha256=checksum_of(path),
        size=path.stat().st_size,
        is_whole=False,
    )


def _write(path: Path, noted: list[Noted]) -> None:
    aside = path.with_suffix(".json.new")
    with aside.open("w") as target:
        json.dump([asdict(each) for each in noted], target)
        target.flush()
        os.fsync(target.fileno())
    aside.replace(path)


def _duration_ms(path: Path) -> int:
    """What the head of the file says, as of the last index. 0 where it says nothing."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    at = head.find(DURATION)
    if at < 0:
        return 0
    value: float = struct.unpack_from("!d", head, at + len(DURATION) + 1)[0]
    return round(value)


def _path(folder: Path, stem: str) -> Path:
    return folder / f"{stem}.json"


def _lock_path(folder: Path, stem: str) -> Path:
    return folder / f"{stem}.lock"
