"""Free text loses whom it is about, however it was spelled, and keeps what was wrong with them."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.core.scrub import HIDDEN, scrub
from telemed.core.text import fold

NAME = "Giàng Thị Mỷ"
LETTERS = "aàảãáạăằặâầấậbcdđeèéẹêềếệghiìíịklmnoòóọôồốộơờớợpqrstuùúụưừứựvxyỳýỵABCĐGHKLMNPSTVX"
word = st.text(LETTERS, min_size=1, max_size=6)
phrases = (
    st.lists(word, min_size=1, max_size=4)
    .map(" ".join)
    .filter(lambda phrase: len(fold(phrase).replace(" ", "")) >= 3)
)
# No letter stands here, so that any letter that is left belongs to the secret.
around = st.text(" 0123456789,;:()–\n°%", max_size=4)


def _spread(text: str, inner: str) -> str:
    return inner.join(text)


SPELLINGS = (
    str,
    str.upper,
    str.lower,
    str.title,
    str.swapcase,
    fold,
    lambda text: unicodedata.normalize("NFD", text),
    lambda text: unicodedata.normalize("NFD", text.upper()),
    lambda text: text.replace(" ", "  "),
    lambda text: text.replace(" ", "\n"),
    lambda text: text.replace(" ", "_"),
    lambda text: text.replace(" ", "-"),
    lambda text: text.replace(" ", ". "),
    lambda text: text.replace(" ", ""),
    lambda text: _spread(text, "\u200b"),
    lambda text: _spread(text, "\u00ad"),
    lambda text: _spread(text, "\u0301"),
    lambda text: _spread(text, "\u0335\u0323"),
)


@given(phrases, st.sampled_from(SPELLINGS), around, around, st.booleans())
def test_no_spelling_of_a_secret_or_a_name_survives(
    secret: str, spelling: object, before: str, after: str, is_name: bool
) -> None:
    assert callable(spelling)
    text = f"{before} {spelling(secret)} {after}"
    told = {"names": [secret]} if is_name else {"secrets": [secret]}
    assert not any(char.isalpha() for char in scrub(text, **told))


@given(st.text(), st.lists(st.text(max_size=20), max_size=4), st.lists(st.text(max_size=20)))
def test_whatever_is_written_is_scrubbed_once_and_for_all(
    text: str, secrets: list[str], names: list[str]
) -> None:
    once = scrub(text, secrets, names)
    assert scrub(once, secrets, names) == once


@given(st.integers(10**7, 10**13), st.sampled_from(["", " ", ".", "-"]), around)
def test_no_long_number_survives(number: int, part: str, before: str) -> None:
    digits = str(number)
    written = part.join(digits[start : start + 3] for start in range(0, len(digits), 3))
    assert digits not in "".join(char for char in scrub(f"{before}a{written}b") if char.isdigit())


@given(
    st.dates(date(1900, 1, 1)),
    st.sampled_from(["%d/%m/%Y", "%d-%m-%y", "%d.%m.%Y", "%Y-%m-%d", "%Y/%m/%d"]),
)
def test_no_date_survives(day: date, form: str) -> None:
    assert scrub(f"Khám {day:{form}}.") == f"Khám {HIDDEN}."


@pytest.mark.parametrize(
    "text",
    [
        "Giàng Thị Mỷ",
        "GIANG THI MY",
        "bà Thị Mỷ",
        "Giàng Mỷ",
        "chị Mỷ",
        "chi my",
        "Mỷ",
        "bé MỶ",
        "0912345678",
        "0912 345 678",
        "SĐT.0912345678",
        "ĐT:+84912345678",
        "(0215) 382 5118",
        "số 011185000123",
        "BHYT DN 4 01 01 12345678",
        "12/03/1959",
        "12 / 3 / 59",
        "1959-03-12T07:00",
        "ngày 12 tháng 3 năm 1959",
        "Ngày 12/3",
        "12 tháng 3 năm 1959",
        "mồng 5 tháng 3",
        unicodedata.normalize("NFD", "ngày 12 tháng 3 năm 1959"),
    ],
)
def test_what_points_at_a_person_is_hidden(text: str) -> None:
    scrubbed = scrub(f"Khám {text}, sốt.", names=[NAME])
    assert HIDDEN in scrubbed
    assert text not in scrubbed
    assert not any(char.isdigit() for char in scrubbed.replace("T07:00", ""))
    assert scrubbed.startswith("Khám ")
    assert scrubbed.endswith(", sốt.")


@pytest.mark.parametrize(
    "text",
    [
        "Sốt 3 ngày, ho khan, khó thở tăng dần",
        "Mạch 96, huyết áp 120/80 mmHg, SpO2 94 %, nhiệt độ 38,5 °C",
        "Uống 1/2 viên x 3 lần/ngày trong 5-7 ngày",
        "Thai 32 tuần 5 ngày, con lần 2",
        "Bệnh 3 tháng 2 ngày",
        "Kali 3.5, natri 138, bạch cầu 12.500",
        "Có ho, không có sốt",
        "Đau bụng my mắt",
    ],
)
def test_what_is_wrong_with_them_stays(text: str) -> None:
    assert scrub(text, names=[NAME, "Lò Văn Hồ", "Lò Thị A"], secrets=["Bản Co Chạy"]) == text


def test_a_place_loses_its_name_with_or_without_its_kind() -> None:
    text = "Nhà ở bản Co Chạy; người Co Chạy kể lại"
    assert scrub(text, secrets=["Bản Co Chạy"]) == f"Nhà ở {HIDDEN}; người {HIDDEN} kể lại"


@pytest.mark.parametrize("secret", ["", " ", "An", "–", "\u200b"])
def test_what_is_too_short_to_be_told_apart_hides_nothing(secret: str) -> None:
    text = "An toàn – không đau"
    assert scrub(text, secrets=[secret]) == text


@pytest.mark.parametrize(
    "text",
    ["BN Thu Ha", "thu ha", "bn Nguyen Thu Ha", "BN HA", "Thị Thu Hà", "Nguyễn Hà", "bệnh nhân Ha"],
)
def test_the_last_words_of_a_name_are_hidden_with_and_without_marks(text: str) -> None:
    hidden = scrub(f"Tối qua {text} đau bụng", names=["Nguyễn Thị Thu Hà"])
    assert not re.search(r"thu|h[àa]\b|nguy", hidden, re.IGNORECASE)
    assert hidden.endswith("đau bụng")


def test_a_bare_name_with_a_capital_inside_a_sentence_is_hidden() -> None:
    hidden = scrub("Sáng nay Pao mệt. Pao là một từ khác", names=["Giàng A Páo"])
    assert hidden == f"Sáng nay {HIDDEN} mệt. Pao là một từ khác"


def test_a_text_of_nothing_but_names_is_hidden_whole() -> None:
    hidden = scrub("Hà " * 10_000, names=["Nguyễn Thị Thu Hà"])
    assert hidden == f"{HIDDEN} " * 10_000
