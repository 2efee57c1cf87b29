"""Fixtures of files over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from telemed.accounts.permissions import Actor
from telemed.consults.lifecycle import ConsultState
from telemed.core.config import Settings
from tests.conftest import Client, make_settings
from tests.factories import Factory
from tests.web.files.desk import LIMIT, Desk


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """An installation that takes only small files, so that too large ones are quickly made."""
    return make_settings(
        data_dir=tmp_path / "var", database_url=database_url, upload_limit_bytes=LIMIT
    )


@pytest.fixture
async def desk(make: Factory, signed_in: Callable[[Actor], Awaitable[Client]]) -> Desk:
    case = await make.case(ConsultState.ACCEPTED)
    return Desk(case, await signed_in(case.doctor), await signed_in(case.specialist))
