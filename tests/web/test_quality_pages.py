"""What pages in a call may tell, what is refused of it, and what is shown of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from telemed.accounts.permissions import Actor, Role
from telemed.core.columns import new_uid
from telemed.core.db import UnitOfWork
from telemed.sessions import service
from telemed.sessions.models import LiveSession
from tests.conftest import Client
from tests.factories import Case, Factory

SignedIn = Callable[[Actor], Awaitable[Client]]
SCRIPT = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}
SUMMARY: dict[str, Any] = {
    "page": "a-page-of-somebody",
    "number": 1,
    "media_ms": 125_000,
    "setup_ms": 1_240,
    "packets_received": 980,
    "packets_lost": 20,
    "audio_ms": 100_000,
    "concealed_ms": 1_500,
    "freezes": 3,
    "freeze_ms": 2_000,
    "bytes_up": 3_400_000,
    "bytes_down": 7_700_000,
    "rtt_ms": 87,
    "timeline": [[0, 0, 0, 80, 640, 300], [60, 120, 40, 300, 200, 100]],
}


@pytest.fixture
async def live(work: UnitOfWork, case: Case, live: LiveSession) -> LiveSession:
    """The station is inside."""
    await service.enter(work, case.doctor, live.uid, resumes=False)
    return live


async def tell(client: Client, uid: str, **changes: Any) -> tuple[int, dict[str, Any]]:
    answer = await client.post(f"/sessions/{uid}/quality", headers=SCRIPT, json=SUMMARY | changes)
    return answer.status, await answer.json()


async def test_a_summary_is_kept_once(signed_in: SignedIn, case: Case, live: LiveSession) -> None:
    client = await signed_in(case.doctor)
    assert await tell(client, live.uid) == (200, {"kept": True})
    assert await tell(client, live.uid) == (200, {"kept": False})
    assert await tell(client, live.uid, number=2) == (200, {"kept": True})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"page": "short"}, "page"),
        ({"page": "x" * 23}, "page"),
        ({"number": 0}, "number"),
        ({"number": None}, "number"),
        ({"media_ms": -1}, "media_ms"),
        ({"bytes_up": 2**60}, "bytes_up"),
        ({"timeline": [[0, 0, 0, 0, 0, 0]] * 61}, "timeline"),
        ({"timeline": [[0, 1001, 0, 0, 0, 0]]}, "timeline.0.1"),
        ({"timeline": [[0, 0]]}, "timeline.0.2"),
        ({"modes": {"dance": 1}}, "modes.dance.[key]"),
        ({"participant": "somebody"}, "participant"),
        ({"rtt_ms": 1.5}, "rtt_ms"),
    ],
)
async def test_a_malformed_summary_is_refused_by_field(
    signed_in: SignedIn, case: Case, live: LiveSession, changes: dict[str, Any], field: str
) -> None:
    status, answer = await tell(await signed_in(case.doctor), live.uid, **changes)
    assert status == 422
    assert field in {each["field"] for each in answer["fields"]}


async def test_a_large_body_and_a_flood_are_refused(
    signed_in: SignedIn, case: Case, live: LiveSession
) -> None:
    client = await signed_in(case.doctor)
    assert (await tell(client, live.uid, page="x" * 20_000))[0] == 413
    answers = [(await tell(client, live.uid, number=number))[0] for number in range(1, 40)]
    assert answers[0] == 200
    assert answers[-1] == 429


async def test_a_session_of_others_looks_like_none(
    signed_in: SignedIn, make: Factory, live: LiveSession
) -> None:
    client = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
    foreign, unknown = await tell(client, live.uid), await tell(client, new_uid())
    assert foreign[0] == unknown[0] == 404
    assert foreign[1] | {"request_id": ""} == unknown[1] | {"request_id": ""}


async def test_the_page_of_a_call_that_is_over_shows_how_it_was(
    signed_in: SignedIn, work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    client = await signed_in(case.doctor)
    await tell(client, live.uid)
    await service.end(work, case.specialist, live.uid)
    await work.commit()
    text = await (await client.get(f"/sessions/{live.uid}")).text()
    assert "Chất lượng cuộc gọi" in text
    for figure in ("1,2", "2,0", "1,5", "87", "3,4", "7,7"):
        assert figure in text
    assert text.count("<rect") == 4
    assert "style=" not in text


async def test_a_call_without_figures_says_nothing_of_quality(
    signed_in: SignedIn, work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    await service.end(work, case.specialist, live.uid)
    client = await signed_in(case.doctor)
    text = await (await client.get(f"/sessions/{live.uid}")).text()
    assert "Chất lượng cuộc gọi" not in text
