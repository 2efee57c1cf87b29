import unicodedata
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.core.errors import Invalid
from telemed.patients.birth import Birth
from telemed.patients.cards import (
    IdCard,
    InsuranceCard,
    parse_id_card,
    parse_insurance_card,
    read_card,
)
from telemed.patients.models import Sex
from tests.cards import INSURANCE_CARD

TODAY = date(2026, 11, 22)
CCCD = "011059000123|040123456|Lò Văn Pánh|12031959|Nam|Bản Co Chạy, Mường Pồn, Điện Biên|01072021"
PANH = IdCard(
    personal_number="011059000123",
    old_number="040123456",
    full_name="Lò Văn Pánh",
    birth=Birth(1959, date(1959, 3, 12)),
    sex=Sex.MALE,
    address="Bản Co Chạy, Mường Pồn, Điện Biên",
    issued_on=date(2021, 7, 1),
)
BHYT = "|".join(
    [
        "DT4110110059123",
        "Lò Văn Pánh".encode().hex(),
        "12/03/1959",
        "1",
        "Bản Co Chạy".encode().hex(),
        "11 - 019",
        "01/01/2026",
        "31/12/2026",
    ]
)


@pytest.mark.parametrize(
    "scanned",
    [
        CCCD,
        f"{CCCD}\r\n",
        f"\ufeff{CCCD}\r",
        unicodedata.normalize("NFD", CCCD),
        f"{CCCD}|Lò Văn A|Quàng Thị B|",
        CCCD.replace("|", " | "),
        CCCD.replace("Lò Văn Pánh", "LÒ VĂN PÁNH"),
    ],
)
def test_id_card_is_read_from_seven_fields_and_more(scanned: str) -> None:
    assert read_card(scanned, TODAY) == PANH


def test_id_card_may_lack_the_old_number_and_the_issue_date() -> None:
    card = parse_id_card("011159000124||Quàng Thị Ún|00001959|Nữ|Bản Co Chạy", TODAY)
    assert (card.old_number, card.issued_on) == ("", None)
    assert (card.sex, card.birth) == (Sex.FEMALE, Birth(1959))


def test_id_card_of_unknown_later_fields_is_no_reason_to_refuse() -> None:
    card = parse_id_card(CCCD.replace("01072021", "99999999"), TODAY)
    assert card.issued_on is None


