"""What a backup promises of itself: sealed, accounted for, whole; tried on small ones."""

from __future__ import annotations

import asyncio
import hashlib
import io
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from telemed.commands.backup import sealing
from telemed.commands.backup.archive import ArchiveWriter, Manifest
from telemed.commands.backup.restore import Restored, restore
from telemed.commands.backup.save import key_mark, save
from telemed.commands.backup.sealing import (
    BackupDamaged,
    SealedReader,
    SealedWriter,
    read_passphrase,
)
from telemed.commands.base import CommandFailed
from telemed.commands.tables import bring_up
from telemed.core.anchors import FILE as ANCHORS
from telemed.core.anchors import anchor
from telemed.core.audit import AuditTag
from telemed.core.config import Settings, load_settings
from telemed.core.db import Database
from telemed.imaging.models import FileState, StoredFile
from telemed.imaging.storage import DirectoryStorage
from tests.factories import Factory

PASSPHRASE = b"a passphrase of some length"
SMALL_CHUNK = 64
PICTURE = b"a picture of somebody"
PICTURE_SHA256 = hashlib.sha256(PICTURE).hexdigest()


def _seal(data: bytes, passphrase: bytes = PASSPHRASE) -> bytes:
    target = io.BytesIO()
    writer = SealedWriter(target, passphrase)
    for start in range(0, len(data), 10):
        writer.write(data[start : start + 10])
    writer.finish()
    return target.getvalue()


