"""Reads QR codes in pictures, in a process of its own, one after the other: `python -I scan_worker.py`.

Frames go both ways: four bytes of length, then the bytes. One that comes is a picture, one that goes
is JSON: `texts`, what the codes in it say, or `refused`, why it was not looked at; the first says
that the reader is loaded.

Whoever sent the picture may want to break its reader, so memory is capped before Pillow sees a byte,
the size in pixels is read from the head alone, and no file can be written.
"""

from __future__ import annotations

import io
import json
import resource
import struct
import sys
import warnings
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable

    from zxingcpp import Barcode

MEMORY_BYTES = 512 * 1024 * 1024
MOST_BYTES = 200_000
MOST_PIXELS = 2_000_000
MOST_TEXTS = 4
MOST_CHARACTERS = 4000
FORMATS = ("JPEG", "PNG", "WEBP")


def _cap() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    # What is written to pipes does not count: the picture cannot be kept, by mistake or on purpose.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _reader() -> Callable[[bytes], dict[str, object]]:
    import zxingcpp
    from PIL import Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin  # noqa: F401 # loaded before the first picture comes

    kinds = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])
    warnings.simplefilter("error", Image.DecompressionBombWarning)

    def read(picture: bytes) -> dict[str, object]:
        with Image.open(io.BytesIO(picture), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                return {"refused": "pixels"}
            grey = image.convert("L")
        found = zxingcpp.read_barcodes(grey, formats=kinds)
        return {"texts": [_text(code)[:MOST_CHARACTERS] for code in found[:MOST_TEXTS]]}

    return read


def _text(code: Barcode) -> str:
    """Cards carry UTF-8 without saying so, and a short text can be taken for something else."""
    try:
        return bytes(code.bytes).decode()
    except UnicodeDecodeError:
        return str(code.text)


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next frame, None at the end. Raises EOFError in the middle of one."""
    head = stream.read(4)
    if not head:
        return None
    (size,) = struct.unpack(">I", head)
    if size > MOST_BYTES:
        raise EOFError
    body = stream.read(size)
    if len(body) < size:
        raise EOFError
    return body


def write_frame(stream: BinaryIO, answer: dict[str, object]) -> None:
    """Send one frame."""
    body = json.dumps(answer).encode()
    stream.write(struct.pack(">I", len(body)) + body)
    stream.flush()


def main() -> int:
    """Answer until there is nothing more to read."""
    _cap()
    read = _reader()
    write_frame(sys.stdout.buffer, {})
    while (picture := read_frame(sys.stdin.buffer)) is not None:
        try:
            answer = read(picture)
        except Exception:  # noqa: BLE001 # any failure of a decoder means the same: not readable
            answer = {"refused": "unreadable"}
        write_frame(sys.stdout.buffer, answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
