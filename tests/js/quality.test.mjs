import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { QualityKeeper, QualityRecord } from "../../static/js/quality.js";
import { Timers, settle } from "./timers.mjs";

let now = 0;
/** @type {QualityRecord} */
let record;

beforeEach(() => {
  now = 0;
  record = new QualityRecord({ page: "a-page-of-somebody", now: () => now });
});

/** @param {object} source @param {object[]} entries @param {number} [ms] */
function look(source, entries, ms = 2000) {
  now += ms;
  record.add([{ source, report: entries }]);
}

const inbound = (more) => ({ type: "inbound-rtp", id: "in", packetsReceived: 0, packetsLost: 0, ...more });
const transport = (up, down) => ({ type: "transport", id: "t", bytesSent: up, bytesReceived: down });
const pair = (rtt, rate) => ({ type: "candidate-pair", id: "p", nominated: true, state: "succeeded", currentRoundTripTime: rtt, availableOutgoingBitrate: rate });

test("what came is the sum of differences, through a connection made anew", () => {
  const first = {};
  look(first, [inbound({ packetsReceived: 100, packetsLost: 2 }), transport(1000, 2000)]);
  look(first, [inbound({ packetsReceived: 250, packetsLost: 3 }), transport(1500, 5000)]);
  const second = {};
  look(second, [inbound({ packetsReceived: 40, packetsLost: 1 }), transport(300, 700)]);
  const told = record.summary();
  assert.equal(told.packets_received, 290);
  assert.equal(told.packets_lost, 4);
  assert.equal(told.bytes_up, 1800);
  assert.equal(told.bytes_down, 5700);
  assert.equal(told.media_ms, 4000);
});

test("a counter that starts anew under the same name starts from nothing", () => {
  const source = {};
  look(source, [inbound({ packetsReceived: 100, packetsLost: 5 })]);
  look(source, [inbound({ packetsReceived: 30, packetsLost: 5 })]);
  assert.equal(record.summary().packets_received, 130);
});

test("a packet that comes late is no longer lost", () => {
  const source = {};
  look(source, [inbound({ packetsReceived: 100, packetsLost: 5 })]);
  look(source, [inbound({ packetsReceived: 104, packetsLost: 1 })]);
  assert.equal(record.summary().packets_lost, 1);
});

test("voice made up counts without what was silence anyway", () => {
  look({}, [inbound({ packetsReceived: 1 })], 0);
  look({}, [inbound({ packetsReceived: 9, totalSamplesReceived: 96000, concealedSamples: 9600, silentConcealedSamples: 4800 })]);
  const told = record.summary();
  assert.deepEqual([told.audio_ms, told.concealed_ms], [2000, 100]);
});

test("set-up runs from coming in when somebody was there, and from their coming otherwise", () => {
  record.entered();
  now = 700;
  record.met(true);
  now = 1200;
  record.gotFrame();
  now = 9000;
  record.gotFrame();
  look({}, [inbound({ packetsReceived: 1 })], 2000);
  look({}, [inbound({ packetsReceived: 1 })], 2000);
  assert.equal(record.summary().setup_ms, 1200);

  now = 0;
  record = new QualityRecord({ page: "b-page-of-somebody", now: () => now });
  record.entered();
  now = 60_000;
  record.met(false);
  now = 60_800;
  record.gotFrame();
  look({}, [inbound({ packetsReceived: 1 })]);
  look({}, [inbound({ packetsReceived: 1 })]);
  assert.equal(record.summary().setup_ms, 800);
});

test("delays and rates are middle and worst values", () => {
  const source = {};
  look(source, [inbound({ packetsReceived: 1 }), pair(0.1, 400_000), transport(0, 0)], 0);
  look(source, [inbound({ packetsReceived: 9 }), pair(0.3, 600_000), transport(25_000, 50_000)]);
  const told = record.summary();
  assert.deepEqual([told.rtt_ms, told.worst_rtt_ms], [200, 300]);
  assert.deepEqual([told.up_kbps, told.down_kbps], [500, 200]);
});

test("changes of mode are counted, staying is not, and the time in each is kept", () => {
  const source = {};
  look(source, [inbound({ packetsReceived: 1 })], 0);
  record.setMode("video");
  look(source, [inbound({ packetsReceived: 10 })]);
  record.setMode("video");
  record.setMode("voice");
  look(source, [inbound({ packetsReceived: 20 })], 3000);
  const told = record.summary();
  assert.equal(told.mode_changes, 1);
  assert.deepEqual(told.modes, { video: 2000, voice: 3000 });
});

test("time in which nothing flows is not time of the call", () => {
  const source = {};
  look(source, [inbound({ packetsReceived: 10 })], 0);
  look(source, [inbound({ packetsReceived: 10 })], 60_000);
  assert.equal(record.summary(), null);
});

test("an hour has no more slots than ten minutes, and loses nothing", () => {
  const source = {};
  for (let round = 0; round <= 1800; round += 1) {
    look(source, [inbound({ packetsReceived: round * 90, packetsLost: round * 10 }), transport(round * 1000, round * 2000)]);
  }
  const told = record.summary();
  assert.ok(told.timeline.length <= 60, String(told.timeline.length));
  assert.equal(told.packets_lost, 18_000);
  assert.ok(told.timeline.every((slot) => slot[1] === 100));
  assert.ok(told.timeline.every((slot) => Math.abs(slot[4] - 8) <= 1));
  assert.deepEqual(told.timeline.map(([from]) => from), told.timeline.map(([from]) => from).sort((a, b) => a - b));
});

test("every summary has a greater number", () => {
  look({}, [inbound({ packetsReceived: 1 })]);
  look({}, [inbound({ packetsReceived: 1 })]);
  assert.deepEqual([record.summary().number, record.summary().number], [1, 2]);
});

test("the server is told three times a minute and at the end", async () => {
  const timers = new Timers().install();
  try {
    let packets = 0;
    const source = {};
    const told = [];
    const keeper = new QualityKeeper(record, {
      look: async () => {
        packets += 50;
        return [{ source, report: [inbound({ packetsReceived: packets })] }];
      },
      tell: (summary) => told.push(summary),
    });
    keeper.start();
    for (let second = 0; second < 60; second += 1) {
      now += 1000;
      await timers.pass(1000);
      await settle();
    }
    assert.equal(told.length, 3);
    keeper.stop();
    assert.equal(told.length, 4);
    assert.deepEqual(timers.pending, []);
    assert.deepEqual(told.map(({ number }) => number), [1, 2, 3, 4]);
  } finally {
    timers.restore();
  }
});
