"""How long the law wants a record kept (Circular 33/2025, annex). Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from enum import StrEnum
from typing import Final

from telemed.core.errors import N_


class RetentionKind(StrEnum):
    """Kinds of records with a time of their own."""

    CARE_REGISTER = "care_register"
    CARE = "care"
    PSYCHIATRIC = "psychiatric"
    WORK_ACCIDENT = "work_accident"
    TRAFFIC_ACCIDENT = "traffic_accident"
    DEATH = "death"
    INCIDENT = "incident"


KIND_NAMES: Mapping[RetentionKind, str] = {
    RetentionKind.CARE_REGISTER: N_("Sổ theo dõi chăm sóc"),
    RetentionKind.CARE: N_("Bệnh án nội trú, ngoại trú"),
    RetentionKind.PSYCHIATRIC: N_("Bệnh án tâm thần"),
    RetentionKind.WORK_ACCIDENT: N_("Bệnh án tai nạn lao động"),
    RetentionKind.TRAFFIC_ACCIDENT: N_("Bệnh án tai nạn giao thông"),
    RetentionKind.DEATH: N_("Hồ sơ tử vong"),
    RetentionKind.INCIDENT: N_("Hồ sơ sự cố y khoa"),
}
# Years after the one in which it was closed; None is for ever.
YEARS: Final[Mapping[RetentionKind, int | None]] = {
    RetentionKind.CARE_REGISTER: 5,
    RetentionKind.CARE: 10,
    RetentionKind.PSYCHIATRIC: 20,
    RetentionKind.WORK_ACCIDENT: 20,
    RetentionKind.TRAFFIC_ACCIDENT: 20,
    RetentionKind.DEATH: 30,
    RetentionKind.INCIDENT: None,
}


def kept_until(kind: RetentionKind, closed_on: date) -> date | None:
    """The last day, counted to 31/12 of the closing year; None where it is kept for ever."""
    years = YEARS[kind]
    return None if years is None else date(closed_on.year + years, 12, 31)


def longest(kinds: Collection[RetentionKind]) -> RetentionKind:
    """Of several kinds the one that is kept longest; kinds of equal length in the order above."""
    order = list(RetentionKind)
    return max(
        kinds,
        key=lambda kind: (
            YEARS[kind] is None,
            YEARS[kind] or 0,
            -order.index(kind),
        ),
    )
