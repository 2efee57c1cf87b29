"""Makes PDF files, in a process of its own (see `telemed/core/worker_loop.py`).

The first frame is the setup (JSON with `css` and, for a signature, `certificate` and `password`),
each further one a page (JSON with `html`). What is laid out may have been typed by anybody: nothing
is fetched but what stands in the page itself (`data:`).
"""

from __future__ import annotations

import io
import json
import resource
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_BYTES = 16 * 1024 * 1024
CAPS = {resource.RLIMIT_AS: 1536 * 1024 * 1024, resource.RLIMIT_CORE: 0}
# PDF/UA-1 (ISO 14289-1): tagged, with language and title, so that it can be read aloud.
VARIANT = "pdf/ua-1"


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


def set_up(frame: bytes) -> Callable[[bytes], bytes]:
    """What makes a page into a file."""
    given = json.loads(frame)
    render = _renderer(given["css"])
    # The first page loads fonts and hyphenation: done before anybody waits.
    render("<!doctype html><html lang=vi><title>Telemed</title><p>Telemed")
    sign = None
    if given.get("certificate"):
        sign = _signer(given["certificate"], given.get("password", ""))

    def make(page: bytes) -> bytes:
        pdf = render(json.loads(page)["html"])
        return sign(pdf) if sign else pdf

    return make
