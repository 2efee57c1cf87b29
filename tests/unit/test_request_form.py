from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemed.consults.models import Urgency
from telemed.consults.request.fields import (
    FIELDS,
    QUESTIONS,
    SECTIONS,
    TEXT_LIMITS,
    TICKS,
    bounded_fields,
    from_values,
    shown_questions,
    to_values,
    with_icd_choice,
    with_question,
)
from telemed.consults.request.form import find_errors, find_icd_code, read_request
from telemed.consults.request.input import Choices, Colleague, IcdChoice, RequestInput
from telemed.consults.request.sections import SectionState, section_state
from telemed.consults.vitals.reading import Consciousness, VitalKey
from telemed.core.errors import Invalid, TooLarge
from telemed.patients.models import AllergyState, ConsentGiver, ConsentPurpose

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # 09:00 in Điện Biên
LUNGS = IcdChoice("J18.1", "Lobar pneumonia, unspecified", "ICD-10 WHO", "2019")
YEN = Colleague(41, "uid-of-yen", "Lò Thị Yến", frozenset({7}))
CHOICES = Choices(
    now=NOW,
    age_years=41,
    specialties={"internal": 7, "paediatrics": 8},
    colleagues={YEN.uid: YEN},
    icd=LUNGS,
)
COMPLETE = {
    "question_1": "Cần chuyển viện ngay hay điều trị tại trạm được?",
    "reason": "Sốt 3 ngày, ho đờm vàng,\nkhó thở tăng từ đêm qua",
    "diagnosis": "Viêm phổi thùy",
    "icd": "j181",
    "vital_pulse": "112",
    "vital_temperature": "38,6",
    "vital_consciousness": "A",
    "vital_oxygen": "no",
    "taken_time": "8h40",
    "taken_date": "23/11/2026",
    "allergy_state": "known",
    "allergies": "Penicillin",
    "transfer_possible": "no",
    "urgency": "urgent",
    "specialty": "internal",
    "basis": "patient",
    "agree_consult": TICKS["agree_consult"],
}


def read(choices: Choices = CHOICES, **changes: str) -> RequestInput:
    return read_request(COMPLETE | changes, choices)


def wrong(choices: Choices = CHOICES, **changes: str) -> dict[str, str]:
    """Field → code of what is refused."""
    return {e.field: e.code for e in find_errors(COMPLETE | changes, choices)}


def test_a_complete_form_is_a_request_that_can_be_sent() -> None:
    request = read()

    assert request.questions == ("Cần chuyển viện ngay hay điều trị tại trạm được?",)
    assert request.reason == "Sốt 3 ngày, ho đờm vàng,\nkhó thở tăng từ đêm qua"
    assert request.icd == LUNGS
    assert {key: str(value) for key, value in request.vitals.values.items()} == {
        VitalKey.PULSE: "112",
        VitalKey.TEMPERATURE: "38.6",
    }
    assert request.vitals.consciousness is Consciousness.ALERT
    assert request.vitals.on_oxygen is False
    assert request.taken_at == NOW - timedelta(minutes=20)
    assert (request.allergy_state, request.allergies) == (AllergyState.KNOWN, "Penicillin")
    assert request.urgency is Urgency.URGENT
    assert (request.specialty_id, request.named_id) == (7, None)
    assert request.transfer_possible is False


def test_an_empty_form_names_everything_that_is_needed_in_the_order_of_the_page() -> None:
    errors = find_errors({}, CHOICES)

    assert [error.field for error in errors] == [
        "question_1",
        "reason",
        "diagnosis",
        "allergy_state",
        "urgency",
        "specialty",
        "basis",
    ]
    assert {error.code.rpartition("_")[2] for error in errors} == {"missing"}


def test_one_refusal_a_field_and_all_of_them_at_once() -> None:
    errors = wrong(question_1=" ", vital_spo2="930", basis="")

    assert errors == {
        "question_1": "question_missing",
        "vital_spo2": "vital_out_of_bounds",
        "basis": "basis_missing",
    }


