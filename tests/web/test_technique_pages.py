"""What a page asks while a technique is typed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from telemed.accounts.permissions import GRANTS, Action, Actor, Role
from telemed.core.db import UnitOfWork
from telemed.training.techniques import service
from telemed.training.techniques.rules import Entry
from tests.conftest import Client
from tests.factories import Factory

SignIn = Callable[[Actor], Awaitable[Client]]


async def test_found_techniques_are_answered_as_data(
    work: UnitOfWork, make: Factory, signed_in: SignIn
) -> None:
    await service.import_entries(work, [Entry("18.1", "Siêu âm ổ bụng"), Entry("1.57", "Thở oxy")])
    browser = await signed_in(await make.actor(Role.TRAINER))
    answer = await browser.get("/training/techniques", params={"q": "sieu am"})
    assert await answer.json() == {"techniques": [{"code": "18.1", "name": "Siêu âm ổ bụng"}]}
    empty = await browser.get("/training/techniques")
    assert await empty.json() == {"techniques": []}
    odd = await browser.get("/training/techniques", params={"q": "a" * 201})
    assert odd.status == 422


@pytest.mark.parametrize("role", Role)
async def test_other_roles_are_told_nothing(make: Factory, signed_in: SignIn, role: Role) -> None:
    browser = await signed_in(await make.actor(role))
    answer = await browser.get("/training/techniques", params={"q": "a"})
    assert answer.status == (200 if role in GRANTS[Action.TRANSFER_READ] else 403)
