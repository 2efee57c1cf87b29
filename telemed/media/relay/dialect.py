"""What the relay understands beyond aiortc: header extensions, feedback kinds and redundant voice.

aiortc negotiates from two lists of its module `codecs`. They belong to the process, so only the
relay's own process (and tests of it) may call `learn`.
"""

from __future__ import annotations

from typing import Final

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


def _vp8() -> int | None:
    return next(codec.payloadType for codec in CODECS["video"] if codec.name == "VP8")
