"""Janus VideoRoom behind the page of `tests/relayed.py`, with only what it needs switched on."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any, Self

import aiohttp
from aiohttp import web

from tests.relayed import PAGE
from tests.servers import free_port

JANUS = "janus"
LIBRARY = "/usr/lib/x86_64-linux-gnu/janus"
START_SECONDS = 60
# Janus offers to viewers, and the browser answers.
SCRIPT = """<script type="module">
window.watch = async (name, publisher) => {
  const connection = window.connection = new RTCPeerConnection();
  const stream = new MediaStream();
  connection.ontrack = ({ track }) => stream.addTrack(track);
  const video = document.createElement('video');
  video.muted = true;
  video.srcObject = stream;
  document.body.append(video);
  const offer = await (await fetch(`/offer/${name}`, { method: 'POST' })).text();
  await connection.setRemoteDescription({ type: 'offer', sdp: offer });
  await connection.setLocalDescription();
  while (connection.iceGatheringState !== 'complete') {
    await new Promise((done) => { connection.onicegatheringstatechange = done; });
  }
  await fetch(`/start/${name}`, { method: 'POST', body: connection.localDescription.sdp });
  void video.play();
};
</script>"""


class JanusPage:
    """Serves the page beside the bench's own thread, and speaks to Janus for it."""

    def __init__(self) -> None:
        self.port = free_port()
        self._control = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="telemed-janus-"))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._handles: dict[str, int] = {}
        self._feed = 0
        self._number = 0
        self._session: int | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self) -> Self:
        self._configure()
        log = (self._folder / "log").open("wb")
        command = [JANUS, "-F", str(self._folder), "-C", str(self._folder / "janus.jcfg")]
        self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(START_SECONDS)
        return self

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(START_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        assert self._process
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder)

    def _configure(self) -> None:
        def others(kind: str, kept: str) -> str:
            found = Path(LIBRARY, kind).glob("*.so")
            return ",".join(each.name for each in found if kept not in each.name)

        (self._folder / "janus.jcfg").write_text(f"""
general: {{ plugins_folder = "{LIBRARY}/plugins" transports_folder = "{LIBRARY}/transports" }}
plugins: {{ disable = "{others("plugins", "videoroom")}" }}
transports: {{ disable = "{others("transports", "websockets")}" }}
loggers: {{ disable = "{others("loggers", "none")}" }}
""")
        (self._folder / "janus.transport.websockets.jcfg").write_text(
            f'general: {{ ws = true ws_port = {self._control} ws_ip = "127.0.0.1" }}\n'
        )
        (self._folder / "janus.plugin.videoroom.jcfg").write_text(
            'room-1: { publishers = 6 bitrate = 2000000 audiocodec = "opus" videocodec = "vp8" }\n'
        )

    async def _start(self) -> None:
        self._client = aiohttp.ClientSession()
        url = f"ws://127.0.0.1:{self._control}"
        for _ in range(300):
            try:
                self._socket = await self._client.ws_connect(url, protocols=["janus-protocol"])
                break
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)
        self._listening = asyncio.create_task(self._listen())
        self._session = (await self._ask(janus="create"))["data"]["id"]
        app = web.Application()
        app.router.add_get("/", self._show)
        app.router.add_post("/publish/{name}", self._publish)
        app.router.add_post("/offer/{name}", self._offer)
        app.router.add_post("/start/{name}", self._begin)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def _stop(self) -> None:
        self._listening.cancel()
        await self._runner.cleanup()
        await self._client.close()

    async def _listen(self) -> None:
        async for message in self._socket:
            said = message.json()
            # What takes time is acknowledged first, and answered later.
            if said["janus"] != "ack" and said.get("transaction") in self._waiting:
                self._waiting.pop(said["transaction"]).set_result(said)

    async def _ask(self, **asked: Any) -> dict[str, Any]:
        self._number += 1
        transaction = str(self._number)
        future = self._waiting[transaction] = self._loop.create_future()
        session = {"session_id": self._session} if self._session else {}
        await self._socket.send_json({**asked, **session, "transaction": transaction})
        return await future

    async def _tell(self, name: str, jsep: dict[str, str] | None = None, **body: Any) -> Any:
        if name not in self._handles:
            attached = await self._ask(janus="attach", plugin="janus.plugin.videoroom")
            self._handles[name] = attached["data"]["id"]
        more = {"jsep": jsep} if jsep else {}
        return await self._ask(janus="message", handle_id=self._handles[name], body=body, **more)

    async def _show(self, _request: web.Request) -> web.Response:
        return web.Response(text=PAGE + SCRIPT, content_type="text/html")

    async def _publish(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        joined = await self._tell(name, request="join", ptype="publisher", room=1)
        self._feed = joined["plugindata"]["data"]["id"]
        offer = {"type": "offer", "sdp": await request.text()}
        return web.Response(text=(await self._tell(name, offer, request="publish"))["jsep"]["sdp"])

    async def _offer(self, request: web.Request) -> web.Response:
        name, streams = request.match_info["name"], [{"feed": self._feed}]
        joined = await self._tell(name, request="join", ptype="subscriber", room=1, streams=streams)
        return web.Response(text=joined["jsep"]["sdp"])

    async def _begin(self, request: web.Request) -> web.Response:
        answer = {"type": "answer", "sdp": await request.text()}
        await self._tell(request.match_info["name"], answer, request="start")
        return web.Response()
