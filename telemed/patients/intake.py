"""The registration form: what is typed, what it means, and what should be looked at again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Annotated, Concatenate, ParamSpec, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints

from telemed.core.errors import N_, FieldError, Invalid, require_short
from telemed.core.text import clean_line
from telemed.patients.birth import Birth, parse_birth
from telemed.patients.cards import IdCard, InsuranceCard
from telemed.patients.ethnic_groups import ETHNIC_GROUPS
from telemed.patients.identity import (
    Doubt,
    InsuranceNumber,
    PersonalNumber,
    parse_full_name,
    parse_insurance_number,
    parse_old_id_number,
    parse_personal_number,
    parse_phone,
    shown,
)
from telemed.patients.languages import LANGUAGES
from telemed.patients.models import (
    AllergyState,
    GuardianRelation,
    Patient,
    Sex,
    TemporaryReason,
)

ADDRESS_LIMIT = 200
ALLERGIES_LIMIT = 500
GUARDIAN_LIMIT = 100

Typed = Annotated[str, StringConstraints(max_length=1000)]
T = TypeVar("T")
P = ParamSpec("P")


class PatientForm(BaseModel):
    """The form as typed; every field is text, judged by `check`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    personal_number: Typed = ""
    temporary_reason: Typed = ""
    old_number: Typed = ""
    insurance_number: Typed = ""
    full_name: Typed = ""
    sex: Typed = ""
    birth: Typed = ""
    phone: Typed = ""
    ethnic_code: Typed = ""
    interpreter_language: Typed = ""
    commune_code: Typed = ""
    address: Typed = ""
    guardian_name: Typed = ""
    guardian_relation: Typed = ""
    guardian_phone: Typed = ""
    allergy_state: Typed = AllergyState.NOT_ASKED.value
    allergies: Typed = ""
    revision: int = 0
    confirmed: Typed = ""


@dataclass(frozen=True)
class PatientValues:
    """What a form says, ready to be stored; the names are those of the columns."""

    personal_number: str | None
    temporary_reason: TemporaryReason | None
    old_number: str | None
    insurance_number: str | None
    full_name: str
    sex: Sex
    birth: Birth
    phone: str | None
    ethnic_code: str | None
    interpreter_language: str
    commune_code: str | None
    address: str
    guardian_name: str
    guardian_relation: GuardianRelation | None
    guardian_phone: str
    allergy_state: AllergyState
    allergies: str


class _Reading:
    """Reads field after field and keeps what was refused, so that one answer names them all."""

    def __init__(self) -> None:
        self.errors: list[FieldError] = []

    def required(
        self, parse: Callable[Concatenate[str, P], T], text: str, *args: P.args, **kwargs: P.kwargs
    ) -> T | None:
        """The value, or nothing and a refusal."""
        try:
            return parse(text, *args, **kwargs)
        except Invalid as refusal:
            self.errors.extend(refusal.fields)
            return None

    def optional(
        self, parse: Callable[Concatenate[str, P], T], text: str, *args: P.args, **kwargs: P.kwargs
    ) -> T | None:
        """Nothing where nothing was typed."""
        return self.required(parse, text, *args, **kwargs) if clean_line(text) else None


def check(form: PatientForm, today: date) -> tuple[PatientValues, tuple[Doubt, ...]]:
    """Read the form; raises once with every field that must be corrected."""
    reading = _Reading()
    number, reason = _key(form, reading)
    name = reading.required(parse_full_name, form.full_name)
    sex = reading.required(partial(_choice, Sex, "sex", N_("Chọn giới tính")), form.sex)
    birth = reading.required(parse_birth, form.birth, today)
    insurance = reading.optional(parse_insurance_number, form.insurance_number)
    state, allergies = _allergies(form, reading)
    old_number = reading.optional(parse_old_id_number, form.old_number)
    phone = reading.optional(parse_phone, form.phone)
    guardian, relation, guardian_phone = _guardian(form, reading)
    ethnic_code = reading.optional(_ethnic_code, form.ethnic_code)
    language = reading.optional(_language, form.interpreter_language)
    address = reading.required(_short, form.address, "address", ADDRESS_LIMIT)
    if reading.errors or name is None or sex is None or birth is None or state is None:
        raise Invalid.of(reading.errors)
    values = PatientValues(
        personal_number=number.value if number else None,
        temporary_reason=reason,
        old_number=old_number,
        insurance_number=insurance.value if insurance else None,
        full_name=name,
        sex=sex,
        birth=birth,
        phone=phone,
        ethnic_code=ethnic_code,
        interpreter_language=language or "",
        commune_code=clean_line(form.commune_code) or None,
        address=address or "",
        guardian_name=guardian,
        guardian_relation=relation,
        guardian_phone=guardian_phone or "",
        allergy_state=state,
        allergies=allergies,
    )
    return values, _doubts(number, insurance, values)


