import assert from "node:assert/strict";
import { test } from "node:test";

import { Reception } from "../../static/js/reception.js";

/** A relay that sends to this page, second by second. */
function setUp() {
  const reception = new Reception();
  const totals = new Map();
  let now = 0;
  const pass = (seconds, coming, isExpected = () => true) => {
    for (let second = 0; second < seconds; second += 1) {
      now += 1000;
      for (const [who, { voice = 50, lost = 0, frames = 15 }] of Object.entries(coming)) {
        const before = totals.get(who) ?? { voice: 0, lost: 0, frames: 0 };
        totals.set(who, { voice: before.voice + voice, lost: before.lost + lost, frames: before.frames + frames });
      }
      reception.look(now, new Map(totals), isExpected);
    }
    return [...reception.without];
  };
  return { reception, totals, pass };
}

test("who is heard for seconds and not seen has been left out; a frame is enough to take it back", () => {
  const { reception, pass } = setUp();
  assert.deepEqual(pass(5, { a: {}, b: {} }), []);
  assert.deepEqual(pass(2, { a: {}, b: { frames: 0 } }), []);
  assert.deepEqual(pass(2, { a: {}, b: { frames: 0 } }), ["b"]);
  assert.equal(reception.reason, "link_slow");
  assert.deepEqual(pass(1, { a: {}, b: { frames: 1 } }), []);
});

test("who is not heard either is away, and nothing is known of the link", () => {
  const { pass } = setUp();
  pass(2, { a: {} });
  assert.deepEqual(pass(30, { a: { voice: 0, frames: 0 } }), []);
});

test("whose picture should not be coming is not missed", () => {
  const { pass } = setUp();
  pass(4, { a: { frames: 0 } });
  assert.deepEqual(pass(1, { a: { frames: 0 } }), ["a"]);
  assert.deepEqual(pass(10, { a: { frames: 0 } }, () => false), []);
});

test("many lost packets are another reason", () => {
  const { reception, pass } = setUp();
  pass(8, { a: { frames: 0, lost: 20 } });
  assert.equal(reception.reason, "link_lossy");
});

test("a new connection counts from the beginning and changes nothing that is known", () => {
  const { pass, totals } = setUp();
  assert.deepEqual(pass(6, { a: { frames: 0 } }), ["a"]);
  totals.clear();
  assert.deepEqual(pass(1, { a: { frames: 0 } }), ["a"]);
  assert.deepEqual(pass(1, { a: {} }), []);
});
