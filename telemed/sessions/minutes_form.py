"""Minutes as they are typed, and what must be there before they can be signed. Pure.

Fields after form 27/BV2 (Circular 32/2023, Annex XXIX) and one conclusion for each question
(Circular 49/2017, Article 7).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from telemed.core.errors import N_, FieldError, Invalid, too_long

LONGEST_TEXT = 8000
LONGEST_CONCLUSION = 4000
LONGEST_DISSENT = 2000
MOST_QUESTIONS = 10


class Referral(StrEnum):
    """What the specialist advises about moving the patient."""

    STAY = "stay"
    PLANNED = "planned"
    TODAY = "today"
    EMERGENCY = "emergency"


@dataclass(frozen=True)
class Minutes:
    """What the specialist concludes. `conclusions` by question number, from 1; `dissent` is what
    others in the consultation thought otherwise.
    """

    findings: str
    conclusions: Mapping[int, str]
    advice: str
    referral: Referral
    follow_up_on: date | None
    dissent: str = ""


def conclusion_field(number: int) -> str:
    """The field that holds the conclusion of a question."""
    return f"conclusion_{number}"


def draft_values(typed: Mapping[str, str], questions: Sequence[int]) -> dict[str, str]:
    """The known fields of a draft exactly as typed. Raises Invalid for one that is too long."""
    limits = {"findings": LONGEST_TEXT, "advice": LONGEST_TEXT, "referral": 20, "follow_up_on": 20}
    limits["dissent"] = LONGEST_DISSENT
    limits |= {conclusion_field(number): LONGEST_CONCLUSION for number in questions}
    faults = [
        fault
        for name, most in limits.items()
        for fault in too_long(name, typed.get(name, ""), most)
    ]
    faults += [
        FieldError(name[:40], "extra_forbidden", N_("Mục này không được nhận"))
        for name in typed
        if name not in limits
    ]
    if faults:
        raise Invalid.of(faults)
    return {name: typed[name] for name in limits if name in typed}


def complete(values: Mapping[str, str], questions: Sequence[int], today: date) -> Minutes:
    """Minutes that can be signed. Raises Invalid naming every field that is missing or wrong."""
    faults: list[FieldError] = []
    conclusions = {n: values.get(conclusion_field(n), "").strip() for n in questions}
    for number, text in conclusions.items():
        if not text:
            message = N_("Ghi kết luận cho câu {number}")
            fault = FieldError(
                conclusion_field(number), "conclusion_missing", message, {"number": number}
            )
            faults.append(fault)
    referral = _referral(values.get("referral", ""), faults)
    follow_up = _follow_up(values.get("follow_up_on", "").strip(), today, faults)
    if faults or referral is None:
        raise Invalid.of(faults)
    return Minutes(
        values.get("findings", "").strip(),
        conclusions,
        values.get("advice", "").strip(),
        referral,
        follow_up,
        values.get("dissent", "").strip(),
    )


def _referral(text: str, faults: list[FieldError]) -> Referral | None:
    if text in set(Referral):
        return Referral(text)
    message = N_("Chọn có chuyển người bệnh hay không")
    faults.append(FieldError("referral", "referral_missing", message))
    return None


def _follow_up(text: str, today: date, faults: list[FieldError]) -> date | None:
    if not text:
        return None
    day = _day(text)
    if day is None:
        message = N_("Ngày ghi như 29/11/2026 – đang là {given}")
        faults.append(FieldError("follow_up_on", "date_malformed", message, {"given": text[:20]}))
    elif day < today:
        message = N_("Ngày báo kết quả phải từ hôm nay trở đi – đang là {given}")
        faults.append(FieldError("follow_up_on", "date_past", message, {"given": text[:20]}))
    return day


def _day(text: str) -> date | None:
    parts = text.split("/") if "/" in text else text.split("-")[::-1]
    try:
        day, month, year = (int(part) for part in parts)
        return date(year, month, day)
    except ValueError:
        return None
