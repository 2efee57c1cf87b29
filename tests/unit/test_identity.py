import unicodedata
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.core.errors import Invalid
from telemed.patients.birth import Birth, age_on, parse_birth
from telemed.patients.identity import (
    TEMPORARY_CHANCES,
    InsuranceForm,
    find_temporary_code,
    make_temporary_code,
    parse_full_name,
    parse_insurance_number,
    parse_insurance_numbers,
    parse_old_id_number,
    parse_personal_number,
    parse_phone,
)
from telemed.patients.models import Sex

TODAY = date(2026, 11, 22)


def refusal(code: str, field: str, refused: pytest.ExceptionInfo[Invalid]) -> bool:
    (error,) = refused.value.fields
    text = error.message.format(**error.params)
    return (error.code, error.field) == (code, field) and bool(text)


# --- personal number -------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["011059000123", " 011 059 000 123\r\n", "011.059.000.123"])
def test_personal_number_is_read_in_groups(typed: str) -> None:
    number = parse_personal_number(typed)
    assert number.value == "011059000123"
    assert (number.province, number.sex, number.birth_year) == ("011", Sex.MALE, 1959)


@pytest.mark.parametrize(
    ("digit", "sex", "year"),
    [
        ("0", Sex.MALE, 1999),
        ("1", Sex.FEMALE, 1999),
        ("2", Sex.MALE, 2099),
        ("3", Sex.FEMALE, 2099),
        ("4", Sex.MALE, 2199),
        ("5", Sex.FEMALE, 2199),
    ],
)
def test_the_fourth_digit_is_century_and_sex(digit: str, sex: Sex, year: int) -> None:
    number = parse_personal_number(f"017{digit}99000001")
    assert (number.sex, number.birth_year) == (sex, year)


