"""What a file is, what is made of it, and where its bytes are kept."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from telemed.core.errors import TooLarge
from telemed.imaging import previews
from telemed.imaging.content import HEAD_BYTES, MediaType, display_name, media_type_of
from telemed.imaging.previews import Previewer
from telemed.imaging.storage import LEFTOVER_SECONDS, DirectoryStorage, Received
from tests import pictures
from tests.servers import ROOT

# --- what it is ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (pictures.picture("JPEG"), MediaType.JPEG),
        (pictures.picture("PNG"), MediaType.PNG),
        (pictures.picture("WEBP"), MediaType.WEBP),
        (pictures.PDF, MediaType.PDF),
        (pictures.polyglot(), MediaType.JPEG),
        (pictures.GIF, None),
        (pictures.PE, None),
        (pictures.HTML, None),
        (pictures.SVG, None),
        (pictures.ZIP, None),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", None),
        (b"RIFF\x00\x00\x00\x00WEB", None),
        (b"\xff\xd8", None),
        (b" " + pictures.PDF, None),
        (b"%PDF", None),
        (b"", None),
    ],
)
def test_a_file_is_known_by_its_first_bytes(data: bytes, expected: MediaType | None) -> None:
    assert media_type_of(data[:HEAD_BYTES]) is expected


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("ảnh X-quang.JPG", "ảnh X-quang.jpg"),
        ("Chụp phổi thẳng.jpeg", "Chụp phổi thẳng.jpg"),
        ("../../etc/passwd", "passwd.jpg"),
        ("..\\..\\boot.ini", "boot.jpg"),
        ("/", "tep.jpg"),
        ("..", "tep.jpg"),
        (".htaccess", "tep.jpg"),
        ("virus.jpg.exe", "virus.jpg.jpg"),
        ('a"; filename="b.html', 'a"; filename="b.jpg'),
        ("a\r\nSet-Cookie: x=y.png", "aSet-Cookie: x=y.jpg"),
        ("a\0b.png", "ab.jpg"),
        ("gpj.\u202eexe", "gpj.jpg"),
        ("Lo\u0300.png", "Lò.jpg"),
        ("a" * 300 + ".png", "a" * 120 + ".jpg"),
        ("", "tep.jpg"),
        (None, "tep.jpg"),
    ],
)
def test_a_name_is_no_path_and_has_the_true_ending(given_name: str | None, shown: str) -> None:
    assert display_name(given_name, MediaType.JPEG) == shown


@given(st.text(st.characters(), max_size=300))
def test_no_name_leaves_its_folder_or_its_header(given_name: str) -> None:
    name = display_name(given_name, MediaType.PDF)
    assert name.endswith(".pdf")
    assert 5 <= len(name) <= 200
    assert not set(name) & set("/\\\r\n\0\u202e")
    assert not name.startswith(".")
    assert name.encode()


# --- what is made of it ----------------------------------------------------------------------


async def preview_of(folder: Path, data: bytes) -> Image.Image | None:
    """The preview that the worker makes of these bytes."""
    source = folder / "source"
    await asyncio.to_thread(source.write_bytes, data)
    received = Received(source, hashlib.sha256(data).hexdigest(), len(data), data[:HEAD_BYTES])
    made = await Previewer().make(received)
    if made is None:
        assert kept(folder) == ["source"]
        return None
    shown = made.received.path.read_bytes()
    assert hashlib.sha256(shown).hexdigest() == made.received.sha256
    image = Image.open(BytesIO(shown))
    image.info["original"] = (made.width, made.height)
    image.info["bytes"] = shown
    return image


@pytest.mark.parametrize(
    "data",
    [
        pictures.picture("JPEG"),
        pictures.picture("JPEG", mode="CMYK"),
        pictures.picture("JPEG", progressive=True),
        pictures.picture("PNG", mode="P", transparency=0),
        pictures.picture("PNG", mode="LA"),
        pictures.picture("PNG", mode="1"),
        pictures.picture("WEBP", mode="RGBA"),
        pictures.broken_exif(),
    ],
)
async def test_a_picture_becomes_a_small_one_of_another_kind(tmp_path: Path, data: bytes) -> None:
    shown = await preview_of(tmp_path, data)
    assert shown
    assert shown.format == "WEBP"
    assert len(set(shown.convert("L").tobytes())) > 20


async def test_an_x_ray_keeps_its_greys(tmp_path: Path) -> None:
    shown = await preview_of(tmp_path, pictures.x_ray())
    assert shown
    greys = shown.convert("L").resize((1, 3)).tobytes()
    assert [round(grey / 42.5) for grey in greys] == [1, 3, 5]


async def test_a_preview_tells_nothing_beside_the_picture(tmp_path: Path) -> None:
    shown = await preview_of(tmp_path, pictures.photograph())
    assert shown
    assert dict(shown.getexif()) == {}
    assert not {"exif", "xmp", "icc_profile", "comment"} & set(shown.info)
    for secret in (b"Exif", b"Giang", "Máy ảnh".encode(), b"GPS"):
        assert secret not in shown.info["bytes"]


async def test_a_photograph_is_shown_upright_and_its_size_kept(tmp_path: Path) -> None:
    shown = await preview_of(tmp_path, pictures.photograph(orientation=6))
    assert shown
    assert shown.size == (48, 64)
    assert shown.info["original"] == (64, 48)


async def test_a_large_picture_is_made_small(tmp_path: Path) -> None:
    shown = await preview_of(tmp_path, pictures.picture(size=(4000, 3000)))
    assert shown
    assert shown.size == (1024, 768)
    assert len(shown.info["bytes"]) < 60_000


async def test_a_script_inside_a_picture_does_not_come_out(tmp_path: Path) -> None:
    assert pictures.SCRIPT in pictures.polyglot()
    shown = await preview_of(tmp_path, pictures.polyglot())
    assert shown
    assert b"script" not in shown.info["bytes"]


@pytest.mark.parametrize(
    "data",
    [
        pictures.png_of(60_000, 60_000),
        pictures.picture("PNG", (8001, 5000), mode="1"),
        pictures.text_bomb(),
        pictures.picture("JPEG", (800, 600))[:2000],
        pictures.picture("PNG", (800, 600))[:2000],
        pictures.png_of(0, 0),
        b"\xff\xd8\xff\xe0" + os.urandom(2000),
        pictures.picture("GIF"),
        pictures.HTML,
        b"",
    ],
    ids=["60k", "41MP", "text", "cut jpeg", "cut png", "empty png", "noise", "gif", "html", "none"],
)
async def test_what_is_no_picture_or_a_bomb_gives_none(tmp_path: Path, data: bytes) -> None:
    started = time.monotonic()
    assert await preview_of(tmp_path, data) is None
    assert time.monotonic() - started < previews.TIME_LIMIT_SECONDS


async def test_a_worker_that_takes_too_long_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "TIME_LIMIT_SECONDS", 0.001)
    assert await preview_of(tmp_path, pictures.picture()) is None


@pytest.mark.parametrize(
    "excess",
    [
        "bytearray(2 * 1024**3)",
        "[open('/dev/null') for _ in range(100)]",
        "open('large', 'wb').write(bytes(8 * 1024**2))",
    ],
)
def test_a_worker_gets_only_so_much_of_the_machine(tmp_path: Path, excess: str) -> None:
    program = f"from telemed.imaging.preview_worker import _cap; _cap(); {excess}"
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    assert ended.returncode != 0
    assert b"MemoryError" in ended.stderr or b"OSError" in ended.stderr


# --- where it is kept ------------------------------------------------------------------------


@pytest.fixture
def storage(tmp_path: Path) -> DirectoryStorage:
    return DirectoryStorage.prepared(tmp_path / "files")


async def chunks(*data: bytes) -> AsyncIterator[bytes]:
    for chunk in data:
        yield chunk


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


async def test_bytes_are_kept_under_their_checksum(
    storage: DirectoryStorage, tmp_path: Path
) -> None:
    data = [b"%PDF", b"", b"-1.7", os.urandom(100_000)]
    received = await storage.receive(chunks(*data), 200_000)
    whole = b"".join(data)
    digest = hashlib.sha256(whole).hexdigest()
    assert (received.sha256, received.size_bytes) == (digest, len(whole))
    assert received.head == whole[:HEAD_BYTES]
    await storage.keep(received)
    assert storage.path_of(digest).read_bytes() == whole
    assert storage.path_of(digest).stat().st_mode & 0o777 == 0o440
    assert kept(tmp_path) == [digest]


async def test_the_same_bytes_many_times_are_kept_once(
    storage: DirectoryStorage, tmp_path: Path
) -> None:
    arrived = [await storage.receive(chunks(b"same"), 10) for _ in range(20)]
    await asyncio.gather(*(storage.keep(received) for received in arrived))
    assert kept(tmp_path) == [hashlib.sha256(b"same").hexdigest()]
    assert storage.path_of(arrived[0].sha256).read_bytes() == b"same"


async def test_one_byte_too_many_leaves_nothing(storage: DirectoryStorage, tmp_path: Path) -> None:
    assert (await storage.receive(chunks(b"12345", b"67890"), 10)).size_bytes == 10
    with pytest.raises(TooLarge):
        await storage.receive(chunks(b"12345", b"678901"), 10)
    assert len(kept(tmp_path)) == 1


async def test_what_breaks_off_leaves_nothing(storage: DirectoryStorage, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await storage.receive(broken(), 10)
    assert kept(tmp_path) == []


async def test_what_is_discarded_is_gone(storage: DirectoryStorage, tmp_path: Path) -> None:
    received = await storage.receive(chunks(b"a"), 10)
    await storage.discard(received)
    await storage.discard(received)
    assert kept(tmp_path) == []


def test_what_a_crash_left_behind_goes_after_a_day(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    DirectoryStorage.prepared(folder)
    old, new = (folder / "incoming" / name for name in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half")
    past = time.time() - LEFTOVER_SECONDS - 1
    os.utime(old, (past, past))
    DirectoryStorage.prepared(folder)
    assert kept(tmp_path) == ["new"]
