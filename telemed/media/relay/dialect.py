"""What the relay does beyond aiortc: header extensions, feedback kinds, redundant voice, loopback.

aiortc negotiates from two lists of its module `codecs`. They belong to the process, so only the
relay's own process (and tests of it) may call `learn`.
"""

from __future__ import annotations

from typing import Final

from aioice import ice
from aiortc.codecs import CODECS, HEADER_EXTENSIONS, is_rtx
from aiortc.rtcrtpparameters import (
    RTCRtcpFeedback,
    RTCRtpCodecParameters,
    RTCRtpHeaderExtensionParameters,
)

MID: Final = "urn:ietf:params:rtp-hdrext:sdes:mid"
RID: Final = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID: Final = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
SEND_TIME: Final = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
TRANSPORT_NUMBER: Final = (
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
)
RED: Final = "audio/red"
OPUS: Final = "audio/opus"
VP8: Final = "video/vp8"


def learn() -> None:
    """Teach this process what the relay speaks; a second time changes nothing."""
    known = {extension.uri for extension in HEADER_EXTENSIONS["video"]}
    if TRANSPORT_NUMBER in known:
        return
    for number, uri in ((4, RID), (5, REPAIRED_RID), (6, TRANSPORT_NUMBER)):
        HEADER_EXTENSIONS["video"].append(RTCRtpHeaderExtensionParameters(id=number, uri=uri))
    HEADER_EXTENSIONS["audio"].append(RTCRtpHeaderExtensionParameters(id=6, uri=TRANSPORT_NUMBER))
    CODECS["video"][:] = [
        codec
        for codec in CODECS["video"]
        if codec.name == "VP8" or codec.parameters.get("apt") == _vp8()
    ]
    CODECS["audio"][:] = [codec for codec in CODECS["audio"] if codec.name == "opus"]
    for codec in (*CODECS["video"], *CODECS["audio"]):
        if not is_rtx(codec):
            codec.rtcpFeedback = [*codec.rtcpFeedback, RTCRtcpFeedback(type="transport-cc")]
    CODECS["audio"].append(
        RTCRtpCodecParameters(
            mimeType=RED,
            clockRate=48000,
            channels=2,
            payloadType=63,
            parameters={"111/111": None},
        )
    )
    _reach_this_machine()


def _reach_this_machine() -> None:
    """Gather the loopback address where there is no other: a machine without a network."""
    gather = ice.get_host_addresses

    def addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:  # noqa: FBT001 - as aioice has it
        return gather(use_ipv4, use_ipv6) or ["127.0.0.1"]

    ice.get_host_addresses = addresses


def _vp8() -> int | None:
    return next(codec.payloadType for codec in CODECS["video"] if codec.name == "VP8")