@pytest.mark.parametrize(
    "typed", ["", "01105900012", "0110590001234", "01105900012x", "０１1059000123"]
)
def test_a_malformed_personal_number_is_refused_by_name(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_personal_number(typed)
    assert refusal("personal_number_malformed", "personal_number", refused)


def test_a_number_that_contradicts_sex_and_birth_only_raises_doubts() -> None:
    number = parse_personal_number("011059000123")
    assert number.doubts(Sex.MALE, 1959) == ()
    assert number.doubts(Sex.UNKNOWN, None) == ()
    doubts = number.doubts(Sex.FEMALE, 1960)
    assert [doubt.field for doubt in doubts] == ["sex", "birth"]
    assert "1959" in doubts[1].message.format(**doubts[1].params)


@given(st.from_regex(r"[0-9]{12}", fullmatch=True))
def test_any_twelve_digits_are_a_number(digits: str) -> None:
    assert parse_personal_number(digits).value == digits


def test_the_old_identity_card_has_nine_digits() -> None:
    assert parse_old_id_number("040 123 456") == "040123456"
    with pytest.raises(Invalid) as refused:
        parse_old_id_number("04012345")
    assert refusal("old_id_malformed", "old_number", refused)


# --- health insurance ------------------------------------------------------------------------


def test_insurance_card_number_is_taken_apart() -> None:
    number = parse_insurance_number(" dt 4 11 0110059123 ")
    assert number.value == "DT4110110059123"
    assert number.form is InsuranceForm.CARD
    assert (number.object_code, number.benefit, number.province) == ("DT", 4, "11")


def test_insurance_temporary_card_of_a_child() -> None:
    number = parse_insurance_number("TE1110000000123")
    assert (number.object_code, number.benefit, number.province) == ("TE", 1, "11")


@pytest.mark.parametrize(
    ("typed", "form"),
    [
        ("0110 059 123", InsuranceForm.SHORT),
        ("011 059 000 123", InsuranceForm.PERSONAL),
        ("hn511-0110059123", InsuranceForm.CARD),
    ],
)
def test_insurance_number_has_three_forms(typed: str, form: InsuranceForm) -> None:
    assert parse_insurance_number(typed).form is form


@pytest.mark.parametrize(
    "typed", ["", "DT6110110059123", "DT0110110059123", "D44110110059123", "01100591234", "DT411"]
)
def test_a_malformed_insurance_number_is_refused_by_name(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_insurance_number(typed)
    assert refusal("insurance_malformed", "insurance_number", refused)


def test_several_cards_are_joined_with_semicolons() -> None:
    numbers = parse_insurance_numbers("DT4110110059123; 0110059123;")
    assert [number.form for number in numbers] == [InsuranceForm.CARD, InsuranceForm.SHORT]


def test_a_twelve_digit_insurance_number_should_be_the_personal_number() -> None:
    number = parse_insurance_number("011059000123")
    assert number.doubts("011059000123") == ()
    assert number.doubts("") == ()
    assert [doubt.field for doubt in number.doubts("011059000124")] == ["insurance_number"]
    assert parse_insurance_number("0110059123").doubts("011059000123") == ()


# --- phone -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "national"),
    [
        ("0912345678", "0912345678"),
        ("+84 912 345 678", "0912345678"),
        ("0392.345.678", "0392345678"),
        ("(0215) 3825 123", "02153825123"),
        ("+84 218 3825 123", "02183825123"),
    ],
)
def test_phone_is_kept_in_national_form(typed: str, national: str) -> None:
    assert parse_phone(typed) == national


@pytest.mark.parametrize(
    "typed",
    ["", "912345678", "0612345678", "091234567", "09123456789", "0215382512", "84912345678"],
)
def test_a_malformed_phone_is_refused_by_name(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_phone(typed)
    assert refusal("phone_malformed", "phone", refused)


@given(st.sampled_from("35789"), st.from_regex(r"[0-9]{8}", fullmatch=True))
def test_every_mobile_prefix_is_read_alike_in_both_forms(prefix: str, rest: str) -> None:
    assert parse_phone(f"0{prefix}{rest}") == parse_phone(f"+84{prefix}{rest}")


# --- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Vàng  A Lử", "Vàng A Lử"),
        ("LÒ VĂN PÁNH", "Lò Văn Pánh"),
        ("Ún", "Ún"),
        (unicodedata.normalize("NFD", "Điêu Thị Ngân\x00"), "Điêu Thị Ngân"),
        ("Quách Ỷ", "Quách Ỷ"),
    ],
)
def test_name_is_kept_in_one_piece(typed: str, name: str) -> None:
    assert parse_full_name(typed) == name


