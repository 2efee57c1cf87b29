"""What a transfer package must say, and where it stands on a day. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from telemed.core.errors import N_, FieldError, Param, too_long
from telemed.core.text import clean_line
from telemed.facilities.contracts.rules import Term
from telemed.training.techniques.rules import LONGEST_NAME, is_code, tidy_code

LONGEST_TITLE: Final = 200
LONGEST_NUMBER: Final = 60
LONGEST_REPRESENTATIVE: Final = 200
LONGEST_SURVEY: Final = 5000
LONGEST_OUTLINE: Final = 10_000
LONGEST_YEARS: Final = 3
MOST_TECHNIQUES: Final = 40
MOST_TARGET: Final = 200
# Levels of practice, in the order in which a trainee climbs them.
LEVELS: Final = ("observed", "assisted", "supervised", "performed")
_DIGITS = 4


class PackageState(StrEnum):
    """Where a package stands on a day."""

    RUNNING = "running"
    TO_COME = "to_come"
    OVER = "over"


@dataclass(frozen=True)
class TypedTechnique:
    """One row of the form as it was typed."""

    code: str = ""
    name: str = ""
    observed: str = ""
    assisted: str = ""
    supervised: str = ""
    performed: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is written in the row."""
        return not any(
            text.strip()
            for text in (self.code, self.name, *(getattr(self, level) for level in LEVELS))
        )


@dataclass(frozen=True)
class Agreed:
    """A technique with how often each trainee is to practise it on each level."""

    code: str
    name: str
    observed: int = 0
    assisted: int = 0
    supervised: int = 0
    performed: int = 0


@dataclass(frozen=True)
class Draft:
    """A package as it is to be recorded, before anything is looked up."""

    title: str
    number: str
    signed_on: date
    term: Term
    provider_representative: str
    receiver_representative: str
    stations: frozenset[str]
    survey: str = ""
    outline: str = ""


def state_of(term: Term, today: date) -> PackageState:
    """Where a package stands."""
    if today > term.last_day:
        return PackageState.OVER
    return PackageState.RUNNING if term.covers(today) else PackageState.TO_COME


def last_day_allowed(starts_on: date) -> date:
    """The same day three years later."""
    year = min(starts_on.year + LONGEST_YEARS, date.max.year)
    try:
        return starts_on.replace(year=year)
    except ValueError:
        # The 29th of February, in a year that has none.
        return starts_on.replace(year=year, day=28)


def check(draft: Draft) -> list[FieldError]:
    """Every field that has to be corrected, but for the techniques, in the order of the form."""
    errors: list[FieldError] = []
    if not draft.title:
        errors.append(FieldError("title", "title_missing", N_("Ghi tên gói")))
    errors += too_long("title", draft.title, LONGEST_TITLE)
    if not draft.number:
        errors.append(FieldError("number", "number_missing", N_("Ghi số hợp đồng")))
    errors += too_long("number", draft.number, LONGEST_NUMBER)
    errors += _check_days(draft)
    for field, text in (
        ("provider_representative", draft.provider_representative),
        ("receiver_representative", draft.receiver_representative),
    ):
        if not text:
            message = N_("Ghi họ tên và chức vụ người đại diện")
            errors.append(FieldError(field, "representative_missing", message))
        errors += too_long(field, text, LONGEST_REPRESENTATIVE)
    if not draft.stations:
        errors.append(FieldError("stations", "stations_missing", N_("Chọn ít nhất một trạm")))
    errors += too_long("survey", draft.survey, LONGEST_SURVEY)
    errors += too_long("outline", draft.outline, LONGEST_OUTLINE)
    return errors


def _check_days(draft: Draft) -> Iterator[FieldError]:
    term = draft.term
    if draft.signed_on > term.ends_on:
        message = N_("Ngày ký không được sau ngày hết hạn")
        yield FieldError("signed_on", "signed_late", message)
    if term.ends_on < term.starts_on:
        message = N_("Ngày hết hạn phải từ ngày bắt đầu trở đi")
        yield FieldError("ends_on", "period_inverted", message)
    elif term.ends_on > last_day_allowed(term.starts_on):
        message = N_("Hợp đồng dài nhất {limit} năm")
        yield FieldError("ends_on", "period_long", message, {"limit": LONGEST_YEARS})


def read_rows(
    rows: Sequence[TypedTechnique], known: Mapping[str, str]
) -> tuple[list[Agreed], list[FieldError]]:
    """The techniques of the form, and what is wrong with them, each by its box.

    Rows without anything are passed over. `known` is what the national list calls its codes: a
    name that is left out is taken from there.
    """
    agreed: dict[str, Agreed] = {}
    errors: list[FieldError] = []
    for place, row in enumerate(rows):
        if row.is_empty:
            continue
        found, faults = _read_row(place, row, known)
        if found.code in agreed and not faults:
            message = N_("Kỹ thuật {row}: mã {given} đã có ở trên")
            faults.append(_fault("code", place, "technique_repeated", message, given=found.code))
        agreed.setdefault(found.code or f"row {place}", found)
        errors += faults
    if not agreed:
        message = N_("Ghi ít nhất một kỹ thuật với chỉ tiêu")
        errors.append(FieldError("code.0", "techniques_missing", message))
    if len(agreed) > MOST_TECHNIQUES:
        message = N_("Một gói nhiều nhất {limit} kỹ thuật")
        params = {"limit": MOST_TECHNIQUES}
        errors.append(FieldError(f"code.{MOST_TECHNIQUES}", "techniques_many", message, params))
    return list(agreed.values()), errors


def _read_row(
    place: int, row: TypedTechnique, known: Mapping[str, str]
) -> tuple[Agreed, list[FieldError]]:
    faults: list[FieldError] = []
    code = tidy_code(row.code)
    name = clean_line(row.name) or known.get(code, "")
    if not is_code(code):
        message = N_("Kỹ thuật {row}: mã phải như 18.2 hoặc BS_2.114")
        faults.append(_fault("code", place, "technique_code", message))
    if not name:
        message = N_("Kỹ thuật {row}: ghi tên; mã này không có trong danh mục")
        faults.append(_fault("name", place, "technique_name_missing", message))
    elif len(name) > LONGEST_NAME:
        message = N_("Kỹ thuật {row}: tên dài quá {limit} ký tự")
        faults.append(_fault("name", place, "technique_name_long", message, limit=LONGEST_NAME))
    targets: dict[str, int] = {}
    for level in LEVELS:
        number = _target(getattr(row, level))
        if number is None:
            message = N_("Kỹ thuật {row}: chỉ tiêu là số từ 0 đến {limit}")
            faults.append(_fault(level, place, "target_outside", message, limit=MOST_TARGET))
        targets[level] = number or 0
    if not any(targets.values()) and not any(fault.field.startswith(LEVELS) for fault in faults):
        message = N_("Kỹ thuật {row}: ghi chỉ tiêu cho ít nhất một mức")
        faults.append(_fault(LEVELS[0], place, "targets_missing", message))
    return Agreed(code, name, **targets), faults


def _target(text: str) -> int | None:
    """A number within its limits; nothing written is 0, anything else is None."""
    digits = text.strip()
    if not digits:
        return 0
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS):
        return None
    number = int(digits)
    return number if number <= MOST_TARGET else None


def _fault(box: str, place: int, code: str, message: str, **params: Param) -> FieldError:
    return FieldError(f"{box}.{place}", code, message, {"row": place + 1, **params})
