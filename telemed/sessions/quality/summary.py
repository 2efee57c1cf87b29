"""What a page tells of a call it is in: sums over the life of the page, bounded in every part."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

MOST_SLOTS = 60
MOST_MILLISECONDS = 48 * 60 * 60 * 1000
MOST_COUNT = 2**48

Milliseconds = Annotated[int, Field(ge=0, le=MOST_MILLISECONDS)]
Count = Annotated[int, Field(ge=0, le=MOST_COUNT)]
Kbps = Annotated[int, Field(ge=0, le=10_000_000)]
Permille = Annotated[int, Field(ge=0, le=1000)]
RoundTrip = Annotated[int, Field(ge=0, le=120_000)]
# Second of the call, loss, concealed voice, round trip, rate down, rate up.
Slot = tuple[Annotated[int, Field(ge=0, le=200_000)], Permille, Permille, RoundTrip, Kbps, Kbps]
Mode = Literal["video", "small_video", "stills", "voice", "written"]


class Summary(BaseModel):
    """One summary. A greater `number` of the same `page` replaces what was told before."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    page: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16,22}$")]
    number: Annotated[int, Field(ge=1, le=1_000_000)]
    media_ms: Milliseconds
    setup_ms: Milliseconds | None = None
    mode_changes: Annotated[int, Field(ge=0, le=100_000)] = 0
    packets_received: Count
    packets_lost: Count
    audio_ms: Milliseconds
    concealed_ms: Milliseconds
    freezes: Annotated[int, Field(ge=0, le=1_000_000)]
    freeze_ms: Milliseconds
    bytes_up: Count
    bytes_down: Count
    rtt_ms: RoundTrip | None = None
    worst_rtt_ms: RoundTrip | None = None
    up_kbps: Kbps | None = None
    down_kbps: Kbps | None = None
    timeline: Annotated[list[Slot], Field(max_length=MOST_SLOTS)] = []
    modes: dict[Mode, Milliseconds] = {}
