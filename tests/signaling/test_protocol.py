"""Any JSON gives a model or a refusal that names the field; nothing else ever comes out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.core.errors import Invalid
from telemed.signaling import protocol
from telemed.signaling.parsing import parse_event
from telemed.signaling.protocol import EVENTS, Message

SDP = (
    "v=0\r\no=- 46117 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n"
)
HOST = "candidate:842163049 1 udp 1677729535 192.0.2.7 53412 typ host generation 0 ufrag aB+/"
MDNS = "candidate:1 1 UDP 2122252543 5f7c7a2e-aaaa-4bbb-8ccc-0123456789ab.local 9 typ host"
TCP = "candidate:3 1 tcp 1518280447 2001:db8::1 9 typ host tcptype active"

VALID: dict[str, dict[str, Any]] = {
    "probe": {},
    "channel:watch": {"channels": ["worklist", "consult:abc_-1"]},
    "channel:unwatch": {"channels": ["person:abc"]},
    "session:join": {"session": "s1", "last_event": 4},
    "session:replay": {"session": "s1", "after": 0},
    "session:offer": {
        "session": "s1",
        "to": "p2",
        "epoch": 3,
        "description": {"type": "offer", "sdp": SDP},
    },
    "session:answer": {
        "session": "s1",
        "to": "p2",
        "epoch": 3,
        "description": {"type": "answer", "sdp": SDP},
    },
    "session:candidate": {
        "session": "s1",
        "to": "p2",
        "epoch": 3,
        "candidate": {
            "candidate": HOST,
            "sdpMid": "0",
            "sdpMLineIndex": 0,
            "usernameFragment": "aB+/",
        },
    },
    "session:publish": {
        "session": "s1",
        "epoch": 3,
        "description": {"type": "offer", "sdp": SDP},
    },
    "session:subscribe": {
        "session": "s1",
        "epoch": 3,
        "description": {"type": "offer", "sdp": SDP},
        "publishers": ["p2"],
    },
    "session:wish": {"session": "s1", "publisher": "p2", "picture": "small"},
    "session:state": {"session": "s1", "muted": True, "camera_off": False},
    "session:chat": {"session": "s1", "text": "SpO2 96 %.", "key": "k1"},
    "session:mode": {
        "session": "s1",
        "rung": "voice",
        "reason": "link_slow",
        "ask": "full",
        "ask_reason": "start",
    },
    "session:still": {"session": "s1", "to": "p2", "number": 1, "image": "UklGRg=="},
    "session:still-seen": {"session": "s1", "to": "p2", "number": 1},
    "session:picture-ask": {"session": "s1", "to": "p2"},
    "session:picture-answer": {"session": "s1", "ask": 7, "outcome": "taken", "file": "f1"},
    "session:leave": {"session": "s1"},
    "session:ice": {"session": "s1"},
    "session:ring": {"session": "s1"},
    "session:find-people": {"session": "s1", "name": "Lan"},
    "session:invite": {"session": "s1", "person": "p9", "capacity": "interpreter"},
    "session:remove": {"session": "s1", "participant": "p2"},
    "session:decline-ring": {"session": "s1"},
    "session:end": {"session": "s1"},
    "session:record-ask": {"session": "s1"},
    "session:record-answer": {"session": "s1", "is_agreed": True, "text_version": "2026-11"},
    "session:record-withdraw": {"session": "s1"},
    "session:record-pause": {"session": "s1"},
    "session:record-resume": {"session": "s1"},
    "session:record-stop": {"session": "s1"},
}


def with_sdp(sdp: str) -> dict[str, Any]:
    return {**VALID["session:offer"], "description": {"type": "offer", "sdp": sdp}}


def with_candidate(candidate: str, **more: object) -> dict[str, Any]:
    return {**VALID["session:candidate"], "candidate": {"candidate": candidate, **more}}


def refusal(name: str, *arguments: object) -> Invalid:
    with pytest.raises(Invalid) as caught:
        parse_event(name, arguments)
    return caught.value


def test_every_event_has_a_valid_example() -> None:
    assert VALID.keys() == EVENTS.keys()


@pytest.mark.parametrize("name", EVENTS)
def test_a_valid_event_becomes_its_model(name: str) -> None:
    assert type(parse_event(name, (VALID[name],))) is EVENTS[name]


@pytest.mark.parametrize("name", EVENTS)
def test_an_unknown_field_is_named(name: str) -> None:
    error = refusal(name, {**VALID[name], "from": "p9"})
    assert [(field.field, field.code) for field in error.fields] == [("from", "unexpected")]


@pytest.mark.parametrize(
    ("name", "field"), [(name, field) for name in EVENTS for field in VALID[name]]
)
@pytest.mark.parametrize("value", [[], {}, 1.5, -1, "\x00", "a\x7fb", "", "\ud800", 2**70])
def test_a_wrong_value_is_refused_with_its_field_named(
    name: str, field: str, value: object
) -> None:
    error = refusal(name, {**VALID[name], field: value})
    assert {finding.field.split(".")[0] for finding in error.fields} == {field}


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("payload", [None, 0, "x", [], True])
def test_a_payload_that_is_no_object_is_refused(name: str, payload: object) -> None:
    assert refusal(name, payload).fields[0].field == "payload"


@pytest.mark.parametrize("arguments", [(), ({}, {}), (None, None, None)])
def test_exactly_one_payload_is_taken(arguments: tuple[object, ...]) -> None:
    assert refusal("probe", *arguments).fields[0].code == "one_payload"


@pytest.mark.parametrize("name", ["", "connect", "disconnect", "session:kick", "x" * 10_000])
def test_an_unknown_event_is_refused(name: str) -> None:
    assert refusal(name, {}).code == "unknown_event"


@pytest.mark.parametrize(
    ("sdp", "code"),
    [
        ("", "sdp_malformed"),
        ("v=1\r\no=-\r\ns=-\r\nt=0 0\r\nm=audio 9 X 0\r\n", "sdp_malformed"),
        (SDP.rstrip(), "sdp_malformed"),
        (SDP + "no equals sign\r\n", "sdp_malformed"),
        (SDP + "a=\x00\r\n", "sdp_malformed"),
        (SDP + "\r\n", "sdp_malformed"),
        (SDP + "a=" + "x" * protocol.MAX_SDP_LINE + "\r\n", "sdp_malformed"),
        (SDP + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" * 24, "sdp_media_count"),
        (SDP + "a=\n" * protocol.MAX_SDP_LINES, "sdp_line_count"),
        (SDP.partition("m=")[0], "sdp_media_count"),
        (SDP + "a=x:yyyyyyyyyyy\r\n" * 5000, "too_long"),
        (SDP + ("a=" + "ệ" * 1000 + "\r\n") * 30, "sdp_too_large"),
    ],
)
def test_a_bad_session_description_is_refused(sdp: str, code: str) -> None:
    (finding,) = refusal("session:offer", with_sdp(sdp)).fields
    assert (finding.field, finding.code) == ("description.sdp", code)


def test_an_answer_is_not_taken_for_an_offer() -> None:
    error = refusal("session:offer", VALID["session:answer"])
    assert [finding.field for finding in error.fields] == ["description.type"]


@pytest.mark.parametrize("candidate", ["", HOST, MDNS, TCP])
def test_a_candidate_of_a_browser_is_taken(candidate: str) -> None:
    payload = with_candidate(candidate)
    assert (
        parse_event("session:candidate", (payload,)).model_dump(by_alias=True, exclude_unset=True)
        == payload
    )


def test_the_end_of_candidates_is_taken() -> None:
    message = parse_event("session:candidate", ({**VALID["session:candidate"], "candidate": None},))
    assert message.model_dump()["candidate"] is None


@pytest.mark.parametrize(
    ("candidate", "code"),
    [
        ("candidate:x", "candidate_malformed"),
        (HOST + "\r\na=evil", "candidate_malformed"),
        (HOST + "\n", "candidate_malformed"),
        (HOST.replace(" udp ", " sctp "), "candidate_malformed"),
        (HOST.replace("53412", "٥٣٤١٢"), "candidate_malformed"),
        (HOST + " x y" * 400, "too_long"),
    ],
)
def test_a_bad_candidate_is_refused(candidate: str, code: str) -> None:
    (finding,) = refusal("session:candidate", with_candidate(candidate)).fields
    assert (finding.field, finding.code) == ("candidate.candidate", code)


def test_a_candidate_of_a_far_media_section_is_refused() -> None:
    (finding,) = refusal("session:candidate", with_candidate(HOST, sdpMLineIndex=24)).fields
    assert (finding.field, finding.code) == ("candidate.sdpMLineIndex", "out_of_range")


def test_a_chat_message_is_trimmed_and_composed() -> None:
    decomposed = "  Thở o\u0323\u0302xy\n3 lít  "
    message = parse_event("session:chat", ({**VALID["session:chat"], "text": decomposed},))
    assert message.model_dump()["text"] == "Thở ộxy\n3 lít"


@pytest.mark.parametrize(
    ("text", "code"),
    [("  \n", "text_empty"), ("a\x00b", "text_malformed"), ("x" * 2001, "too_long")],
)
def test_a_bad_chat_message_is_refused(text: str, code: str) -> None:
    error = refusal("session:chat", {**VALID["session:chat"], "text": text})
    assert [(finding.field, finding.code) for finding in error.fields] == [("text", code)]


def test_half_a_seat_is_refused() -> None:
    error = refusal("session:join", {"session": "s1", "epoch": 2})
    assert [(finding.field, finding.code) for finding in error.fields] == [
        ("payload", "seat_incomplete")
    ]


def test_many_bad_fields_give_a_short_answer() -> None:
    error = refusal("probe", {"x" * 5000 + str(n): n for n in range(1000)})
    assert len(error.fields) == 8
    assert max(len(finding.field) for finding in error.fields) == 64


def test_texts_fill_their_own_placeholders() -> None:
    (finding,) = refusal("session:chat", {**VALID["session:chat"], "text": "x" * 3000}).fields
    assert finding.message.format(**finding.params) == "Dài quá 2000 ký tự"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def outcome(name: str, payload: object) -> Message | Invalid:
    try:
        return parse_event(name, (payload,))
    except Invalid as refused:
        return refused


def is_model_or_named_refusal(name: str, result: Message | Invalid) -> bool:
    return isinstance(result, EVENTS[name]) or (isinstance(result, Invalid) and bool(result.fields))


@given(st.sampled_from(sorted(EVENTS)), JSON)
def test_any_json_gives_a_model_or_a_named_refusal(name: str, payload: object) -> None:
    assert is_model_or_named_refusal(name, outcome(name, payload))


@given(st.data(), st.sampled_from(sorted(name for name in EVENTS if VALID[name])))
def test_any_value_in_any_field_gives_a_model_or_a_named_refusal(
    data: st.DataObject, name: str
) -> None:
    field = data.draw(st.sampled_from(sorted(VALID[name])))
    assert is_model_or_named_refusal(name, outcome(name, {**VALID[name], field: data.draw(JSON)}))
