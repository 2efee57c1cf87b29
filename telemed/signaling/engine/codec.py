"""Socket.IO packets of one namespace, as bytes: events, acknowledgements, joining and leaving.

Text only: whatever is not understood raises `Malformed`, whose words hold nothing the client sent.
"""

from __future__ import annotations

import json
from typing import Any, Final

import orjson

EVENT: Final = b"42"
CONNECT: Final = b"40"
LEAVE: Final = b"41"
ACK: Final = b"43"
REFUSE: Final = b"44"

# Names that client libraries keep for themselves: from the wire they are only ever a forgery.
RESERVED_EVENTS: Final = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)
_MAX_ACK_DIGITS: Final = 16
_MAX_NAMESPACE: Final = 64


class Malformed(Exception):
    """Not Socket.IO as this server speaks it; the connection ends."""


def decode_json(text: bytes) -> Any:
    """Parse JSON; half a surrogate pair, which browsers may send escaped, becomes U+FFFD."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        if b"\\ud" not in text.lower():
            raise Malformed("not JSON") from None
    try:
        return orjson.loads(_mend_surrogates(json.loads(text.decode())))
    except (ValueError, RecursionError):
        raise Malformed("not JSON") from None


def encode_json(value: object) -> bytes:
    """Write JSON. Raises TypeError for what JSON does not have, bytes among it."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return _mend_surrogates(value)


def _mend_surrogates(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def decode_event(packet: bytes) -> tuple[bytes, list[Any]]:
    """`42<id>["name", ...]` as the digits of the id, none if no answer is wanted, and the list."""
    start = packet.find(b"[", 2, 3 + _MAX_ACK_DIGITS)
    ack_id = packet[2:start]
    if start < 0 or (ack_id and not ack_id.isdigit()):
        raise Malformed("event without a list, or of another namespace")
    parts: list[Any] = decode_json(packet[start:])
    if not parts or type(parts[0]) is not str:
        raise Malformed("event without a name")
    if parts[0] in RESERVED_EVENTS:
        raise Malformed("reserved event name")
    return ack_id, parts


def decode_auth(packet: bytes) -> dict[str, Any] | None:
    """`40{...}`: what the client brings along to join, if anything."""
    auth = decode_json(packet[2:]) if len(packet) > len(CONNECT) else None
    if auth is not None and not isinstance(auth, dict):
        raise Malformed("joining with something else than an object")
    return auth


def decode_namespace(packet: bytes) -> bytes:
    """`40/name,...`: the namespace, to be named in its refusal."""
    name = packet[2:].partition(b",")[0]
    if len(name) > _MAX_NAMESPACE or not name.isascii():
        raise Malformed("namespace")
    return name


def encode_event(name: str, arguments: list[Any]) -> bytes:
    """An event from the server, without a wish for an answer."""
    return EVENT + encode_json([name, *arguments])


def encode_ack(ack_id: bytes, answer: object) -> bytes:
    """The answer to one event: always exactly one value."""
    return ACK + ack_id + encode_json([answer])


def encode_connect(sid: str) -> bytes:
    """The client has joined."""
    return CONNECT + encode_json({"sid": sid})


def encode_refusal(message: str, data: object = None, namespace: bytes = b"") -> bytes:
    """The client may not join."""
    body = {"message": message} if data is None else {"message": message, "data": data}
    return REFUSE + (namespace + b"," if namespace else b"") + encode_json(body)
