"""`telemed backup FILE`: everything of an installation, while it serves."""

from __future__ import annotations

import argparse
import hmac
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from telemed import __version__
from telemed.commands.backup.archive import (
    DATABASES,
    SECRET_KEY,
    ArchiveWriter,
    Manifest,
    object_name,
)
from telemed.commands.backup.engines import engine_of, sync_folder
from telemed.commands.backup.sealing import SealedWriter, read_passphrase
from telemed.commands.base import Command, CommandFailed
from telemed.core.anchors import FILE as ANCHORS
from telemed.core.config import Settings
from telemed.imaging.storage import DirectoryStorage

WORKING = ".backup-"
FORGOTTEN_SECONDS = 24 * 60 * 60


def save(settings: Settings, file: Path, passphrase: bytes) -> Manifest:
    """Write a sealed backup; the file is whole, or not there. Its account is returned."""
    engine = engine_of(settings)
    with _working_folder(settings.data_dir) as folder, _whole_file(file) as target:
        # Before the database: an anchor taken later could lie beyond its snapshot.
        anchors = _read_if_there(settings.data_dir / ANCHORS)
        # Before the files: so that every file that a row names is there to be copied.
        snapshot = engine.take(folder)
        sealed = SealedWriter(target, passphrase)
        manifest = Manifest(
            engine=engine.name,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            version=__version__,
            key_mark=key_mark(settings),
            rows=snapshot.rows,
        )
        archive = ArchiveWriter(sealed, manifest)
        archive.add(DATABASES[engine.name], snapshot.path)
        _add_if_there(archive, ANCHORS, anchors)
        if own_key := _own_key(settings):
            _add_if_there(archive, SECRET_KEY, own_key.read_bytes())
        _add_files(archive, DirectoryStorage(settings.data_dir / "files"), snapshot.files)
        archive.finish()
        sealed.finish()
    return manifest


def key_mark(settings: Settings) -> str:
    """By what one tells whether an installation has the secret key of a backup."""
    return hmac.digest(settings.signing_key(), b"telemed backup", "sha256").hex()


def _own_key(settings: Settings) -> Path | None:
    """The key that the installation made for itself; one that was given stays with its giver."""
    is_given = settings.secret_key.get_secret_value() or settings.secret_key_file
    return None if is_given else settings.data_dir / SECRET_KEY


def _read_if_there(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _add_if_there(archive: ArchiveWriter, name: str, data: bytes) -> None:
    if data:
        archive.add_bytes(name, data)


def _add_files(archive: ArchiveWriter, storage: DirectoryStorage, files: Sequence[str]) -> None:
    for sha256 in files:
        path = storage.path_of(sha256)
        is_there = path.exists()
        if not is_there or archive.add(object_name(sha256), path) != sha256:
            archive.manifest.damaged.append(sha256)


@contextmanager
def _working_folder(data_dir: Path) -> Iterator[Path]:
    """Where the snapshot lies meanwhile: beside the data, for its owner alone."""
    data_dir.mkdir(parents=True, exist_ok=True)
    for old in data_dir.glob(f"{WORKING}*"):
        if time.time() - old.stat().st_mtime > FORGOTTEN_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=WORKING, dir=data_dir) as name:
        yield Path(name)


@contextmanager
def _whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name once everything is in it."""
    draft = path.with_name(f"{path.name}.part")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise CommandFailed(f"cannot write {draft}: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as target:
            yield target
            target.flush()
            os.fsync(target.fileno())
        draft.rename(path)
        sync_folder(path.parent)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _backup(settings: Settings, given: argparse.Namespace) -> None:
    if given.file.exists():
        raise CommandFailed(f"{given.file} exists already; backups are not overwritten")
    passphrase = read_passphrase(given.key_file)
    begun = time.monotonic()
    manifest = save(settings, given.file, passphrase)
    rows, files = sum(manifest.rows.values()), len(manifest.members)
    seconds = time.monotonic() - begun
    size = given.file.stat().st_size / 1024 / 1024
    print(f"{given.file}: {rows} rows, {files} members, {size:.1f} MiB, in {seconds:.1f} s")
    if manifest.damaged:
        names = ", ".join(manifest.damaged[:5])
        raise CommandFailed(
            f"saved, but {len(manifest.damaged)} stored files are missing or damaged: {names}"
        )


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    """Which file, and with which passphrase."""
    parser.add_argument("file", type=Path)
    parser.add_argument(
        "--key-file", type=Path, required=True, help="file with the passphrase of the backup"
    )


BACKUP = Command("backup", "save everything into one sealed file", _backup, add_file_arguments)
