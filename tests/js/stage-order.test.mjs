import assert from "node:assert/strict";
import { test } from "node:test";

import { MOST_SEEN, StageOrder } from "../../static/js/stage-order.js";

const TWELVE = Array.from({ length: 11 }, (_, place) => `p${place}`);

test("few are all seen, the first of them large", () => {
  assert.deepEqual(new StageOrder().arrange(["a", "b"], 0), { large: "a", seen: ["b", "a"] });
  assert.deepEqual(new StageOrder().arrange([], 0), { large: "", seen: [] });
});

test("of many the latest are seen, as long as nobody speaks", () => {
  const { large, seen } = new StageOrder().arrange(TWELVE, 0);
  assert.deepEqual(seen, ["p10", "p9", "p8", "p7"]);
  assert.ok(seen.includes(large));
});

test("whoever speaks is seen, and whoever goes on speaking becomes large", () => {
  const order = new StageOrder();
  order.arrange(TWELVE, 0);
  order.heard("p0", 0.3, 100);
  const { large, seen } = order.arrange(TWELVE, 100);
  assert.ok(seen.includes("p0") && seen.length === MOST_SEEN);
  assert.notEqual(large, "p0");
  order.heard("p0", 0.3, 1700);
  assert.equal(order.arrange(TWELVE, 1700).large, "p0");
});

test("a cough moves nothing large, and silence gives nothing back", () => {
  const order = new StageOrder();
  order.arrange(["a", "b"], 0);
  order.heard("b", 0.3, 0);
  order.heard("b", 0, 500);
  order.heard("b", 0.3, 2000);
  assert.equal(order.arrange(["a", "b"], 2000).large, "a");
  order.heard("b", 0.3, 3500);
  assert.equal(order.arrange(["a", "b"], 3500).large, "b");
  order.heard("b", 0, 4000);
  assert.equal(order.arrange(["a", "b"], 9000).large, "b");
});

test("those who stay seen keep their places, and who has left is not seen", () => {
  const order = new StageOrder();
  const before = order.arrange(TWELVE, 0).seen;
  order.heard("p0", 0.3, 100);
  const after = order.arrange(TWELVE, 100).seen;
  assert.deepEqual(after, [...before.slice(0, 3), "p0"]);
  const rest = TWELVE.filter((each) => each !== "p10");
  assert.ok(!order.arrange(rest, 200).seen.includes("p10"));
});
