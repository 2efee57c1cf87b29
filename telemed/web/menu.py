"""The main menu by role, and what a role is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from telemed.accounts.permissions import Action, Actor, Role, may
from telemed.core.errors import N_

ROLE_TITLES = {
    Role.COMMUNE_DOCTOR: N_("Bác sĩ trạm y tế"),
    Role.SPECIALIST: N_("Bác sĩ chuyên khoa"),
    Role.ROTATED_DOCTOR: N_("Bác sĩ luân phiên"),
    Role.TRAINER: N_("Giảng viên"),
    Role.COORDINATOR: N_("Điều phối"),
    Role.ADMINISTRATOR: N_("Quản trị"),
}


@dataclass(frozen=True)
class MenuItem:
    """One entry of the app bar."""

    url: str
    icon: str
    label: str
    current: bool


_STATION = (
    ("/home", "home", N_("Ca của tôi"), Action.HOME),
    ("/patients", "user", N_("Người bệnh"), Action.PATIENT_SEARCH),
    ("/schedule", "calendar", N_("Lịch hẹn"), Action.SCHEDULE_READ),
    ("/training/sessions", "book", N_("Kỹ thuật"), Action.TRANSFER_READ),
    ("/history", "search", N_("Tra cứu"), Action.HISTORY_SEARCH),
    ("/rights", "lock", N_("Yêu cầu dữ liệu"), Action.RIGHTS_WRITE),
)
_SPECIALIST = (
    ("/worklist", "list", N_("Chờ nhận"), Action.WORKLIST),
    ("/home", "msg", N_("Ca của tôi"), Action.HOME),
    ("/schedule", "calendar", N_("Lịch"), Action.SCHEDULE_READ),
    ("/history", "search", N_("Tra cứu"), Action.HISTORY_SEARCH),
)
_TRAINER = (
    ("/home", "home", N_("Trang đầu"), Action.HOME),
    ("/history", "search", N_("Lịch sử hội chẩn"), Action.HISTORY_SEARCH),
    ("/training/sessions", "book", N_("Chuyển giao"), Action.TRANSFER_READ),
    ("/training/rotations", "users", N_("Luân phiên"), Action.ROTATION_READ),
)
_COORDINATOR = (
    ("/home", "home", N_("Trang đầu"), Action.HOME),
    ("/worklist", "list", N_("Chờ nhận"), Action.WORKLIST),
    ("/duty", "calendar", N_("Lịch trực"), Action.SCHEDULE_READ),
    ("/training/rotations", "users", N_("Luân phiên"), Action.ROTATION_READ),
    ("/training/sessions", "book", N_("Chuyển giao"), Action.TRANSFER_READ),
    ("/admin/contracts", "sign", N_("Hợp đồng"), Action.CONTRACT_WRITE),
)
_ADMINISTRATOR = (
    ("/home", "home", N_("Trang đầu"), Action.HOME),
    ("/admin/people", "users", N_("Tài khoản"), Action.PEOPLE_WRITE),
    ("/admin/facilities", "list", N_("Cơ sở"), Action.FACILITY_WRITE),
    ("/admin/contracts", "sign", N_("Hợp đồng"), Action.CONTRACT_WRITE),
    ("/admin/audit", "lock", N_("Nhật ký"), Action.AUDIT_READ),
)
_BY_ROLE = (
    (Role.COMMUNE_DOCTOR, _STATION),
    (Role.ROTATED_DOCTOR, _STATION),
    (Role.SPECIALIST, _SPECIALIST),
    (Role.TRAINER, _TRAINER),
    (Role.COORDINATOR, _COORDINATOR),
    (Role.ADMINISTRATOR, _ADMINISTRATOR),
)


def menu_of(actor: Actor | None, path: str, gettext: Callable[[str], str]) -> list[MenuItem] | None:
    """The entries of the person's first role, then what further roles add; None when nobody."""
    if actor is None:
        return None
    entries: dict[str, MenuItem] = {}
    for role, items in _BY_ROLE:
        if role not in actor.roles:
            continue
        for url, icon, label, action in items:
            if may(actor, action) and url not in entries:
                here = path == url or path.startswith(f"{url}/")
                entries[url] = MenuItem(url, icon, gettext(label), here)
    return list(entries.values())


def role_title(actor: Actor, gettext: Callable[[str], str]) -> str:
    """What the person is called when they have no professional title."""
    first = next((role for role, _ in _BY_ROLE if role in actor.roles), None)
    return gettext(ROLE_TITLES[first]) if first else ""
