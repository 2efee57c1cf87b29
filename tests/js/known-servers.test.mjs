import assert from "node:assert/strict";
import { test } from "node:test";

import { KnownServers } from "../../static/js/known-servers.js";

const stun = { urls: ["stun:stun.example"] };
const turn = { urls: ["turn:turn.example"], username: "u", credential: "c" };
// The clock of the page may be anywhere.
const told = (ice_servers, ice_expires_at) => ({ now: "2030-01-01T02:00:00Z", ice_servers, ice_expires_at });

test("credentials are used until shortly before their end, other servers for ever", () => {
  let now = 5000;
  const known = new KnownServers(() => now);
  assert.deepEqual(known.good, []);
  known.take(told([stun, turn], "2030-01-01T02:10:00Z"));
  now += 569_000;
  assert.deepEqual(known.good, [stun, turn]);
  now += 1000;
  assert.deepEqual(known.good, [stun]);
  known.take(told([turn], "2030-01-01T02:10:00Z"));
  assert.deepEqual(known.good, [turn]);
});

test("where nothing expires, what was set is good for ever", () => {
  let now = 0;
  const known = new KnownServers(() => now);
  known.take(told([turn], null));
  now += 1e12;
  assert.deepEqual(known.good, [turn]);
});
