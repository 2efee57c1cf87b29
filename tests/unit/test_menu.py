"""Everybody's menu leads only where they may go."""

from __future__ import annotations

from itertools import combinations

import pytest

from telemed.accounts.permissions import GRANTS, Action, Actor, Role
from telemed.web.menu import menu_of, role_title

ROLE_SETS = [frozenset(chosen) for size in (1, 2, 6) for chosen in combinations(Role, size)]
DOORS = {
    "/home": Action.HOME,
    "/patients": Action.PATIENT_SEARCH,
    "/worklist": Action.WORKLIST,
    "/schedule": Action.SCHEDULE_READ,
    "/duty": Action.SCHEDULE_READ,
    "/history": Action.HISTORY_SEARCH,
    "/training/sessions": Action.TRANSFER_READ,
    "/training/rotations": Action.ROTATION_READ,
    "/admin/people": Action.PEOPLE_WRITE,
    "/admin/facilities": Action.FACILITY_WRITE,
    "/rights": Action.RIGHTS_WRITE,
    "/admin/contracts": Action.CONTRACT_WRITE,
    "/admin/audit": Action.AUDIT_READ,
}


def actor_of(roles: frozenset[Role]) -> Actor:
    return Actor(id=1, uid="x" * 22, name="Lò Văn Thử", roles=roles)


@pytest.mark.parametrize("roles", ROLE_SETS)
def test_every_entry_leads_somewhere_once(roles: frozenset[Role]) -> None:
    items = menu_of(actor_of(roles), "/home", str) or []
    urls = [item.url for item in items]
    assert len(urls) == len(set(urls)) >= 4
    assert all(roles & GRANTS[DOORS[url]] for url in urls)
    assert [item.url for item in items if item.current] == ["/home"]
    assert all(item.label for item in items)


@pytest.mark.parametrize(
    ("path", "current"),
    [
        ("/training/sessions/abc", ["/training/sessions"]),
        ("/history", ["/history"]),
        ("/historyless", []),
        ("/", []),
    ],
)
def test_the_entry_one_stands_below_is_marked(path: str, current: list[str]) -> None:
    items = menu_of(actor_of(frozenset({Role.TRAINER})), path, str) or []
    assert [item.url for item in items if item.current] == current


def test_nobody_has_no_menu() -> None:
    assert menu_of(None, "/", str) is None


@pytest.mark.parametrize("role", Role)
def test_every_role_has_a_title(role: Role) -> None:
    assert role_title(actor_of(frozenset({role})), str)


def test_who_has_no_role_has_no_title_and_no_entries() -> None:
    nobody = actor_of(frozenset())
    assert (role_title(nobody, str), menu_of(nobody, "/", str)) == ("", [])
