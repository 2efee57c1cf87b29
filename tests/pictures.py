"""Pictures and files as they come: good ones, and ones that somebody made with care."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

from PIL import Image
from PIL.TiffImagePlugin import IFDRational

GPS_LATITUDE = 21.3856
SCRIPT = b"<script>alert(document.cookie)</script>"
PDF = b"%PDF-1.7\n1 0 obj <<>> endobj\ntrailer <<>>\n%%EOF\n"
PE = b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00"
HTML = b"<!doctype html><html><body>" + SCRIPT + b"</body></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
ZIP = b"PK\x03\x04\x14\x00\x00\x00\x08\x00"
GIF = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00;"


def picture(form: str = "JPEG", size: tuple[int, int] = (64, 48), **how: Any) -> bytes:
    """A picture with something on it."""
    mode = how.pop("mode", "RGB")
    image = Image.linear_gradient("L").resize(size).convert(mode)
    target = BytesIO()
    image.save(target, form, **how)
    return target.getvalue()


def photograph(orientation: int = 6) -> bytes:
    """A photograph that tells where and with what it was taken, and lies on its side."""
    exif = Image.Exif()
    exif[0x010F] = "Máy ảnh của Mỷ"
    exif[0x0112] = orientation
    exif.get_ifd(0x8825).update({1: "N", 2: (21.0, 23.0, IFDRational(810, 100))})
    return picture(exif=exif, comment=b"Giang Thi My, 1985")


def polyglot() -> bytes:
    """A JPEG that is also a page: a script among its comments and after its end."""
    return picture(comment=SCRIPT) + HTML


def broken_exif() -> bytes:
    """A photograph as some phones write them: the list of its facts is cut short."""
    whole = photograph(1)
    at = whole.index(b"Exif\0\0") + 14
    return whole[:at] + b"\xff\xff" + whole[at + 2 :]


def x_ray() -> bytes:
    """Grey in 12 bits of 16, as a detector gives it."""
    image = Image.new("I;16", (64, 64))
    for place in range(64 * 64):
        image.putpixel((place % 64, place // 64), place)
    target = BytesIO()
    image.save(target, "PNG")
    return target.getvalue()


def png_of(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG that says it is this large, with hardly anything in it."""
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    parts = [(b"IHDR", head), *chunks, (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, body) for name, body in parts)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def text_bomb() -> bytes:
    """A small PNG with a small text that unpacks to a hundred megabytes."""
    text = zlib.compress(b"\0" * 100_000_000, 9)
    return png_of(4, 4, (b"iTXt", b"a\0\1\0\0\0" + text))
