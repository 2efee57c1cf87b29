"""NEWS2 against the chart of the Royal College of Physicians (2017), value by value."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.consults.triage import news2
from telemed.consults.triage.news2 import PARAMETERS, Risk, score_news2
from telemed.consults.triage.observations import Level, Observations, Sign, Subject

ADULT = Subject(years=40)
LOW_TARGET = Subject(years=70, has_low_target=True)
# The chart as it is printed: points, and the values that have them.
CHART: dict[Sign, dict[int, list[int | str]]] = {
    Sign.RESPIRATION: {
        3: [3, 8, 25, 26, 120],
        1: [9, 10, 11],
        0: [12, 16, 20],
        2: [21, 24],
    },
    Sign.SPO2: {3: [30, 91], 2: [92, 93], 1: [94, 95], 0: [96, 100]},
    Sign.SYSTOLIC: {3: [30, 90, 220, 300], 2: [91, 100], 1: [101, 110], 0: [111, 219]},
    Sign.PULSE: {3: [20, 40, 131, 300], 2: [111, 130], 1: [41, 50, 91, 110], 0: [51, 90]},
    Sign.TEMPERATURE: {
        3: ["25", "34.9", "35", "35.0"],
        1: ["35.1", "36", "38.1", "39"],
        0: ["36.1", "37", "38"],
        2: ["39.1", "45"],
    },
}
SECOND_SCALE = {
    False: {3: [30, 83], 2: [84, 85], 1: [86, 87], 0: [88, 92, 93, 96, 97, 100]},
    True: {3: [30, 83, 97, 100], 2: [84, 85, 95, 96], 1: [86, 87, 93, 94], 0: [88, 92]},
}
NORMAL = {
    Sign.RESPIRATION: Decimal(16),
    Sign.SPO2: Decimal(98),
    Sign.SYSTOLIC: Decimal(120),
    Sign.PULSE: Decimal(70),
    Sign.TEMPERATURE: Decimal("36.8"),
}


def seen(
    numbers: dict[Sign, Decimal] | None = None,
    *,
    consciousness: str | None = "A",
    on_oxygen: bool | None = False,
) -> Observations:
    return Observations({**NORMAL, **(numbers or {})}, consciousness, on_oxygen)


@pytest.mark.parametrize(
    ("sign", "value", "points"),
    [
        (sign, Decimal(value), points)
        for sign, rows in CHART.items()
        for points, values in rows.items()
        for value in values
    ],
)
def test_every_band_of_the_chart_has_its_points(sign: Sign, value: Decimal, points: int) -> None:
    score = score_news2(ADULT, seen({sign: value}))
    assert score.points[sign] == points
    assert score.total == points


@pytest.mark.parametrize(
    ("on_oxygen", "value", "points"),
    [
        (on_oxygen, Decimal(value), points)
        for on_oxygen, rows in SECOND_SCALE.items()
        for points, values in rows.items()
        for value in values
    ],
)
def test_the_second_scale_depends_on_oxygen(on_oxygen: bool, value: Decimal, points: int) -> None:
    score = score_news2(LOW_TARGET, seen({Sign.SPO2: value}, on_oxygen=on_oxygen))
    assert (score.scale, score.points[Sign.SPO2]) == (2, points)


def test_the_second_scale_has_no_points_while_oxygen_is_unknown() -> None:
    score = score_news2(LOW_TARGET, seen(on_oxygen=None))
    assert Sign.SPO2 not in score.points
    assert score.missing == (Sign.OXYGEN,)


@pytest.mark.parametrize(("letter", "points"), [("A", 0), ("C", 3), ("V", 3), ("P", 3), ("U", 3)])
def test_anything_but_alert_has_three_points(letter: str, points: int) -> None:
    assert score_news2(ADULT, seen(consciousness=letter)).points[Sign.CONSCIOUSNESS] == points


def test_oxygen_has_two_points() -> None:
    assert score_news2(ADULT, seen(on_oxygen=True)).total == 2


@pytest.mark.parametrize(
    ("numbers", "consciousness", "total", "risk", "level"),
    [
        ({}, "A", 0, Risk.LOW, Level.ROUTINE),
        ({Sign.PULSE: 120, Sign.RESPIRATION: 22}, "A", 4, Risk.LOW, Level.ROUTINE),
        ({Sign.RESPIRATION: 25}, "A", 3, Risk.LOW_MEDIUM, Level.URGENT),
        ({Sign.RESPIRATION: 25, Sign.PULSE: 95}, "A", 4, Risk.LOW_MEDIUM, Level.URGENT),
        ({Sign.RESPIRATION: 25, Sign.PULSE: 120}, "A", 5, Risk.MEDIUM, Level.URGENT),
        ({Sign.RESPIRATION: 25, Sign.SYSTOLIC: 80}, "A", 6, Risk.MEDIUM, Level.URGENT),
        ({Sign.RESPIRATION: 25, Sign.PULSE: 95}, "V", 7, Risk.HIGH, Level.EMERGENCY),
    ],
)
def test_a_total_stands_for_a_risk(
    numbers: dict[Sign, int], consciousness: str, total: int, risk: Risk, level: Level
) -> None:
    values = {sign: Decimal(value) for sign, value in numbers.items()}
    score = score_news2(ADULT, seen(values, consciousness=consciousness))
    assert (score.total, score.risk, score.level) == (total, risk, level)


@pytest.mark.parametrize("sign", PARAMETERS)
def test_a_missing_value_gives_no_total(sign: Sign) -> None:
    numbers = {key: value for key, value in NORMAL.items() if key is not sign}
    letter = None if sign is Sign.CONSCIOUSNESS else "A"
    oxygen = None if sign is Sign.OXYGEN else False
    score = score_news2(ADULT, Observations(numbers, letter, oxygen))
    assert score.missing == (sign,)
    assert (score.total, score.risk, score.level) == (None, None, None)
    assert len(score.points) == len(PARAMETERS) - 1


@pytest.mark.parametrize(
    ("subject", "applies"),
    [
        (Subject(years=15), False),
        (Subject(years=16), True),
        (Subject(years=90), True),
        (Subject(years=30, is_pregnant=True), False),
    ],
)
def test_it_is_for_adults_who_are_not_pregnant(subject: Subject, applies: bool) -> None:
    assert news2.applies_to(subject) is applies


values = st.fixed_dictionaries(
    {
        Sign.RESPIRATION: st.integers(3, 120).map(Decimal),
        Sign.SPO2: st.integers(30, 100).map(Decimal),
        Sign.SYSTOLIC: st.integers(30, 300).map(Decimal),
        Sign.PULSE: st.integers(20, 300).map(Decimal),
        Sign.TEMPERATURE: st.decimals(25, 45, places=1),
    }
)


@given(values, st.sampled_from("ACVPU"), st.booleans(), st.sampled_from([ADULT, LOW_TARGET]))
def test_whatever_is_measured_has_a_total_that_its_parts_explain(
    numbers: dict[Sign, Decimal], letter: str, on_oxygen: bool, subject: Subject
) -> None:
    score = score_news2(subject, Observations(numbers, letter, on_oxygen))
    assert score.total == sum(score.points.values())
    assert set(score.points) == set(PARAMETERS)
    assert 0 <= (score.total or 0) <= 20
    assert all(0 <= points <= 3 for points in score.points.values())


@given(values, st.sampled_from([Sign.RESPIRATION, Sign.SYSTOLIC, Sign.PULSE]), st.integers(0, 60))
def test_further_from_the_middle_never_has_fewer_points(
    numbers: dict[Sign, Decimal], sign: Sign, further: int
) -> None:
    middle = NORMAL[sign]
    away = numbers[sign] + (further if numbers[sign] >= middle else -further)
    near = score_news2(ADULT, Observations(numbers, "A", False))
    far = score_news2(ADULT, Observations({**numbers, sign: away}, "A", False))
    assert far.points[sign] >= near.points[sign]
