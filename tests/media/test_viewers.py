"""What a viewer tells, and when it counts."""

from __future__ import annotations

from typing import Any

import pytest
from aiortc import rtp

from telemed.media.relay.viewers import Viewer
from tests.media.peers import NO_SERVERS


def estimate(bits: int) -> bytes:
    """What a viewer can take (REMB)."""
    fci = rtp.pack_remb_fci(bits, [1])
    return bytes(rtp.RtcpPsfbPacket(fmt=15, ssrc=1, media_ssrc=0, fci=fci))


async def test_a_falling_estimate_is_acted_on_when_it_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    viewer = Viewer("trainee", NO_SERVERS, 0.0)
    decided: list[int] = []

    def decide(_now: float, bits: int, *_others: Any) -> list[Any]:
        decided.append(bits)
        return []

    monkeypatch.setattr(viewer._allocator, "decide", decide)
    for bits in (512_000, 524_288, 400_000, 400_000, 200_000):
        viewer._receive(estimate(bits), True, 1.0)
    assert decided == [400_000, 200_000]
    await viewer.close()
