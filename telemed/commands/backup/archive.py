"""What is inside a backup: a tar of members, and at its end a manifest that accounts for them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol, cast

from telemed.commands.backup.sealing import BackupDamaged

FORMAT = 1
MANIFEST = "manifest.json"
SECRET_KEY = "secret_key"  # noqa: S105 - the name of a file
FILES = "files/"
DATABASES: Mapping[str, str] = {
    "sqlite": "database.sqlite3",
    "postgresql": "database.dump",
}
_LARGEST_MANIFEST = 256 * 1024 * 1024
_PIECE = 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass
class Manifest:
    """What must be there after a restore."""

    engine: str
    made_at: str
    version: str
    key_mark: str
    rows: Mapping[str, int]
    format: int = FORMAT
    members: dict[str, dict[str, Any]] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)


def object_name(sha256: str) -> str:
    """The member that holds a kept file."""
    return f"{FILES}{sha256}"


def sha256_of(member: str) -> str | None:
    """The SHA-256 that a member is named by; None for anything but a kept file."""
    name = member.removeprefix(FILES)
    return name if member.startswith(FILES) and _SHA256.fullmatch(name) else None


class Sink(Protocol):
    """Something to write to: all that a tar stream asks for."""

    def write(self, data: bytes, /) -> int:
        """Take some bytes."""
        ...


class Spring(Protocol):
    """Something to read from."""

    def read(self, size: int, /) -> bytes:
        """Some bytes, none at the end."""
        ...


class ArchiveWriter:
    """Adds members to a stream, one after another, and notes their hashes."""

    def __init__(self, target: Sink, manifest: Manifest) -> None:
        stream = cast(IO[bytes], target)
        self._tar = tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - closed by `finish`
        self.manifest = manifest

    def add(self, name: str, path: Path) -> str:
        """A file of any size; its SHA-256."""
        with path.open("rb") as source:
            return self._add(name, source, os.fstat(source.fileno()).st_size)

    def add_bytes(self, name: str, data: bytes) -> None:
        """A small member."""
        self._add(name, io.BytesIO(data), len(data))

    def _add(self, name: str, source: IO[bytes], size: int) -> str:
        hashed = _Hashed(source)
        self._tar.addfile(_info(name, size), hashed)
        self.manifest.members[name] = {"sha256": hashed.hexdigest(), "size": size}
        return hashed.hexdigest()

    def finish(self) -> None:
        """The manifest, and the end of the tar."""
        data = json.dumps(asdict(self.manifest), indent=1).encode()
        self._tar.addfile(_info(MANIFEST, len(data)), io.BytesIO(data))
        self._tar.close()


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info


class _Hashed(io.RawIOBase):
    """Reads on, and hashes what goes by."""

    def __init__(self, source: IO[bytes]) -> None:
        super().__init__()
        self._source, self._hash = source, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self._hash.update(data)
        return data

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


@dataclass(frozen=True)
class Member:
    """One member of an archive, to be read before the next."""

    name: str
    source: IO[bytes]

    def write_to(self, path: Path) -> str:
        """Put it down durably, readable by the owner alone; its SHA-256."""
        path.parent.mkdir(parents=True, exist_ok=True)
        hashed = _Hashed(self.source)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as target:
            while piece := hashed.read(_PIECE):
                target.write(piece)
            target.flush()
            os.fsync(target.fileno())
        return hashed.hexdigest()


def read_members(source: Spring) -> Iterator[Member]:
    """The members of an archive in their order, the manifest last. Raises BackupDamaged."""
    try:
        with tarfile.open(fileobj=cast(IO[bytes], source), mode="r|") as tar:
            for info in tar:
                content = tar.extractfile(info) if info.isfile() else None
                if content is None:
                    raise BackupDamaged(f"the backup holds something that is no file: {info.name}")
                yield Member(info.name, content)
    except tarfile.TarError as error:
        raise BackupDamaged("the inside of the backup is damaged") from error


def read_manifest(member: Member) -> Manifest:
    """The account of an archive. Raises BackupDamaged for one of another format."""
    given = json.loads(member.source.read(_LARGEST_MANIFEST))
    if given.get("format") != FORMAT:
        raise BackupDamaged(f"this backup has the format {given.get('format')}, not {FORMAT}")
    manifest = Manifest(**given)
    if not all(table.isidentifier() for table in manifest.rows):
        raise BackupDamaged("this backup counts tables that cannot be")
    return manifest
