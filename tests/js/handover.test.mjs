import assert from "node:assert/strict";
import { test } from "node:test";

import { Handover } from "../../static/js/handover.js";

/** Time that passes when it is told to. */
class Time {
  at = 0;
  waiting = [];
  now = () => this.at;
  wait = (act, ms) => void this.waiting.push([this.at + ms, act]);

  async pass(ms) {
    const end = this.at + ms;
    while (this.at < end) {
      this.at += 4;
      const due = this.waiting.filter(([when]) => when <= this.at);
      this.waiting = this.waiting.filter(([when]) => when > this.at);
      for (const [, act] of due) act();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

class FakeWay {
  samples = 0;
  frame = false;
  over = false;
  volume = -1;
  volumes = [];
  shown = false;
  dropped = false;

  constructor(origin) {
    this.origin = origin;
  }

  heard = async () => this.samples;
  hasPicture = () => this.frame;
  isOver = () => this.over;
  showPicture = () => void (this.shown = true);
  drop = () => void (this.dropped = true);
  setVolume = (volume) => {
    this.volume = volume;
    this.volumes.push(volume);
  };
}

function setUp({ picture = true } = {}) {
  const time = new Time();
  const shown = [];
  const handover = new Handover({ onShown: (origin) => shown.push(origin), expectsPicture: () => picture, now: time.now, wait: time.wait });
  const [before, next] = [new FakeWay("direct"), new FakeWay("relay")];
  handover.take(before);
  return { time, shown, handover, before, next };
}

test("the first connection is seen and heard at once", () => {
  const { shown, before } = setUp();
  assert.ok(before.shown);
  assert.equal(before.volume, 1);
  assert.deepEqual(shown, ["direct"]);
});

test("the picture changes at the first frame, the voice once it is there, then the old one ends", async () => {
  const { time, shown, handover, before, next } = setUp();
  handover.take(next);
  await time.pass(400);
  assert.deepEqual([next.shown, next.volume, before.volume, before.dropped], [false, 0, 1, false]);
  next.frame = true;
  await time.pass(60);
  assert.deepEqual([next.shown, next.volume, before.dropped], [true, 0, false]);
  next.samples = 4000;
  await time.pass(150);
  assert.deepEqual([next.volume, before.volume, before.dropped], [1, 0, true]);
  assert.deepEqual(shown, ["direct", "relay"]);
});

test("while the voices cross, both together are as loud as one", async () => {
  const { time, handover, before, next } = setUp();
  handover.take(next);
  next.frame = true;
  next.samples = 4000;
  await time.pass(200);
  const steps = next.volumes.filter((volume) => volume > 0 && volume < 1);
  assert.ok(steps.length >= 3);
  for (const volume of steps) assert.ok(before.volumes.some((other) => Math.abs(other + volume - 1) < 1e-9));
});

test("nobody waits for the picture of a camera that is off, nor for ever", async () => {
  const off = setUp({ picture: false });
  off.handover.take(off.next);
  off.next.samples = 4000;
  await off.time.pass(200);
  assert.deepEqual(off.shown, ["direct", "relay"]);
  const silent = setUp();
  silent.handover.take(silent.next);
  await silent.time.pass(5200);
  assert.deepEqual(silent.shown, ["direct", "relay"]);
});

test("a voice that has ended is not waited with", async () => {
  const { time, handover, before, next } = setUp();
  before.over = true;
  handover.take(next);
  await time.pass(120);
  assert.equal(next.volume, 1);
});

test("one that is overtaken is dropped and never shown", async () => {
  const { time, shown, handover, next } = setUp();
  const newest = new FakeWay("newest");
  handover.take(next);
  handover.take(newest);
  newest.frame = true;
  newest.samples = 4000;
  await time.pass(300);
  assert.ok(next.dropped && !next.shown);
  assert.deepEqual(shown, ["direct", "newest"]);
});
