from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.consults.vitals.reading import (
    CONSCIOUSNESS_LABELS,
    VITALS,
    Consciousness,
    Flag,
    Vital,
    VitalKey,
    flag_vital,
    format_vital,
    parse_vital,
    read_vitals,
)
from telemed.core.errors import Invalid

BOUNDS = {
    VitalKey.TEMPERATURE: ("25", "45"),
    VitalKey.PULSE: ("20", "300"),
    VitalKey.RESPIRATION: ("3", "120"),
    VitalKey.SPO2: ("30", "100"),
    VitalKey.SYSTOLIC: ("30", "300"),
    VitalKey.DIASTOLIC: ("10", "200"),
    VitalKey.GLUCOSE: ("0,5", "60"),
    VitalKey.WEIGHT: ("0,3", "300"),
    VitalKey.HEIGHT: ("20", "250"),
    VitalKey.GCS: ("3", "15"),
    VitalKey.MUAC: ("5", "50"),
    VitalKey.PAIN: ("0", "10"),
    VitalKey.GESTATION: ("4", "45"),
}


def test_every_sign_has_its_bounds() -> None:
    assert set(VITALS) == set(VitalKey) == set(BOUNDS)


@pytest.mark.parametrize(("key", "low", "high"), [(k, *b) for k, b in BOUNDS.items()])
def test_bounds_are_inclusive_and_said_in_the_refusal(key: VitalKey, low: str, high: str) -> None:
    assert parse_vital(key, low) == VITALS[key].low
    assert parse_vital(key, high) == VITALS[key].high
    with pytest.raises(Invalid) as refused:
        parse_vital(key, "999999")
    assert f"từ {low} đến {high}" in refused.value.message


@pytest.mark.parametrize("vital", VITALS.values(), ids=str)
def test_a_hair_outside_the_bounds_is_refused(vital: Vital) -> None:
    step = Decimal(1).scaleb(-vital.decimals)
    for value in (vital.low - step, vital.high + step):
        with pytest.raises(Invalid) as refused:
            parse_vital(vital.key, str(value))
        assert refused.value.code == "vital_out_of_bounds"


@pytest.mark.parametrize("typed", ["38,6", "38.6", " 38,60 "])
def test_decimal_comma_and_point_are_the_same(typed: str) -> None:
    assert parse_vital(VitalKey.TEMPERATURE, typed) == Decimal("38.6")


def test_nothing_typed_is_nothing_measured() -> None:
    assert parse_vital(VitalKey.PULSE, "  ") is None


@pytest.mark.parametrize("typed", ["abc", "1.234,5", "٣٨", "1e2", "-5", "--5", "NaN", "9" * 400])
def test_what_is_no_number_is_refused_with_its_field(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_vital(VitalKey.GLUCOSE, typed, field="vitals.glucose")
    (error,) = refused.value.fields
    assert error.field == "vitals.glucose"
    assert len(str(error.params["given"])) <= 21


def test_spo2_out_of_bounds_names_limit_and_value() -> None:
    with pytest.raises(Invalid) as refused:
        parse_vital(VitalKey.SPO2, "930")
    error = refused.value
    text = error.message.format(**error.params)
    assert text == "SpO2 phải từ 30 đến 100\u00a0% – đang là 930"


@pytest.mark.parametrize("vital", [v for v in VITALS.values() if v.decimals == 0], ids=str)
def test_counted_signs_are_whole_numbers(vital: Vital) -> None:
    assert parse_vital(vital.key, f"{vital.high},0") == vital.high
    with pytest.raises(Invalid) as refused:
        parse_vital(vital.key, f"{vital.low},5")
    assert refused.value.code == "vital_not_whole"
    assert refused.value.message


def test_a_newborn_is_weighed_to_the_gram() -> None:
    assert parse_vital(VitalKey.WEIGHT, "3,125") == Decimal("3.125")


@given(st.sampled_from(VitalKey), st.data())
def test_what_is_shown_reads_back_the_same(key: VitalKey, data: st.DataObject) -> None:
    vital = VITALS[key]
    value = data.draw(st.decimals(vital.low, vital.high, places=vital.decimals))
    assert parse_vital(key, format_vital(value)) == value
    assert parse_vital(key, format_vital(value, decimal_mark=".")) == value


def refused_fields(key: VitalKey, text: str) -> list[str]:
    try:
        parse_vital(key, text)
    except Invalid as refused:
        return [error.field for error in refused.fields]
    return []


@given(st.sampled_from(VitalKey), st.text() | st.text("0123456789,. "))
def test_any_text_is_read_or_refused(key: VitalKey, text: str) -> None:
    assert refused_fields(key, text) in ([], [key])


def test_a_form_is_refused_once_with_every_wrong_field() -> None:
    typed = {VitalKey.PULSE: "112", VitalKey.SPO2: "930", VitalKey.TEMPERATURE: "3,86"}
    with pytest.raises(Invalid) as refused:
        read_vitals(typed, consciousness="X", prefix="vitals.")
    fields = [error.field for error in refused.value.fields]
    assert fields == ["vitals.spo2", "vitals.temperature", "vitals.consciousness"]


@pytest.mark.parametrize(("systolic", "diastolic"), [("60", "60"), ("62", "104")])
def test_systolic_must_exceed_diastolic(systolic: str, diastolic: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_vitals({VitalKey.SYSTOLIC: systolic, VitalKey.DIASTOLIC: diastolic})
    (error,) = refused.value.fields
    assert (error.field, error.code) == ("systolic", "pressure_order")
    assert f"{systolic}/{diastolic}" in error.message.format(**error.params)


def test_a_whole_form_is_read() -> None:
    typed = {VitalKey.SYSTOLIC: "104", VitalKey.DIASTOLIC: "62", VitalKey.GLUCOSE: ""}
    vitals = read_vitals(typed, consciousness="c", on_oxygen=False)
    assert vitals.values == {VitalKey.SYSTOLIC: 104, VitalKey.DIASTOLIC: 62}
    assert vitals.consciousness is Consciousness.CONFUSED
    assert vitals.on_oxygen is False


def test_what_was_not_asked_stays_unknown() -> None:
    vitals = read_vitals({})
    assert (vitals.consciousness, vitals.on_oxygen) == (None, None)


def test_every_level_of_consciousness_has_a_label() -> None:
    assert [level.value for level in CONSCIOUSNESS_LABELS] == ["A", "C", "V", "P", "U"]


@pytest.mark.parametrize(
    ("key", "value", "age", "flag"),
    [
        (VitalKey.PULSE, "112", 67, Flag.HIGH),
        (VitalKey.PULSE, "90", 67, Flag.NORMAL),
        (VitalKey.SYSTOLIC, "104", 67, Flag.LOW),
        (VitalKey.TEMPERATURE, "38.6", 16, Flag.HIGH),
        (VitalKey.SPO2, "93", 67, Flag.LOW),
        (VitalKey.PULSE, "140", 15, None),
        (VitalKey.PULSE, "140", None, None),
        (VitalKey.WEIGHT, "50", 67, None),
    ],
)
def test_flags_are_for_adults_only(
    key: VitalKey, value: str, age: int | None, flag: Flag | None
) -> None:
    assert flag_vital(key, Decimal(value), age) is flag
