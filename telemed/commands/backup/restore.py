"""`telemed restore FILE`: a backup onto an empty host, with everything verified."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from telemed.commands.backup.archive import (
    DATABASES,
    MANIFEST,
    SECRET_KEY,
    Manifest,
    Member,
    read_manifest,
    read_members,
    sha256_of,
)
from telemed.commands.backup.engines import (
    COUNT,
    Engine,
    engine_of,
    named_files,
    sync_folder,
)
from telemed.commands.backup.save import add_file_arguments, key_mark
from telemed.commands.backup.sealing import BackupDamaged, SealedReader, read_passphrase
from telemed.commands.base import Command, CommandFailed
from telemed.commands.check import check_chain
from telemed.commands.tables import only_writer
from telemed.core.anchors import FILE as ANCHORS
from telemed.core.audit import ChainFault
from telemed.core.config import Settings
from telemed.core.db import Database
from telemed.imaging.storage import DirectoryStorage

WORKING = ".restore-"


@dataclass
class Restored:
    """What was put back."""

    manifest: Manifest
    records: int = 0


def restore(settings: Settings, file: Path, passphrase: bytes) -> Restored:
    """Put a backup back. Nothing is in its place before all of it was read and held good."""
    engine = engine_of(settings)
    _require_empty(settings, engine)
    with _working_folder(settings.data_dir) as folder:
        copy = engine.place_for(folder)
        copy.unlink(missing_ok=True)
        try:
            manifest = _unpack(file, passphrase, engine, folder, copy)
            _require_key(settings, manifest, folder)
            restored = Restored(manifest)

            def settle(url: str) -> None:
                _verify(url, folder, restored)
                _put_files(settings.data_dir, folder)

            engine.put_back(copy, settle)
        finally:
            copy.unlink(missing_ok=True)
    return restored


def _require_empty(settings: Settings, engine: Engine) -> None:
    data = settings.data_dir
    kept = [path for path in (data / ANCHORS, data / SECRET_KEY) if path.exists()]
    kept += [path for path in (data / "files").rglob("*") if path.is_file()][:1]
    if kept:
        raise CommandFailed(f"restore needs an empty host; {kept[0]} is there")
    if not engine.is_empty():
        raise CommandFailed("restore needs an empty host; the database holds something")


@contextmanager
def _working_folder(data_dir: Path) -> Iterator[Path]:
    data_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=WORKING, dir=data_dir) as name:
        yield Path(name)


def _unpack(file: Path, passphrase: bytes, engine: Engine, folder: Path, copy: Path) -> Manifest:
    """Every member into the working folder, held against the account at the end."""
    seen: dict[str, str] = {}
    manifest = None
    try:
        with file.open("rb") as source:
            for member in read_members(SealedReader(source, passphrase)):
                if manifest is not None:
                    raise BackupDamaged("the backup goes on after its end")
                if member.name == MANIFEST:
                    manifest = read_manifest(member)
                else:
                    path = _path_of(member, engine, folder, copy)
                    seen[member.name] = member.write_to(path)
    except OSError as error:
        raise CommandFailed(f"cannot read {file}: {error.strerror}") from error
    if manifest is None:
        raise BackupDamaged("the backup has no end")
    _compare(manifest, seen, engine)
    return manifest


def _path_of(member: Member, engine: Engine, folder: Path, copy: Path) -> Path:
    """Names come from a file that somebody brought: only those we know lead anywhere."""
    if sha256 := sha256_of(member.name):
        return DirectoryStorage(folder / "files").path_of(sha256)
    if member.name in {ANCHORS, SECRET_KEY}:
        return folder / member.name
    if member.name == DATABASES[engine.name]:
        return copy
    if member.name in DATABASES.values():
        raise CommandFailed(f"this backup is of another kind of database than {engine.name}")
    raise BackupDamaged(f"the backup holds something unknown: {member.name}")


def _compare(manifest: Manifest, seen: dict[str, str], engine: Engine) -> None:
    expected = {name: account["sha256"] for name, account in manifest.members.items()}
    for name in sorted(expected.keys() | seen.keys()):
        if expected.get(name) != seen.get(name):
            raise BackupDamaged(f"{name} is not what was saved")
        sha256 = sha256_of(name)
        if sha256 is not None and sha256 != seen[name] and sha256 not in manifest.damaged:
            raise BackupDamaged(f"{name} is not what was saved")
    if DATABASES[engine.name] not in seen:
        raise BackupDamaged("the backup holds no database")


def _require_key(settings: Settings, manifest: Manifest, folder: Path) -> None:
    """Second factors are sealed with the secret key: without it nobody gets in."""
    own = folder / SECRET_KEY
    given = settings.secret_key.get_secret_value() or settings.secret_key_file
    if given is None or given == "":
        if not own.exists():
            raise CommandFailed("TELEMED_SECRET_KEY: give the key of the installation saved here")
        return
    if key_mark(settings) != manifest.key_mark:
        raise CommandFailed("TELEMED_SECRET_KEY: not the key of the installation saved here")


def _put_files(data_dir: Path, folder: Path) -> None:
    """Everything but the database, which makes the restore a fact."""
    if (folder / "files").exists():
        shutil.rmtree(data_dir / "files", ignore_errors=True)
        (folder / "files").rename(data_dir / "files")
    for name in (ANCHORS, SECRET_KEY):
        if (folder / name).exists():
            (folder / name).rename(data_dir / name)
    sync_folder(data_dir)


@dataclass(frozen=True)
class _Found:
    """What a restored database says of itself."""

    rows: dict[str, int]
    files: list[str]
    records: int
    fault: ChainFault | None


async def _look_into(url: str, tables: Collection[str], anchors: Path) -> _Found:
    database = Database(url)
    try:
        async with database.read() as work:
            connection = await work.session.connection()
            rows = {
                table: (await connection.execute(text(COUNT.format(table=table)))).scalar_one()
                for table in tables
            }
            files = [row[0] for row in await connection.execute(text(named_files(tables)))]
        records, fault = await check_chain(database, anchors)
        return _Found(rows, files, records, fault)
    finally:
        await database.close()


def _verify(url: str, folder: Path, restored: Restored) -> None:
    """Rows, files and audit chain of a restored database. Raises BackupDamaged."""
    manifest = restored.manifest
    found = asyncio.run(_look_into(url, manifest.rows, folder / ANCHORS))
    for table, count in found.rows.items():
        if count != manifest.rows[table]:
            raise BackupDamaged(f"{table} has {count} rows, not {manifest.rows[table]}")
    storage = DirectoryStorage(folder / "files")
    for sha256 in found.files:
        if not storage.path_of(sha256).exists() and sha256 not in manifest.damaged:
            raise BackupDamaged(f"a row names a file that is not there: {sha256}")
    if found.fault is not None:
        where = f"record {found.fault.sequence}: {found.fault.problem}"
        raise BackupDamaged(f"the audit chain is broken at {where}")
    restored.records = found.records


def _restore(settings: Settings, given: argparse.Namespace) -> None:
    passphrase = read_passphrase(given.key_file)
    with only_writer(settings):
        restored = restore(settings, given.file, passphrase)
    manifest = restored.manifest
    files = sum(sha256_of(name) is not None for name in manifest.members)
    print(f"Restored what was saved at {manifest.made_at} (Telemed {manifest.version}):")
    print(f"  {sum(manifest.rows.values())} rows in {len(manifest.rows)} tables, as counted then")
    print(f"  {files} files, each with its SHA-256")
    print(f"  an audit chain of {restored.records} records, which holds")
    for sha256 in manifest.damaged:
        print(f"  missing or damaged already then: {sha256}")


RESTORE = Command(
    "restore", "put a backup onto an empty host", _restore, add_file_arguments, needs_key=False
)