@pytest.mark.parametrize(
    ("typed", "code"), [(" \n", "name_missing"), ("12", "name_missing"), ("a" * 101, "name_long")]
)
def test_a_name_that_is_none_is_refused(typed: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_full_name(typed)
    assert refusal(code, "full_name", refused)


# --- birth and age ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "birth"),
    [
        ("12/03/1959", Birth(1959, date(1959, 3, 12))),
        ("2/3/1959", Birth(1959, date(1959, 3, 2))),
        ("12-03-1959", Birth(1959, date(1959, 3, 12))),
        ("1959-03-12", Birth(1959, date(1959, 3, 12))),
        ("1959", Birth(1959)),
        ("1900", Birth(1900)),
        ("22/11/2026", Birth(2026, TODAY)),
        ("2026", Birth(2026)),
    ],
)
def test_birth_is_a_day_or_a_year(typed: str, birth: Birth) -> None:
    assert parse_birth(typed, TODAY) == birth
    assert parse_birth(birth.text, TODAY) == birth


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "birth_malformed"),
        ("03/1959", "birth_malformed"),
        ("59", "birth_malformed"),
        ("1/2/3456789", "birth_malformed"),
        ("31/02/1959", "birth_no_such_day"),
        ("29/02/2025", "birth_no_such_day"),
        ("00/00/1959", "birth_no_such_day"),
        ("23/11/2026", "birth_in_future"),
        ("2027", "birth_in_future"),
        ("31/12/1899", "birth_too_early"),
        ("0000", "birth_too_early"),
    ],
)
def test_an_impossible_birth_is_refused_by_name(typed: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_birth(typed, TODAY)
    assert refusal(code, "birth", refused)


@given(st.dates(date(1900, 1, 1), TODAY))
def test_every_day_since_1900_is_read_back(day: date) -> None:
    assert parse_birth(f"{day:%d/%m/%Y}", TODAY).on == day


@pytest.mark.parametrize(
    ("birth", "said"),
    [
        (Birth(1959, date(1959, 3, 12)), "67\u00a0tuổi"),
        (Birth(1959, date(1959, 11, 23)), "66\u00a0tuổi"),
        (Birth(1959), "khoảng 67\u00a0tuổi"),
        (Birth(2026), "dưới 1\u00a0tuổi"),
        (Birth(2026, date(2026, 2, 10)), "9\u00a0tháng tuổi"),
        (Birth(2020, date(2020, 11, 23)), "71\u00a0tháng tuổi"),
        (Birth(2020, date(2020, 11, 22)), "6\u00a0tuổi"),
        (Birth(2026, date(2026, 11, 10)), "12\u00a0ngày tuổi"),
        (Birth(2026, TODAY), "0\u00a0ngày tuổi"),
    ],
)
def test_age_is_said_in_years_months_or_days(birth: Birth, said: str) -> None:
    text, params = age_on(birth, TODAY).words()
    assert text.format(**params) == said


@pytest.mark.parametrize(
    ("born", "day", "months"),
    [
        (date(2024, 2, 29), date(2025, 2, 28), 12),
        (date(2024, 2, 29), date(2025, 2, 27), 11),
        (date(2026, 1, 31), date(2026, 2, 28), 1),
        (date(2026, 1, 31), date(2026, 3, 30), 1),
    ],
)
def test_a_month_is_complete_on_the_last_day_of_a_shorter_one(
    born: date, day: date, months: int
) -> None:
    assert age_on(Birth(born.year, born), day).months == months


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(0, 45_000))
def test_age_never_shrinks(born: date, days: int) -> None:
    day = born + timedelta(days=days)
    age, later = (age_on(Birth(born.year, born), d) for d in (day, day + timedelta(days=1)))
    assert 0 <= age.months <= later.months <= age.months + 1
    assert age.years == age.months // 12


# --- temporary code --------------------------------------------------------------------------


@given(st.integers(0, TEMPORARY_CHANCES - 1))
def test_temporary_code_is_found_again_as_it_was_made(chance: int) -> None:
    code = make_temporary_code("11202", TODAY, chance)
    assert code.startswith("TT-11202-261122-")
    assert len(code.rsplit("-", 1)[1]) == 4
    assert find_temporary_code(code.lower()) == code


def test_temporary_codes_differ_by_chance() -> None:
    codes = {make_temporary_code("11202", TODAY, chance) for chance in range(2000)}
    assert len(codes) == 2000


def test_temporary_code_forgives_letters_that_look_like_digits() -> None:
    assert find_temporary_code("tt-11202-261122-OILA") == "TT-11202-261122-011A"
    assert find_temporary_code("Lò Văn Pánh") is None
    assert find_temporary_code("TT-11202-261122-") is None


PARSERS: dict[str, Callable[[str], object]] = {
    "personal_number": parse_personal_number,
    "insurance_number": parse_insurance_number,
    "phone": parse_phone,
    "full_name": parse_full_name,
    "old_number": parse_old_id_number,
    "birth": partial(parse_birth, today=TODAY),
}


def refused_fields(parse: Callable[[str], object], text: str) -> list[str]:
    try:
        parse(text)
    except Invalid as refused:
        return [error.field for error in refused.fields]
    return []


@pytest.mark.parametrize("field", PARSERS)
@given(st.text())
def test_any_text_is_read_or_refused_at_its_field(field: str, text: str) -> None:
    assert refused_fields(PARSERS[field], text) in ([], [field])
