import assert from "node:assert/strict";
import { test } from "node:test";

import { Devices, OwnMedia } from "../../static/js/devices.js";

class FakeTrack extends EventTarget {
  enabled = true;
  isStopped = false;

  constructor(kind, id) {
    super();
    this.kind = kind;
    this.id = id;
  }

  getSettings() {
    return { deviceId: this.id };
  }

  stop() {
    this.isStopped = true;
  }
}

/** Microphones and cameras of one machine; what is plugged in is up to the test. */
class FakeMedia extends EventTarget {
  plugged = { audio: ["mic1", "mic2"], video: ["cam1", "cam2"] };
  failure = {};
  asked = [];

  async enumerateDevices() {
    return Object.entries(this.plugged).flatMap(([kind, ids]) =>
      ids.map((deviceId) => ({ kind: `${kind}input`, deviceId, label: deviceId.toUpperCase() })),
    );
  }

  async getUserMedia(wishes) {
    this.asked.push(wishes);
    const tracks = Object.entries(wishes).map(([kind, wish]) => this.#track(kind, wish));
    return {
      getTracks: () => tracks,
      getAudioTracks: () => tracks.filter((track) => track.kind === "audio"),
      getVideoTracks: () => tracks.filter((track) => track.kind === "video"),
    };
  }

  #track(kind, wish) {
    if (this.failure[kind]) throw new DOMException("no", this.failure[kind]);
    const id = wish.deviceId?.exact ?? this.plugged[kind][0];
    if (!id) throw new DOMException("no", "NotFoundError");
    if (!this.plugged[kind].includes(id)) throw new DOMException("no", "OverconstrainedError");
    return new FakeTrack(kind, id);
  }
}

class FakeStorage extends Map {
  getItem(key) {
    return this.get(key) ?? null;
  }

  setItem(key, value) {
    this.set(key, value);
  }

  removeItem(key) {
    this.delete(key);
  }
}

