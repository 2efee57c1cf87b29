"""Whoever has talked leaves nothing behind: no seat, task, connection or queue."""

from __future__ import annotations

from pathlib import Path

from tests.soaking.calls import Pace
from tests.soaking.province import founded

PAIRS = 2
ROUNDS = 2
# Ends of connections are noticed by their silence at the latest.
PATIENCE_SECONDS = 90


async def test_calls_that_have_ended_leave_nothing_behind(tmp_path: Path) -> None:
    async with founded(tmp_path, pairs=PAIRS, pace=Pace(beats=0, churns=1)) as province:
        # The first round brings in what is made once.
        await province.go_round()
        before = await province.look_until_as(await province.look(), 0)
        for _ in range(ROUNDS):
            await province.go_round()
        after = await province.look_until_as(before, PATIENCE_SECONDS)
    assert after.server.grown_since(before.server) == {}
    assert after.relay.grown_since(before.relay) == {}
    assert after.relay.pid == before.relay.pid
    assert province.tally.calls == (PAIRS + 1) * (ROUNDS + 1)
