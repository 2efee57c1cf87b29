"""The numbered log of a case, told as the steps that people took."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from telemed.consults.case.conversation import MESSAGE_POSTED
from telemed.consults.repository import PersonCard
from telemed.core.clock import LOCAL_ZONE
from telemed.core.errors import N_
from telemed.core.events import Event

# What is said elsewhere on the page, so that the steps stay a short list.
UNTOLD = frozenset({MESSAGE_POSTED})


@dataclass(frozen=True)
class Told:
    """How one kind of fact is told: its mark, and its sentence with `{name}` places."""

    icon: str
    text: str
    is_strong: bool = True


FACTS_TOLD: Mapping[str, Told] = {
    "consult_requested": Told("send", N_("Trạm gửi yêu cầu")),
    "info_asked": Told("ask", N_("Bác sĩ hỏi thêm")),
    "info_answered": Told("msg", N_("Trạm trả lời")),
    "escalated_named": Told("bell", N_("Báo bác sĩ được chọn"), is_strong=False),
    "escalated_first": Told("bell", N_("Báo bác sĩ trực chính"), is_strong=False),
    "escalated_second": Told("bell", N_("Quá giờ nhận – báo phó trực"), is_strong=False),
    "escalated_specialty": Told("bell", N_("Báo cả chuyên khoa"), is_strong=False),
    "escalated_coordinator": Told("bell", N_("Quá giờ nhận – báo điều phối"), is_strong=False),
    "escalation_seen": Told("eye", N_("Đã xem, đang thu xếp"), is_strong=False),
    "consult_claimed": Told("check", N_("Bác sĩ nhận ca")),
    "consult_declined": Told("x", N_("Bác sĩ từ chối")),
    "consult_passed_on": Told("swap", N_("Ca được chuyển")),
    "consult_released": Told("back", N_("Ca trở về danh sách chờ")),
    "consult_scheduled": Told("calendar", N_("Hẹn giờ hội chẩn")),
    "consult_moved": Told("calendar", N_("Dời giờ hẹn")),
    "consult_unscheduled": Told("calendar", N_("Hủy giờ hẹn")),
    "session_started": Told("video", N_("Bắt đầu hội chẩn trực tuyến")),
    "session_paused": Told("half", N_("Buổi gọi dừng"), is_strong=False),
    "consult_answered": Told("pen", N_("Ký kết luận")),
    "consult_closed": Told("lock", N_("Trạm ký quyết định, ca kết thúc")),
    "consult_cancelled": Told("x", N_("Yêu cầu bị hủy")),
    "consult_expired": Told("clock", N_("Quá hạn, không ai xử trí"), is_strong=False),
    "consent_withdrawn": Told("x", N_("Người bệnh rút lại đồng ý, ca dừng lại")),
    "patient_identified": Told("user", N_("Trạm đã xác định người bệnh"), is_strong=False),
    "patient_separated": Told("user", N_("Trạm tách lại hồ sơ gộp nhầm"), is_strong=False),
    "record_kind_set": Told("lock", N_("Trạm ghi loại hồ sơ lưu"), is_strong=False),
    "file_attached": Told("image", N_("Thêm tệp"), is_strong=False),
    "outcome_recorded": Told("done", N_("Trạm báo kết quả của người bệnh")),
    "referral_signed": Told("transfer", N_("Ký giấy chuyển cơ sở")),
    "addendum_signed": Told("pen", N_("Ký bản bổ sung")),
}
_OTHER = Told("ring", N_("Cập nhật ca"), is_strong=False)


@dataclass(frozen=True)
class Moment:
    """One step of a case. `to` and `reason` are what people typed or names, never catalogue texts."""

    number: int
    kind: str
    icon: str
    text: str
    is_strong: bool
    at: datetime
    by: PersonCard | None
    to: str = ""
    reason: str = ""
    starts_at: datetime | None = None
    session: str = ""
    count: int = 1


def tell(events: Iterable[Event], people: Mapping[int, PersonCard]) -> list[Moment]:
    """The steps in their order; the same thing done again at once is told once."""
    moments: list[Moment] = []
    for event in events:
        if event.kind in UNTOLD:
            continue
        moment = _moment(event, people)
        last = moments[-1] if moments else None
        if last and _is_same_act(last, moment):
            moments[-1] = _again(last, moment)
        else:
            moments.append(moment)
    return moments


def people_in(events: Iterable[Event]) -> Collection[int]:
    """Keys of everybody a log speaks of."""
    return {event.person_id for event in events if event.person_id is not None}


def _moment(event: Event, people: Mapping[int, PersonCard]) -> Moment:
    told = FACTS_TOLD.get(event.kind, _OTHER)
    return Moment(
        number=event.number,
        kind=event.kind,
        icon=told.icon,
        text=told.text,
        is_strong=told.is_strong,
        at=event.at,
        by=people.get(event.person_id or 0),
        to=_target(event.data),
        reason=str(event.data.get("reason", "")),
        starts_at=_moment_of(event.data.get("start_at")),
        session=str(event.data.get("session", "")),
    )


def _target(data: Mapping[str, Any]) -> str:
    return str(data.get("person") or data.get("specialty") or "")


def _moment_of(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def _is_same_act(last: Moment, moment: Moment) -> bool:
    is_file = last.kind == moment.kind == "file_attached"
    return is_file and last.by == moment.by and _local_day(last.at) == _local_day(moment.at)


def _local_day(at: datetime) -> object:
    return at.astimezone(LOCAL_ZONE).date()


def _again(last: Moment, moment: Moment) -> Moment:
    return replace(moment, count=last.count + 1)


def as_data(events: Sequence[Event], people: Mapping[int, PersonCard]) -> list[dict[str, Any]]:
    """The log as docs/protocol.md has it."""
    return [_as_data(event, people.get(event.person_id or 0)) for event in events]


def _as_data(event: Event, by: PersonCard | None) -> dict[str, Any]:
    return {
        "number": event.number,
        "at": event.at.isoformat(),
        "kind": event.kind,
        "person": by.uid if by else None,
        "name": by.name if by else None,
        "data": event.data,
    }
