"""One transfer session as its author describes it, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from telemed.accounts.permissions import Actor, Role
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, FieldError, Invalid
from telemed.core.text import fold
from telemed.facilities.models import Facility, FacilityKind
from telemed.training.models import TransferPlace, TransferType
from telemed.training.packages.service import hold_running
from telemed.training.repository import list_people, station_trainees

TRAINERS = (Role.ROTATED_DOCTOR, Role.TRAINER)
LONGEST_HOURS = 12
MOST_CASES = 200
MOST_MEMBERS = 30


@dataclass(frozen=True)
class TransferInput:
    """One session as its author describes it. Case counts by level: watched, helped, did."""

    station_id: int
    technique_name: str
    type: TransferType
    place: TransferPlace
    starts_at: datetime
    ends_at: datetime
    trainer_ids: Sequence[int]
    trainee_ids: Sequence[int]
    technique_code: str = ""
    observed: int = 0
    assisted: int = 0
    performed: int = 0
    evaluation: str = ""
    incidents: str = ""
    package_id: int | None = None


async def check_input(work: UnitOfWork, actor: Actor, given: TransferInput) -> Facility:
    """The station of a session that may be written down so. Raises Invalid with every field."""
    faults: list[FieldError] = []
    station = await work.session.get(Facility, given.station_id)
    own = actor.posted_station_id
    may_choose = actor.has(Role.TRAINER) or given.station_id == own
    if station is None or station.kind is not FacilityKind.STATION or not may_choose:
        faults.append(FieldError("station", "station_unknown", N_("Chọn trạm bạn đang dạy")))
    hours = (given.ends_at - given.starts_at).total_seconds() / 3600
    if hours <= 0:
        text = N_("Giờ kết thúc phải sau giờ bắt đầu")
        faults.append(FieldError("end", "times_reversed", text))
    elif hours > LONGEST_HOURS:
        text = N_("Một buổi dài nhất {most} giờ")
        faults.append(FieldError("end", "too_long", text, {"most": LONGEST_HOURS}))
    elif given.starts_at > work.now():
        text = N_("Chỉ ghi buổi đã diễn ra")
        faults.append(FieldError("start", "in_future", text))
    faults += await _check_package(work, given)
    faults += await _check_people(work, given)
    if faults or station is None:
        raise Invalid.of(faults)
    return station


async def _check_people(work: UnitOfWork, given: TransferInput) -> list[FieldError]:
    staff = {person.id for person in await station_trainees(work, given.station_id)}
    faults = []
    if not given.trainee_ids or not staff.issuperset(given.trainee_ids):
        text = N_("Chọn ít nhất một người học của trạm")
        faults.append(FieldError("trainees", "trainees_missing", text))
    teachers = {person.id for person in await list_people(work, TRAINERS)}
    is_taught = bool(given.trainer_ids) and teachers.issuperset(given.trainer_ids)
    if not is_taught or set(given.trainer_ids) & set(given.trainee_ids):
        text = N_("Chọn ít nhất một người dạy, khác người học")
        faults.append(FieldError("trainers", "trainers_missing", text))
    if len(given.trainee_ids) + len(given.trainer_ids) > MOST_MEMBERS:
        text = N_("Một buổi nhiều nhất {most} người")
        faults.append(FieldError("trainees", "too_many", text, {"most": MOST_MEMBERS}))
    return faults


async def _check_package(work: UnitOfWork, given: TransferInput) -> list[FieldError]:
    if given.package_id is None:
        return []
    day = given.starts_at.astimezone(LOCAL_ZONE).date()
    if await hold_running(work, given.package_id, given.station_id, day):
        return []
    text = N_("Chọn gói của trạm còn hạn vào ngày dạy")
    return [FieldError("package", "package_unknown", text)]


def log_columns(given: TransferInput, station: Facility) -> dict[str, Any]:
    """The columns of a log as it was written."""
    words = [given.technique_code, given.technique_name, given.evaluation, station.name]
    return {
        "station_id": given.station_id,
        "package_id": given.package_id,
        "technique_code": given.technique_code,
        "technique_name": given.technique_name,
        "type": given.type,
        "place": given.place,
        "starts_at": given.starts_at,
        "ends_at": given.ends_at,
        "observed": given.observed,
        "assisted": given.assisted,
        "performed": given.performed,
        "evaluation": given.evaluation,
        "incidents": given.incidents,
        "search_text": fold(" ".join(words)),
    }
