"""What the pages of the synthetic calls have measured: as good as the link of their station."""

from __future__ import annotations

from telemed.demo.links import Line, line_of
from telemed.demo.meetings import Stays
from telemed.demo.world import World
from telemed.sessions.models import Attendance, LiveSession, Participant
from telemed.sessions.quality.models import CallQuality

PACKETS_PER_SECOND = 50
VIDEO_KBPS = 900
VOICE_KBPS = 40
# Below this a call is voice with stills.
VIDEO_FROM_KBPS = 150
# Opening a path takes a few round trips, and a machine some time of its own.
SETUP_ROUND_TRIPS = 5
SETUP_MS = (350, 900)


def make_qualities(world: World, session: LiveSession, stays: Stays) -> list[CallQuality]:
    """One page for each side that has left."""
    line = line_of([*world.stations].index(session.station_id or 0))
    return [
        _page(world, line, stay, participant)
        for stay, participant in stays
        if stay.left_at is not None
    ]


def _page(world: World, line: Line, stay: Attendance, participant: Participant) -> CallQuality:
    assert participant.id
    assert stay.left_at
    chance, seconds = world.chance, round((stay.left_at - stay.joined_at).total_seconds())
    has_video = line.up_kbps >= VIDEO_FROM_KBPS
    kbps = min(VIDEO_KBPS, line.up_kbps * 0.6) if has_video else VOICE_KBPS
    packets = seconds * PACKETS_PER_SECOND
    lost = round(packets * line.loss_permille * chance.uniform(0.5, 1.5) / 1000)
    carried = round(seconds * kbps * 125 * chance.uniform(0.8, 1.0))
    return CallQuality(
        session_id=participant.session_id,
        participant_id=participant.id,
        page=participant.uid,
        number=1,
        began_at=stay.joined_at,
        heard_at=stay.left_at,
        media_ms=seconds * 1000,
        setup_ms=round(chance.uniform(*SETUP_MS)) + SETUP_ROUND_TRIPS * line.rtt_ms,
        mode_changes=0 if has_video else 1,
        packets_received=packets - lost,
        packets_lost=lost,
        audio_ms=seconds * 1000,
        # Half of what is lost is heard: the rest was sent twice, or came in time.
        concealed_ms=lost * 10,
        freezes=round(seconds / 120 * line.loss_permille / 10) if has_video else 0,
        bytes_up=carried,
        bytes_down=round(carried * chance.uniform(0.9, 1.1)),
        rtt_ms=line.rtt_ms,
        worst_rtt_ms=round(line.rtt_ms * chance.uniform(1.5, 4)),
        up_kbps=line.up_kbps,
        down_kbps=line.down_kbps,
        modes={"video" if has_video else "stills": seconds * 1000},
    )
