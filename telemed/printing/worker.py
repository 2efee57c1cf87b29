"""Makes PDF files in a process of its own, one after the other: `python -I worker.py`.

Frames go both ways: four bytes of length, then the bytes. The first one to come is the setup (JSON
with `css` and, for a signature, `certificate` and `password`), each further one a page (JSON with
`html`). An answer begins with `+` and the PDF, or `-` and one line that says what was wrong.

What is laid out may have been typed by anybody: nothing is fetched but what stands in the page
itself (`data:`), and memory is capped before the library is loaded.
"""

from __future__ import annotations

import io
import json
import resource
import struct
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY_BYTES = 1536 * 1024 * 1024
MOST_FRAME_BYTES = 16 * 1024 * 1024
# PDF/UA-1 (ISO 14289-1): tagged, with language and title, so that it can be read aloud.
VARIANT = "pdf/ua-1"


def _cap() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next frame, None at the end. Raises EOFError in the middle of one."""
    head = stream.read(4)
    if not head:
        return None
    (size,) = struct.unpack(">I", head)
    if size > MOST_FRAME_BYTES:
        raise EOFError
    body = stream.read(size)
    if len(body) < size:
        raise EOFError
    return body


def write_frame(stream: BinaryIO, body: bytes) -> None:
    """Send one frame."""
    stream.write(struct.pack(">I", len(body)) + body)
    stream.flush()


def _renderer(css: str) -> Callable[[str], bytes]:
    from weasyprint import CSS, HTML
    from weasyprint.text.fonts import FontConfiguration
    from weasyprint.urls import URLFetcher

    fetcher = URLFetcher(allowed_protocols=["data"])
    fonts = FontConfiguration()
    style = CSS(string=css, font_config=fonts, url_fetcher=fetcher)

    def render(html: str) -> bytes:
        page = HTML(string=html, url_fetcher=fetcher)
        found = page.write_pdf(stylesheets=[style], font_config=fonts, pdf_variant=VARIANT)
        assert found is not None
        return bytes(found)

    return render


def _signer(certificate: str, password: str) -> Callable[[bytes], bytes]:
    """Adds a PAdES baseline signature (ETSI EN 319 142-1, B-B) with an organisation's key."""
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign import signers
    from pyhanko.sign.fields import SigSeedSubFilter

    opened = signers.SimpleSigner.load_pkcs12
    signer = opened(certificate, passphrase=password.encode() or None)  # type: ignore[no-untyped-call] # as shipped
    if signer is None:
        raise ValueError("certificate cannot be opened")
    about = signers.PdfSignatureMetadata(field_name="Telemed", subfilter=SigSeedSubFilter.PADES)

    def sign(pdf: bytes) -> bytes:
        signed = io.BytesIO()
        signers.sign_pdf(IncrementalPdfFileWriter(io.BytesIO(pdf)), about, signer, output=signed)
        return signed.getvalue()

    return sign


def _set_up(given: dict[str, Any]) -> Callable[[str], bytes]:
    render = _renderer(given["css"])
    # The first page loads fonts and hyphenation: done before anybody waits.
    render("<!doctype html><html lang=vi><title>Telemed</title><p>Telemed")
    if not given.get("certificate"):
        return render
    sign = _signer(given["certificate"], given.get("password", ""))
    return lambda html: sign(render(html))


def main() -> int:
    """Answer until there is nothing more to read."""
    _cap()
    stream_in, stream_out = sys.stdin.buffer, sys.stdout.buffer
    make: Callable[[str], bytes] | None = None
    while (frame := read_frame(stream_in)) is not None:
        try:
            given = json.loads(frame)
            if make is None:
                make = _set_up(given)
                answer = b"+"
            else:
                answer = b"+" + make(given["html"])
        except (Exception, SystemExit) as error:  # noqa: BLE001 # whatever a page does, the next one is made
            answer = b"-" + type(error).__name__.encode()
        write_frame(stream_out, answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
