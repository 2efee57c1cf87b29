"""How long a voice is under way: short tones, noted where they are spoken and where they are heard."""

from __future__ import annotations

import math
import statistics
import struct
import wave
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

SAMPLES: Final = 48_000
MARK_SECONDS: Final = 0.06
# No voice may be under way for longer than from one mark to the next.
EVERY_SECONDS: Final = 1.5
ARGUMENTS: Final = ("--autoplay-policy=no-user-gesture-required",)
# The clock of both pages is that of the machine; a sound card's block is 10 ms.
LISTEN: Final = """async (name) => {
  const connection = window[name];
  const ends = [...connection.getSenders(), ...connection.getReceivers()];
  const track = ends.map((end) => end.track).find((each) => each?.kind === 'audio');
  const code = `registerProcessor('marks', class extends AudioWorkletProcessor {
    quiet = 0;
    process([[samples]]) {
      if (!samples) return true;
      const isLoud = samples.some((value) => Math.abs(value) > 0.05);
      if (isLoud && this.quiet > sampleRate / 2) this.port.postMessage(Date.now());
      this.quiet = isLoud ? 0 : this.quiet + samples.length;
      return true;
    }
  });`;
  const context = new AudioContext();
  const script = URL.createObjectURL(new Blob([code], { type: 'text/javascript' }));
  await context.audioWorklet.addModule(script);
  const marks = new AudioWorkletNode(context, 'marks');
  (window.marks ??= {})[name] = [];
  marks.port.onmessage = ({ data }) => window.marks[name].push(data);
  context.createMediaStreamSource(new MediaStream([track])).connect(marks);
  marks.connect(context.destination);
}"""
# A publisher and a viewer in one page, with nobody between them.
DIRECT: Final = """async () => {
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: true, video: { width: 640, height: 480, frameRate: 30 } });
  const near = window.near = new RTCPeerConnection();
  const far = window.connection = new RTCPeerConnection();
  near.onicecandidate = ({ candidate }) => far.addIceCandidate(candidate);
  far.onicecandidate = ({ candidate }) => near.addIceCandidate(candidate);
  const video = document.createElement('video');
  video.muted = true;
  far.ontrack = ({ streams }) => { video.srcObject = streams[0]; };
  document.body.append(video);
  for (const track of stream.getTracks()) near.addTrack(track, stream);
  await near.setLocalDescription();
  await far.setRemoteDescription(near.localDescription);
  await far.setLocalDescription();
  await near.setRemoteDescription(far.localDescription);
  void video.play();
}"""


def write_marks(path: Path) -> None:
    """A tone, and silence until the next."""
    values = [
        round(20_000 * math.sin(2 * math.pi * 700 * place / SAMPLES))
        for place in range(round(SAMPLES * MARK_SECONDS))
    ]
    values += [0] * (round(SAMPLES * EVERY_SECONDS) - len(values))
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SAMPLES)
        sound.writeframes(struct.pack(f"<{len(values)}h", *values))


def heard(page: Page, name: str = "connection") -> list[float]:
    """When marks passed, in milliseconds of the machine's clock."""
    found: Any = page.evaluate(f"() => window.marks.{name}")
    return list(found)


def under_way(spoken: list[float], heard: list[float]) -> float:
    """Milliseconds from speaking to hearing, the median; not a number without a mark."""
    found = [
        min((after - mark for after in heard if after >= mark), default=math.inf) for mark in spoken
    ]
    found = [each for each in found if each < EVERY_SECONDS * 1000]
    return statistics.median(found) if found else math.nan
