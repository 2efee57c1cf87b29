"""Whatever arrives is either understood or `Malformed`; what is sent can be read by any client."""

from __future__ import annotations

import contextlib
import json

from hypothesis import given
from hypothesis import strategies as st

from telemed.signaling.engine import codec
from telemed.signaling.engine.codec import Malformed
from telemed.signaling.engine.frames import text_frame

ANY_TEXT = st.text(st.characters(exclude_categories=()))
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | ANY_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner),
    max_leaves=10,
)
JSON_LIKE = st.text('[]{}",:\\ud83c0169eE+-.ntf ', max_size=40)


@given(st.binary() | JSON_LIKE.map(str.encode))
def test_reading_fails_in_one_way_only(packet: bytes) -> None:
    with contextlib.suppress(Malformed):
        codec.decode_event(b"42" + packet)
    with contextlib.suppress(Malformed):
        codec.decode_auth(b"40" + packet)
    with contextlib.suppress(Malformed):
        codec.decode_namespace(b"40/" + packet)


@given(JSON)
def test_everything_read_can_be_sent_and_is_proper_utf8(value: object) -> None:
    arrived = codec.decode_json(json.dumps(value).encode())
    sent = codec.encode_event("event", [arrived])
    assert json.loads(sent.decode()[2:]) == ["event", arrived]


@given(JSON)
def test_everything_the_server_holds_can_be_sent(value: object) -> None:
    assert codec.encode_ack(b"7", value).decode().startswith("437[")


@given(st.integers(0, 2 * 65_536))
def test_frame_tells_its_length_in_the_shortest_form(length: int) -> None:
    frame = text_frame(bytes(length))
    head = {2: frame[1:2], 4: frame[2:4], 10: frame[2:10]}[len(frame) - length]
    assert (frame[0], int.from_bytes(head, "big")) == (0x81, length)
    assert len(frame) - length == 2 + 2 * (length > 125) + 6 * (length > 65_535)
