import assert from "node:assert/strict";
import { test } from "node:test";

import { isRelayReached, loopVoice, measureDown, measureRoundTrip, measureUp, serversFor } from "../../static/js/link-check.js";
import { Timers, settle } from "./timers.mjs";

/** A link of so many bits a millisecond, with a clock of its own. */
function linkOf(kbps) {
  const link = { now: 0, moved: 0 };
  const ask = async (url, { body } = {}) => {
    const bytes = body ? body.size : Number(new URL(url, "http://a").searchParams.get("bytes"));
    link.now += (bytes * 8) / kbps;
    link.moved += bytes;
    return { ok: true, arrayBuffer: async () => new ArrayBuffer(bytes) };
  };
  return Object.assign(link, { parts: { ask, now: () => link.now } });
}

for (const kbps of [40, 300, 5000]) {
  test(`a link of ${kbps} kbit/s is measured each way`, async () => {
    assert.equal(await measureDown(linkOf(kbps).parts), kbps);
    assert.equal(await measureUp(linkOf(kbps).parts), kbps);
  });
}

test("a weak link is asked for little", async () => {
  const link = linkOf(64);
  await measureDown(link.parts);
  await measureUp(link.parts);
  assert.ok(link.moved <= 60_000, String(link.moved));
  const strong = linkOf(50_000);
  await measureDown(strong.parts);
  await measureUp(strong.parts);
  assert.ok(strong.moved <= 400_000, String(strong.moved));
});

test("what does not come in time is given up, and what came before it holds", async () => {
  const timers = new Timers().install();
  try {
    let now = 0;
    let asked = 0;
    const ask = (_url, { signal }) => {
      asked += 1;
      now += 500;
      if (asked === 1) return Promise.resolve({ ok: true, arrayBuffer: async () => null });
      return new Promise((_, refuse) => signal.addEventListener("abort", () => refuse(new Error("aborted"))));
    };
    const measured = measureDown({ ask, now: () => now });
    await settle();
    await timers.pass(4000);
    assert.equal(await measured, 256);
    assert.deepEqual(timers.pending, []);
  } finally {
    timers.restore();
  }
});

test("no answer, or a refusal, is no figure", async () => {
  assert.equal(await measureDown({ ask: async () => ({ ok: false, status: 429 }) }), null);
  assert.equal(await measureUp({ ask: () => Promise.reject(new Error("gone")) }), null);
});

test("the round trip is the middle of some", async () => {
  const times = [10, 900, 30, 20, 40];
  let now = 0;
  const live = { send: async () => void (now += times.shift() ?? 0) };
  assert.equal(await measureRoundTrip(live, () => now), 30);
});

const SERVERS = [
  { urls: "stun:a" },
  { urls: ["turn:a", "turn:a?transport=udp", "turn:a?transport=tcp", "turns:a?transport=tcp"], username: "u", credential: "c" },
];

test("each way has its own addresses of the relay", () => {
  assert.deepEqual(serversFor(SERVERS, "udp"), [{ urls: ["turn:a", "turn:a?transport=udp"], username: "u", credential: "c" }]);
  assert.deepEqual(serversFor(SERVERS, "tcp")[0].urls, ["turn:a?transport=tcp"]);
  assert.deepEqual(serversFor(SERVERS, "tls")[0].urls, ["turns:a?transport=tcp"]);
  assert.deepEqual(serversFor([{ urls: "stun:a" }], "udp"), []);
});

/** A connection that finds what it is told to. */
class FakeGathering {
  isClosed = false;

  constructor(found) {
    this.found = found;
  }

  createDataChannel() {}

  async setLocalDescription() {
    for (const candidate of this.found) this.onicecandidate?.({ candidate });
  }

  close() {
    this.isClosed = true;
  }
}

test("a relay is reached when it gives an address", async () => {
  const relayed = { type: "relay", candidate: "candidate:1 1 udp 1 1.2.3.4 5 typ relay" };
  for (const [found, expected] of [[[relayed, null], true], [[null], false]]) {
    const connection = new FakeGathering(found);
    assert.equal(await isRelayReached(SERVERS, "udp", () => connection), expected);
    assert.ok(connection.isClosed);
  }
});

test("a relay that never answers is not waited for, and none set up is not asked", async () => {
  const timers = new Timers().install();
  try {
    const connection = new FakeGathering([]);
    const reached = isRelayReached(SERVERS, "tls", () => connection);
    await settle();
    await timers.pass(5000);
    assert.equal(await reached, false);
    assert.ok(connection.isClosed);
    assert.equal(await isRelayReached([], "tls", assert.fail), null);
  } finally {
    timers.restore();
  }
});

/** A connection to a server that sends back what `lost` does not take, after `ms`. */
function loopOf({ opens = true, lost = () => false, ms = 0 } = {}) {
  const made = { closed: 0, given: [] };
  const channel = Object.assign(new EventTarget(), {
    readyState: "open",
    send(packet) {
      const number = new DataView(packet).getUint32(0);
      assert.equal(packet.byteLength, 160);
      if (lost(number)) return;
      setTimeout(() => channel.dispatchEvent(Object.assign(new Event("message"), { data: packet })), ms);
    },
  });
  const connection = Object.assign(new EventTarget(), {
    iceGatheringState: "complete",
    localDescription: { sdp: "offer" },
    createDataChannel: (_name, how) => (made.given.push(how), channel),
    setLocalDescription: async () => {},
    setRemoteDescription: async () => opens && channel.dispatchEvent(new Event("open")),
    close: () => (made.closed += 1),
  });
  return { made, create: () => connection };
}

/** Run a loop with timers that the test passes. */
async function looped(parts) {
  const timers = new Timers().install();
  try {
    let result = null;
    const running = loopVoice({ servers: [], answer: async () => "answer", now: () => timers.now, ...parts });
    running.then((found) => (result = found));
    for (let turn = 0; turn < 2000 && result === null; turn += 1) {
      await settle();
      await timers.pass(20);
    }
    assert.deepEqual(timers.pending, []);
    return result;
  } finally {
    timers.restore();
  }
}

test("a synthetic call counts what came back and how long that took", async () => {
  const { made, create } = loopOf({ lost: (number) => number % 4 === 0, ms: 200 });
  const found = await looped({ create });
  assert.deepEqual(found, { sent: 80, received: 60, loss_permille: 250, rtt_ms: 200 });
  assert.deepEqual([made.closed, made.given], [1, [{ ordered: false, maxRetransmits: 0 }]]);
});

test("what comes back twice counts once, what was never sent does not count", async () => {
  const { create } = loopOf();
  const connection = create();
  const channel = connection.createDataChannel("x", {});
  const send = channel.send;
  channel.send = (packet) => (send(packet), send(packet), send(new DataView(new ArrayBuffer(160)).buffer));
  const found = await looped({ create: () => connection });
  assert.deepEqual([found.received, found.loss_permille], [80, 0]);
});

test("a way that does not come about has lost everything, and is closed", async () => {
  const { made, create } = loopOf({ opens: false });
  assert.deepEqual(await looped({ create }), { sent: 0, received: 0, loss_permille: 1000, rtt_ms: null });
  assert.equal(made.closed, 1);
});

test("a server that has no end free is not a finding, and nothing stays open", async () => {
  const { made, create } = loopOf();
  const answer = () => Promise.reject(new Error("busy"));
  await assert.rejects(loopVoice({ servers: [], answer, create }), /busy/);
  assert.equal(made.closed, 1);
});