def test_questions_are_numbered_without_the_empty_boxes() -> None:
    request = read(question_1="", question_2="Chọn kháng sinh nào?", question_9="Liều bao nhiêu?")

    assert request.questions == ("Chọn kháng sinh nào?", "Liều bao nhiêu?")


@pytest.mark.parametrize(("name", "limit"), TEXT_LIMITS.items())
def test_every_text_has_its_limit_and_says_what_was_given(name: str, limit: int) -> None:
    changes = {name: "x" * (limit + 1)}
    errors = find_errors(COMPLETE | changes, CHOICES)

    assert [(e.field, e.code, dict(e.params)) for e in errors] == [
        (name, "text_long", {"limit": limit, "given": limit + 1})
    ]


class TestIcd:
    @pytest.mark.parametrize(
        ("typed", "code"),
        [
            ("J18.1", "J18.1"),
            ("j181", "J18.1"),
            ("J18.1 – Lobar pneumonia, unspecified", "J18.1"),
            ("J18", "J18"),
            ("A 01", "A01"),
            ("B18.00", "B18.00"),
            ("G20†", "G20"),
            ("viêm phổi", None),
            ("J1", None),
            ("J18.123", None),
            ("J18x", None),
            ("", None),
        ],
    )
    def test_the_code_is_found_in_what_was_typed(self, typed: str, code: str | None) -> None:
        assert find_icd_code({"icd": typed}) == code

    def test_words_are_no_code(self) -> None:
        assert wrong(icd="viêm phổi") == {"icd": "icd_malformed"}

    def test_a_code_that_the_list_does_not_have_is_refused(self) -> None:
        choices = Choices(now=NOW, age_years=41, specialties={"internal": 7})

        assert wrong(choices, icd="J18.1") == {"icd": "icd_unknown"}

    def test_no_code_is_needed(self) -> None:
        assert read(Choices(NOW, 41, {"internal": 7}), icd="").icd is None


class TestVitals:
    def test_none_are_needed(self) -> None:
        none = {name: "" for name in COMPLETE if name.startswith(("vital_", "taken_"))}

        assert read_request(COMPLETE | none, CHOICES).taken_at is None

    def test_a_value_needs_its_time(self) -> None:
        assert wrong(taken_time="", taken_date="") == {
            "taken_time": "taken_time_missing",
            "taken_date": "taken_date_missing",
        }

    @pytest.mark.parametrize("typed", ["08:40", "8h40", "8 g 40", "8.40"])
    def test_time_is_read_as_people_write_it(self, typed: str) -> None:
        assert read(taken_time=typed).taken_at == NOW - timedelta(minutes=20)

    @pytest.mark.parametrize(("time", "date"), [("25:00", "23/11/2026"), ("08:40", "31/11/2026")])
    def test_a_moment_that_is_in_no_calendar_is_refused(self, time: str, date: str) -> None:
        errors = wrong(taken_time=time, taken_date=date)

        assert [code.rpartition("_")[2] for code in errors.values()] == ["malformed"]

    @pytest.mark.parametrize(
        ("time", "date"),
        [("09:06", "23/11/2026"), ("08:59", "16/11/2026"), ("09:00", "23/11/2062")],
    )
    def test_a_moment_to_come_or_long_gone_is_refused(self, time: str, date: str) -> None:
        assert wrong(taken_time=time, taken_date=date) == {"taken_time": "taken_too_far"}

    def test_the_clock_of_the_station_may_be_a_little_fast(self) -> None:
        assert read(taken_time="09:04").taken_at == NOW + timedelta(minutes=4)


class TestAllergies:
    def test_known_needs_words(self) -> None:
        assert wrong(allergies="") == {"allergies": "allergies_missing"}

    def test_what_is_written_beside_none_does_not_count(self) -> None:
        assert read(allergy_state="none", allergies="Penicillin").allergies == ""

    def test_an_answer_given_meanwhile_is_not_overwritten_unseen(self) -> None:
        choices = Choices(
            NOW, 41, {"internal": 7}, icd=LUNGS, allergy=(AllergyState.KNOWN, "Aspirin")
        )

        assert wrong(choices, allergy_seen="not_asked") == {"allergy_state": "allergy_changed"}
        assert read(choices, allergy_seen="known Aspirin").allergies == "Penicillin"
        assert read(choices, allergy_seen="not_asked", allergies="Aspirin").allergies == "Aspirin"


