"""The fields of the request form: their names, order, sections and bounds. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from telemed.consults.triage.danger_signs import LABELS as SIGN_LABELS
from telemed.consults.triage.danger_signs import DangerSign
from telemed.consults.vitals.reading import VITALS, VitalKey
from telemed.core.errors import N_, FieldError, Invalid, TooLarge
from telemed.core.text import clean_line
from telemed.patients.consent_texts import CURRENT
from telemed.patients.models import ConsentPurpose

QUESTIONS_LIMIT = 10
QUESTIONS_SHOWN = 2
QUESTION_LIST = "question"
QUESTIONS = tuple(f"question_{number}" for number in range(1, QUESTIONS_LIMIT + 1))
VITAL_PREFIX = "vital_"
LOW_TARGET_FIELD = f"{VITAL_PREFIX}low_target"
SIGN_FIELDS = {f"sign_{sign}": sign for sign in DangerSign}
MAIN_VITALS = (
    VitalKey.PULSE,
    VitalKey.RESPIRATION,
    VitalKey.SPO2,
    VitalKey.SYSTOLIC,
    VitalKey.DIASTOLIC,
    VitalKey.TEMPERATURE,
)
OTHER_VITALS = tuple(key for key in VitalKey if key not in MAIN_VITALS)
PURPOSES: Mapping[str, ConsentPurpose] = {
    f"agree_{purpose.value}": purpose for purpose in ConsentPurpose
}
# A tick says to which wording it belongs: one under an older wording does not count.
TICKS: Mapping[str, str] = {name: CURRENT[purpose].version for name, purpose in PURPOSES.items()}

TEXT_LIMITS: Mapping[str, int] = {
    **dict.fromkeys(QUESTIONS, 1000),
    "reason": 4000,
    "history": 8000,
    "examination": 8000,
    "diagnosis": 500,
    "allergies": 500,
    "medication": 4000,
    "treatment": 4000,
    "giver_name": 100,
    "interpreter": 100,
}


@dataclass(frozen=True)
class Section:
    """A numbered part of the form, as the list beside it names it."""

    id: str
    title: str
    fields: tuple[str, ...] = ()
    is_needed: bool = True


SECTIONS = (
    Section("nguoi-benh", N_("1. Người bệnh")),
    Section("cau-hoi", N_("2. Câu hỏi"), QUESTIONS),
    Section(
        "kham",
        N_("3. Bệnh sử, khám"),
        ("reason", "history", "examination", "diagnosis", "icd", "icd_choice"),
    ),
    Section(
        "sinh-ton",
        N_("4. Dấu hiệu sinh tồn"),
        (
            *(f"{VITAL_PREFIX}{key}" for key in MAIN_VITALS),
            f"{VITAL_PREFIX}consciousness",
            f"{VITAL_PREFIX}oxygen",
            LOW_TARGET_FIELD,
            *(f"{VITAL_PREFIX}{key}" for key in OTHER_VITALS),
            *SIGN_FIELDS,
            "taken_time",
            "taken_date",
        ),
        is_needed=False,
    ),
    Section(
        "thuoc",
        N_("5. Dị ứng, thuốc, điều trị"),
        ("allergy_state", "allergies", "medication", "treatment", "transfer_possible"),
    ),
    Section("anh", N_("6. Hình ảnh, tệp"), is_needed=False),
    Section("khan", N_("7. Mức khẩn, chuyên khoa"), ("urgency", "specialty", "named")),
    Section(
        "dong-y",
        N_("8. Đồng ý"),
        ("basis", "giver_name", *PURPOSES, "language", "interpreter"),
    ),
)
# Kept with the draft, typed by nobody.
HIDDEN = ("allergy_seen",)
FIELDS = (*(name for section in SECTIONS for name in section.fields), *HIDDEN)
LABELS: Mapping[str, str] = {
    "reason": N_("Lý do hội chẩn, diễn biến"),
    "history": N_("Tiền sử"),
    "examination": N_("Khám"),
    "diagnosis": N_("Chẩn đoán sơ bộ"),
    "icd": N_("Mã ICD-10"),
    "vital_consciousness": N_("Tri giác"),
    "vital_oxygen": N_("Thở oxy"),
    LOW_TARGET_FIELD: N_("SpO2 mục tiêu"),
    "taken_time": N_("Giờ đo"),
    "taken_date": N_("Ngày đo"),
    "allergy_state": N_("Đã hỏi dị ứng chưa?"),
    "allergies": N_("Dị ứng với gì, biểu hiện ra sao"),
    "medication": N_("Thuốc đang dùng"),
    "treatment": N_("Đã xử trí, điều trị"),
    "transfer_possible": N_("Nếu cần, có chuyển viện được không?"),
    "urgency": N_("Mức độ khẩn"),
    "specialty": N_("Chuyên khoa"),
    "named": N_("Hỏi đích danh"),
    "basis": N_("Ai đồng ý"),
    "giver_name": N_("Họ tên người đại diện"),
    "language": N_("Hỏi bằng tiếng"),
    "interpreter": N_("Người phiên dịch"),
    **{f"{VITAL_PREFIX}{key}": vital.label for key, vital in VITALS.items()},
    **{name: SIGN_LABELS[sign] for name, sign in SIGN_FIELDS.items()},
    **{name: CURRENT[purpose].label for name, purpose in PURPOSES.items()},
}
# Filled in before anybody has typed, so they say nothing about a section being begun.
PREFILLED = frozenset({"taken_date", "allergy_state", "allergies", "language"})

_KNOWN = frozenset(FIELDS)
_PLACE = {name: place for place, name in enumerate(FIELDS)}
_RAW_LIMIT = 20_000
_RAW_TOTAL = 60_000
_NAME_SHOWN = 40
_NAMES_SHOWN = 20


def bounded_fields(given: Mapping[str, str]) -> dict[str, str]:
    """What was typed, untouched, within the size of a form; only questions may be empty.

    Raises Invalid for a name that the form does not have, TooLarge for far too much text.
    """
    unknown = [name for name in given if name not in _KNOWN]
    if unknown:
        message = N_("Phiếu không có ô này")
        names = [clean_line(name)[:_NAME_SHOWN] for name in unknown[:_NAMES_SHOWN]]
        raise Invalid.of([FieldError(name, "unknown_field", message) for name in names])
    total = 0
    for name, text in given.items():
        total += len(text)
        if len(text) > _RAW_LIMIT or total > _RAW_TOTAL:
            message = N_("Nội dung quá dài để lưu: mỗi ô nhiều nhất {limit} ký tự")
            params = {"limit": _RAW_LIMIT}
            field = FieldError(name, "draft_too_large", message, params)
            raise TooLarge("draft_too_large", message, fields=[field], **params)
    # Browsers send line ends in two ways; they are one and the same text.
    return {
        name: text.replace("\r\n", "\n")
        for name, text in given.items()
        if text or name in QUESTIONS
    }


def from_values(values: Mapping[str, str | list[str]]) -> dict[str, str]:
    """Fields as browsers send them: questions as one list, a tick as a list of at most one."""
    fields: dict[str, str] = {}
    for name, value in values.items():
        if name == QUESTION_LIST:
            texts = [value] if isinstance(value, str) else value
            fields |= {f"question_{n}": text for n, text in enumerate(texts, start=1)}
        elif isinstance(value, str):
            fields[name] = value
        elif len(value) > 1:
            message = N_("Mục này được gửi nhiều lần")
            raise Invalid("repeated", message, field=clean_line(name)[:_NAME_SHOWN])
        else:
            fields[name] = "".join(value)
    return fields


def to_values(fields: Mapping[str, str]) -> dict[str, str | list[str]]:
    """The same, on the way back to a browser; what nobody types stays here."""
    typed = {n: t for n, t in fields.items() if n not in QUESTIONS and n not in HIDDEN}
    return {QUESTION_LIST: [fields.get(name, "") for name in shown_questions(fields)], **typed}


def in_form_order(errors: list[FieldError]) -> list[FieldError]:
    """The refusals as the eye meets them on the page, one a field."""
    first: dict[str, FieldError] = {}
    for error in errors:
        first.setdefault(error.field, error)
    return sorted(first.values(), key=lambda error: _PLACE.get(error.field, len(_PLACE)))


def shown_questions(fields: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the question boxes to show: those that were there before, at least two."""
    last = max((n for n, name in enumerate(QUESTIONS, start=1) if name in fields), default=0)
    return QUESTIONS[: max(last, QUESTIONS_SHOWN)]


def with_question(fields: Mapping[str, str]) -> dict[str, str]:
    """The same form with one more question box."""
    more = QUESTIONS[: len(shown_questions(fields)) + 1]
    return {**fields, more[-1]: fields.get(more[-1], "")}


def with_icd_choice(fields: Mapping[str, str]) -> dict[str, str]:
    """A code picked from the list of a search takes the place of what was searched for."""
    rest = {name: text for name, text in fields.items() if name != "icd_choice"}
    chosen = fields.get("icd_choice", "")
    return {**rest, "icd": chosen} if chosen else rest
