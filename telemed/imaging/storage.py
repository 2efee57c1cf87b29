"""Where bytes are kept: content-addressed, written aside, fsynced, renamed."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from telemed.core.errors import N_, TooLarge
from telemed.imaging.content import HEAD_BYTES

LEFTOVER_SECONDS = 24 * 60 * 60


@dataclass(frozen=True)
class Received:
    """Bytes that have arrived whole but are not yet kept."""

    path: Path
    sha256: str
    size_bytes: int
    head: bytes


class Storage(Protocol):
    """Keeps bytes under their SHA-256."""

    async def receive(self, chunks: AsyncIterator[bytes], limit_bytes: int) -> Received:
        """Take a stream in. Raises TooLarge as soon as it passes the limit."""
        ...

    async def keep(self, received: Received) -> None:
        """Make received bytes durable; a second copy of the same bytes changes nothing."""
        ...

    async def discard(self, received: Received) -> None:
        """Forget received bytes."""
        ...

    def path_of(self, sha256: str) -> Path:
        """The file that holds kept bytes."""
        ...

    async def remove(self, sha256: str) -> None:
        """Delete kept bytes, where the law says so; gone already is no mistake."""
        ...


class DirectoryStorage:
    """Storage in a directory of this machine."""

    def __init__(self, folder: Path) -> None:
        self._incoming = folder / "incoming"
        self._objects = folder / "objects"

    @classmethod
    def prepared(cls, folder: Path) -> Self:
        """Storage in this folder, made if need be; what came only half is dropped after a day."""
        storage = cls(folder)
        storage._incoming.mkdir(parents=True, exist_ok=True)
        storage._objects.mkdir(parents=True, exist_ok=True)
        for leftover in storage._incoming.iterdir():
            if time.time() - leftover.stat().st_mtime > LEFTOVER_SECONDS:
                leftover.unlink(missing_ok=True)
        return storage

    async def receive(self, chunks: AsyncIterator[bytes], limit_bytes: int) -> Received:
        """Take a stream in. Raises TooLarge as soon as it passes the limit."""
        path = self._incoming / secrets.token_hex(16)
        digest, size, head = hashlib.sha256(), 0, b""
        target = await asyncio.to_thread(path.open, "xb")
        try:
            async for chunk in chunks:
                size += len(chunk)
                if size > limit_bytes:
                    raise TooLarge(
                        "file_too_large",
                        N_("Tệp lớn quá {limit} MB"),
                        limit=limit_bytes // (1024 * 1024),
                    )
                head = (head + chunk)[:HEAD_BYTES]
                digest.update(chunk)
                await asyncio.to_thread(target.write, chunk)
            await asyncio.to_thread(_flush, target)
        except BaseException:
            await asyncio.to_thread(_drop, path, target)
            raise
        await asyncio.to_thread(target.close)
        return Received(path, digest.hexdigest(), size, head)

    async def keep(self, received: Received) -> None:
        """Make received bytes durable; a second copy of the same bytes changes nothing."""
        await asyncio.to_thread(self._keep, received)

    def _keep(self, received: Received) -> None:
        target = self.path_of(received.sha256)
        target.parent.mkdir(exist_ok=True)
        received.path.chmod(0o440)
        # Over a copy of the same bytes, whole at every moment for whoever reads it.
        received.path.replace(target)
        for folder in (target.parent, target.parent.parent):
            _sync_folder(folder)

    async def discard(self, received: Received) -> None:
        """Forget received bytes."""
        await asyncio.to_thread(received.path.unlink, missing_ok=True)

    def path_of(self, sha256: str) -> Path:
        """The file that holds kept bytes."""
        return self._objects / sha256[:2] / sha256

    async def remove(self, sha256: str) -> None:
        """Delete kept bytes, where the law says so; gone already is no mistake."""
        await asyncio.to_thread(self.path_of(sha256).unlink, missing_ok=True)


def received_file(path: Path) -> Received:
    """A small file that a worker wrote, made durable and measured. Blocks."""
    with path.open("rb") as source:
        data = source.read()
        os.fsync(source.fileno())
    return Received(path, hashlib.sha256(data).hexdigest(), len(data), data[:HEAD_BYTES])


def _flush(target: BinaryIO) -> None:
    target.flush()
    os.fsync(target.fileno())


def _drop(path: Path, target: BinaryIO) -> None:
    target.close()
    path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
