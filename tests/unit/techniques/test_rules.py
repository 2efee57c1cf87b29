"""What a file of the national list may look like, and what is said of one that does not."""

from __future__ import annotations

import codecs
import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.core.errors import Invalid
from telemed.core.text import clean_line
from telemed.training.techniques.rules import (
    CHAPTERS,
    LONGEST_NAME,
    MOST_ROWS,
    Entry,
    chapter_of,
    is_code,
    read_list,
    tidy_code,
)

CODES = st.builds(
    "{}{}.{}".format, st.sampled_from(["", "BS_"]), st.integers(1, 28), st.integers(0, 9999)
)
NAMES = (
    st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=LONGEST_NAME // 3)
    .map(clean_line)
    .filter(lambda name: name and not name.startswith(("=", "+", "-", "@")))
)
LISTS = st.dictionaries(CODES, NAMES, min_size=1, max_size=30)
GOOD = "Mã kỹ thuật,Tên kỹ thuật\n1.65,Bóp bóng Ambu qua mặt nạ\n"


def written(rows: list[tuple[str, ...]], separator: str = ",") -> str:
    file = io.StringIO()
    csv.writer(file, delimiter=separator).writerows(rows)
    return file.getvalue()


def refused(text: str | bytes) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refusal:
        read_list(text.encode() if isinstance(text, str) else text)
    return [(error.field, error.code) for error in refusal.value.fields]


@given(CODES)
def test_every_chapter_takes_numbers_of_up_to_four_digits(code: str) -> None:
    assert is_code(code)
    assert chapter_of(code) == CHAPTERS[int(code.removeprefix("BS_").split(".")[0])]
    assert tidy_code(f" {code.lower()} ") == code


@given(st.text(max_size=14))
def test_nothing_else_is_a_code(text: str) -> None:
    expected = re.fullmatch(r"(BS_)?([1-9]|1[0-9]|2[0-8])\.[0-9]{1,4}", text)
    assert is_code(text) == (expected is not None)
    assert bool(chapter_of(text)) == is_code(text)


@pytest.mark.parametrize(
    "text", ["0.1", "29.1", "1", "1.", "1.12345", "BS1.1", "18.٢", "1.1\n", "01.1"]
)
def test_near_misses_are_no_codes(text: str) -> None:
    assert not is_code(text)


def test_there_are_28_chapters() -> None:
    assert list(CHAPTERS) == list(range(1, 29))


@given(
    LISTS,
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from([None, ("Mã kỹ thuật", "Tên kỹ thuật"), ("MÃ", "tên"), ("code", "name")]),
)
def test_what_is_written_is_read(
    techniques: dict[str, str], separator: str, encoding: str, head: tuple[str, str] | None
) -> None:
    rows: list[tuple[str, ...]] = [*([head] if head else []), *techniques.items()]
    found = read_list(written(rows, separator).encode(encoding))
    assert found == [Entry(code, name) for code, name in techniques.items()]


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        entries, faults = read_list(data), []
    except Invalid as refusal:
        entries, faults = [], [error.field for error in refusal.fields]
    assert bool(entries) != bool(faults)
    assert all(is_code(entry.code) and entry.name for entry in entries)
    assert all(faults)


def test_columns_are_found_by_their_headings_and_others_are_passed_over() -> None:
    text = "STT;Tên kỹ thuật;Ghi chú;Mã kỹ thuật\n1;Thở oxy;a;bs_ 1.57\n\n2;Khí dung;;2.32\n"
    assert read_list(text.encode()) == [Entry("BS_1.57", "Thở oxy"), Entry("2.32", "Khí dung")]


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", [("file", "techniques_empty")]),
        ("\n , \n", [("file", "techniques_empty")]),
        ("Mã,Tên\n", [("file", "techniques_empty")]),
        ("Mã,Ghi chú\n1.1,a\n", [("row 1", "techniques_columns")]),
        ("Mã,Tên,Tên\n1.1,a,b\n", [("row 1", "techniques_columns")]),
        (GOOD + "29.1,a\n", [("row 3 column 1", "technique_code")]),
        (GOOD + ",a\n", [("row 3 column 1", "technique_code")]),
        (GOOD + "1.66\n", [("row 3 column 2", "technique_name_missing")]),
        (GOOD + "1.66,  \n", [("row 3 column 2", "technique_name_missing")]),
        (GOOD + "1.66," + "a" * 301 + "\n", [("row 3 column 2", "technique_name_long")]),
        (GOOD + "1.66,=1+1\n", [("row 3 column 2", "technique_name_formula")]),
        (GOOD + '1.66,"\t@SUM(A1)"\n', [("row 3 column 2", "technique_name_formula")]),
        (GOOD + "1.65,Khác\n", [("row 3 column 1", "technique_repeated")]),
        (GOOD + "1.66,Bóp bóng, qua mặt nạ\n", [("row 3 column 3", "technique_columns")]),
        ("1.65,Bóp bóng, qua mặt nạ\n", [("row 1 column 3", "technique_columns")]),
        (GOOD + '1.66,"a\n', [("row 3", "techniques_csv")]),
        (
            GOOD + '"29.1","a\nb"\n\n0.1,\n',
            [
                ("row 3 column 1", "technique_code"),
                ("row 6 column 1", "technique_code"),
                ("row 6 column 2", "technique_name_missing"),
            ],
        ),
    ],
)
def test_what_is_wrong_is_named_by_row_and_column(text: str, faults: list[tuple[str, str]]) -> None:
    assert refused(text) == faults


@pytest.mark.parametrize("start", "=+-@")
def test_no_name_is_a_formula(start: str) -> None:
    assert refused(f"1.1,{start}cmd\n") == [("row 1 column 2", "technique_name_formula")]


@pytest.mark.parametrize(
    "data",
    [
        GOOD.encode("utf-16-le"),
        GOOD.encode("utf-16-be"),
        GOOD.encode("utf-32"),
        codecs.BOM_UTF16_LE + b"a",
        "1.1,Thở".encode("cp1258", errors="replace") + b"\xff",
        b"1.1,a\0b\n",
    ],
)
def test_other_encodings_are_refused(data: bytes) -> None:
    assert refused(data) == [("file", "techniques_encoding")]


def test_a_list_has_its_length() -> None:
    rows: list[tuple[str, ...]] = [
        (f"{chapter}.{number}", "a") for chapter in range(1, 4) for number in range(10_000)
    ]
    assert len(read_list(written(rows[:MOST_ROWS]).encode())) == MOST_ROWS
    assert refused(written(rows[: MOST_ROWS + 1])) == [("file", "techniques_many")]
    assert refused(written([("Mã", "Tên"), *rows])) == [("file", "techniques_many")]
