"""One Engine.IO connection on one WebSocket: read in order, written without a queue.

Frames go straight to the transport, whose own buffer is the only place where they wait; a client
that lets it grow past the limit is dropped. Pings run on timers, so they go on while a handler runs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any, Final, Literal

from aiohttp import WSMsgType, web

from telemed.signaling.engine.codec import Malformed, encode_json
from telemed.signaling.engine.frames import CloseCode, close_frame, pong_frame, text_frame
from telemed.signaling.engine.limits import Allowance, Limits
from telemed.signaling.engine.upstream_logs import describe_failure

log = logging.getLogger(__name__)

_PING: Final = text_frame(b"2")
_ENDINGS: Final = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)
_BUSY_BYTES: Final = 64 * 1024
# After this many messages in a row the other clients get their turn.
_TURN: Final = 31
# Time to read what came while this process stood still; its timers are due before that.
_READ_SECONDS: Final = 0.1


class Reason(StrEnum):
    """Why a connection ended."""

    CLIENT = "client disconnect"
    SERVER = "server disconnect"
    SHUTDOWN = "server shutdown"
    REFUSED = "refused"
    LOST = "transport close"
    SILENT = "ping timeout"
    NOT_JOINED = "connect timeout"
    SLOW = "slow consumer"
    FLOOD = "flood"
    MALFORMED = "malformed packet"
    FAILED = "server error"


class EngineSocket:
    """The connection of one client; `sid` is set once it has joined."""

    __slots__ = (
        "_allowance",
        "_is_busy",
        "_limits",
        "_loop",
        "_receive_packet",
        "_timer",
        "_transport",
        "is_ending",
        "reason",
        "request",
        "sid",
        "task",
    )

    def __init__(
        self,
        request: web.Request,
        limits: Limits,
        receive_packet: Callable[[EngineSocket, bytes], Awaitable[None]],
    ) -> None:
        self.request = request
        self.sid: str | None = None
        self.reason = Reason.LOST
        self.is_ending = False
        self.task: asyncio.Task[Any] | None = None
        self._limits = limits
        self._receive_packet = receive_packet
        self._allowance = Allowance(limits.messages_per_second, limits.message_burst)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_busy = False

    async def serve(self, opening_sid: str) -> web.WebSocketResponse[Literal[False]]:
        """Shake hands and read until the connection ends, whoever ends it."""
        response: web.WebSocketResponse[Literal[False]] = web.WebSocketResponse(
            timeout=self._limits.close_seconds,
            autoclose=False,
            autoping=False,
            compress=False,
            max_msg_size=self._limits.message_bytes,
            decode_text=False,
        )
        await response.prepare(self.request)
        self._transport = self.request.transport
        self.task = asyncio.current_task()
        self._start_timer(self._limits.connect_seconds, self._join_missing)
        self.write(text_frame(self._opening(opening_sid)))
        try:
            await self._read(response)
        finally:
            self.is_ending = True
            self._stop_timer()
        return response

    def write(self, frame: bytes) -> bool:
        """Send a frame; True when the client lags behind and the writer had better pause."""
        transport = self._transport
        if transport is None or self.is_ending or transport.is_closing():
            return False
        pending = transport.get_write_buffer_size()
        if pending + len(frame) > self._limits.pending_bytes:
            log.warning("connection dropped: slow consumer")
            self.abort(Reason.SLOW)
            return False
        transport.write(frame)
        return pending > _BUSY_BYTES

    def joined(self, sid: str) -> None:
        """The client was let in: from now on it must answer pings."""
        self.sid = sid
        if not self.is_ending:
            self._start_timer(self._limits.ping_seconds, self._ping)

    def end(self, reason: Reason, code: CloseCode, last_packet: bytes = b"") -> None:
        """Say goodbye; what still arrives is discarded, and soon the line is cut."""
        if self.is_ending:
            return
        if last_packet:
            self.write(text_frame(last_packet))
        self.write(close_frame(code))
        self.is_ending = True
        self.reason = reason
        self._start_timer(self._limits.close_seconds, self._cut)

    def abort(self, reason: Reason) -> None:
        """Cut the line at once, without a word."""
        if not self.is_ending:
            self.is_ending = True
            self.reason = reason
        self._stop_timer()
        self._cut()

    def _opening(self, sid: str) -> bytes:
        limits = self._limits
        return b"0" + encode_json(
            {
                "sid": sid,
                "upgrades": [],
                "pingInterval": int(limits.ping_seconds * 1000),
                "pingTimeout": int(limits.pong_seconds * 1000),
                "maxPayload": limits.message_bytes,
            }
        )

    async def _read(self, response: web.WebSocketResponse[Literal[False]]) -> None:
        receive, spend, receive_packet = (
            response.receive,
            self._allowance.spend,
            self._receive_packet,
        )
        count = 0
        while (message := await receive()).type not in _ENDINGS:
            count += 1
            if not count & _TURN:
                await asyncio.sleep(0)
            if self.is_ending:
                continue
            kind, data = message.type, message.data
            if not spend(1 + (len(data) >> 12)):
                log.warning("connection ended: flood")
                self.end(Reason.FLOOD, CloseCode.POLICY_VIOLATION)
                continue
            self._is_busy = True
            try:
                if kind is WSMsgType.TEXT and data[:1] == b"4":
                    await receive_packet(self, data)
                else:
                    self._receive_control(kind, data)
            except Malformed as error:
                log.warning("connection ended: %s", error)
                self.end(Reason.MALFORMED, CloseCode.PROTOCOL_ERROR)
            except Exception as error:  # noqa: BLE001 - one client's trouble stays its own
                log.error("connection ended: %s", describe_failure(error))  # noqa: TRY400 - see above
                self.end(Reason.FAILED, CloseCode.PROTOCOL_ERROR)
            self._is_busy = False
        if message.type is WSMsgType.CLOSE:
            self._answer_close()

    def _receive_control(self, kind: WSMsgType, data: bytes) -> None:
        """Everything that is not a Socket.IO packet."""
        if kind is WSMsgType.PING:
            self.write(pong_frame(data))
        elif kind is WSMsgType.PONG:
            pass
        elif kind is WSMsgType.TEXT and data == b"3" and self.sid:
            self._start_timer(self._limits.ping_seconds, self._ping)
        elif kind is WSMsgType.TEXT and data == b"1":
            self.end(Reason.CLIENT, CloseCode.NORMAL)
        else:
            raise Malformed("neither a Socket.IO packet nor a pong")

    def _answer_close(self) -> None:
        """The closing handshake is over, or only lacks our half."""
        if not self.is_ending:
            self.reason = Reason.CLIENT
            self.write(close_frame(CloseCode.NORMAL))
        if self._transport:
            self._transport.close()

    def _ping(self) -> None:
        self.write(_PING)
        self._start_timer(self._limits.pong_seconds, self._pong_missing)

    def _pong_missing(self) -> None:
        self._start_timer(_READ_SECONDS, self._still_missing)

    def _still_missing(self) -> None:
        # Its own handler still runs, so the pong could not be read; the client wants pings still.
        if self._is_busy:
            self._ping()
        else:
            self.abort(Reason.SILENT)

    def _join_missing(self) -> None:
        self.abort(Reason.NOT_JOINED)

    def _cut(self) -> None:
        if self._transport:
            self._transport.abort()

    def _start_timer(self, seconds: float, callback: Callable[[], None]) -> None:
        self._stop_timer()
        self._timer = self._loop.call_later(seconds, callback)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
