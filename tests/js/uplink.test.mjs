import assert from "node:assert/strict";
import { test } from "node:test";

import { sendingOf } from "../../static/js/ladder.js";
import { Uplink, layersOf } from "../../static/js/uplink.js";

const ANSWER = [
  "v=0", "m=audio 9 UDP/TLS/RTP/SAVPF 111 63", "a=setup:active", "a=candidate:1 1 udp 1 10.0.0.1 9 typ host",
  "a=rtpmap:111 opus/48000/2", "a=rtpmap:63 red/48000/2", "a=rtcp-fb:111 transport-cc",
  "m=video 9 UDP/TLS/RTP/SAVPF 96", "a=rtpmap:96 VP8/90000", "a=rid:s recv", "a=rid:l recv", "a=simulcast:recv s;l", "",
].join("\r\n");

class FakeConnection {
  signalingState = "stable";
  connectionState = "connected";
  localDescription = { type: "offer", sdp: "a=setup:actpass\r\n" };
  /** @type {string[]} */
  taken = [];
  offers = 0;
  isRefusing = false;

  async setLocalDescription(description) {
    if (description?.type === "rollback") this.signalingState = "stable";
    else this.offers += 1;
  }

  async setRemoteDescription({ sdp }) {
    if (this.isRefusing) throw new Error("no");
    this.taken.push(sdp);
  }
}

const settle = async () => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};
const adapted = (rung, isRedundant = false) => ({ isRedundant, sending: sendingOf(rung, null) });
const firstCodec = (sdp) => sdp.match(/m=audio \d+ \S+ (\d+)/)[1];

async function begun(first) {
  const pc = new FakeConnection();
  const uplink = new Uplink(/** @type {any} */ (pc), new Map(), first);
  await uplink.accept({ type: "answer", sdp: ANSWER });
  return { pc, uplink };
}

test("both layers, the small one as small as wanted, or none", () => {
  const active = (sending) => layersOf(sending).map((layer) => layer.active);
  assert.deepEqual(active(null), [true, true]);
  assert.deepEqual(active(sendingOf("full", null)), [true, true]);
  assert.deepEqual(active(sendingOf("small", null)), [true, false]);
  assert.deepEqual(active(sendingOf("voice", null)), [false, false]);
  const [small] = layersOf(sendingOf("small", null));
  assert.deepEqual([small.scaleResolutionDownBy, small.maxBitrate, small.maxFramerate], [4, 60_000, 5]);
  const wide = { ...sendingOf("small", null), picture: { maxBitrate: 240_000, scaleResolutionDownBy: 2, maxFramerate: 15 } };
  assert.equal(layersOf(wide)[0].maxBitrate, 150_000);
  assert.ok(layersOf(null).every(({ scalabilityMode }) => scalabilityMode === "L1T2"));
});

test("the first answer keeps its addresses and is shaped for the rung that begins", async () => {
  const { pc } = await begun(adapted("full", true));
  assert.match(pc.taken[0], /a=candidate/);
  assert.equal(firstCodec(pc.taken[0]), "63");
  assert.equal(pc.offers, 0);
});

test("voice is packed anew by the last answer, without a word to the relay", async () => {
  const { pc, uplink } = await begun(adapted("full"));
  uplink.adapt(adapted("voice", true));
  await settle();
  assert.equal(pc.offers, 1);
  const last = pc.taken.at(-1);
  assert.match(last, /a=ptime:60/);
  assert.doesNotMatch(last, /a=candidate|transport-cc/);
  assert.match(last, /a=simulcast:recv s;l/);
  assert.equal(firstCodec(last), "63");
});

test("the same again, or another size alone, needs no description", async () => {
  const { pc, uplink } = await begun(adapted("full"));
  uplink.adapt(adapted("full"));
  uplink.adapt(adapted("small"));
  await settle();
  assert.equal(pc.offers, 0);
});

test("a description that is not taken is rolled back, and sending goes on", async () => {
  const { pc, uplink } = await begun(adapted("full"));
  pc.isRefusing = true;
  uplink.adapt(adapted("voice"));
  await settle();
  pc.isRefusing = false;
  uplink.adapt(adapted("full"));
  await settle();
  assert.equal(pc.signalingState, "stable");
  assert.doesNotMatch(pc.taken.at(-1), /ptime/);
});
