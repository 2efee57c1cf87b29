"""Papers are laid out in a process of their own, which nothing that is printed can harm or use."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from cryptography.x509.oid import NameOID
from pydantic import SecretStr
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from telemed.core.config import SigningSettings
from telemed.core.errors import Unavailable
from telemed.printing.printer import LIMITS, Printer
from tests.papers import count_pages, text_of

MARKS = "ẰẲẴẶẮ ằẳẵặắ ỀỂỄỆẾ ỜỞỠỢỚ ỪỬỮỰỨ Đđ Ỷỹ"


def page(body: str, title: str = "Giấy thử") -> str:
    return f'<!doctype html><html lang="vi"><head><title>{title}</title></head><body>{body}</body></html>'


@pytest.fixture
async def printer() -> AsyncIterator[Printer]:
    printer = Printer()
    yield printer
    await printer.close()


async def test_vietnamese_marks_come_out_as_they_went_in(printer: Printer) -> None:
    pdf = await printer.make(page(f"<p>{MARKS}</p>"))
    assert pdf.startswith(b"%PDF-")
    assert MARKS in text_of(pdf)


async def test_a_paper_can_be_read_aloud(printer: Printer) -> None:
    pdf = await printer.make(page("<h1>Biên bản</h1><p>Chào</p>", "Trích biên bản"))
    root = PdfFileReader(io.BytesIO(pdf)).root
    assert root["/MarkInfo"]["/Marked"]
    assert str(root["/Lang"]) == "vi"
    assert "/StructTreeRoot" in root
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert b"pdfuaid" in root["/Metadata"].data


async def test_pages_are_numbered(printer: Printer) -> None:
    body = '<span class="page-word">Trang</span>' + "<p>Một đoạn dài.</p>" * 200
    pdf = await printer.make(page(body))
    pages = count_pages(pdf)
    assert pages > 1
    for number in range(1, pages + 1):
        assert f"Trang {number}/{pages}" in text_of(pdf)


async def test_nothing_is_fetched_but_what_stands_in_the_page(
    printer: Printer, unused_tcp_port: int
) -> None:
    asked: list[str] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readline()).decode())
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", unused_tcp_port)
    secret = Path("/etc/hostname")
    body = (
        f'<img src="http://127.0.0.1:{unused_tcp_port}/a.png"><img src="file://{secret}">'
        f'<link rel="stylesheet" href="http://127.0.0.1:{unused_tcp_port}/b.css">'
        f'<object data="file:///etc/passwd"></object><p>Còn chữ này</p>'
        f'<a rel="attachment" href="file:///etc/passwd">x</a>'
    )
    pdf = await printer.make(page(body))
    server.close()
    assert asked == []
    assert "Còn chữ này" in text_of(pdf)
    assert b"root:" not in pdf
    assert b"/EmbeddedFile" not in pdf


@pytest.mark.parametrize(
    "body",
    [
        "<p>" + "ă" * 20_000 + "</p>",
        "<div>" * 300,
        "<p>&#0;&#xFFFF;\u202e</p>",
        "<table>" * 50,
        "\ud800",
    ],
)
async def test_odd_pages_harm_nobody(printer: Printer, body: str) -> None:
    (found,) = await asyncio.gather(printer.make(page(body)), return_exceptions=True)
    refused = isinstance(found, Unavailable) and found.code == "printer_unavailable"
    assert refused or (isinstance(found, bytes) and found.startswith(b"%PDF-"))
    assert "Tiếp" in text_of(await printer.make(page("<p>Tiếp</p>")))


async def test_a_page_that_takes_too_long_is_given_up_and_the_next_one_made(
    printer: Printer,
) -> None:
    await printer.make(page("<p>ấm</p>"))
    printer.worker.limits = replace(LIMITS, answer_seconds=0.05)
    with pytest.raises(Unavailable):
        await printer.make(page("<p>Một đoạn.</p>" * 3000))
    printer.worker.limits = LIMITS
    assert "Tiếp" in text_of(await printer.make(page("<p>Tiếp</p>")))


async def test_many_who_print_at_once_wait_their_turn_and_too_many_are_told(
    printer: Printer,
) -> None:
    pages = [printer.make(page(f"<p>số {number}</p>")) for number in range(LIMITS.waiting + 5)]
    found = await asyncio.gather(*pages, return_exceptions=True)
    made = [each for each in found if isinstance(each, bytes)]
    refused = [each for each in found if isinstance(each, Unavailable)]
    assert (len(made), len(refused)) == (LIMITS.waiting, 5)
    assert {each.code for each in refused} == {"printer_busy"}
    assert "số 0" in text_of(made[0])


def make_certificate(folder: Path) -> Path:
    """A certificate of an organisation that exists nowhere."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Bệnh viện Thử")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=True,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=False,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "organisation.p12"
    path.write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"test", key, made, None, BestAvailableEncryption(b"open")
        )
    )
    return path


async def test_a_paper_is_signed_where_the_installation_has_a_certificate(tmp_path: Path) -> None:
    path = await asyncio.to_thread(make_certificate, tmp_path)
    printer = Printer(SigningSettings(certificate=path, password=SecretStr("open")))
    try:
        pdf = await printer.make(page(f"<p>{MARKS}</p>"))
    finally:
        await printer.close()
    (signature,) = PdfFileReader(io.BytesIO(pdf)).embedded_signatures
    signature.compute_integrity_info()
    assert signature.sig_object["/SubFilter"] == "/ETSI.CAdES.detached"
    assert signature.signer_cert.subject.native["organization_name"] == "Bệnh viện Thử"
    assert MARKS in text_of(pdf)


async def test_a_changed_paper_is_signed_no_more(tmp_path: Path) -> None:
    path = await asyncio.to_thread(make_certificate, tmp_path)
    printer = Printer(SigningSettings(certificate=path, password=SecretStr("open")))
    try:
        pdf = await printer.make(page("<p>gốc</p>"))
    finally:
        await printer.close()
    assert await is_intact(pdf)
    changed = pdf.replace(b"%PDF-1.7", b"%PDF-1.6", 1)
    assert changed != pdf
    assert not await is_intact(changed)


async def is_intact(pdf: bytes) -> bool:
    """Whether a paper is what was signed, whoever signed it."""
    (signature,) = PdfFileReader(io.BytesIO(pdf)).embedded_signatures
    nobody = ValidationContext(trust_roots=[])
    status = await async_validate_pdf_signature(signature, nobody)
    return bool(status.intact and status.valid)


async def test_a_certificate_that_does_not_open_prints_nothing_unsigned(tmp_path: Path) -> None:
    path = await asyncio.to_thread(make_certificate, tmp_path)
    printer = Printer(SigningSettings(certificate=path, password=SecretStr("wrong")))
    with pytest.raises(Unavailable):
        await printer.make(page("<p>x</p>"))
    await printer.close()
