"""From the request form as typed to a request that can be sent, or to what has to be corrected."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from telemed.consults.models import Urgency
from telemed.consults.request.fields import (
    LOW_TARGET_FIELD,
    PURPOSES,
    QUESTIONS,
    SIGN_FIELDS,
    TEXT_LIMITS,
    TICKS,
    VITAL_PREFIX,
    in_form_order,
)
from telemed.consults.request.input import (
    Choices,
    ConsentInput,
    IcdChoice,
    RequestInput,
)
from telemed.consults.triage.danger_signs import DangerSign
from telemed.consults.vitals.reading import (
    Consciousness,
    VitalKey,
    Vitals,
    parse_vital,
    read_vitals,
)
from telemed.core.clock import LOCAL_ZONE
from telemed.core.errors import N_, FieldError, Invalid, Param, too_long
from telemed.core.text import clean_line, clean_text
from telemed.patients.guardians import ALONE_BELOW_YEARS, CHILD_BELOW_YEARS, needs_guardian
from telemed.patients.identity import shown
from telemed.patients.languages import LANGUAGES, VIETNAMESE
from telemed.patients.models import AllergyState, ConsentGiver, ConsentPurpose

VITALS_OLDEST = timedelta(days=7)
_CLOCKS_DIFFER = timedelta(minutes=5)

_CODE = re.compile(r"([A-Za-z])\s*([0-9]{2})(?:\.?([0-9]{1,2}))?(?!\.?[0-9A-Za-z])")
_TIME = re.compile(r"([0-9]{1,2})\s*[:hg.]\s*([0-9]{2})")
_DATE = re.compile(r"([0-9]{1,2})[/.\-]([0-9]{1,2})[/.\-]([0-9]{4})")
_YES_NO = {"yes": True, "no": False}
_ONE_LINE = frozenset({"diagnosis", "allergies", "giver_name", "interpreter"})

EnumT = TypeVar("EnumT", bound=StrEnum)
T = TypeVar("T")


class _Reading:
    """Reads field after field and keeps what was refused, so that one answer names them all."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = fields
        self.errors: list[FieldError] = []

    def typed(self, name: str) -> str:
        return clean_line(self.fields.get(name, ""))

    def refuse(self, name: str, code: str, message: str, **params: Param) -> None:
        self.errors.append(FieldError(name, code, message, params))

    def text(self, name: str, missing: str = "") -> str:
        clean = clean_line if name in _ONE_LINE else clean_text
        value, limit = clean(self.fields.get(name, "")), TEXT_LIMITS[name]
        if missing and not value:
            self.refuse(name, f"{name}_missing", missing)
        self.errors += too_long(name, value, limit)
        return value

    def choice(self, name: str, options: Mapping[str, T], missing: str = "") -> T | None:
        value = self.typed(name)
        if not value:
            if missing:
                self.refuse(name, f"{name}_missing", missing)
            return None
        if value not in options:
            message = N_("Chọn lại trong danh sách – đang là {given}")
            self.refuse(name, f"{name}_unknown", message, given=shown(value))
            return None
        return options[value]


def find_icd_code(fields: Mapping[str, str]) -> str | None:
    """The code in what was typed: `j181` and `J18.1 – Lobar pneumonia` are both J18.1."""
    match = _CODE.match(clean_line(fields.get("icd", "")))
    if match is None:
        return None
    letter, category, sub = match.groups()
    return f"{letter.upper()}{category}.{sub}" if sub else f"{letter.upper()}{category}"


def read_request(fields: Mapping[str, str], choices: Choices) -> RequestInput:
    """Read the whole form; raises Invalid once, with every field, in the order of the form."""
    reading = _Reading(fields)
    request = _read(reading, choices)
    if reading.errors or request is None:
        raise Invalid.of(in_form_order(reading.errors))
    return request


def find_errors(fields: Mapping[str, str], choices: Choices) -> tuple[FieldError, ...]:
    """What keeps the form from being sent; nothing when it can be."""
    try:
        read_request(fields, choices)
    except Invalid as refusal:
        return refusal.fields
    return ()


def _read(reading: _Reading, choices: Choices) -> RequestInput | None:
    questions = _questions(reading)
    vitals, taken_at = _vitals(reading, choices.now)
    allergy_state, allergies = _allergies(reading, choices)
    urgency = reading.choice("urgency", _by_value(Urgency), N_("Chọn mức độ khẩn"))
    specialty_id, named_id = _addressee(reading, choices)
    consent = _consent(reading, choices)
    request_text = {
        "reason": reading.text("reason", N_("Ghi lý do hội chẩn và diễn biến")),
        "history": reading.text("history"),
        "examination": reading.text("examination"),
        "diagnosis": reading.text(
            "diagnosis", N_("Ghi chẩn đoán sơ bộ, chưa rõ thì ghi “chưa rõ”")
        ),
        "medication": reading.text("medication"),
        "treatment": reading.text("treatment"),
    }
    icd = _icd(reading, choices)
    transfer_possible = reading.choice("transfer_possible", _YES_NO)
    if urgency is None or specialty_id is None or consent is None or allergy_state is None:
        return None
    return RequestInput(
        questions=questions,
        **request_text,
        icd=icd,
        vitals=vitals,
        taken_at=taken_at,
        allergy_state=allergy_state,
        allergies=allergies,
        transfer_possible=transfer_possible,
        urgency=urgency,
        specialty_id=specialty_id,
        named_id=named_id,
        consent=consent,
    )


