"""The form of the minutes, whatever is typed into it. Pure."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from telemed.core.errors import Invalid
from telemed.sessions.minutes_form import MOST_QUESTIONS, complete, draft_values

TODAY = date(2026, 11, 23)
FIELDS = ("conclusion_1", "conclusion_2", "findings", "advice", "referral", "follow_up_on")


@given(st.dictionaries(st.sampled_from([*FIELDS, "x"]), st.text(max_size=30)))
def test_any_draft_is_complete_or_says_by_field_why_not(typed: dict[str, str]) -> None:
    faults = faults_of(typed)
    assert faults <= {*FIELDS, "x"}
    assert faults or all(typed[name].strip() for name in ("conclusion_1", "conclusion_2"))


def faults_of(typed: dict[str, str]) -> set[str]:
    try:
        complete(draft_values(typed, [1, 2]), [1, 2], TODAY)
    except Invalid as refusal:
        return {each.field for each in refusal.fields}
    return set()


@given(st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=20)))
def test_a_draft_is_kept_as_it_was_typed(typed: dict[str, str]) -> None:
    assert draft_values(typed, [1, 2]) == typed


@given(
    st.lists(st.text(min_size=1).filter(str.strip), min_size=MOST_QUESTIONS),
    st.sampled_from(["stay", "planned", "today", "emergency"]),
    st.dates(TODAY, date(2100, 1, 1)),
    st.sampled_from(["%d/%m/%Y", "%Y-%m-%d", " %d/%m/%Y "]),
)
def test_complete_minutes_hold_what_was_concluded(
    texts: list[str], referral: str, day: date, form: str
) -> None:
    numbers = range(1, MOST_QUESTIONS + 1)
    typed = {f"conclusion_{number}": texts[number - 1] for number in numbers}
    typed |= {"referral": referral, "follow_up_on": format(day, form)}
    found = complete(typed, numbers, TODAY)
    assert [found.conclusions[number] for number in numbers] == [
        text.strip() for text in texts[:MOST_QUESTIONS]
    ]
    assert (found.referral, found.follow_up_on) == (referral, day)
