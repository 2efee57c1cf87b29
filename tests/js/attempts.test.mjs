import assert from "node:assert/strict";
import { test } from "node:test";

import { Attempts } from "../../static/js/attempts.js";

test("each wait is twice the one before, up to the longest, and then it is over", () => {
  const attempts = new Attempts({ most: 4, firstMs: 200, longestMs: 1000, random: () => 0.5 });
  const waits = [];
  while (!attempts.isOver) waits.push(attempts.next());
  assert.deepEqual(waits, [200, 400, 800, 1000]);
  attempts.reset();
  assert.equal(attempts.isOver, false);
  assert.equal(attempts.next(), 200);
});

test("no two pages wait equally long", () => {
  const waitOf = (random) => new Attempts({ most: 1, firstMs: 1000, longestMs: 1000, random }).next();
  assert.deepEqual([waitOf(() => 0), waitOf(() => 0.999)], [750, 1250]);
});
