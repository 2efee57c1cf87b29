"""Texts in the QR codes of identity and health-insurance cards, as a scanner types them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from telemed.core.errors import N_, Invalid
from telemed.core.text import clean_line, fold
from telemed.patients.birth import Birth, checked_birth, full_birth, parse_birth
from telemed.patients.identity import (
    InsuranceNumber,
    parse_full_name,
    parse_insurance_number,
    parse_old_id_number,
    parse_personal_number,
    shown,
)
from telemed.patients.models import Sex

QR_LIMIT = 2000
_FIELD = "qr"
_ID_FIELDS = 6
_INSURANCE_FIELDS = 6
_SEXES = {"nam": Sex.MALE, "nu": Sex.FEMALE}


@dataclass(frozen=True)
class IdCard:
    """What the QR code of an identity card says."""

    personal_number: str
    old_number: str
    full_name: str
    birth: Birth
    sex: Sex
    address: str
    issued_on: date | None


@dataclass(frozen=True)
class InsuranceCard:
    """What the QR code of a health-insurance card says."""

    number: InsuranceNumber
    full_name: str
    birth: Birth
    sex: Sex
    address: str
    facility_code: str
    valid_from: date | None
    valid_to: date | None


def read_card(text: str, today: date) -> IdCard | InsuranceCard:
    """Read either card; they differ in the fourth field, birth date or sex."""
    parts = _split(text)
    if _is_retyped(parts):
        message = N_(
            "Bộ gõ tiếng Việt đã đổi chữ máy quét gõ. Chuyển bộ gõ sang tiếng Anh, quét lại."
        )
        raise Invalid("qr_retyped", message, field=_FIELD)
    if not any(parts):
        message = N_("Quét hoặc dán mã QR trên thẻ vào ô này")
        raise Invalid("qr_missing", message, field=_FIELD)
    if len(parts) > 3 and parts[3].isascii() and parts[3].isdigit() and len(parts[3]) > 1:
        return _id_card(parts, today)
    if len(parts) > 3 and len(parts[3]) == 1:
        return _insurance_card(parts, today)
    message = N_("Đây không phải mã QR của căn cước hay thẻ BHYT – đang là {given}")
    raise Invalid("qr_unknown", message, field=_FIELD, given=shown(text))


def parse_id_card(text: str, today: date) -> IdCard:
    """Read the QR text of a CCCD (seven fields) or a new căn cước (more, which are dropped)."""
    return _id_card(_split(text), today)


def parse_insurance_card(text: str, today: date) -> InsuranceCard:
    """Read the QR text of a health-insurance card; name and address are hexadecimal UTF-8."""
    return _insurance_card(_split(text), today)


def _id_card(parts: list[str], today: date) -> IdCard:
    _require(parts, _ID_FIELDS)
    number, old, name, birth, sex, address = parts[:6]
    issued = parts[6] if len(parts) > 6 else ""
    return IdCard(
        personal_number=parse_personal_number(number, _FIELD).value,
        old_number=parse_old_id_number(old, _FIELD) if old else "",
        full_name=parse_full_name(name, _FIELD),
        birth=_card_birth(birth, today),
        sex=_card_sex(sex),
        address=address,
        issued_on=_day(issued[:2], issued[2:4], issued[4:]),
    )


def _insurance_card(parts: list[str], today: date) -> InsuranceCard:
    _require(parts, _INSURANCE_FIELDS)
    number, name, birth, sex, address, facility = parts[:6]
    dates = [_day(*part.split("/")) for part in (*parts[6:8], "", "")[:2]]
    return InsuranceCard(
        number=parse_insurance_number(number, _FIELD),
        full_name=parse_full_name(_from_hex(name), _FIELD),
        birth=parse_birth(birth, today, _FIELD),
        sex=Sex.MALE if sex == "1" else Sex.FEMALE,
        address=_address(address),
        facility_code="".join(c for c in facility if c.isalnum()),
        valid_from=dates[0],
        valid_to=dates[1],
    )


def _split(text: str) -> list[str]:
    if len(text) > QR_LIMIT:
        message = N_("Mã QR dài nhất {limit} ký tự – đang là {given}")
        raise Invalid("qr_long", message, field=_FIELD, limit=QR_LIMIT, given=len(text))
    return [clean_line(part) for part in text.split("|")]


def _is_retyped(parts: list[str]) -> bool:
    """Whether somebody's input method took a scanner for a typist: “dd” became “đ”, “a1” “á”.

    The first fields of either card are digits, hexadecimal or a number, as are sex and birth.
    """
    plain = (*parts[:2], *parts[3:4])
    return len(parts) >= _ID_FIELDS and not all(part.isascii() for part in plain)


def _require(parts: list[str], least: int) -> None:
    if len(parts) < least:
        message = N_("Mã QR phải có ít nhất {limit} phần cách nhau bằng dấu | – đang có {given}")
        raise Invalid("qr_short", message, field=_FIELD, limit=least, given=len(parts))


def _card_birth(text: str, today: date) -> Birth:
    """Read DDMMYYYY; people whose day is unknown have zeros or the year alone."""
    if len(text) == 4 or text[:4] == "0000":
        return parse_birth(text[-4:], today, _FIELD)
    if len(text) != 8 or not (text.isascii() and text.isdigit()):
        message = N_("Ngày sinh trên mã QR phải có 8 chữ số – đang là {given}")
        raise Invalid("qr_birth", message, field=_FIELD, given=shown(text))
    birth = full_birth(int(text[4:]), int(text[2:4]), int(text[:2]), _FIELD)
    return checked_birth(birth, today, _FIELD)


def _card_sex(text: str) -> Sex:
    sex = _SEXES.get(fold(text))
    if sex is None:
        message = N_("Giới tính trên mã QR phải là Nam hoặc Nữ – đang là {given}")
        raise Invalid("qr_sex", message, field=_FIELD, given=shown(text))
    return sex


def _from_hex(text: str) -> str:
    try:
        return clean_line(bytes.fromhex(text).decode())
    except ValueError:
        message = N_("Tên hoặc địa chỉ trên mã QR không đọc được – đang là {given}")
        raise Invalid("qr_hex", message, field=_FIELD, given=shown(text)) from None


def _address(text: str) -> str:
    """A card without an address has a dash in its place, as it is or in hexadecimal."""
    address = "" if text == "-" else _from_hex(text)
    return "" if address == "-" else address


def _day(*parts: str) -> date | None:
    """Return the day, or nothing: dates of issue and validity are no reason to refuse a card."""
    try:
        day, month, year = (int(part) for part in parts)
        return date(year, month, day)
    except ValueError:
        return None