@pytest.mark.parametrize(
    ("scanned", "code"),
    [
        ("", "qr_missing"),
        (" \r\n", "qr_missing"),
        ("hello", "qr_unknown"),
        ("https://example.test/|a|b|c d|e", "qr_unknown"),
        ("011059000123|040123456|Lò Văn Pánh|12031959|Nam", "qr_short"),
        (CCCD.replace("011059000123", "01105900012"), "personal_number_malformed"),
        (CCCD.replace("040123456", "0401"), "old_id_malformed"),
        (CCCD.replace("Lò Văn Pánh", ""), "name_missing"),
        (CCCD.replace("12031959", "31021959"), "birth_no_such_day"),
        (CCCD.replace("12031959", "12032059"), "birth_in_future"),
        (CCCD.replace("12031959", "120359"), "qr_birth"),
        (CCCD.replace("Nam", "X"), "qr_sex"),
        (CCCD + "x" * 2000, "qr_long"),
    ],
)
def test_a_card_that_cannot_be_read_is_refused_at_the_qr_field(scanned: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_card(scanned, TODAY)
    (error,) = refused.value.fields
    assert (error.field, error.code) == ("qr", code)
    assert error.message.format(**error.params)


def test_insurance_card_has_name_and_address_in_hexadecimal() -> None:
    card = read_card(f"{BHYT}\r\n", TODAY)
    assert isinstance(card, InsuranceCard)
    assert card.number.value == "DT4110110059123"
    assert (card.full_name, card.address) == ("Lò Văn Pánh", "Bản Co Chạy")
    assert (card.sex, card.birth.text) == (Sex.MALE, "12/03/1959")
    assert card.facility_code == "11019"
    assert (card.valid_from, card.valid_to) == (date(2026, 1, 1), date(2026, 12, 31))


def test_insurance_card_without_validity_or_full_birth_date() -> None:
    parts = BHYT.split("|")[:6]
    parts[2:4] = ["1959", "2"]
    card = parse_insurance_card("|".join(parts), TODAY)
    assert (card.birth, card.sex) == (Birth(1959), Sex.FEMALE)
    assert (card.valid_from, card.valid_to) == (None, None)


def insurance(**changed: str) -> str:
    """The text of a real-looking card with some of its parts as other cards have them."""
    parts = INSURANCE_CARD.split("|")
    places = {"number": 0, "name": 1, "birth": 2, "sex": 3, "address": 4}
    for name, text in changed.items():
        parts[places[name]] = text
    return "|".join(parts)


def hexed(text: str) -> str:
    return text.encode().hex()


@pytest.mark.parametrize(
    "scanned",
    [
        INSURANCE_CARD,
        f"{INSURANCE_CARD}\r\n",
        INSURANCE_CARD.removesuffix("|$"),
        INSURANCE_CARD + "$",
        insurance(number="dt4110110059123"),
        insurance(number="DT 4 11 0110059123"),
        insurance(name=hexed("Lò Văn Pánh").upper()),
        insurance(name=hexed(unicodedata.normalize("NFD", "Lò Văn Pánh"))),
        insurance(name=hexed(" Lò  Văn Pánh\0")),
        insurance(name=hexed("LÒ VĂN PÁNH")),
    ],
)
def test_insurance_card_of_every_year_and_print_is_read_alike(scanned: str) -> None:
    card = read_card(scanned, TODAY)
    assert isinstance(card, InsuranceCard)
    assert card.number.value == "DT4110110059123"
    assert card.full_name == "Lò Văn Pánh"
    assert (card.birth.text, card.sex) == ("12/03/1959", Sex.MALE)
    assert (card.valid_from, card.valid_to) == (date(2026, 1, 1), None)


@pytest.mark.parametrize("address", ["", "-", hexed("-")])
def test_insurance_card_may_have_no_address(address: str) -> None:
    assert parse_insurance_card(insurance(address=address), TODAY).address == ""


@pytest.mark.parametrize("number", ["0110059123", "011059000123"])
def test_insurance_card_may_have_a_number_of_digits_alone(number: str) -> None:
    assert parse_insurance_card(insurance(number=number), TODAY).number.value == number


@pytest.mark.parametrize(
    "scanned",
    [
        # Telex: dd, aa, ee; VNI: d9, a1, e6, and the letters of a card's number.
        insurance(name="4cc3b22056c483n6e20501c3a16e68").replace("c3a1", "cá"),
        insurance(name=hexed("Đỗ Văn A").replace("9", "đ")),
        insurance(number="TÉ110110059123"),
        CCCD.replace("12031959", "1203195ô"),
        CCCD.replace("011059000123", "0110590001â3"),
        CCCD.replace("040123456", "04012345é"),
    ],
)
def test_what_an_input_method_has_retyped_is_said_to_be_that(scanned: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_card(scanned, TODAY)
    (error,) = refused.value.fields
    assert (error.field, error.code) == ("qr", "qr_retyped")
    assert "Bộ gõ tiếng Việt" in error.message


@pytest.mark.parametrize("broken", ["4c", "zz", "c3", "4", ""])
def test_insurance_card_with_broken_hexadecimal_is_refused(broken: str) -> None:
    parts = BHYT.split("|")
    parts[1] = f"ff{broken}"
    with pytest.raises(Invalid) as refused:
        read_card("|".join(parts), TODAY)
    assert refused.value.fields[0].code == "qr_hex"


def refused_fields(read: Callable[[str, date], object], text: str) -> list[str]:
    try:
        read(text, TODAY)
    except Invalid as refused:
        return [error.field for error in refused.fields]
    return []


@pytest.mark.parametrize("read", [read_card, parse_id_card, parse_insurance_card])
@given(st.text() | st.lists(st.text(max_size=14), min_size=5, max_size=9).map("|".join))
def test_any_text_is_read_or_refused(read: Callable[[str, date], object], text: str) -> None:
    assert refused_fields(read, text) in ([], ["qr"])
