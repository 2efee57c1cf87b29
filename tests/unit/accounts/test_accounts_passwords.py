"""Which passwords are good enough, and how they are hashed."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.accounts import passwords
from telemed.accounts.passwords import PasswordHasher, PasswordPolicy, normalise
from telemed.core.errors import Invalid, Unavailable

POLICY = PasswordPolicy.shipped()


def refusal(password: str, *, has_second_factor: bool = False, names: tuple[str, ...] = ()) -> str:
    """The code of the refusal of a password."""
    with pytest.raises(Invalid) as refused:
        POLICY.check(
            password, field="new_password", has_second_factor=has_second_factor, context=names
        )
    assert [field.field for field in refused.value.fields] == ["new_password"]
    return refused.value.code


def accept(password: str, *, has_second_factor: bool = False) -> None:
    """Fails unless a password is good enough."""
    POLICY.check(password, field="new_password", has_second_factor=has_second_factor)


@pytest.mark.parametrize(
    ("length", "has_second_factor"), [(14, False), (1, False), (7, True), (0, True)]
)
def test_too_short_is_refused_with_the_limit(length: int, has_second_factor: bool) -> None:
    text = "vịt xanh bơi qua suối"[:length]
    assert refusal(text, has_second_factor=has_second_factor) == "password_too_short"


def test_shortest_and_longest_lengths_are_taken() -> None:
    accept("vịt xanh bơi qu")
    accept("vịt xanh", has_second_factor=True)
    accept(("vịt xanh bơi qua suối " * 6)[:64])
    accept(("vịt xanh bơi qua suối " * 6)[:128])


def test_longer_than_the_limit_is_refused_not_cut() -> None:
    assert refusal(("vịt xanh bơi qua suối " * 6)[:129]) == "password_too_long"


@pytest.mark.parametrize(
    "password",
    [
        "Password123456789",
        "P@ssw0rd12345678",
        "passwordpassword",
        "matkhaumatkhau!!",
        "Mật khẩu 1234567",
        "123456789012345",
        "987654321098765",
        "abcdefghijklmnop",
        "qwertyuiopasdfgh",
        "aaaaaaaaaaaaaaaa",
        "1212121212121212",
        "anh yêu em nhiều lắm",
        "administrator2026",
        "👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍",
    ],
)
def test_what_everybody_uses_is_refused(password: str) -> None:
    assert refusal(password) == "password_common"


@pytest.mark.parametrize(
    "password", ["Telemed suối xanh mát", "suối Điện Biên xanh mát", "dienbien suoi xanh"]
)
def test_names_of_the_product_and_the_province_are_refused(password: str) -> None:
    assert refusal(password) == "password_has_name"


@pytest.mark.parametrize(
    "password", ["suối nguyenvanhai xanh", "Suối Nguyễn xanh mát", "bsnguyen99"]
)
def test_own_names_are_refused(password: str) -> None:
    names = ("Nguyễn Văn Hải", "bsnguyen")
    assert refusal(password, has_second_factor=True, names=names) == "password_has_name"


def test_a_short_name_may_be_part_of_a_password() -> None:
    POLICY.check(
        "con an cơm với vịt", field="p", has_second_factor=False, context=["Lò Văn An", "an1"]
    )


VARIED = st.text(st.characters(categories=["Ll", "Lo"]), min_size=40, max_size=100).filter(
    lambda text: len(set(text)) >= 20 and 15 <= len(normalise(text)) <= 128
)


@given(VARIED)
def test_no_rule_asks_for_digits_capitals_or_signs(password: str) -> None:
    accept(password)


@pytest.fixture
def hasher() -> Iterator[PasswordHasher]:
    hasher = PasswordHasher(memory_kib=8, threads=2)
    yield hasher
    hasher.close()


async def test_hash_is_argon2id_and_salted(hasher: PasswordHasher) -> None:
    first, second = await hasher.hash("suối xanh"), await hasher.hash("suối xanh")

    assert first.startswith("$argon2id$v=19$m=8,t=2,p=1$")
    assert first != second


async def test_verify_tells_right_from_wrong(hasher: PasswordHasher) -> None:
    stored = await hasher.hash("suối xanh")

    assert (await hasher.verify(stored, "suối xanh")).is_right
    assert not (await hasher.verify(stored, "suối Xanh")).is_right
    assert not (await hasher.verify("not a hash", "suối xanh")).is_right
    assert not (await hasher.verify(None, "suối xanh")).is_right


async def test_decomposed_and_composed_letters_are_the_same_password(
    hasher: PasswordHasher,
) -> None:
    stored = await hasher.hash(unicodedata.normalize("NFD", "mười bảy chữ cái 👩🏽‍⚕️"))

    verdict = await hasher.verify(stored, unicodedata.normalize("NFC", "mười bảy chữ cái 👩🏽‍⚕️"))
    assert verdict.is_right


async def test_nothing_is_cut_off_after_72_bytes(hasher: PasswordHasher) -> None:
    stored = await hasher.hash("x" * 72 + "a")

    assert not (await hasher.verify(stored, "x" * 72 + "b")).is_right


async def test_verify_offers_a_newer_hash_when_the_settings_have_changed(
    hasher: PasswordHasher,
) -> None:
    stored = await hasher.hash("suối xanh")
    stronger = PasswordHasher(memory_kib=16, threads=1)

    verdict = await stronger.verify(stored, "suối xanh")
    stronger.close()
    assert verdict.newer_hash
    assert "m=16," in verdict.newer_hash
    assert (await hasher.verify(stored, "suối xanh")).newer_hash is None


async def test_more_than_the_queue_holds_are_told_to_come_back(
    hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "LONGEST_QUEUE", 3)

    answers = await asyncio.gather(*(hasher.hash("x") for _ in range(5)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [str, str, str, Unavailable, Unavailable]
    assert await hasher.hash("x")
