"""The interagency charts and fast breathing, at every limit and beside it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.consults.triage.assessment import Disagreement, assess
from telemed.consults.triage.danger_signs import LABELS, DangerSign, level_of, signs_for
from telemed.consults.triage.observations import Level, Observations, Sign, Subject
from telemed.consults.triage.vital_limits import Bound, find_vitals

ADULT = Subject(years=40)
# Age in years; the lowest and the highest that are within the limits: pulse, breaths.
AGES = [
    (0, (90, 180), (25, 50)),
    (1, (80, 160), (20, 40)),
    (4, (80, 160), (20, 40)),
    (5, (70, 140), (10, 30)),
    (11, (70, 140), (10, 30)),
    (12, (60, 130), (10, 30)),
    (80, (60, 130), (10, 30)),
]


def bounds(subject: Subject, sign: Sign, value: str | int) -> list[tuple[Bound, Level]]:
    found = find_vitals(subject, Observations({sign: Decimal(value)}))
    return [(each.bound, each.level) for each in found]


@pytest.mark.parametrize(("years", "pulse", "breaths"), AGES)
def test_limits_go_by_age(years: int, pulse: tuple[int, int], breaths: tuple[int, int]) -> None:
    subject = Subject(years=years)
    for sign, (low, high) in ((Sign.PULSE, pulse), (Sign.RESPIRATION, breaths)):
        assert bounds(subject, sign, low) == []
        assert bounds(subject, sign, high) == []
        assert bounds(subject, sign, low - 1) == [(Bound.BELOW, Level.URGENT)]
        assert bounds(subject, sign, high + 1) == [(Bound.ABOVE, Level.URGENT)]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("35.9", [(Bound.BELOW, Level.URGENT)]),
        ("36", []),
        ("39", []),
        ("39.1", [(Bound.ABOVE, Level.URGENT)]),
    ],
)
def test_temperature_has_the_same_limits_at_every_age(
    value: str, found: list[tuple[Bound, Level]]
) -> None:
    for years in (0, 3, 8, 12, 60):
        assert bounds(Subject(years=years, months=years * 12 + 2), Sign.TEMPERATURE, value) == found


def test_below_two_months_a_temperature_out_of_limits_is_an_emergency() -> None:
    for value in ("35.9", "39.1"):
        assert bounds(Subject(0, 1), Sign.TEMPERATURE, value)[0][1] is Level.EMERGENCY
        assert bounds(Subject(0, 2), Sign.TEMPERATURE, value)[0][1] is Level.URGENT
        # A year of birth alone does not say so.
        assert bounds(Subject(0), Sign.TEMPERATURE, value)[0][1] is Level.URGENT


@pytest.mark.parametrize(("value", "found"), [(91, [(Bound.BELOW, Level.URGENT)]), (92, [])])
def test_oxygen_saturation(value: int, found: list[tuple[Bound, Level]]) -> None:
    assert bounds(ADULT, Sign.SPO2, value) == found


@pytest.mark.parametrize(
    ("years", "value", "level"),
    [
        (12, 49, Level.EMERGENCY),
        (12, 50, Level.URGENT),
        (12, 150, Level.URGENT),
        (12, 151, Level.EMERGENCY),
        (11, 151, Level.URGENT),
        (0, 49, Level.URGENT),
    ],
)
def test_a_very_slow_or_fast_pulse_is_red_on_the_chart_of_adults(
    years: int, value: int, level: Level
) -> None:
    assert [each for _, each in bounds(Subject(years=years), Sign.PULSE, value)] == [level]


@pytest.mark.parametrize(
    ("letter", "level"),
    [
        ("A", []),
        ("C", [Level.URGENT]),
        ("V", [Level.URGENT]),
        ("P", [Level.EMERGENCY]),
        ("U", [Level.EMERGENCY]),
    ],
)
def test_consciousness(letter: str, level: list[Level]) -> None:
    found = find_vitals(ADULT, Observations(consciousness=letter))
    assert [each.level for each in found] == level


def test_high_pressure_is_an_emergency_in_pregnancy_alone() -> None:
    pregnant = Subject(years=28, is_pregnant=True)
    for sign, limit in ((Sign.SYSTOLIC, 160), (Sign.DIASTOLIC, 110)):
        assert bounds(pregnant, sign, limit) == [(Bound.FROM, Level.EMERGENCY)]
        assert bounds(pregnant, sign, limit - 1) == []
        assert bounds(ADULT, sign, limit + 40) == []


@pytest.mark.parametrize(
    ("months", "limit"), [(0, 60), (1, 60), (2, 50), (11, 50), (12, 40), (59, 40)]
)
def test_fast_breathing_of_small_children(months: int, limit: int) -> None:
    child = Subject(years=months // 12, months=months)
    found = dict(bounds(child, Sign.RESPIRATION, limit))
    assert Bound.FAST_BREATHING in found or Bound.ABOVE in found
    assert Bound.FAST_BREATHING not in dict(bounds(child, Sign.RESPIRATION, limit - 1))


def test_from_five_years_on_breathing_is_never_called_fast_by_that_table() -> None:
    assert bounds(Subject(5, 60), Sign.RESPIRATION, 40) == [(Bound.ABOVE, Level.URGENT)]


def test_red_signs_come_first_and_every_sign_has_words() -> None:
    levels = [level_of(sign).rank for sign in DangerSign]
    assert levels == sorted(levels)
    assert level_of(DangerSign.SNAKE_BITE) is Level.EMERGENCY
    assert level_of(DangerSign.WHEEZING) is Level.URGENT
    assert set(LABELS) == set(DangerSign)


def test_only_lines_that_can_be_true_are_asked() -> None:
    child, old = Subject(3, 40), Subject(51)
    pregnant = Subject(25, is_pregnant=True)
    assert DangerSign.DEHYDRATION in signs_for(child)
    assert DangerSign.DEHYDRATION not in signs_for(old)
    assert DangerSign.ACUTE_PAIN in signs_for(old)
    assert DangerSign.ACUTE_PAIN not in signs_for(Subject(50))
    assert DangerSign.PREGNANCY_DANGER in signs_for(pregnant)
    assert DangerSign.PREGNANCY_DANGER not in signs_for(child)


CALM = Observations(
    {
        Sign.PULSE: Decimal(70),
        Sign.RESPIRATION: Decimal(16),
        Sign.SPO2: Decimal(98),
        Sign.SYSTOLIC: Decimal(120),
        Sign.TEMPERATURE: Decimal(37),
    },
    "A",
    False,
)


def test_nothing_measured_says_nothing() -> None:
    found = assess(ADULT, Observations())
    assert found.level is None
    assert found.news2 is not None
    assert found.news2.total is None
    assert all(found.disagrees(level) is None for level in Level)


def test_all_calm_is_routine_only_where_all_was_measured() -> None:
    assert assess(ADULT, CALM).level is Level.ROUTINE
    assert assess(Subject(14), CALM).level is Level.ROUTINE
    part = Observations({Sign.PULSE: Decimal(70)}, "A", False)
    assert assess(ADULT, part).level is None
    assert assess(Subject(14), part).level is None


def test_one_sign_is_enough_whatever_is_missing() -> None:
    found = assess(ADULT, Observations(), {DangerSign.SNAKE_BITE})
    assert found.level is Level.EMERGENCY
    assert assess(ADULT, CALM, {DangerSign.WHEEZING}).level is Level.URGENT
    # What cannot be true of such a patient is not counted.
    assert assess(ADULT, CALM, {DangerSign.PREGNANCY_DANGER}).level is Level.ROUTINE


def test_a_target_of_88_to_92_is_no_finding() -> None:
    seen = Observations({**CALM.numbers, Sign.SPO2: Decimal(90)}, "A", False)
    assert assess(ADULT, seen).level is Level.URGENT
    assert assess(Subject(70, has_low_target=True), seen).level is Level.ROUTINE


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (Level.EMERGENCY, Disagreement.LESS_URGENT),
        (Level.URGENT, None),
        (Level.ROUTINE, Disagreement.MORE_URGENT),
        (None, None),
    ],
)
def test_disagreement_with_the_doctor_is_told_both_ways(
    chosen: Level | None, expected: Disagreement | None
) -> None:
    assert assess(ADULT, CALM, {DangerSign.WHEEZING}).disagrees(chosen) is expected


numbers = st.dictionaries(
    st.sampled_from([s for s in Sign if s not in {Sign.OXYGEN, Sign.CONSCIOUSNESS}]),
    st.integers(1, 300).map(Decimal),
)
subjects = st.integers(0, 1300).map(lambda months: Subject(months // 12, months))


@given(subjects, numbers, st.sampled_from([None, *"ACVPU"]), st.sets(st.sampled_from(DangerSign)))
def test_one_more_sign_never_makes_it_less_urgent(
    subject: Subject,
    measured: dict[Sign, Decimal],
    letter: str | None,
    signs: set[DangerSign],
) -> None:
    seen = Observations(measured, letter)
    without, with_all = assess(subject, seen), assess(subject, seen, signs)
    known = {each.sign for each in without.findings}
    assert len(known) == len(without.findings)
    rank = without.level.rank if without.level else len(Level)
    assert (with_all.level.rank if with_all.level else len(Level)) <= rank
