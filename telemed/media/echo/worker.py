"""One synthetic call in a process of its own: `python -m telemed.media.echo.worker`.

Reads one line with the offer, writes one with the answer, sends back what comes, and ends by
itself: when the browser goes, when the time is over, or when its application goes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any, Final

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcconfiguration import RTCBundlePolicy

from telemed.media.relay import dialect

LONGEST_SECONDS: Final = 60.0
# More than a drill sends; what floods gets nothing back.
MOST_PACKETS: Final = 400
PACKET_BYTES: Final = 256


class Echo:
    """The server's end of one connection."""

    def __init__(self, servers: list[dict[str, Any]]) -> None:
        ice = [RTCIceServer(**server) for server in servers]
        # An empty list: without one, aiortc asks a public server.
        config = RTCConfiguration(iceServers=ice, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        self.connection = RTCPeerConnection(config)
        self.is_over = asyncio.Event()
        self._echoed = 0
        self.connection.on("datachannel", self._opened)
        self.connection.on("connectionstatechange", self._changed)

    async def answer(self, offer: str) -> str:
        """The answer to an offer that was checked."""
        connection = self.connection
        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        return str(connection.localDescription.sdp)

    def _opened(self, channel: Any) -> None:
        def heard(packet: object) -> None:
            self._echoed += 1
            is_small = isinstance(packet, bytes) and len(packet) <= PACKET_BYTES
            if is_small and self._echoed <= MOST_PACKETS:
                channel.send(packet)

        channel.on("message", heard)
        channel.on("close", self.is_over.set)

    def _changed(self) -> None:
        if self.connection.connectionState in {"failed", "closed"}:
            self.is_over.set()


async def _gone(reader: asyncio.StreamReader, echo: Echo) -> None:
    await reader.read()
    echo.is_over.set()


async def run() -> None:
    """Serve one browser."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    asked = json.loads(await reader.readline())
    dialect.learn()
    echo = Echo(asked["ice_servers"])
    watching = asyncio.create_task(_gone(reader, echo))
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            answer = await echo.answer(asked["offer"])
            sys.stdout.write(json.dumps({"answer": answer}) + "\n")
            sys.stdout.flush()
            await echo.is_over.wait()
    except TimeoutError:
        pass
    finally:
        watching.cancel()
        await asyncio.wait_for(echo.connection.close(), 5)


if __name__ == "__main__":
    # It would tell the addresses of stations.
    logging.disable(logging.CRITICAL)
    asyncio.run(run())
