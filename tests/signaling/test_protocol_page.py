"""The page that foreign clients are written from says what the code does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from telemed.sessions.pictures import OPEN_FOR
from telemed.sessions.ringing import RING
from telemed.signaling import parsing, protocol
from telemed.signaling.namespace import MOST_CHANNELS
from telemed.signaling.protocol import EVENTS, LIMITS, Rate
from telemed.signaling.rooms import LOGGED_MODES
from telemed.signaling.server import GRACE_SECONDS, MOST_CONNECTIONS
from telemed.signaling.server import LIMITS as CONNECTION
from telemed.signaling.stills import STILL_SECONDS
from tests.servers import ROOT

PAGE = (ROOT / "docs" / "protocol.md").read_text()
SOURCES = [
    *Path(ROOT / "telemed/signaling").glob("*.py"),
    *Path(ROOT / "telemed/sessions").glob("*.py"),
    *Path(ROOT / "telemed/sessions/recording").glob("*.py"),
]
REFUSALS = {"Invalid", "Conflict", "Unavailable", "Throttled"}
# Refusals of routes and of the minutes, which no event leads to.
NOT_OF_THE_SOCKET = {
    *("not_callable", "recording_not_kept"),
    *("consent_not_in_force", "guardian_name_missing"),
}
EMITTED = re.compile(r'"((?:session:|hint)[a-z-]*)"')


def refusal_codes(path: Path) -> set[str]:
    """Codes of the refusals that a module raises."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Name)
        and call.func.id in REFUSALS
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_is_on_the_page(name: str) -> None:
    assert re.search(rf"`{name}[ `{{]", PAGE), name


@pytest.mark.parametrize("name", EVENTS)
def test_every_field_of_an_event_is_on_the_page(name: str) -> None:
    for field in EVENTS[name].model_fields.values():
        assert (field.alias or "") in PAGE
    assert all(re.search(rf"\b{field}\b", PAGE) for field in EVENTS[name].model_fields)


def test_every_push_is_on_the_page() -> None:
    pushed = {name for path in SOURCES for name in EMITTED.findall(path.read_text())}
    assert all(f"`{name}" in PAGE for name in pushed), pushed


def test_every_code_is_on_the_page() -> None:
    sources = [path for path in SOURCES if "minutes" not in path.name]
    codes = set().union(*(refusal_codes(path) for path in sources)) - NOT_OF_THE_SOCKET
    assert {code for code in codes if f"`{code}`" not in PAGE} == set()


def test_codes_of_fields_are_on_the_page() -> None:
    codes = {code for code, _ in parsing._FINDINGS.values()} | parsing._OWN_CODES | {"invalid"}
    assert {code for code in codes if f"`{code}`" not in PAGE} == set()


def written(number: float) -> str:
    return f"{number:,.0f}"


@pytest.mark.parametrize(
    "sentence",
    [
        f"| one message | {written(CONNECTION.message_bytes)} bytes |",
        f'"maxPayload":{CONNECTION.message_bytes}',
        f"{written(protocol.MAX_SDP_BYTES)} bytes of UTF-8",
        f"at most {written(protocol.MAX_SDP_LINES)} lines of at most",
        f"lines of at most {written(protocol.MAX_SDP_LINE)} characters",
        f"1 to {protocol.MAX_MEDIA_SECTIONS} `m=` lines",
        f"| ICE candidate | {written(protocol.MAX_CANDIDATE)} characters",
        f"1 to {written(protocol.MAX_CHAT)} characters after trimming",
        f"| {protocol.MAX_CHANNELS}; {MOST_CHANNELS} watched in all |",
        f"more than {MOST_CONNECTIONS} connections of one person",
        f"| offers, answers, candidates, states | {LIMITS[Rate.SIGNAL][0]:.0f} a second, burst of {LIMITS[Rate.SIGNAL][1]} |",
        f"| chat messages | {LIMITS[Rate.CHAT][0]:.0f} a second, burst of {LIMITS[Rate.CHAT][1]} |",
        f"| stills | {LIMITS[Rate.STILL][0]:.0f} a second, burst of {LIMITS[Rate.STILL][1]} |",
        f"at most {written(protocol.MAX_STILL)} characters of base64",
        f"first {LOGGED_MODES[1]}, then one every {1 / LOGGED_MODES[0]:.0f} s",
        f"or {STILL_SECONDS:.0f} s have passed",
        f"| all other events | {LIMITS[Rate.PLAIN][0]:.0f} a second, burst of {LIMITS[Rate.PLAIN][1]} |",
        f"{CONNECTION.messages_per_second:.0f} a second, burst of {CONNECTION.message_burst:.0f}",
        f"pings every {CONNECTION.ping_seconds:.0f} s",
        f"not answered within {CONNECTION.pong_seconds:.0f} s",
        f"the seat is kept for {GRACE_SECONDS:.0f} s",
        f"or {RING.seconds} s have passed",
        f"or {OPEN_FOR.seconds // 60} minutes have passed",
        f"At most {protocol.MAX_EVENTS_PER_ANSWER} events come in one answer",
        f"# The signalling protocol, version {protocol.PROTOCOL_VERSION}",
    ],
)
def test_the_numbers_of_the_page_are_those_of_the_code(sentence: str) -> None:
    assert sentence in PAGE
