"""Reads QR codes in pictures, in a process of its own (see `telemed/core/worker_loop.py`).

A question is a picture; the answer is JSON: `texts`, what the codes in it say, or `refused`, why it
was not looked at. Whoever sent the picture may want to break its reader, so the size in pixels is
read from the head alone, and no file can be written.
"""

from __future__ import annotations

import io
import json
import resource
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from zxingcpp import Barcode

MOST_BYTES = 200_000
MOST_PIXELS = 2_000_000
MOST_TEXTS = 4
MOST_CHARACTERS = 4000
FORMATS = ("JPEG", "PNG", "WEBP")
CAPS = {
    resource.RLIMIT_AS: 512 * 1024 * 1024,
    # What is written to pipes does not count: the picture cannot be kept, by mistake or on purpose.
    resource.RLIMIT_FSIZE: 0,
    resource.RLIMIT_CORE: 0,
}


def set_up(_frame: bytes) -> Callable[[bytes], bytes]:
    """What reads a picture."""
    import zxingcpp
    from PIL import Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin  # noqa: F401 # loaded before the first picture comes

    kinds = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])
    warnings.simplefilter("error", Image.DecompressionBombWarning)

    def read(picture: bytes) -> bytes:
        with Image.open(io.BytesIO(picture), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                return json.dumps({"refused": "pixels"}).encode()
            grey = image.convert("L")
        found = zxingcpp.read_barcodes(grey, formats=kinds)
        texts = [_text(code)[:MOST_CHARACTERS] for code in found[:MOST_TEXTS]]
        return json.dumps({"texts": texts}).encode()

    return read


def _text(code: Barcode) -> str:
    """Cards carry UTF-8 without saying so, and a short text can be taken for something else."""
    try:
        return bytes(code.bytes).decode()
    except UnicodeDecodeError:
        return str(code.text)