def _open(sealed: bytes, passphrase: bytes = PASSPHRASE) -> bytes:
    reader = SealedReader(io.BytesIO(sealed), passphrase)
    return b"".join(iter(lambda: reader.read(7), b""))


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks small enough to have many of them."""
    monkeypatch.setattr(sealing, "CHUNK", SMALL_CHUNK)


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 128, 129, 1000])
def test_what_was_sealed_opens_again(small_chunks: None, length: int) -> None:
    data = bytes(number % 251 for number in range(length))
    assert _open(_seal(data)) == data


def test_a_change_of_any_byte_is_found(small_chunks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = _seal(b"patients of a province " * 8)
    derived = sealing._derive(PASSPHRASE, sealed[len(sealing.MAGIC) :][:16])
    monkeypatch.setattr(sealing, "_derive", _remembering(derived, sealed))
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(BackupDamaged):
            _open(bytes(changed))


def _remembering(derived: sealing._Keys, sealed: bytes) -> Callable[[bytes, bytes], sealing._Keys]:
    """The slow derivation once for the right salt, and for any other a key that fits nothing."""
    salt = sealed[len(sealing.MAGIC) :][:16]
    other = sealing._derive(PASSPHRASE, b"x" * 16)
    return lambda _passphrase, asked: {salt: derived}.get(asked, other)


def test_a_cut_at_any_chunk_is_found(small_chunks: None) -> None:
    data = b"x" * SMALL_CHUNK * 4
    sealed = _seal(data)
    head, step = len(sealed) - 4 * (SMALL_CHUNK + 16), SMALL_CHUNK + 16
    for whole in range(4):
        with pytest.raises(BackupDamaged):
            _open(sealed[: head + whole * step])


def test_swapped_chunks_are_found(small_chunks: None) -> None:
    sealed = _seal(b"x" * SMALL_CHUNK * 4)
    head, step = len(sealed) - 4 * (SMALL_CHUNK + 16), SMALL_CHUNK + 16
    first, second = sealed[head : head + step], sealed[head + step : head + 2 * step]
    swapped = sealed[:head] + second + first + sealed[head + 2 * step :]
    with pytest.raises(BackupDamaged):
        _open(swapped)


def test_another_passphrase_opens_nothing() -> None:
    with pytest.raises(BackupDamaged, match="passphrase"):
        _open(_seal(b"secret"), b"another passphrase")


def test_any_other_file_is_told_to_be_none_of_ours() -> None:
    with pytest.raises(BackupDamaged, match="no backup"):
        _open(b"PK\x03\x04" + bytes(100))


def test_a_short_passphrase_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("short\n")
    with pytest.raises(CommandFailed, match="at least 16"):
        read_passphrase(path)


@pytest.fixture
def old(tmp_path: Path) -> Settings:
    """An SQLite installation with one stored file, which made its own secret key."""
    settings = load_settings(data_dir=tmp_path / "old")
    settings.signing_key()
    path = _path_of_picture(settings)
    path.parent.mkdir(parents=True)
    path.write_bytes(PICTURE)
    asyncio.run(_settle(settings))
    return settings


@pytest.fixture
def new(tmp_path: Path) -> Settings:
    """A host on which nothing is."""
    return load_settings(data_dir=tmp_path / "new")


def _path_of_picture(settings: Settings) -> Path:
    return DirectoryStorage(settings.data_dir / "files").path_of(PICTURE_SHA256)


async def _settle(settings: Settings) -> None:
    database = Database(settings.database, settings=settings)
    await bring_up(database)
    async with database.work() as work:
        case = await Factory(work).case()
        subject = f"consult:{case.consult.uid}"
        stored = StoredFile(
            consult_id=case.consult.id or 0,
            patient_id=case.patient.id or 0,
            station_id=case.station.id or 0,
            uploaded_by_id=case.doctor.id,
            sha256=PICTURE_SHA256,
            size_bytes=len(PICTURE),
            media_type="image/png",
            original_name="anh.png",
            state=FileState.RECEIVED,
            at=work.now(),
        )
        work.session.add(stored)
        work.audit(AuditTag.FILE_WRITE, case.doctor, subject)
        await anchor(work, {})
    await database.close()


def _move(old: Settings, new: Settings) -> Restored:
    file = old.data_dir.parent / "backup"
    save(old, file, PASSPHRASE)
    return restore(new, file, PASSPHRASE)


def test_everything_moves_the_key_and_the_anchors_too(old: Settings, new: Settings) -> None:
    restored = _move(old, new)
    assert restored.records == 1
    assert restored.manifest.damaged == []
    assert _path_of_picture(new).read_bytes() == PICTURE
    assert (new.data_dir / ANCHORS).read_bytes() == (old.data_dir / ANCHORS).read_bytes()
    key = new.data_dir / "secret_key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert new.signing_key() == old.signing_key()
    assert sorted(path.name for path in new.data_dir.iterdir()) == [
        *(ANCHORS, "files", "secret_key"),
        "telemed.sqlite3",
    ]


def test_a_backup_is_for_its_owner_alone_and_leaves_nothing_behind(
    old: Settings, tmp_path: Path
) -> None:
    before = sorted(old.data_dir.iterdir())
    save(old, tmp_path / "backup", PASSPHRASE)
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o600
    left = {"telemed.sqlite3-shm", "telemed.sqlite3-wal"}
    assert [path for path in sorted(old.data_dir.iterdir()) if path.name not in left] == before


def test_nothing_of_a_backup_can_be_read_without_its_passphrase(
    old: Settings, tmp_path: Path
) -> None:
    save(old, tmp_path / "backup", PASSPHRASE)
    sealed = (tmp_path / "backup").read_bytes()
    assert b"SQLite format" not in sealed
    assert PICTURE not in sealed
    assert old.signing_key() not in sealed


def test_a_file_that_is_gone_is_told_of_and_the_rest_is_saved(old: Settings, new: Settings) -> None:
    _path_of_picture(old).unlink()
    assert _move(old, new).manifest.damaged == [PICTURE_SHA256]


def test_a_file_that_was_changed_on_the_disk_is_told_of(old: Settings, new: Settings) -> None:
    _path_of_picture(old).write_bytes(b"another picture")
    assert _move(old, new).manifest.damaged == [PICTURE_SHA256]


def test_a_database_with_a_bent_audit_chain_is_not_put_into_place(
    old: Settings, new: Settings
) -> None:
    with closing(sqlite3.connect(old.data_dir / "telemed.sqlite3")) as connection:
        connection.execute("DROP TRIGGER audit_record_no_UPDATE")
        connection.execute("UPDATE audit_record SET subject = 'nobody'")
        connection.commit()
    with pytest.raises(BackupDamaged, match="audit chain"):
        _move(old, new)
    assert list(new.data_dir.iterdir()) == []


def _archive(manifest: Manifest, folder: Path, fill: Callable[[ArchiveWriter], None]) -> Path:
    """A sealed backup of somebody who knows the passphrase and what is inside."""
    path = folder / "made"
    with path.open("wb") as target:
        sealed = SealedWriter(target, PASSPHRASE)
        archive = ArchiveWriter(sealed, manifest)
        fill(archive)
        archive.finish()
        sealed.finish()
    return path


def _manifest(settings: Settings) -> Manifest:
    return Manifest("sqlite", "2026-11-23T02:00:00+00:00", "0", key_mark(settings), rows={})


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "files/../../evil", "files/abc", "x"])
def test_no_member_leads_anywhere_else(
    old: Settings, new: Settings, tmp_path: Path, name: str
) -> None:
    made = _archive(_manifest(old), tmp_path, lambda archive: archive.add_bytes(name, b"evil"))
    with pytest.raises(BackupDamaged, match="unknown"):
        restore(new, made, PASSPHRASE)
    assert list(new.data_dir.iterdir()) == []


def test_a_backup_of_the_other_engine_is_refused(
    old: Settings, new: Settings, tmp_path: Path
) -> None:
    made = _archive(
        _manifest(old), tmp_path, lambda archive: archive.add_bytes("database.dump", b"PGDMP")
    )
    with pytest.raises(CommandFailed, match="another kind of database"):
        restore(new, made, PASSPHRASE)


def test_a_backup_without_a_database_is_none(old: Settings, new: Settings, tmp_path: Path) -> None:
    made = _archive(_manifest(old), tmp_path, lambda archive: archive.add_bytes(ANCHORS, b"{}"))
    with pytest.raises(BackupDamaged, match="no database"):
        restore(new, made, PASSPHRASE)


@pytest.mark.parametrize("there", ["secret_key", ANCHORS, "files/objects/ab/abc"])
def test_a_host_with_anything_on_it_is_not_empty(old: Settings, new: Settings, there: str) -> None:
    path = new.data_dir / there
    path.parent.mkdir(parents=True)
    path.write_text("x")
    with pytest.raises(CommandFailed, match="empty host"):
        _move(old, new)
    assert path.read_text() == "x"