def fill_from_card(card: IdCard | InsuranceCard) -> dict[str, str]:
    """The fields of the form that a card fills; the others stay as they are."""
    said = {
        "full_name": card.full_name,
        "sex": card.sex.value,
        "birth": card.birth.text,
        "address": card.address[:ADDRESS_LIMIT],
    }
    if isinstance(card, IdCard):
        return said | {"personal_number": card.personal_number, "old_number": card.old_number}
    return said | {"insurance_number": card.number.value}


def fill_from_patient(patient: Patient) -> dict[str, str]:
    """The form as it would have to be typed to give this patient."""
    columns = PatientForm.model_fields.keys() & Patient.model_fields.keys()
    typed = {name: getattr(patient, name) for name in columns}
    birth = Birth(patient.birth_year, patient.birth_date).text
    return {name: str(value) for name, value in typed.items() if value} | {"birth": birth}


def _key(
    form: PatientForm, reading: _Reading
) -> tuple[PersonalNumber | None, TemporaryReason | None]:
    if clean_line(form.personal_number):
        return reading.required(parse_personal_number, form.personal_number), None
    if not clean_line(form.temporary_reason):
        message = N_("Ghi số định danh cá nhân, hoặc chọn lý do chưa có số")
        reading.errors.append(FieldError("personal_number", "personal_number_missing", message))
        return None, None
    words = N_("Chọn lý do chưa có số định danh")
    choose = partial(_choice, TemporaryReason, "temporary_reason", words)
    return None, reading.required(choose, form.temporary_reason)


def _guardian(
    form: PatientForm, reading: _Reading
) -> tuple[str, GuardianRelation | None, str | None]:
    name = reading.required(_short, form.guardian_name, "guardian_name", GUARDIAN_LIMIT)
    words = N_("Chọn quan hệ trong danh sách")
    choose = partial(_choice, GuardianRelation, "guardian_relation", words)
    relation = reading.optional(choose, form.guardian_relation)
    phone = reading.optional(parse_phone, form.guardian_phone, "guardian_phone")
    if name == "" and (relation or phone):
        message = N_("Ghi họ tên người đại diện")
        reading.errors.append(FieldError("guardian_name", "guardian_name_missing", message))
    return name or "", relation, phone


def _allergies(form: PatientForm, reading: _Reading) -> tuple[AllergyState | None, str]:
    words = N_("Chọn tình trạng dị ứng")
    choose = partial(_choice, AllergyState, "allergy_state", words)
    state = reading.required(choose, form.allergy_state)
    text = reading.required(_short, form.allergies, "allergies", ALLERGIES_LIMIT)
    if state is AllergyState.KNOWN and text == "":
        message = N_("Ghi dị ứng với gì, phản ứng thế nào")
        reading.errors.append(FieldError("allergies", "allergies_missing", message))
    if state is not AllergyState.KNOWN and text:
        message = N_("Đã ghi dị ứng thì chọn “Có dị ứng”, nếu không hãy xóa phần ghi")
        reading.errors.append(FieldError("allergy_state", "allergies_contradict", message))
    return state, text or ""


def _doubts(
    number: PersonalNumber | None, insurance: InsuranceNumber | None, values: PatientValues
) -> tuple[Doubt, ...]:
    of_number = number.doubts(values.sex, values.birth.year) if number else ()
    of_insurance = insurance.doubts(values.personal_number or "") if insurance else ()
    return (*of_number, *of_insurance)


EnumT = TypeVar("EnumT", Sex, TemporaryReason, AllergyState, GuardianRelation)


def _choice(kind: type[EnumT], field: str, message: str, text: str) -> EnumT:
    try:
        return kind(clean_line(text))
    except ValueError:
        raise Invalid(f"{field}_missing", message, field=field) from None


def _ethnic_code(text: str) -> str:
    code = clean_line(text)
    if code not in ETHNIC_GROUPS:
        message = N_("Mã dân tộc phải có trong danh mục 01 đến 55 – đang là {given}")
        raise Invalid("ethnic_code_unknown", message, field="ethnic_code", given=shown(text))
    return code


def _language(text: str) -> str:
    code = clean_line(text)
    if code not in LANGUAGES:
        message = N_("Chọn một thứ tiếng trong danh sách")
        raise Invalid("language_unknown", message, field="interpreter_language")
    return code


def _short(text: str, field: str, limit: int) -> str:
    line = clean_line(text)
    require_short(field, line, limit)
    return line