def _by_value(values: type[EnumT]) -> dict[str, EnumT]:
    return {item.value: item for item in values}


def _questions(reading: _Reading) -> tuple[str, ...]:
    asked = tuple(text for name in QUESTIONS if (text := reading.text(name)))
    if not asked:
        message = N_("Ghi ít nhất một câu hỏi cho bác sĩ chuyên khoa")
        reading.refuse(QUESTIONS[0], "question_missing", message)
    return asked


def _icd(reading: _Reading, choices: Choices) -> IcdChoice | None:
    typed = reading.typed("icd")
    if not typed:
        return None
    code = find_icd_code(reading.fields)
    if code is None:
        message = N_("Ghi mã ICD-10 như J18.1, hoặc tìm theo tên rồi chọn – đang là {given}")
        reading.refuse("icd", "icd_malformed", message, given=shown(typed))
    elif choices.icd is None or choices.icd.code != code:
        message = N_("Danh mục ICD-10 không có mã {given}")
        reading.refuse("icd", "icd_unknown", message, given=code)
    return choices.icd


def _vitals(reading: _Reading, now: datetime) -> tuple[Vitals, datetime | None]:
    try:
        vitals = read_vitals(
            {key: reading.fields.get(f"{VITAL_PREFIX}{key}", "") for key in VitalKey},
            consciousness=reading.typed(f"{VITAL_PREFIX}consciousness"),
            on_oxygen=reading.choice(f"{VITAL_PREFIX}oxygen", _YES_NO),
            has_low_target=bool(reading.choice(LOW_TARGET_FIELD, _YES_NO)),
            signs=_signs(reading),
            prefix=VITAL_PREFIX,
        )
    except Invalid as refusal:
        reading.errors.extend(refusal.fields)
        vitals, is_measured = Vitals({}), True
    else:
        is_measured = vitals != Vitals({})
    if not is_measured and not reading.typed("taken_time"):
        return vitals, None
    return vitals, _taken_at(reading, now)


def readable_vitals(fields: Mapping[str, str]) -> Vitals:
    """What can be read of the vital signs so far; the rest is as if it had not been typed."""
    reading = _Reading(fields)
    values: dict[VitalKey, Decimal] = {}
    for key in VitalKey:
        with suppress(Invalid):
            value = parse_vital(key, fields.get(f"{VITAL_PREFIX}{key}", ""))
            values |= {} if value is None else {key: value}
    level = reading.choice(f"{VITAL_PREFIX}consciousness", _by_value(Consciousness))
    return Vitals(
        values,
        level,
        reading.choice(f"{VITAL_PREFIX}oxygen", _YES_NO),
        bool(reading.choice(LOW_TARGET_FIELD, _YES_NO)),
        _signs(reading),
    )


def _signs(reading: _Reading) -> frozenset[DangerSign]:
    ticked = {name: reading.choice(name, _YES_NO) for name in SIGN_FIELDS}
    return frozenset(SIGN_FIELDS[name] for name, is_ticked in ticked.items() if is_ticked)


def _taken_at(reading: _Reading, now: datetime) -> datetime | None:
    before = len(reading.errors)
    at = _time(reading)
    on = _date(reading)
    if at is None or on is None or len(reading.errors) > before:
        return None
    taken = datetime.combine(on, at, LOCAL_ZONE)
    if not now - VITALS_OLDEST <= taken <= now + _CLOCKS_DIFFER:
        message = N_("Giờ đo phải trong {limit} ngày qua, không sau bây giờ – đang là {given}")
        given = f"{taken:%H:%M %d/%m/%Y}"
        reading.refuse(
            "taken_time", "taken_too_far", message, limit=VITALS_OLDEST.days, given=given
        )
        return None
    return taken


def _time(reading: _Reading) -> time | None:
    typed = reading.typed("taken_time")
    if not typed:
        reading.refuse("taken_time", "taken_time_missing", N_("Ghi giờ đo dấu hiệu sinh tồn"))
        return None
    at = _clock(typed)
    if at is None:
        message = N_("Ghi giờ đo như 09:28 – đang là {given}")
        reading.refuse("taken_time", "taken_time_malformed", message, given=shown(typed))
    return at


def _clock(typed: str) -> time | None:
    match = _TIME.fullmatch(typed.lower())
    try:
        return time(int(match[1]), int(match[2])) if match else None
    except ValueError:
        return None


