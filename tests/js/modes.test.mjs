import assert from "node:assert/strict";
import { test } from "node:test";

import { RELAY } from "../../static/js/forwarded.js";
import { Modes } from "../../static/js/modes.js";

const full = { rung: "full", reason: "start", ask: "full", ask_reason: "start" };

/** A page in the relay, whose link the test makes. */
function setUp() {
  const page = { available: 2000, loss: 0, lack: null, sent: 900, now: 0, isRelayed: true };
  const sent = { told: [], adapted: [], stills: [] };
  let bytes = 0;
  const modes = new Modes({
    line: {
      reportsByPeer: async () => {
        bytes += (page.sent * 1000) / 8;
        const report = new Map([
          ["T", { type: "transport", selectedCandidatePairId: "P" }],
          ["P", { type: "candidate-pair", id: "P", bytesSent: bytes, availableOutgoingBitrate: page.available * 1000, currentRoundTripTime: 0.02 }],
          ["R", { type: "remote-inbound-rtp", kind: "audio", fractionLost: page.loss, timestamp: page.now }],
        ]);
        return new Map([[page.isRelayed ? RELAY : "b", report]]);
      },
      adapt: (participant, decision) => sent.adapted.push([participant, decision]),
    },
    lack: async () => page.lack,
    seat: {
      tellMode: (mode) => sent.told.push(mode),
      sendStill: async (to, number, image) => { sent.stills.push([to, number, image]); },
      sawStill: async () => {},
    },
    capture: async () => "UklGRstill",
    onChange: () => {},
    onStill: () => {},
    now: () => page.now,
  });
  const pass = async (seconds) => {
    for (let second = 0; second < seconds; second += 1) {
      page.now += 1000;
      await modes.look();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return modes.own;
  };
  return { modes, page, sent, pass };
}

test("a slow way to the relay falls to voice with stills to whoever needs them, and climbs back", async () => {
  const { modes, page, sent, pass } = setUp();
  modes.begin(true);
  assert.equal((await pass(30)).rung, "full");
  Object.assign(page, { available: 50, sent: 50 });
  assert.deepEqual([(await pass(8)).rung, modes.own.reason], ["voice", "link_slow"]);
  assert.ok(sent.stills.length > 0 && sent.stills.every(([to]) => to === null));
  assert.deepEqual(sent.adapted.at(-1)[0], RELAY);
  Object.assign(page, { available: 2000, sent: 900 });
  assert.equal((await pass(60)).rung, "full");
});

test("what others ask for lowers nothing in the relay; they get stills", async () => {
  const { modes, sent, pass } = setUp();
  modes.begin(true);
  await pass(30);
  assert.deepEqual(sent.stills, []);
  modes.gotMode("b", { ...full, ask: "voice", ask_reason: "link_slow" });
  assert.equal((await pass(10)).rung, "full");
  assert.ok(sent.stills.length >= 2);
  const { picture, packetMs } = sent.adapted.at(-1)[1].sending;
  assert.deepEqual([picture.scaleResolutionDownBy, packetMs], [1, 60]);
  modes.gotMode("b", full);
  const before = sent.stills.length;
  await pass(10);
  assert.equal(sent.stills.length, before);
  assert.equal(sent.adapted.at(-1)[1].sending.packetMs, 20);
});

test("what the relay leaves out is asked for no more, said with its reason, and taken back", async () => {
  const { modes, page, pass } = setUp();
  modes.begin(true);
  await pass(30);
  page.lack = { rung: "voice", reason: "link_slow" };
  const { rung, ask, ask_reason } = await pass(1);
  assert.deepEqual([rung, ask, ask_reason], ["full", "voice", "link_slow"]);
  page.lack = null;
  assert.deepEqual([(await pass(1)).ask, modes.own.ask_reason], ["full", "link_good"]);
});

test("what is chosen by hand goes for the relay as well", async () => {
  const { modes, pass } = setUp();
  modes.begin(true);
  await pass(5);
  modes.choose("voice");
  const { rung, reason, ask } = await pass(1);
  assert.deepEqual([rung, reason, ask], ["voice", "chosen", "voice"]);
});

test("over the same link the ladder goes on in the relay where it stood, and begins anew for two", async () => {
  const { modes, page, pass } = setUp();
  page.isRelayed = false;
  await pass(30);
  page.isRelayed = true;
  const first = modes.begin(true);
  assert.equal(first.sending.picture.scaleResolutionDownBy, 1);
  assert.equal((await pass(1)).rung, "full");
  page.isRelayed = false;
  assert.equal(modes.begin(false).sending.picture.scaleResolutionDownBy, 4);
  assert.equal((await pass(1)).rung, "small");
});
