"""Codes of an authenticator: when they are right, and how their secret is kept."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from telemed.accounts.second_factor import (
    SecretBox,
    grouped,
    match_code,
    new_secret,
    setup_image,
)
from tests.people import code_at

BOX = SecretBox(b"a key of an installation, long enough")
NOW = datetime(2026, 11, 23, 2, 0, 10, tzinfo=UTC)
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
# RFC 6238, appendix B: the secret is the ASCII text 12345678901234567890; last six digits.
STANDARD = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037")],
)
def test_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    at = datetime.fromtimestamp(seconds, UTC)

    match = match_code(STANDARD, code, at, last_step=0)
    assert match
    assert match.step == seconds // 30


@pytest.mark.parametrize(
    ("late", "is_right"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)]
)
def test_clocks_may_differ_by_one_step(late: int, is_right: bool) -> None:
    code = code_at(SECRET, NOW + timedelta(seconds=late))

    assert (match_code(SECRET, code, NOW, last_step=0) is not None) is is_right


def test_a_code_is_read_with_a_gap() -> None:
    code = code_at(SECRET, NOW)

    assert match_code(SECRET, f" {code[:3]} {code[3:]} ", NOW, last_step=0)


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "-12345"])
def test_what_is_no_code_is_wrong(code: str) -> None:
    assert match_code(SECRET, code, NOW, last_step=0) is None


def test_a_step_that_was_used_is_a_replay_and_so_are_those_before() -> None:
    step = int(NOW.timestamp()) // 30
    now, before = code_at(SECRET, NOW), code_at(SECRET, NOW - timedelta(seconds=30))

    assert match_code(SECRET, now, NOW, last_step=step) == (step, True)
    assert match_code(SECRET, before, NOW, last_step=step) == (step - 1, True)
    assert match_code(SECRET, now, NOW, last_step=step - 1) == (step, False)


def test_secrets_are_long_and_different() -> None:
    secrets = {new_secret() for _ in range(50)}

    assert len(secrets) == 50
    assert {len(base64.b32decode(secret)) for secret in secrets} == {20}


def test_a_secret_is_typed_in_groups() -> None:
    assert grouped("ABCDEFGHIJ") == "ABCD EFGH IJ"


def test_the_picture_is_a_data_address_of_an_svg() -> None:
    address = setup_image(SECRET, "bs.hà")

    assert address.startswith("data:image/svg+xml")
    assert "script" not in address


@given(st.integers(1, 2**31 - 1), st.text(st.characters(codec="utf-8"), max_size=64))
def test_what_is_sealed_opens_for_the_same_person(person_id: int, secret: str) -> None:
    sealed = BOX.seal(person_id, secret)

    assert BOX.open(person_id, sealed) == secret
    assert sealed != BOX.seal(person_id, secret)


def test_what_is_sealed_opens_for_nobody_else_and_under_no_other_key() -> None:
    sealed = BOX.seal(7, SECRET)

    assert SECRET not in sealed
    with pytest.raises(InvalidTag):
        BOX.open(8, sealed)
    with pytest.raises(InvalidTag):
        SecretBox(b"another key of an installation, too").open(7, sealed)


@given(st.integers(0, 59), st.integers(1, 255))
def test_what_was_tampered_with_does_not_open(place: int, change: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(BOX.seal(7, SECRET)))
    raw[place] ^= change

    with pytest.raises(InvalidTag):
        BOX.open(7, base64.urlsafe_b64encode(bytes(raw)).decode())


def test_what_is_stored_fits_its_column() -> None:
    assert len(BOX.seal(2**31, pyotp.random_base32())) <= 200
