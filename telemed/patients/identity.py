"""Who a person is on paper: the numbers, names and phones that a station writes down.

A malformed value is refused with its field; a value that contradicts another only raises a doubt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from telemed.core.errors import N_, FieldError, Invalid
from telemed.core.text import clean_line
from telemed.patients.models import Sex

NAME_LIMIT = 100
# Letters and digits that cannot be mistaken for one another when read out over the phone.
_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CHANCE_DIGITS = 4
TEMPORARY_CHANCES = len(_BASE32) ** _CHANCE_DIGITS
_SHOWN = 40

_SEPARATORS = re.compile(r"[\s.\-_/()]+")
_PERSONAL = re.compile(r"[0-9]{12}")
_OLD_ID = re.compile(r"[0-9]{9}")
_INSURANCE_CARD = re.compile(r"([A-Z]{2})([1-5])([0-9]{2})[0-9]{10}")
_INSURANCE_SHORT = re.compile(r"[0-9]{10}")
_MOBILE = re.compile(r"(?:0|\+84)([35789][0-9]{8})")
# 0215 Điện Biên, 0218 Hòa Bình.
_LAND_LINE = re.compile(r"(?:0|\+84)(21[58][0-9]{7})")
_TEMPORARY = re.compile(rf"TT-([0-9A-Z]+)-([0-9]{{6}})-([{_BASE32}]{{{_CHANCE_DIGITS}}})")


class InsuranceForm(StrEnum):
    """The three ways in which a health-insurance number is written today."""

    CARD = "card"
    SHORT = "short"
    PERSONAL = "personal"


class Doubt(FieldError):
    """A value that contradicts another; shown, and saved once it is confirmed."""


@dataclass(frozen=True)
class PersonalNumber:
    """Twelve digits: place of registration, century with sex, year of birth, six random ones."""

    value: str

    @property
    def province(self) -> str:
        """Province or country of birth registration; old codes outlive mergers."""
        return self.value[:3]

    @property
    def sex(self) -> Sex:
        """Sex at birth, from the fourth digit: even is male."""
        return Sex.FEMALE if int(self.value[3]) % 2 else Sex.MALE

    @property
    def birth_year(self) -> int:
        """Year of birth: a century in every two values of the fourth digit."""
        return 1900 + 100 * (int(self.value[3]) // 2) + int(self.value[4:6])

    def doubts(self, sex: Sex, birth_year: int | None) -> tuple[Doubt, ...]:
        """Compare with what else is known of the person."""
        found = []
        if sex is not Sex.UNKNOWN and sex is not self.sex:
            found.append(Doubt("sex", "personal_number_sex", _NUMBER_SAYS_SEX[self.sex]))
        if birth_year is not None and birth_year != self.birth_year:
            found.append(
                Doubt(
                    "birth",
                    "personal_number_year",
                    N_("Số định danh cho năm sinh {expected}, bạn ghi {given}. Xem lại trên thẻ."),
                    {"expected": self.birth_year, "given": birth_year},
                )
            )
        return tuple(found)


_NUMBER_SAYS_SEX = {
    Sex.MALE: N_("Số định danh là của nam, bạn chọn khác. Xem lại trên thẻ."),
    Sex.FEMALE: N_("Số định danh là của nữ, bạn chọn khác. Xem lại trên thẻ."),
}


@dataclass(frozen=True)
class InsuranceNumber:
    """A health-insurance number; object code, benefit and province only on the 15-character form."""

    value: str
    form: InsuranceForm
    object_code: str = ""
    benefit: int | None = None
    province: str = ""

    def doubts(self, personal_number: str) -> tuple[Doubt, ...]:
        """A 12-digit insurance number is the personal number, or one of the two is wrong."""
        if self.form is not InsuranceForm.PERSONAL or personal_number in ("", self.value):
            return ()
        message = N_("Số thẻ BHYT 12 số phải trùng số định danh cá nhân. Xem lại hai số này.")
        return (Doubt("insurance_number", "insurance_not_personal", message),)


def parse_full_name(text: str, field: str = "full_name") -> str:
    """Return a name in one piece; one word is enough, all capitals become capitalised words."""
    name = clean_line(text)
    if not any(c.isalpha() for c in name):
        raise Invalid("name_missing", N_("Ghi họ và tên người bệnh"), field=field)
    if len(name) > NAME_LIMIT:
        message = N_("Họ và tên dài nhất {limit} chữ – đang là {given}")
        raise Invalid("name_long", message, field=field, limit=NAME_LIMIT, given=len(name))
    capitals = name.isupper() and len(name) > 1
    return " ".join(word.capitalize() for word in name.split(" ")) if capitals else name


def parse_personal_number(text: str, field: str = "personal_number") -> PersonalNumber:
    """Read the 12-digit personal number; gaps and dots between the groups are fine."""
    value = _compact(text)
    if not _PERSONAL.fullmatch(value):
        message = N_("Số định danh cá nhân phải có 12 chữ số – đang là {given}")
        raise Invalid("personal_number_malformed", message, field=field, given=shown(text))
    return PersonalNumber(value)


def parse_old_id_number(text: str, field: str = "old_number") -> str:
    """Read the number of an old identity card."""
    value = _compact(text)
    if not _OLD_ID.fullmatch(value):
        message = N_("Số CMND cũ phải có 9 chữ số – đang là {given}")
        raise Invalid("old_id_malformed", message, field=field, given=shown(text))
    return value


def parse_insurance_number(text: str, field: str = "insurance_number") -> InsuranceNumber:
    """Read a health-insurance number in any of its three forms."""
    value = _compact(text).upper()
    if card := _INSURANCE_CARD.fullmatch(value):
        code, benefit, province = card.groups()
        return InsuranceNumber(value, InsuranceForm.CARD, code, int(benefit), province)
    if _INSURANCE_SHORT.fullmatch(value):
        return InsuranceNumber(value, InsuranceForm.SHORT)
    if _PERSONAL.fullmatch(value):
        return InsuranceNumber(value, InsuranceForm.PERSONAL)
    message = N_(
        "Số thẻ BHYT gồm 15 ký tự (như DT4110110059123), 10 số, hoặc 12 số định danh"
        " – đang là {given}"
    )
    raise Invalid("insurance_malformed", message, field=field, given=shown(text))


def parse_insurance_numbers(
    text: str, field: str = "insurance_number"
) -> tuple[InsuranceNumber, ...]:
    """Read several cards of one person, joined with semicolons as in the insurance files."""
    return tuple(parse_insurance_number(part, field) for part in text.split(";") if part.strip())


def parse_phone(text: str, field: str = "phone") -> str:
    """Read a phone number and return it in national form; families share phones, so no key."""
    value = _compact(text)
    if match := _MOBILE.fullmatch(value) or _LAND_LINE.fullmatch(value):
        return f"0{match.group(1)}"
    message = N_(
        "Số điện thoại di động gồm 0 hoặc +84 rồi 9 số (bắt đầu 3, 5, 7, 8, 9);"
        " số cố định gồm 0215 hoặc 0218 rồi 7 số – đang là {given}"
    )
    raise Invalid("phone_malformed", message, field=field, given=shown(text))


def make_temporary_code(station_code: str, on: date, chance: int) -> str:
    """Return a code for a person without a number; `chance` is below TEMPORARY_CHANCES."""
    digits = ""
    for _ in range(_CHANCE_DIGITS):
        chance, digit = divmod(chance, len(_BASE32))
        digits = _BASE32[digit] + digits
    return f"TT-{station_code.upper()}-{on:%y%m%d}-{digits}"


def find_temporary_code(text: str) -> str | None:
    """Return the temporary code that was typed, if it is one; O reads as 0, I and L as 1."""
    value = re.sub(r"\s+", "", text).upper()
    head, dash, chance = value.rpartition("-")
    code = f"{head}{dash}{chance.translate(str.maketrans('OIL', '011'))}"
    return code if _TEMPORARY.fullmatch(code) else None


def shown(text: str) -> str:
    """Return a typed value short enough to stand in a message."""
    line = clean_line(text)
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


def _compact(text: str) -> str:
    return _SEPARATORS.sub("", clean_line(text))
