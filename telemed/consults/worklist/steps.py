"""The one next step of a case, by its state and the side that looks: a table of words and doors.

Texts may name `{doctor}` (the specialist, by given name) and `{patient}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from telemed.consults.lifecycle import ConsultState
from telemed.core.errors import N_, Param


class Side(StrEnum):
    """From where a case is looked at."""

    STATION = "station"
    SPECIALIST = "specialist"


@dataclass(frozen=True)
class Door:
    """A button: a link, or a POST of its own. `path` goes behind the address of the case."""

    label: str
    path: str
    icon: str = ""
    is_post: bool = False
    busy: str = ""


@dataclass(frozen=True)
class Step:
    """What is to be done now. `order` puts the more pressing case first; 9 means waiting."""

    title: str
    brief: str
    icon: str
    tone: str = ""
    text: str = ""
    door: Door | None = None
    others: tuple[Door, ...] = ()
    order: int = 9


_CALL = Door(N_("Gọi ngay"), "/call", "video", is_post=True, busy=N_("Đang gọi…"))
_CALL_AGAIN = Door(N_("Gọi lại"), "/call", "video", is_post=True, busy=N_("Đang gọi…"))
_ENTER = Door(N_("Vào phòng"), "/call", "video", is_post=True, busy=N_("Đang vào phòng…"))
_WRITE = Door(N_("Trả lời bằng văn bản"), "/minutes", "pen")
_CONCLUDE = Door(N_("Ghi và ký kết luận"), "/minutes", "pen")
_READ = Door(N_("Xem biên bản"), "/minutes", "file")
_CANCEL = Door(N_("Hủy yêu cầu"), "/cancel", "x")
_PASS_ON = Door(N_("Chuyển ca"), "/pass-on", "swap")
_RELEASE = Door(N_("Trả ca"), "/release", "back")
_DECLINE = Door(N_("Từ chối"), "/decline", "x")

_S = ConsultState
_STATION: Mapping[ConsultState, Step] = {
    _S.DRAFT: Step(
        N_("Viết tiếp yêu cầu"),
        N_("Viết tiếp"),
        "pen",
        door=Door(N_("Mở bản nháp"), "/request", "pen"),
        others=(Door(N_("Bỏ bản nháp"), "/cancel", "x"),),
        order=6,
    ),
    _S.REQUESTED: Step(
        N_("Chờ bác sĩ chuyên khoa nhận ca"),
        N_("Chờ tiếp nhận"),
        "clock",
        text=N_("Có người nhận, máy báo ngay. Bạn có thể gửi thêm ảnh và tin nhắn trong khi chờ."),
        others=(_CANCEL,),
    ),
    _S.NEEDS_INFO: Step(
        N_("Trả lời bác sĩ chuyên khoa"),
        N_("Cần bạn trả lời"),
        "ask",
        "w",
        others=(_CANCEL,),
        order=1,
    ),
    _S.ACCEPTED: Step(
        N_("Bác sĩ {doctor} đã nhận ca"),
        N_("Bác sĩ {doctor} đã nhận"),
        "check",
        "do",
        text=N_("Gọi ngay, hẹn giờ, hoặc chờ trả lời bằng văn bản."),
        door=_CALL,
        others=(_CANCEL,),
        order=4,
    ),
    _S.SCHEDULED: Step(
        N_("Hội chẩn với bác sĩ {doctor} theo giờ hẹn"),
        N_("Đã hẹn bác sĩ {doctor}"),
        "calendar",
        "do",
        door=_ENTER,
        others=(_CANCEL,),
        order=4,
    ),
    _S.IN_SESSION: Step(
        N_("Vào phòng hội chẩn với bác sĩ {doctor}"),
        N_("Đang hội chẩn"),
        "video",
        "do",
        door=_ENTER,
        order=0,
    ),
    _S.PAUSED: Step(
        N_("Buổi gọi đã dừng, chờ bác sĩ {doctor} kết luận"),
        N_("Chờ kết luận"),
        "half",
        "w",
        text=N_("Cần nói thêm thì gọi lại."),
        door=_CALL_AGAIN,
        others=(_CANCEL,),
        order=5,
    ),
    _S.ANSWERED: Step(
        N_("Ghi quyết định của trạm"),
        N_("Có kết luận, chờ bạn ký"),
        "done",
        "ok",
        text=N_(
            "Bạn vẫn là người chịu trách nhiệm điều trị. Ý kiến chuyên khoa không phải y lệnh."
        ),
        door=Door(N_("Xem kết luận và ký"), "/minutes", "sign"),
        order=2,
    ),
    _S.DECLINED: Step(
        N_("Chọn nơi khác cho ca này"),
        N_("Bị từ chối, chọn nơi khác"),
        "x",
        "e",
        door=Door(N_("Gửi nơi khác"), "/resubmit", "send"),
        others=(_CANCEL,),
        order=1,
    ),
    _S.CLOSED: Step(N_("Ca đã kết thúc"), N_("Đã kết thúc"), "lock", door=_READ),
    _S.CANCELLED: Step(N_("Yêu cầu đã hủy"), N_("Đã hủy"), "x"),
    _S.EXPIRED: Step(
        N_("Yêu cầu đã quá hạn"),
        N_("Quá hạn"),
        "clock",
        "e",
        text=N_("Còn cần hội chẩn thì gửi yêu cầu mới cho người bệnh này."),
    ),
}
_SPECIALIST: Mapping[ConsultState, Step] = {
    _S.ACCEPTED: Step(
        N_("Trả lời trạm về ca {patient}"),
        N_("Gọi hoặc trả lời"),
        "check",
        "do",
        door=_CALL,
        others=(_WRITE, _PASS_ON, _RELEASE, _DECLINE),
        order=2,
    ),
    _S.SCHEDULED: Step(
        N_("Hội chẩn ca {patient} theo giờ hẹn"),
        N_("Đã hẹn"),
        "calendar",
        "do",
        door=_ENTER,
        others=(_WRITE, _PASS_ON, _RELEASE),
        order=3,
    ),
    _S.IN_SESSION: Step(
        N_("Vào phòng hội chẩn ca {patient}"),
        N_("Đang hội chẩn"),
        "video",
        "do",
        door=_ENTER,
        others=(_CONCLUDE,),
        order=0,
    ),
    _S.PAUSED: Step(
        N_("Kết luận ca {patient}"),
        N_("Chờ bạn kết luận"),
        "pen",
        "w",
        text=N_("Buổi gọi đã dừng. Ghi từng câu trả lời rồi ký, hoặc gọi lại."),
        door=_CONCLUDE,
        others=(_CALL_AGAIN, _RELEASE),
        order=1,
    ),
    _S.ANSWERED: Step(
        N_("Chờ quyết định của trạm"),
        N_("Chờ trạm ký"),
        "done",
        "ok",
        door=_READ,
    ),
    _S.CLOSED: Step(N_("Ca đã kết thúc"), N_("Đã kết thúc"), "lock", door=_READ),
    _S.CANCELLED: Step(N_("Trạm đã hủy yêu cầu"), N_("Đã hủy"), "x"),
}
_NONE = Step(N_("Không còn việc ở ca này"), N_("Không còn việc"), "lock")

# Cases in which somebody waits for this side; a draft waits for nobody.
WAITS_FOR_STATION = frozenset(state for state, step in _STATION.items() if step.order < 6)
WAITS_FOR_SPECIALIST = frozenset(state for state, step in _SPECIALIST.items() if step.order < 6)


def step_of(state: ConsultState, side: Side) -> Step:
    """The next step of a case for a side."""
    table = _STATION if side is Side.STATION else _SPECIALIST
    return table.get(state, _NONE)


def names(doctor: str, patient: str) -> dict[str, Param]:
    """What the texts of a step may name."""
    return {"doctor": doctor, "patient": patient}