def _date(reading: _Reading) -> date | None:
    typed = reading.typed("taken_date")
    if not typed:
        reading.refuse("taken_date", "taken_date_missing", N_("Ghi ngày đo dấu hiệu sinh tồn"))
        return None
    on = _day(typed)
    if on is None:
        message = N_("Ghi ngày đo như 22/11/2026 – đang là {given}")
        reading.refuse("taken_date", "taken_date_malformed", message, given=shown(typed))
    return on


def _day(typed: str) -> date | None:
    match = _DATE.fullmatch(typed)
    try:
        return date(int(match[3]), int(match[2]), int(match[1])) if match else None
    except ValueError:
        return None


def _allergies(reading: _Reading, choices: Choices) -> tuple[AllergyState | None, str]:
    missing = N_("Chọn có dị ứng, không dị ứng, hay chưa hỏi được")
    state = reading.choice("allergy_state", _by_value(AllergyState), missing)
    if state is None:
        return None, ""
    is_known = state is AllergyState.KNOWN
    need = N_("Ghi dị ứng với gì, biểu hiện ra sao")
    text = reading.text("allergies", need) if is_known else ""
    _compare_allergies(reading, allergy_mark(*choices.allergy), allergy_mark(state, text))
    return state, text


def allergy_mark(state: AllergyState, allergies: str) -> str:
    """What was known of a patient's allergies when the form was shown."""
    return f"{state.value} {allergies}".strip()


def _compare_allergies(reading: _Reading, known: str, typed: str) -> None:
    """Somebody else may have asked meanwhile; nobody overwrites an answer unseen."""
    if reading.fields.get("allergy_seen", known) != known != typed:
        message = N_(
            "Dị ứng của người bệnh vừa được người khác ghi lại. Xem trên đầu trang rồi ghi."
        )
        reading.refuse("allergy_state", "allergy_changed", message)


def _addressee(reading: _Reading, choices: Choices) -> tuple[int | None, int | None]:
    specialty_id = reading.choice("specialty", choices.specialties, N_("Chọn chuyên khoa cần hỏi"))
    colleague = reading.choice("named", choices.colleagues)
    if colleague is None:
        return specialty_id, None
    if specialty_id is not None and specialty_id not in colleague.specialty_ids:
        message = N_("Bác sĩ {given} không thuộc chuyên khoa bạn chọn")
        reading.refuse("named", "named_other_specialty", message, given=colleague.name)
    return specialty_id, colleague.id


def _consent(reading: _Reading, choices: Choices) -> ConsentInput | None:
    missing = N_("Chọn ai đồng ý cho hội chẩn, hoặc chọn căn cứ cấp cứu")
    giver = reading.choice("basis", _by_value(ConsentGiver), missing)
    agreed = _ticked(reading)
    name, interpreter = reading.text("giver_name"), reading.text("interpreter")
    language = reading.choice("language", {code: code for code in LANGUAGES}) or VIETNAMESE
    if giver is None:
        return None
    if giver is ConsentGiver.EMERGENCY:
        _refuse_unasked(reading, agreed)
    elif ConsentPurpose.CONSULT not in agreed:
        message = N_("Hỏi và đánh dấu ý 1: không đồng ý thì không gửi được dữ liệu đi hội chẩn")
        reading.refuse("agree_consult", "agree_consult_missing", message)
    if giver is ConsentGiver.GUARDIAN and not name:
        message = N_("Ghi họ tên người đại diện đã đồng ý")
        reading.refuse("giver_name", "giver_name_missing", message)
    if giver is ConsentGiver.PATIENT:
        _require_guardian(reading, choices.age_years, agreed)
    return ConsentInput(giver, name, agreed, language, interpreter)


def _require_guardian(reading: _Reading, age_years: int, agreed: frozenset[ConsentPurpose]) -> None:
    if needs_guardian(ConsentPurpose.CONSULT, age_years):
        message = N_("Trẻ dưới {limit} tuổi: người đại diện đồng ý")
        reading.refuse("basis", "guardian_needed", message, limit=ALONE_BELOW_YEARS)
        return
    for name, purpose in PURPOSES.items():
        if purpose in agreed and needs_guardian(purpose, age_years):
            message = N_("Dưới {limit} tuổi: ý này cần cả người đại diện đồng ý")
            reading.refuse(name, "guardian_needed", message, limit=CHILD_BELOW_YEARS)


def _ticked(reading: _Reading) -> frozenset[ConsentPurpose]:
    agreed = set()
    for name, purpose in PURPOSES.items():
        tick = reading.typed(name)
        if tick == TICKS[name]:
            agreed.add(purpose)
        elif tick:
            message = N_("Lời hỏi đồng ý vừa đổi. Đọc lại cho người bệnh rồi đánh dấu lại.")
            reading.refuse(name, "consent_text_stale", message)
    return frozenset(agreed)


def _refuse_unasked(reading: _Reading, agreed: frozenset[ConsentPurpose]) -> None:
    for name, purpose in PURPOSES.items():
        if purpose is not ConsentPurpose.CONSULT and purpose in agreed:
            message = N_("Cấp cứu chưa hỏi được ai thì chưa đánh dấu ý này")
            reading.refuse(name, "agree_unasked", message)
