"""When a station tells what became of a patient, and what it may say. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from enum import StrEnum

from telemed.core.errors import N_, FieldError, Invalid

LONGEST_NOTE = 2000


class PatientStatus(StrEnum):
    """How the patient is on that day."""

    RECOVERED = "recovered"
    IMPROVED = "improved"
    UNCHANGED = "unchanged"
    WORSE = "worse"
    TRANSFERRED = "transferred"
    DIED = "died"
    LOST = "lost"


class TransferResult(StrEnum):
    """What the advice did about moving the patient."""

    NOT_NEEDED = "not_needed"
    AVOIDED = "avoided"
    MADE = "made"


# After these nobody has to ask again.
FINAL = frozenset({PatientStatus.RECOVERED, PatientStatus.DIED, PatientStatus.LOST})


def due_days(closed_on: date, asked_on: date | None, days: Sequence[int]) -> list[date]:
    """The days on which the station tells: the first as the specialist asked, where they did.

    In order, none twice and none in the past.
    """
    planned = [closed_on + timedelta(days=number) for number in days]
    if asked_on and planned:
        planned[0] = max(asked_on, closed_on)
    found: list[date] = []
    for day in planned:
        if not found or day > found[-1]:
            found.append(day)
    return found


def check(
    status: PatientStatus,
    transfer: TransferResult,
    observed_on: date,
    *,
    asked_on: date,
    today: date,
) -> None:
    """Whether this can have been so. Raises Invalid naming the field."""
    faults: list[FieldError] = []
    if observed_on > today:
        text = N_("Ngày biết kết quả không thể sau hôm nay")
        faults.append(FieldError("observed_on", "day_ahead", text))
    elif observed_on < asked_on:
        text = N_("Ngày biết kết quả không thể trước ngày gửi yêu cầu")
        faults.append(FieldError("observed_on", "day_before", text))
    if status is PatientStatus.TRANSFERRED and transfer is not TransferResult.MADE:
        text = N_("Đã chuyển viện thì chọn “Đã chuyển”")
        faults.append(FieldError("transfer", "transfer_contradicts", text))
    if faults:
        raise Invalid.of(faults)