function started() {
  const media = new FakeMedia();
  const devices = new Devices({ media, storage: new FakeStorage() });
  const heard = { tracks: [], states: [], problems: [] };
  const own = new OwnMedia(devices, {
    onTrack: (kind, track) => heard.tracks.push(track?.id ?? `no ${kind}`),
    onState: (state) => heard.states.push(state),
    onProblem: (kind, problem) => problem && heard.problems.push(`${kind} ${problem}`),
  });
  return { media, devices, own, heard };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("both are opened with one question", async () => {
  const { media, own, heard } = started();
  await own.start();
  assert.equal(media.asked.length, 1);
  assert.deepEqual(heard.states, [{ muted: false, camera_off: false }]);
});

test("a broken camera does not cost the voice", async () => {
  const { media, own, heard } = started();
  media.failure.video = "NotReadableError";
  await own.start();
  assert.deepEqual(heard.states, [{ muted: false, camera_off: true }]);
  assert.deepEqual(heard.problems, ["video busy"]);
});

for (const [name, problem] of [
  ["NotAllowedError", "denied"],
  ["NotFoundError", "absent"],
  ["NotReadableError", "busy"],
  ["WhateverError", "failed"],
]) {
  test(`${name} is ${problem}`, async () => {
    const { media, devices } = started();
    media.failure.audio = name;
    assert.deepEqual(await devices.open("audio"), { track: null, problem });
  });
}

test("a page that came over plain HTTP has no devices", async () => {
  const devices = new Devices({ media: null, storage: new FakeStorage() });
  assert.equal((await devices.open("audio")).problem, "insecure");
  assert.deepEqual(await devices.list("video"), []);
});

test("the chosen device is remembered, and forgotten when it is gone", async () => {
  const { media, devices } = started();
  await devices.open("video", "cam2");
  assert.equal((await devices.open("video")).track?.id, "cam2");
  media.plugged.video = ["cam1"];
  assert.equal((await devices.open("video")).track?.id, "cam1");
  assert.equal(media.asked.at(-1).video.deviceId, undefined);
});

test("devices are listed by kind", async () => {
  const { devices } = started();
  assert.deepEqual(await devices.list("audio"), [
    { id: "mic1", label: "MIC1" },
    { id: "mic2", label: "MIC2" },
  ]);
});

test("voice off keeps the device, picture off gives it back", async () => {
  const { own, heard, media } = started();
  await own.start();
  await own.toggleVoice();
  await own.togglePicture();
  assert.deepEqual(heard.states.at(-1), { muted: true, camera_off: true });
  assert.equal(own.deviceOf("audio"), "mic1");
  assert.equal(own.deviceOf("video"), "");
  await own.toggleVoice();
  await own.togglePicture();
  assert.deepEqual(heard.states.at(-1), { muted: false, camera_off: false });
  assert.equal(media.asked.length, 2);
});

test("another device takes over; one that fails leaves the old one", async () => {
  const { own, heard, media } = started();
  await own.start();
  await own.choose("audio", "mic2");
  assert.equal(own.deviceOf("audio"), "mic2");
  media.failure.audio = "NotReadableError";
  await own.choose("audio", "mic1");
  assert.equal(own.deviceOf("audio"), "mic2");
  assert.deepEqual(heard.problems, ["audio busy"]);
});

test("a muted voice stays muted on another microphone", async () => {
  const { own } = started();
  await own.start();
  await own.toggleVoice();
  await own.choose("audio", "mic2");
  assert.equal(own.state.muted, true);
});

test("a device that is pulled out is replaced by whatever else there is", async () => {
  const { media, devices, heard } = started();
  const opened = [];
  const own = new OwnMedia(devices, {
    onTrack: (_kind, track) => track && opened.push(track),
    onState: (state) => heard.states.push(state),
    onProblem: (kind, problem) => problem && heard.problems.push(`${kind} ${problem}`),
  });
  await own.start();
  media.plugged.audio = ["mic2"];
  opened.find((track) => track.kind === "audio").dispatchEvent(new Event("ended"));
  await settled();
  assert.equal(own.deviceOf("audio"), "mic2");
  media.plugged.audio = [];
  opened.at(-1).dispatchEvent(new Event("ended"));
  await settled();
  assert.deepEqual(heard.states.at(-1), { muted: true, camera_off: false });
  assert.deepEqual(heard.problems, ["audio absent"]);
});

test("what was switched off stays off when the page is loaded anew", async () => {
  const kept = { storage: new FakeStorage(), under: "off" };
  const load = () => {
    const { media, devices, heard } = started();
    const onTrack = (kind, track) => heard.tracks.push(track ?? `no ${kind}`);
    const onState = (state) => heard.states.push(state);
    return { media, heard, own: new OwnMedia(devices, { onTrack, onState, onProblem() {} }, kept) };
  };
  const first = load();
  await first.own.start();
  await first.own.toggleVoice();
  await first.own.togglePicture();
  const again = load();
  await again.own.start();
  assert.deepEqual(again.heard.states, [{ muted: true, camera_off: true }]);
  assert.deepEqual(again.heard.tracks.map(({ kind, enabled }) => [kind, enabled]), [["audio", false]]);
  assert.deepEqual(again.media.asked.map(({ video }) => Boolean(video)), [false]);
  await again.own.toggleVoice();
  await again.own.togglePicture();
  const third = load();
  await third.own.start();
  assert.deepEqual(third.heard.states, [{ muted: false, camera_off: false }]);
});

test("closing gives everything back, also what was still being opened", async () => {
  const { media, devices } = started();
  const opened = [];
  const own = new OwnMedia(devices, {
    onTrack: (_kind, track) => track && opened.push(track),
    onState() {},
    onProblem() {},
  });
  await own.start();
  const late = own.choose("video", "cam2");
  own.close();
  await late;
  assert.ok(opened.every((track) => track.isStopped));
  assert.equal(own.deviceOf("video"), "");
  assert.equal(media.asked.length, 2);
});