class TestAddressee:
    def test_a_colleague_may_be_named(self) -> None:
        assert read(named=YEN.uid).named_id == YEN.id

    def test_a_colleague_of_another_specialty_is_refused(self) -> None:
        assert wrong(named=YEN.uid, specialty="paediatrics") == {"named": "named_other_specialty"}

    def test_somebody_unknown_is_refused(self) -> None:
        assert wrong(named="nobody") == {"named": "named_unknown"}


class TestConsent:
    EMERGENCY: ClassVar = COMPLETE | {"basis": "emergency", "agree_consult": ""}

    def test_refusing_recording_and_teaching_does_not_block(self) -> None:
        assert read().consent.agreed == {ConsentPurpose.CONSULT}

    def test_refusing_the_consult_blocks(self) -> None:
        assert wrong(agree_consult="") == {"agree_consult": "agree_consult_missing"}

    def test_an_emergency_asks_nobody(self) -> None:
        consent = read_request(self.EMERGENCY, CHOICES).consent

        assert consent.giver is ConsentGiver.EMERGENCY
        assert consent.agreed == set()

    def test_an_emergency_is_no_consent_to_record_or_teach(self) -> None:
        ticks = {name: TICKS[name] for name in ("agree_recording", "agree_teaching")}
        errors = {e.field: e.code for e in find_errors(self.EMERGENCY | ticks, CHOICES)}

        assert errors == {"agree_recording": "agree_unasked", "agree_teaching": "agree_unasked"}

    def test_a_guardian_has_a_name(self) -> None:
        assert wrong(basis="guardian") == {"giver_name": "giver_name_missing"}
        assert read(basis="guardian", giver_name="Lò Thị Mai").consent.giver_name == "Lò Thị Mai"

    def test_a_small_child_does_not_agree_alone(self) -> None:
        child = Choices(NOW, 6, {"internal": 7}, icd=LUNGS)

        assert wrong(child) == {"basis": "guardian_needed"}

    @pytest.mark.parametrize("tick", ["2019-01", "on", "true", "1"])
    def test_a_tick_under_another_text_does_not_count(self, tick: str) -> None:
        assert wrong(agree_consult=tick) == {"agree_consult": "consent_text_stale"}
        assert wrong(agree_teaching=tick) == {"agree_teaching": "consent_text_stale"}


class TestSections:
    def states(self, fields: dict[str, str], *, is_sent: bool = False) -> dict[str, SectionState]:
        errors = find_errors(fields, CHOICES)
        return {s.id: section_state(s, fields, errors, is_sent=is_sent) for s in SECTIONS}

    def test_a_fresh_form_lacks_what_is_needed_and_no_more(self) -> None:
        states = self.states({"taken_date": "23/11/2026", "language": "vi", "question_2": ""})

        assert states == {
            "nguoi-benh": SectionState.DONE,
            "cau-hoi": SectionState.MISSING,
            "kham": SectionState.MISSING,
            "sinh-ton": SectionState.OPTIONAL,
            "thuoc": SectionState.MISSING,
            "anh": SectionState.OPTIONAL,
            "khan": SectionState.MISSING,
            "dong-y": SectionState.MISSING,
        }

    def test_a_bad_value_is_wrong_at_once_a_missing_one_only_after_sending(self) -> None:
        fields = COMPLETE | {"vital_spo2": "930", "basis": ""}

        assert self.states(fields)["sinh-ton"] is SectionState.WRONG
        assert self.states(fields)["dong-y"] is SectionState.MISSING
        assert self.states(fields, is_sent=True)["dong-y"] is SectionState.WRONG

    def test_a_complete_form_is_done(self) -> None:
        assert set(self.states(COMPLETE).values()) == {SectionState.DONE, SectionState.OPTIONAL}


