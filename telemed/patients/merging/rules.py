"""What stands against two files being one person, and what the real file takes over. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from telemed.core.errors import N_, Conflict, Invalid
from telemed.core.text import fold
from telemed.patients.intake import ALLERGIES_LIMIT
from telemed.patients.models import AllergyState, Patient, Sex

# A gap of the real file is filled from the other; what the real file says itself stays.
_FILLABLE: Final = (
    "old_number",
    "insurance_number",
    "phone",
    "ethnic_code",
    "interpreter_language",
    "commune_code",
    "address",
)
# These go together: a name with somebody else's telephone helps nobody.
_TOGETHER: Final = (("guardian_name", "guardian_relation", "guardian_phone"),)
_INSURANCE_PERSON: Final = 10


class Difference(StrEnum):
    """What a careful reader would stop at."""

    NAME = "name"
    SEX = "sex"
    BIRTH = "birth"
    INSURANCE = "insurance"


@dataclass(frozen=True)
class Filled:
    """A column of the real file before and after a merge."""

    before: Any
    after: Any


def check_pair(source: Patient, target: Patient) -> None:
    """Raise where two files can never be joined this way round."""
    if source.id == target.id:
        raise Invalid("merge_self", N_("Chọn hồ sơ khác với hồ sơ đang mở"), field="target")
    if source.merged_into_id is not None or target.merged_into_id is not None:
        raise Conflict("merged_already", N_("Một trong hai hồ sơ đã được gộp rồi"))
    if source.personal_number is not None:
        message = N_("Hồ sơ này đã có số định danh. Mở hồ sơ mã tạm rồi gộp vào hồ sơ có số.")
        raise Invalid("merge_not_temporary", message, field="target")


def differences(source: Patient, target: Patient) -> frozenset[Difference]:
    """Where the two files contradict each other; a gap contradicts nothing."""
    found = set()
    if source.folded_name != target.folded_name:
        found.add(Difference.NAME)
    if Sex.UNKNOWN not in {source.sex, target.sex} and source.sex is not target.sex:
        found.add(Difference.SEX)
    both_dated = source.birth_date is not None and target.birth_date is not None
    if source.birth_year != target.birth_year or (
        both_dated and source.birth_date != target.birth_date
    ):
        found.add(Difference.BIRTH)
    cards = [each.insurance_number or "" for each in (source, target)]
    if all(cards) and cards[0][-_INSURANCE_PERSON:] != cards[1][-_INSURANCE_PERSON:]:
        found.add(Difference.INSURANCE)
    return frozenset(found)


def fill(source: Patient, target: Patient) -> Mapping[str, Filled]:
    """The columns of the real file that change; an allergy is never lost. Raises Invalid."""
    filled: dict[str, Filled] = {}
    for name in _FILLABLE:
        if getattr(source, name) and not getattr(target, name):
            filled[name] = Filled(getattr(target, name), getattr(source, name))
    for group in _TOGETHER:
        if getattr(source, group[0]) and not any(getattr(target, name) for name in group):
            for name in group:
                filled[name] = Filled(getattr(target, name), getattr(source, name))
    if source.restricted_at and target.restricted_at is None:
        filled["restricted_at"] = Filled(None, source.restricted_at)
    same_year = source.birth_year == target.birth_year
    if source.birth_date and target.birth_date is None and same_year:
        filled["birth_date"] = Filled(None, source.birth_date)
    return {
        name: each
        for name, each in (filled | _allergies(source, target)).items()
        if each.before != each.after
    }


def _allergies(source: Patient, target: Patient) -> dict[str, Filled]:
    if source.allergy_state is AllergyState.NOT_ASKED:
        return {}
    if source.allergy_state is AllergyState.NONE:
        if target.allergy_state is not AllergyState.NOT_ASKED:
            return {}
        state, text = AllergyState.NONE, ""
    else:
        state, text = AllergyState.KNOWN, _joined(target.allergies, source.allergies)
    if len(text) > ALLERGIES_LIMIT:
        message = N_(
            "Dị ứng của hai hồ sơ cộng lại dài {given} chữ, nhiều nhất {limit}. Sửa ngắn lại rồi gộp."
        )
        raise Invalid("text_long", message, field="target", limit=ALLERGIES_LIMIT, given=len(text))
    days = [each.allergies_asked_on for each in (source, target) if each.allergies_asked_on]
    return {
        "allergy_state": Filled(target.allergy_state, state),
        "allergies": Filled(target.allergies, text),
        "allergies_asked_on": Filled(target.allergies_asked_on, max(days, default=None)),
    }


def _joined(known: str, more: str) -> str:
    if fold(more) in fold(known):
        return known
    if fold(known) in fold(more):
        return more
    return f"{known}; {more}"
