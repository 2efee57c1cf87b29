"""One connection to a browser: aiortc makes it (SDP, ICE, DTLS), packets pass beside aiortc.

Received datagrams are taken where the event loop hands them over, and sent ones go straight to
the socket, through libsrtp's own buffer: no packet objects, no coroutine per packet. Every
internal name of aiortc, aioice and pylibsrtp that this rests on is held by a test
(tests/media/test_contract.py). A connection over a TURN server of the relay's own side has no
socket of its own; it takes the slow way through aioice's transport.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from typing import Any, Final

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from pylibsrtp._binding import ffi, lib

from telemed.media.relay import limits
from telemed.media.relay.limits import Bucket

log = logging.getLogger(__name__)

BUFFER_BYTES: Final = 2048
# One process has one event loop and handles one packet at a time: these are shared by all links.
_IN: Final = ffi.new("char[]", BUFFER_BYTES)
_IN_VIEW: Final = ffi.buffer(_IN)
_OUT: Final = ffi.new("char[]", BUFFER_BYTES)
_LENGTH: Final = ffi.new("int *")
# What is to be sent is written here, then given to `Link.send`.
OUT: Final = memoryview(ffi.buffer(_OUT)).cast("B")
# What the first byte of a datagram says it is.
LAST_STUN: Final = 3
DTLS: Final = range(20, 64)
SRTP: Final = range(128, 192)
Address = tuple[str, int]


class Link:
    """A peer connection and the packets that pass through it."""

    def __init__(
        self, configuration: RTCConfiguration, *, sink: Callable[[bytes, bool, float], None]
    ) -> None:
        self._sink = sink
        self.connection = RTCPeerConnection(configuration)
        now = time.monotonic()
        self._handshakes = Bucket(limits.HANDSHAKES_A_SECOND, limits.HANDSHAKES_AT_ONCE, now)
        self._strangers = Bucket(limits.HANDSHAKES_A_SECOND, limits.HANDSHAKES_AT_ONCE, now)
        self._transports: set[Any] = set()
        self._ice: Any = None
        self._receiving: Any = None
        self._sending: Any = None
        self._pair: Any = None
        self._address: Address = ("", 0)
        self._socket: socket.socket | None = None
        self._sockets: dict[Any, socket.socket] = {}
        self.is_ready = False
        self.received = self.sent = self.dropped = 0

    async def answer(self, offer: str) -> str:
        """Answer an offer whose transceivers have been prepared; checks begin with it."""
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        self._guard()
        return str(self.connection.localDescription.sdp)

    async def take(self, offer: str) -> list[Any]:
        """Read an offer; its transceivers, to be prepared before the answer."""
        await self.connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        transceivers = list(self.connection.getTransceivers())
        self._transports = {each.receiver.transport for each in transceivers}
        return transceivers

    def _guard(self) -> None:
        """Stand between the sockets and aioice: what floods, and what is media, never gets there."""
        transport = self.connection.getTransceivers()[0].receiver.transport
        self._ice = transport.transport._connection  # noqa: SLF001 - held by the contract test
        for protocol in self._ice._protocols:  # noqa: SLF001 - held by the contract test
            protocol.datagram_received = self._receiver(protocol.datagram_received)
            # asyncio makes room for 256 KiB before it reads a packet: more work than forwarding it.
            protocol.transport.max_size = BUFFER_BYTES

    def _receiver(self, pass_on: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        def receive(data: bytes, address: Any) -> None:
            now = time.monotonic()
            if not data or len(data) > limits.DATAGRAM_BYTES:
                self.dropped += 1
            elif data[0] in SRTP:
                if self.is_ready:
                    self._unprotect(data, now)
            elif self._may_shake_hands(data[0], address, now):
                pass_on(data, address)
            else:
                self.dropped += 1

        return receive

    def _may_shake_hands(self, first: int, address: Any, now: float) -> bool:
        pair = self._ice._nominated.get(1)  # noqa: SLF001 - held by the contract test
        is_known = self._is_known(tuple(address[:2]))
        # STUN may come from anywhere, DTLS only along a way that ICE knows of (RFC 7983).
        if first > LAST_STUN and not (first in DTLS and (is_known or pair is None)):
            return False
        # aioice queues DTLS without a bound, and nobody reads it once a handshake has failed.
        if self._ice._queue.qsize() > limits.WAITING_HANDSHAKES:  # noqa: SLF001 - contract test
            return False
        bucket = self._handshakes if is_known else self._strangers
        return bucket.take(1, now)

    def _is_known(self, address: Address) -> bool:
        # Where IPv4 and IPv6 both work the two ends may settle on different ways, and this end
        # then looks no further into the one that the other has chosen.
        pairs = self._ice._check_list  # noqa: SLF001 - held by the contract test
        return any(pair.remote_addr == address for pair in pairs)

    def open(self) -> None:
        """The handshake is done: packets pass from now on."""
        if self.is_ready:
            return
        dtls = self.connection.getTransceivers()[0].receiver.transport
        self._receiving = dtls._rx_srtp._srtp[0]  # noqa: SLF001 - held by the contract test
        self._sending = dtls._tx_srtp._srtp[0]  # noqa: SLF001 - held by the contract test
        self.is_ready = True

    def _unprotect(self, data: bytes, now: float) -> None:
        size = len(data)
        if size < 12:
            self.dropped += 1
            return
        _IN_VIEW[0:size] = data
        _LENGTH[0] = size
        is_control = 192 <= data[1] <= 223
        undo = lib.srtp_unprotect_rtcp if is_control else lib.srtp_unprotect
        if undo(self._receiving, _IN, _LENGTH):
            self.dropped += 1
            return
        self.received += 1
        try:
            self._sink(_IN_VIEW[0 : _LENGTH[0]], is_control, now)
        except (IndexError, ValueError):
            # Genuine, but not what its kind should look like.
            self.dropped += 1

    def send(self, size: int) -> None:
        """Protect and send the packet of `size` bytes that stands in OUT."""
        _LENGTH[0] = size
        if not lib.srtp_protect(self._sending, _OUT, _LENGTH):
            self._transmit(_LENGTH[0])

    def send_control(self, packet: bytes) -> None:
        """Protect and send one RTCP packet."""
        if not self.is_ready or len(packet) > limits.DATAGRAM_BYTES:
            return
        OUT[: len(packet)] = packet
        _LENGTH[0] = len(packet)
        if not lib.srtp_protect_rtcp(self._sending, _OUT, _LENGTH):
            self._transmit(_LENGTH[0])

    def _transmit(self, size: int) -> None:
        pair = self._ice._nominated.get(1)  # noqa: SLF001 - held by the contract test
        if pair is not self._pair:
            self._follow(pair)
        if self._socket is None:
            self._transmit_slowly(size)
            return
        try:
            self._socket.sendto(OUT[:size], self._address)
            self.sent += 1
        except OSError:
            # A full socket buffer, or an address that is gone: packets are lost on any way.
            self.dropped += 1

    def _follow(self, pair: Any) -> None:
        """ICE has chosen another way: find its socket and address."""
        self._pair = pair
        self._socket = None
        if pair is None:
            return
        self._address = pair.remote_addr
        if pair.protocol not in self._sockets:
            found = pair.protocol.transport.get_extra_info("socket")
            if found is None:
                return
            self._sockets[pair.protocol] = found.dup()
        self._socket = self._sockets[pair.protocol]

    def _transmit_slowly(self, size: int) -> None:
        if self._pair is None:
            self.dropped += 1
            return
        self._pair.protocol.transport.sendto(bytes(OUT[:size]), self._address)
        self.sent += 1

    async def close(self) -> None:
        """End the connection; may be called twice."""
        self.is_ready = False
        try:
            async with asyncio.timeout(limits.CLOSE_SECONDS):
                await self.connection.close()
        except (AttributeError, OSError, TimeoutError) as error:
            # Half made, aiortc does not know how to end it.
            log.info("a connection did not end by itself: %s", type(error).__name__)
            for transport in filter(None, self._transports):
                await transport.transport.stop()
        for copied in self._sockets.values():
            copied.close()
        self._sockets.clear()
        self._socket = self._pair = None