class TestDraftFields:
    def test_what_was_typed_is_kept_as_it_is(self) -> None:
        typed = {"vital_spo2": " 9 3 0 ", "reason": "a\n\n\nb  "}

        assert bounded_fields(typed | {"history": ""}) == typed

    @pytest.mark.parametrize("name", ["station_id", "role", "requester_id", "question_11", "uid"])
    def test_a_field_that_the_form_does_not_have_is_refused_by_its_name(self, name: str) -> None:
        with pytest.raises(Invalid) as refusal:
            bounded_fields({"reason": "x", name: "1"})

        assert [(e.field, e.code) for e in refusal.value.fields] == [(name, "unknown_field")]

    @pytest.mark.parametrize(
        "fields", [{"reason": "x" * 20_001}, dict.fromkeys(QUESTIONS, "x" * 6_001)]
    )
    def test_far_too_much_text_is_not_kept(self, fields: dict[str, str]) -> None:
        with pytest.raises(TooLarge):
            bounded_fields(fields)

    def test_questions_are_added_up_to_ten(self) -> None:
        assert len(shown_questions({})) == 2
        assert len(shown_questions({"question_5": "?"})) == 5
        more: dict[str, str] = {}
        for _ in range(12):
            more = with_question(more)
        assert bounded_fields(more) == more
        assert shown_questions(more) == QUESTIONS

    def test_line_ends_of_forms_and_of_scripts_are_one_text(self) -> None:
        assert bounded_fields({"reason": "a\r\nb"}) == bounded_fields({"reason": "a\nb"})

    def test_fields_travel_as_browsers_send_them(self) -> None:
        sent = {"question": ["a", "", "c"], "agree_consult": ["2026-01"], "agree_teaching": []}
        fields = bounded_fields(from_values({**sent, "reason": "x"}))

        assert fields == {
            "question_1": "a",
            "question_2": "",
            "question_3": "c",
            "agree_consult": "2026-01",
            "reason": "x",
        }
        back = to_values({**fields, "allergy_seen": "none"})
        assert back == {"question": ["a", "", "c"], "agree_consult": "2026-01", "reason": "x"}

    def test_one_box_does_not_come_twice(self) -> None:
        with pytest.raises(Invalid):
            from_values({"reason": ["x", "y"]})

    def test_a_code_that_was_picked_takes_the_place_of_the_search(self) -> None:
        picked = with_icd_choice({"icd": "pneumonia", "icd_choice": "J18.1"})

        assert picked == {"icd": "J18.1"}
        assert with_icd_choice({"icd": "pneumonia"}) == {"icd": "pneumonia"}


WORDS = """on yes emergency patient guardian known none internal A 38,6 112 930 -1 1e9 ०१ 09:28 99:99
23/11/2026 00/00/0000 J18.1 ² NaN {given} %s"""
NASTY = ("9" * 400, "x" * 4001, "\u202e", "\ud800")
junk = st.text(max_size=30) | st.sampled_from([*WORDS.split(), *NASTY])


@settings(max_examples=400)
@given(st.dictionaries(st.sampled_from(FIELDS), junk))
def test_any_junk_is_a_request_or_a_refusal_by_the_names_of_the_form(junk: dict[str, str]) -> None:
    for fields in (junk, COMPLETE | junk):
        errors = find_errors(fields, CHOICES)

        assert len({error.field for error in errors}) == len(errors)
        assert {error.field for error in errors} <= set(FIELDS)
        assert all(error.message.format(**error.params) for error in errors)


@given(st.dictionaries(st.sampled_from(FIELDS), junk))
def test_any_junk_has_a_state_of_every_section(fields: dict[str, str]) -> None:
    errors = find_errors(fields, CHOICES)

    states = [section_state(s, fields, errors, is_sent=True) for s in SECTIONS]
    wrong = sum(state is SectionState.WRONG for state in states)
    assert (wrong > 0) == (len(errors) > 0)
    assert SectionState.MISSING not in states
