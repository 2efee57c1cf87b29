"""What stands against two files being one person, and what the real file takes over."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.core.errors import Invalid, TelemedError
from telemed.core.text import fold
from telemed.patients.merging.rules import Difference, check_pair, differences, fill
from telemed.patients.models import AllergyState, Patient, Sex


def file(**changes: Any) -> Patient:
    fields: dict[str, Any] = {
        "station_id": 1,
        "full_name": "Lò Văn Pánh",
        "folded_name": fold(str(changes.get("full_name", "Lò Văn Pánh"))),
        "sex": Sex.MALE,
        "birth_year": 1959,
    }
    return Patient(**(fields | changes))


ALLERGIES = st.one_of(
    st.just((AllergyState.NOT_ASKED, "")),
    st.just((AllergyState.NONE, "")),
    st.sampled_from(["penicillin", "Penicillin", "tôm, cua", "latex"]).map(
        lambda text: (AllergyState.KNOWN, text)
    ),
)
TEXTS = st.sampled_from(["", "Bản Co Chạy", "Bản Na Sang"])


@given(ALLERGIES, ALLERGIES)
def test_no_merge_loses_an_allergy_or_an_answer(
    left: tuple[AllergyState, str], right: tuple[AllergyState, str]
) -> None:
    source = file(allergy_state=left[0], allergies=left[1])
    target = file(allergy_state=right[0], allergies=right[1])
    for name, each in fill(source, target).items():
        setattr(target, name, each.after)
    for state, text in (left, right):
        assert fold(text) in fold(target.allergies)
        if state is AllergyState.KNOWN:
            assert target.allergy_state is AllergyState.KNOWN
    asked = {left[0], right[0]} - {AllergyState.NOT_ASKED}
    assert (target.allergy_state is AllergyState.NOT_ASKED) == (not asked)


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_a_gap_is_filled_and_what_the_real_file_says_stays(
    left: str, right: str, guardian: str, own_guardian: str
) -> None:
    source = file(address=left, guardian_name=guardian, guardian_phone="0912345678")
    target = file(address=right, guardian_name=own_guardian, guardian_phone="")
    for name, each in fill(source, target).items():
        assert getattr(target, name) == each.before
        setattr(target, name, each.after)
    assert target.address == (right or left)
    # A telephone comes with the name that it belongs to, or not at all.
    assert target.guardian_phone == ("0912345678" if guardian and not own_guardian else "")


def test_what_contradicts_is_named_and_a_gap_is_no_contradiction() -> None:
    blank = {"sex": Sex.UNKNOWN, "birth_date": None, "insurance_number": None}
    same = file(birth_date=date(1959, 3, 12), insurance_number="DT4110110059123")
    assert differences(file(**blank), same) == set()
    assert differences(file(insurance_number="0110059123"), same) == set()
    other = file(
        full_name="Lò Thị Pánh",
        sex=Sex.FEMALE,
        birth_date=date(1959, 3, 13),
        insurance_number="DT4110110059124",
    )
    assert differences(other, same) == set(Difference)
    assert differences(file(birth_year=1960), same) == {Difference.BIRTH}


@pytest.mark.parametrize(
    ("source", "target", "code"),
    [
        ({"id": 1}, {"id": 1}, "merge_self"),
        ({"id": 1, "merged_into_id": 3}, {"id": 2}, "merged_already"),
        ({"id": 1}, {"id": 2, "merged_into_id": 3}, "merged_already"),
        ({"id": 1, "personal_number": "011059000123"}, {"id": 2}, "merge_not_temporary"),
    ],
)
def test_some_pairs_are_never_joined(
    source: dict[str, Any], target: dict[str, Any], code: str
) -> None:
    with pytest.raises(TelemedError) as refusal:
        check_pair(file(**source), file(**target))
    assert refusal.value.code == code


def test_allergies_that_do_not_fit_are_refused_rather_than_cut() -> None:
    long = {"allergy_state": AllergyState.KNOWN}
    with pytest.raises(Invalid) as refusal:
        fill(file(**long, allergies="a" * 300), file(**long, allergies="b" * 300))
    assert refusal.value.fields[0].field == "target"
