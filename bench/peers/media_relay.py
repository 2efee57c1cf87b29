"""aiortc's own MediaRelay behind the page of `tests/relayed.py`: decodes, and encodes for each."""

from __future__ import annotations

import sys

from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRelay

from tests.relayed import show_page

relay = MediaRelay()
tracks: dict[str, object] = {}
connections: list[RTCPeerConnection] = []


async def answer(request: web.Request, connection: RTCPeerConnection) -> web.Response:
    offer = RTCSessionDescription(await request.text(), "offer")
    await connection.setRemoteDescription(offer)
    for transceiver in connection.getTransceivers():
        if transceiver.sender.track is None and "watch" in request.path:
            connection.addTrack(relay.subscribe(tracks[transceiver.kind], buffered=False))
    await connection.setLocalDescription(await connection.createAnswer())
    return web.Response(text=connection.localDescription.sdp)


def connect() -> RTCPeerConnection:
    connections.append(RTCPeerConnection(RTCConfiguration(iceServers=[])))
    return connections[-1]


async def publish(request: web.Request) -> web.Response:
    connection = connect()
    connection.on("track", lambda track: tracks.__setitem__(track.kind, track))
    return await answer(request, connection)


async def watch(request: web.Request) -> web.Response:
    return await answer(request, connect())


if __name__ == "__main__":
    app = web.Application()
    app.router.add_get("/", show_page)
    app.router.add_post("/publish/{name}", publish)
    app.router.add_post("/watch/{name}/{publisher}", watch)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
