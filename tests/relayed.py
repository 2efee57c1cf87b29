"""A bare page whose media goes through the relay's process; for the browser test and the bench."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Self

from aiohttp import web

from telemed.media.relay.process import RelayProcess
from tests.servers import free_port

START_SECONDS = 60
ROOM = "room"
PAGE = """<!doctype html><meta charset="utf-8"><title>relay</title><body><script type="module">
const exchange = async (connection, path) => {
  await connection.setLocalDescription();
  while (connection.iceGatheringState !== 'complete') {
    await new Promise((done) => { connection.onicegatheringstatechange = done; });
  }
  const body = connection.localDescription.sdp;
  const answer = await fetch(path, { method: 'POST', body });
  if (!answer.ok) throw new Error(await answer.text());
  await connection.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
};
const LAYERS = [
  { rid: 's', scaleResolutionDownBy: 2, maxBitrate: 150_000 },
  { rid: 'l', maxBitrate: 1_000_000 },
].map((layer) => ({ ...layer, scalabilityMode: 'L1T2' }));
window.publish = async (name, layers) => {
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: true, video: { width: 640, height: 480, frameRate: 30 } });
  const connection = window.connection = new RTCPeerConnection();
  const [voice] = stream.getAudioTracks();
  const [picture] = stream.getVideoTracks();
  connection.addTransceiver(voice, { direction: 'sendonly', streams: [stream] });
  connection.addTransceiver(picture, { direction: 'sendonly', streams: [stream],
    sendEncodings: layers === 2 ? LAYERS : [{ maxBitrate: 1_000_000 }] });
  await exchange(connection, `/publish/${name}`);
};
window.watch = async (name, publisher) => {
  const connection = window.connection = new RTCPeerConnection();
  for (const kind of ['audio', 'video']) {
    connection.addTransceiver(kind, { direction: 'recvonly' });
  }
  const stream = new MediaStream();
  connection.ontrack = ({ track }) => stream.addTrack(track);
  const video = document.createElement('video');
  video.muted = true;
  video.srcObject = stream;
  document.body.append(video);
  await exchange(connection, `/watch/${name}/${publisher}`);
  void video.play();
};
window.figures = async () => {
  const found = { frames: 0, bytes: 0, voice: 0, width: 0 };
  (await window.connection.getStats()).forEach((entry) => {
    if (entry.type !== 'inbound-rtp') return;
    found.bytes += entry.bytesReceived + entry.headerBytesReceived;
    if (entry.kind === 'audio') found.voice += entry.packetsReceived;
    else { found.frames += entry.framesDecoded; found.width = entry.frameWidth ?? 0; }
  });
  return found;
};
</script>"""
FLOWS = """async (patience) => {
  const end = performance.now() + patience;
  for (;;) {
    const found = await window.figures();
    if (found.frames > 30 && found.voice > 30) return found;
    if (performance.now() > end) throw new Error(JSON.stringify(found));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}"""


async def show_page(_request: web.Request) -> web.Response:
    """The page itself."""
    return web.Response(text=PAGE, content_type="text/html")


class RelayedPage:
    """Serves the page, and starts the relay's process, beside the test's own thread."""

    def __init__(self) -> None:
        self.port = free_port()
        self.relay: RelayProcess | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._runner: web.AppRunner | None = None

    @property
    def origin(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process whose work is measured."""
        assert self.relay
        assert self.relay.pid
        return self.relay.pid

    def start(self) -> Self:
        """Serve."""
        self._thread.start()
        self._do(self._start())
        return self

    def stop(self) -> None:
        """End the relay and the page."""
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def ask(self, call: str, *arguments: Any) -> Any:
        """Ask the relay from another thread: `ask("set_wish", …)`."""
        return self._do(getattr(self.relay, call)(ROOM, *arguments))

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(START_SECONDS)

    async def _start(self) -> None:
        self.relay = RelayProcess(may_be_private=True)
        await self.relay.start()
        await self.relay.open_room(ROOM)
        app = web.Application()
        app.router.add_get("/", show_page)
        app.router.add_post("/publish/{name}", self._publish)
        app.router.add_post("/watch/{name}/{publisher}", self._watch)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def _stop(self) -> None:
        assert self._runner
        assert self.relay
        await self._runner.cleanup()
        await self.relay.close()

    async def _publish(self, request: web.Request) -> web.Response:
        assert self.relay
        name, offer = request.match_info["name"], await request.text()
        return web.Response(text=await self.relay.publish(ROOM, name, offer))

    async def _watch(self, request: web.Request) -> web.Response:
        assert self.relay
        name, offer = request.match_info["name"], await request.text()
        publishers = [request.match_info["publisher"]]
        return web.Response(text=await self.relay.subscribe(ROOM, name, offer, publishers))
