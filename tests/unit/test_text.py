import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.core.text import (
    SORT_KEY_LIMIT,
    clean_line,
    clean_text,
    fold,
    given_name,
    initials,
    sort_key_vi,
)

# The order PostgreSQL 15 gives these with `COLLATE "vi-x-icu"`.
DICTIONARY = [
    "An 10",
    "An 2",
    "Bùi Thị Ún",
    "Cà Thị Inh",
    "Dương A Páo",
    "Đèo Văn Long",
    "Điêu Thị Ngân",
    "Ê Ban",
    "Êban",
    "Giàng Thị Mỷ",
    "Ha",
    "Hà",
    "Hả",
    "Hã",
    "Há",
    "Hạ",
    "Lo Van Panh",
    "Lò Văn Pành",
    "Lò Văn Pánh",
    "LÒ VĂN PÁNH",
    "Lô Văn Phú",
    "Lơ Thị A",
    "Mua A Chư",
    "Mùa A Chứ",
    "Quách Văn Ỷ",
    "Vàng A Lử",
    "Vũ Đình Long",
    "Vừ A Páo",
]
VIETNAMESE = st.text(
    alphabet="aàảãáạăằẳẵắặâầẩẫấậbcdđeèẻẽéẹêềểễếệghiìỉĩíịklmnoòỏõóọôồổỗốộơờởỡớợpqrstuùủũúụưừửữứựvxyỳỷỹýỵ"
    "AĂÂBCDĐEÊGHIKLMNOÔƠPQRSTUƯVXY ",
    max_size=24,
)


def test_fold_strips_tones_and_letter_marks() -> None:
    assert fold("  Điêu  Thị\tNgân ") == "dieu thi ngan"
    assert fold("VÀNG A LỬ") == "vang a lu"
    assert fold("Mường Ảng, Pú Nhung, Sính Phình") == "muong ang, pu nhung, sinh phinh"


def test_fold_takes_the_look_alikes_of_d_with_stroke() -> None:
    assert {fold(word) for word in ("Đỗ", "đỗ", "Ðỗ", "Ɖỗ")} == {"do"}


@given(st.text())
def test_fold_is_idempotent(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text())
def test_fold_is_the_same_for_composed_and_decomposed_text(text: str) -> None:
    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    assert fold(composed) == fold(decomposed)


@given(VIETNAMESE)
def test_fold_leaves_plain_letters_only(text: str) -> None:
    assert fold(text).isascii()
    assert fold(text) == fold(text.upper())


@given(st.text())
def test_fold_leaves_no_marks(text: str) -> None:
    assert not [c for c in unicodedata.normalize("NFD", fold(text)) if unicodedata.combining(c)]


def test_clean_line_composes_and_drops_what_cannot_be_seen() -> None:
    assert clean_line("Lo\u0300  Va\u0306n\x00\r\nPa\u0301nh\u200b\ufeff") == "Lò Văn Pánh"
    assert clean_line("\ud800x") == "x"


def test_clean_text_keeps_lines_but_not_gaps() -> None:
    assert clean_text("\n\nSốt  3 ngày \r\n\r\n\r\nHo\x07 khan\r\n") == "Sốt 3 ngày\n\nHo khan"


@given(st.text())
def test_clean_text_is_idempotent(text: str) -> None:
    assert clean_text(clean_text(text)) == clean_text(text)
    assert clean_line(clean_line(text)) == clean_line(text)


@pytest.mark.parametrize(
    ("name", "given", "letters"),
    [
        ("Điêu Thị Ngân", "Ngân", "ĐN"),
        ("Vàng A Lử", "Lử", "VL"),
        ("Ún", "Ún", "Ú"),
        ("lò  văn pánh ", "pánh", "LP"),
        ("", "", ""),
    ],
)
def test_name_parts(name: str, given: str, letters: str) -> None:
    assert given_name(name) == given
    assert initials(name) == letters


def shuffled(words: list[str]) -> list[str]:
    return random.Random(7).sample(words, len(words))


def test_sort_key_follows_the_vietnamese_dictionary() -> None:
    assert sorted(shuffled(DICTIONARY), key=sort_key_vi) == DICTIONARY


def test_sort_key_by_given_name_first() -> None:
    names = [
        "Quàng Thị An",
        "Cà Thị Ân",
        "Lò Văn Dung",
        "Bùi Thị Đức",
        "Lò Văn Đức",
        "Vừ A Ún",
    ]
    assert sorted(shuffled(names), key=lambda n: sort_key_vi(n, by_given_name=True)) == names


@given(st.text(), st.text())
def test_sort_key_is_equal_only_for_equal_text(one: str, two: str) -> None:
    assert sort_key_vi(one) == sort_key_vi(unicodedata.normalize("NFD", one))
    assert set(sort_key_vi(one)) <= set("0123456789abcdef")
    assert sort_key_vi("a" + one) < sort_key_vi("b" + two)


def test_sort_key_fits_its_column() -> None:
    assert len(sort_key_vi("Điêu Thị " * 20, by_given_name=True)) == SORT_KEY_LIMIT
