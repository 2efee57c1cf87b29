import assert from "node:assert/strict";
import { test } from "node:test";

import { Live, LiveError } from "../../static/js/live.js";
import { NumberedLog, Seat } from "../../static/js/seat.js";
import { Timers } from "./timers.mjs";

/** A Socket.IO socket whose server is the test. */
class FakeSocket {
  connected = false;
  active = true;
  listeners = new Map();
  sent = [];
  answers = {};
  connects = 0;
  io = { engine: { close: () => this.drop() } };

  on(event, listener) {
    this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener]);
  }

  push(event, payload) {
    for (const listener of this.listeners.get(event) ?? []) listener(payload);
  }

  connect() {
    this.connects += 1;
  }

  open() {
    this.connected = true;
    this.push("connect");
  }

  drop(reason = "transport close") {
    this.connected = false;
    this.push("disconnect", reason);
  }

  disconnect() {
    this.drop("io client disconnect");
  }

  timeout() {
    return { emit: (event, payload, answered) => this.#emit(event, payload, answered) };
  }

  #emit(event, payload, answered) {
    this.sent.push([event, payload]);
    const answer = this.answers[event];
    const value = typeof answer === "function" ? answer(payload) : answer;
    if (value === "silence") queueMicrotask(() => answered(new Error("timed out")));
    else queueMicrotask(() => answered(null, value ?? { ok: true, data: {} }));
  }

  payloads(event) {
    return this.sent.filter(([name]) => name === event).map(([, payload]) => payload);
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
const chat = (number, key = `k${number}`) => ({
  session: "s1",
  number,
  kind: "chat",
  data: { text: `text ${number}`, key },
});
const joined = (more) => ({
  ok: true,
  data: {
    participant: "p1",
    participant_token: "t".repeat(20),
    epoch: 7,
    resumed: false,
    participants: [],
    ice_servers: [],
    ice_expires_at: null,
    now: "2026-11-23T02:00:00Z",
    events: [],
    last_event: 0,
    more: false,
    ...more,
  },
});

function connected() {
  const socket = new FakeSocket();
  const live = new Live({ makeSocket: () => socket });
  live.connect();
  socket.open();
  return { socket, live };
}

async function seated(answer = joined()) {
  const { socket, live } = connected();
  socket.answers["session:join"] = answer;
  const heard = { joined: [], events: [], signals: [], ice: [], peers: [], left: [], evicted: [] };
  const refused = [];
  const seat = new Seat(live, "s1", {
    onJoined: (value) => heard.joined.push(value),
    onEvent: (value) => heard.events.push(value.number),
    onSignal: (value) => heard.signals.push(value),
    onIce: (told) => heard.ice.push(told.ice_servers),
    onPeer: (value) => heard.peers.push(value),
    onPeerLeft: (value) => heard.left.push(value),
    onEvicted: (value) => heard.evicted.push(value),
    onRefused: (error) => refused.push(error.code),
    onChatRefused: (key, error) => refused.push(`${key} ${error.code}`),
  });
  seat.enter();
  await settled();
  return { socket, live, seat, heard, refused };
}

test("an answer gives its data, a refusal its code and fields", async () => {
  const { socket, live } = connected();
  socket.answers.probe = { ok: true, data: { now: "x" } };
  assert.deepEqual(await live.send("probe", {}), { now: "x" });
  const fields = [{ field: "text", code: "too_long", message: "…" }];
  socket.answers.probe = { ok: false, code: "fields_invalid", message: "…", fields };
  await assert.rejects(live.send("probe", {}), { code: "fields_invalid", fields });
});

test("nothing is buffered while there is no link", async () => {
  const { socket, live } = connected();
  socket.drop();
  await assert.rejects(live.send("probe", {}), (error) => error instanceof LiveError && error.isUnanswered);
  assert.deepEqual(socket.payloads("probe"), []);
});

test("the state of the link is told at once and at every change", () => {
  const { socket, live } = connected();
  const states = [];
  live.onLink((state) => states.push(state));
  socket.drop();
  socket.open();
  live.close();
  assert.deepEqual(states, ["up", "connecting", "up", "down"]);
});

test("a refused sign-in is not tried again", () => {
  const { socket, live } = connected();
  socket.drop("io server disconnect");
  assert.equal(socket.connects, 2);
  socket.active = false;
  socket.push("connect_error", { data: { code: "sign_in_needed" } });
  assert.equal(live.link, "refused");
});

test("a room gives up after a while, and goes on when it is told to", async () => {
  const timers = new Timers().install();
  try {
    const socket = new FakeSocket();
    const live = new Live({ makeSocket: () => socket, giveUpAfterMs: 1000 });
    const states = [];
    live.onLink((state) => states.push(state));
    live.connect();
    await timers.pass(999);
    socket.open();
    await timers.pass(5000);
    socket.drop();
    await timers.pass(999);
    assert.equal(live.link, "connecting");
    await timers.pass(1);
    assert.equal(live.link, "lost");
    const { connects } = socket;
    live.connect();
    assert.equal(socket.connects, connects + 1);
    socket.open();
    assert.deepEqual(states, ["down", "connecting", "up", "connecting", "lost", "connecting", "up"]);
    assert.deepEqual(timers.pending, []);
  } finally {
    timers.restore();
  }
});

test("a line that is up keeps what is for the whole day trying for ever", async () => {
  const timers = new Timers().install();
  try {
    const socket = new FakeSocket();
    const live = new Live({ makeSocket: () => socket });
    live.connect();
    await timers.pass(3_600_000);
    assert.equal(live.link, "connecting");
  } finally {
    timers.restore();
  }
});

test("a join that the server cannot take now is tried again, later each time, and not for ever", async () => {
  const timers = new Timers().install();
  try {
    const { seat, socket, refused } = await seated({ ok: false, code: "unavailable", message: "…" });
    const waits = [];
    for (let round = 0; round < 5; round += 1) {
      assert.deepEqual(refused, []);
      waits.push(timers.pending[0]);
      await timers.pass(timers.pending[0]);
    }
    waits.slice(1).forEach((wait, index) => assert.ok(wait > waits[index]));
    assert.equal(socket.payloads("session:join").length, 6);
    assert.deepEqual(refused, ["unavailable"]);
    assert.deepEqual([timers.pending, seat.isIn], [[], false]);
  } finally {
    timers.restore();
  }
});

test("a throttled join waits as long as the server says", async () => {
  const timers = new Timers().install();
  try {
    const answers = [{ ok: false, code: "throttled", retry_after_seconds: 30 }, joined()];
    const { heard, refused } = await seated(() => answers.shift());
    await timers.pass(29_999);
    assert.equal(heard.joined.length, 0);
    await timers.pass(1);
    assert.deepEqual([heard.joined.length, refused], [1, []]);
  } finally {
    timers.restore();
  }
});

test("hints reach the listeners of their channel, again after a reconnect", async () => {
  const { socket, live } = connected();
  socket.answers["channel:watch"] = ({ channels }) => ({
    ok: true,
    data: { channels: Object.fromEntries(channels.map((channel) => [channel, 17])) },
  });
  const heard = [];
  const undo = live.watch("consult:c1", ({ event, number }) => heard.push(`${event} ${number}`));
  await settled();
  socket.push("hint", { channel: "consult:c1", event: "consult_claimed", number: 18 });
  socket.push("hint", { channel: "consult:other", event: "consult_claimed", number: 3 });
  socket.drop();
  socket.open();
  await settled();
  assert.deepEqual(heard, ["watched 17", "consult_claimed 18", "watched 17"]);
  undo();
  assert.deepEqual(socket.payloads("channel:unwatch"), [{ channels: ["consult:c1"] }]);
});

test("a dead path is dropped without saying goodbye", async () => {
  const { socket, live } = connected();
  socket.answers.probe = "silence";
  assert.equal(await live.check(), false);
  assert.equal(live.link, "connecting");
  assert.equal(await live.check(), false);
});

test("a refusal of the probe proves that the path is alive", async () => {
  const { socket, live } = connected();
  socket.answers.probe = { ok: false, code: "throttled", message: "…" };
  assert.equal(await live.check(), true);
});

test("numbered events come once and in order, and gaps are fetched", async () => {
  const events = [];
  const asked = [];
  const log = new NumberedLog({
    fetch: async (after) => {
      asked.push(after);
      return after === 1 ? { events: [chat(2), chat(3)], more: true } : { events: [chat(4)], more: false };
    },
    onEvent: (event) => events.push(event.number),
  });
  log.take(chat(1));
  log.take(chat(1));
  log.take(chat(5));
  await settled();
  assert.deepEqual(events, [1, 2, 3, 4, 5]);
  assert.deepEqual(asked, [1, 3]);
  assert.equal(log.last, 5);
});

test("an answer without events ends the fetching", async () => {
  const log = new NumberedLog({ fetch: async () => ({ events: [], more: true }), onEvent() {} });
  await log.fetchMissing();
  assert.equal(log.last, 0);
});

test("a seat joins at once and comes back with its token and its last event", async () => {
  const { socket, heard } = await seated(joined({ events: [chat(1), chat(2)], last_event: 2 }));
  socket.drop();
  socket.open();
  await settled();
  assert.deepEqual(socket.payloads("session:join"), [
    { session: "s1", last_event: 0 },
    { session: "s1", last_event: 2, epoch: 7, participant_token: "t".repeat(20) },
  ]);
  assert.deepEqual(heard.events, [1, 2]);
  assert.equal(heard.joined.length, 2);
});

test("a renewed seat does not bring its token", async () => {
  const { socket, seat } = await seated();
  await seat.renew();
  assert.deepEqual(socket.payloads("session:join").at(-1), { session: "s1", last_event: 0 });
});

test("pushes of another session are not heard", async () => {
  const { socket, heard } = await seated();
  socket.push("session:signal", { session: "s2", from: "p2" });
  socket.push("session:signal", { session: "s1", from: "p2" });
  assert.deepEqual(heard.signals, [{ session: "s1", from: "p2" }]);
});

test("the state of the devices is said again after every join", async () => {
  const { socket, seat } = await seated();
  seat.tell({ muted: true, camera_off: false });
  socket.drop();
  socket.open();
  await settled();
  const state = { session: "s1", muted: true, camera_off: false };
  assert.deepEqual(socket.payloads("session:state"), [state, state]);
});

test("a message said without a link is sent after the rejoin, once it is known not again", async () => {
  const { socket, seat } = await seated();
  socket.drop();
  const key = seat.say("Thở oxy 3 lít");
  assert.deepEqual(socket.payloads("session:chat"), []);
  socket.open();
  await settled();
  assert.deepEqual(socket.payloads("session:chat"), [{ session: "s1", text: "Thở oxy 3 lít", key }]);
  socket.drop();
  socket.open();
  await settled();
  assert.equal(socket.payloads("session:chat").length, 1);
});

test("a message whose answer was lost is not sent again when the log shows it", async () => {
  const { socket, seat } = await seated();
  socket.answers["session:chat"] = "silence";
  socket.answers.probe = "silence";
  const key = seat.say("a");
  await settled();
  socket.answers["session:join"] = joined({ events: [chat(1, key)], last_event: 1 });
  socket.open();
  await settled();
  assert.equal(socket.payloads("session:chat").length, 1);
});

test("a refused message is told with its key", async () => {
  const { socket, seat, refused } = await seated();
  socket.answers["session:chat"] = { ok: false, code: "throttled", message: "…" };
  const key = seat.say("a");
  await settled();
  assert.deepEqual(refused, [`${key} throttled`]);
});

test("an evicted seat does not come back by itself", async () => {
  const { socket, heard, seat } = await seated();
  socket.push("session:evicted", { session: "s1", reason: "replaced" });
  socket.drop();
  socket.open();
  await settled();
  assert.deepEqual(heard.evicted, ["replaced"]);
  assert.equal(socket.payloads("session:join").length, 1);
  seat.enter();
  await settled();
  assert.deepEqual(socket.payloads("session:join").at(-1), { session: "s1", last_event: 0 });
});

test("a refused join is told and not repeated", async () => {
  const { socket, refused } = await seated({ ok: false, code: "session_full", message: "…" });
  socket.drop();
  socket.open();
  await settled();
  assert.deepEqual(refused, ["session_full"]);
  assert.equal(socket.payloads("session:join").length, 1);
});

test("a join without an answer is tried again over a live path", async () => {
  const timers = new Timers().install();
  try {
    let tries = 0;
    const { heard } = await seated(() => (++tries === 1 ? "silence" : joined()));
    await settled();
    await timers.pass(1000);
    assert.equal(heard.joined.length, 1);
  } finally {
    timers.restore();
  }
});

test("who has left stays outside after a reconnect", async () => {
  const { socket, seat } = await seated();
  await seat.leave();
  socket.drop();
  socket.open();
  await settled();
  assert.deepEqual(socket.payloads("session:leave"), [{ session: "s1" }]);
  assert.equal(socket.payloads("session:join").length, 1);
});

const expiring = { ice_expires_at: "2026-11-23T06:00:00Z" };
const renewed = {
  ok: true,
  data: { now: "2026-11-23T04:00:00Z", ice_servers: [{ urls: ["turn:x"] }], ice_expires_at: "2026-11-23T08:00:00Z" },
};

test("credentials are renewed at half of their life, again and again, until one goes out", async () => {
  const timers = new Timers().install();
  try {
    const { socket, seat, heard } = await seated(joined(expiring));
    socket.answers["session:ice"] = renewed;
    const half = 2 * 3600 * 1000;
    assert.deepEqual(timers.pending, [half]);
    await timers.pass(half);
    await timers.pass(half);
    assert.deepEqual(heard.ice, [renewed.data.ice_servers, renewed.data.ice_servers]);
    await seat.leave();
    assert.deepEqual(timers.pending, []);
    await seat.renewIce();
    assert.equal(socket.payloads("session:ice").length, 2);
  } finally {
    timers.restore();
  }
});

test("without an answer the credentials of before stay", async () => {
  const timers = new Timers().install();
  try {
    const { socket, seat, heard } = await seated(joined(expiring));
    socket.answers["session:ice"] = "silence";
    await seat.renewIce();
    assert.deepEqual(heard.ice, []);
    await seat.leave();
  } finally {
    timers.restore();
  }
});

test("where nothing expires nothing is asked for", async () => {
  const { socket, seat } = await seated();
  await seat.renewIce();
  assert.deepEqual(socket.payloads("session:ice"), []);
});
