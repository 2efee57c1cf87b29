import assert from "node:assert/strict";
import { test } from "node:test";

import { TogetherPlayer } from "../../static/js/recording-player.js";

/** A media element whose time passes when the test says so. */
class Tape {
  currentTime = 0;
  paused = true;

  play() {
    this.paused = false;
    return Promise.resolve();
  }

  pause() {
    this.paused = true;
  }

  pass(seconds) {
    if (!this.paused) this.currentTime += seconds;
  }
}

const two = () => {
  const [doctor, specialist] = [new Tape(), new Tape()];
  const together = new TogetherPlayer([
    { player: doctor, offset: 0, duration: 10 },
    { player: specialist, offset: 4, duration: 10 },
  ]);
  return { doctor, specialist, together };
};

test("the time line holds all files, the later one from where it began", () => {
  const { doctor, specialist, together } = two();
  assert.equal(together.duration, 14);
  together.play();
  assert.deepEqual([doctor.paused, specialist.paused], [false, true]);
  doctor.pass(5);
  together.tick(5);
  assert.deepEqual([together.position, specialist.paused, specialist.currentTime], [5, false, 1]);
});

test("a jump goes to the same moment in each", () => {
  const { doctor, specialist, together } = two();
  together.seek(6);
  assert.deepEqual([doctor.currentTime, specialist.currentTime], [6, 2]);
  together.seek(99);
  assert.deepEqual([together.position, doctor.currentTime, specialist.currentTime], [14, 10, 10]);
});

test("who drifts is brought back, and what is not heard is left alone", () => {
  const { doctor, specialist, together } = two();
  together.seek(6);
  together.play();
  doctor.pass(1);
  specialist.pass(0.5);
  together.tick(1);
  assert.equal(specialist.currentTime, 3);
  specialist.currentTime = 3.1;
  together.tick(0.1);
  assert.equal(specialist.currentTime, 3.1);
});

test("one goes on when the other has ended, and it stops at the end", () => {
  const { doctor, specialist, together } = two();
  together.seek(9.5);
  together.play();
  for (const tape of [doctor, specialist]) tape.pass(1);
  together.tick(1);
  assert.deepEqual([doctor.paused, specialist.paused], [true, false]);
  specialist.pass(4);
  together.tick(4);
  together.tick(0.1);
  assert.deepEqual([together.position, together.isPlaying, specialist.paused], [14, false, true]);
  together.play();
  assert.deepEqual([together.position, doctor.paused], [0, false]);
});

test("where nobody has anything time goes on", () => {
  const late = new Tape();
  const together = new TogetherPlayer([{ player: late, offset: 2, duration: 3 }]);
  together.play();
  together.tick(1);
  assert.deepEqual([together.position, late.paused], [1, true]);
  together.tick(1.5);
  assert.deepEqual([late.paused, late.currentTime], [false, 0.5]);
});
