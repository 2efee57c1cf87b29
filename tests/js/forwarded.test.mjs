import assert from "node:assert/strict";
import { test } from "node:test";

import { Forwarded, RELAY } from "../../static/js/forwarded.js";
import { sendingOf } from "../../static/js/ladder.js";

class FakeConnection {
  connectionState = "new";
  localDescription = null;
  transceivers = [];
  isClosed = false;
  signalingState = "stable";
  stats = new Map();

  addTransceiver(trackOrKind, options) {
    const kind = trackOrKind.kind ?? trackOrKind;
    const sender = {
      track: trackOrKind.kind ? trackOrKind : null,
      encodings: (options.sendEncodings ?? [{}]).map((each) => ({ ...each })),
      async replaceTrack(track) { this.track = track; },
      getParameters() { return { encodings: this.encodings.map((each) => ({ ...each })) }; },
      async setParameters({ encodings }) { this.encodings = encodings; },
    };
    const made = { kind, options, sender, receiver: { track: { kind } }, setCodecPreferences() {} };
    this.transceivers.push(made);
    return made;
  }

  async setLocalDescription() {
    this.localDescription = { type: "offer", sdp: "offer" };
  }

  async setRemoteDescription() {
    for (const transceiver of this.transceivers) {
      if (transceiver.options.direction !== "recvonly") continue;
      this.ontrack?.({ track: transceiver.receiver.track, receiver: transceiver.receiver, transceiver });
    }
    this.become("connected");
  }

  become(state) {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }

  close() {
    this.isClosed = true;
  }

  async getStats() {
    return this.stats;
  }
}

const settle = async () => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};
const published = (...pairs) => pairs.map(([participant, number]) => ({ participant, number }));

function setUp() {
  const made = [];
  const asked = [];
  const tracks = [];
  const forwarded = new Forwarded({
    ask: async (event, payload) => {
      asked.push([event, payload]);
      return { description: { type: "answer", sdp: "answer" } };
    },
    onTrack: (participant, track, _receiver, origin) => tracks.push([participant, track.kind, origin]),
    onConnection: () => {},
    createConnection: () => {
      made.push(new FakeConnection());
      return made.at(-1);
    },
  });
  const follow = (...pairs) => forwarded.follow({ own: "me", epoch: 3, publishers: published(...pairs) });
  return { forwarded, follow, made, asked, tracks, events: () => asked.map(([event]) => event) };
}

test("whoever does not find themselves in the list publishes, in two layers", async () => {
  const { follow, made, asked, events } = setUp();
  follow();
  follow();
  await settle();
  assert.deepEqual(events()[0], "publish");
  assert.equal(asked[0][1].epoch, 3);
  const [voice, picture] = made[0].transceivers;
  assert.deepEqual([voice.kind, picture.kind], ["audio", "video"]);
  assert.deepEqual(picture.options.sendEncodings.map(({ rid }) => rid), ["s", "l"]);
});

test("everybody who publishes is watched, and each track belongs to its publisher", async () => {
  const { follow, asked, tracks } = setUp();
  follow(["me", 1], ["a", 2], ["b", 3]);
  await settle();
  const [, payload] = asked.find(([event]) => event === "subscribe");
  assert.deepEqual(payload.publishers, ["a", "b"]);
  assert.deepEqual(tracks.map(([who, kind]) => `${who} ${kind}`), ["a audio", "b audio", "a video", "b video"]);
});

test("a change makes a connection beside the one before, which ends when all are shown", async () => {
  const { forwarded, follow, made, tracks } = setUp();
  follow(["me", 1], ["a", 2]);
  await settle();
  const first = made.at(-1);
  follow(["me", 1], ["a", 2], ["b", 3]);
  await settle();
  const origin = tracks.at(-1)[2];
  assert.ok(!first.isClosed);
  forwarded.shown("a", origin);
  assert.ok(!first.isClosed);
  forwarded.shown("b", origin);
  assert.ok(first.isClosed && !made.at(-1).isClosed);
  forwarded.close();
});

test("the same list asks for nothing; another number asks anew", async () => {
  const { forwarded, follow, events } = setUp();
  follow(["me", 1], ["a", 2]);
  await settle();
  const before = events().length;
  follow(["me", 1], ["a", 2]);
  await settle();
  assert.equal(events().length, before);
  follow(["me", 1], ["a", 7]);
  await settle();
  assert.deepEqual(events().slice(before), ["subscribe"]);
  forwarded.close();
});

test("a relay that was started anew knows nobody: publish again", async () => {
  const { forwarded, follow, made, events } = setUp();
  follow(["me", 1], ["a", 2]);
  await settle();
  const before = events().length;
  follow();
  await settle();
  assert.deepEqual(events().slice(before), ["publish"]);
  assert.ok(made[0].isClosed);
  forwarded.close();
});

test("a connection that fails is made anew", async () => {
  const { forwarded, follow, made, events } = setUp();
  follow(["me", 1], ["a", 2]);
  await settle();
  const [out, viewing] = made;
  const before = events().length;
  viewing.become("failed");
  out.become("failed");
  await settle();
  assert.deepEqual(events().slice(before).sort(), ["publish", "subscribe"]);
  forwarded.close();
  assert.ok(made.every(({ isClosed }) => isClosed));
});

test("a wish is told once, and again to a new connection", async () => {
  const { forwarded, follow, asked, events } = setUp();
  follow(["me", 1], ["a", 2]);
  await settle();
  forwarded.wish("a", "large");
  forwarded.wish("a", "none");
  forwarded.wish("a", "none");
  assert.deepEqual(asked.filter(([event]) => event === "wish").map(([, payload]) => payload), [{ publisher: "a", picture: "none" }]);
  follow(["me", 1], ["a", 3]);
  await settle();
  assert.deepEqual(events().slice(-2), ["subscribe", "wish"]);
  forwarded.close();
});

test("what is chosen by hand bounds what is wanted of everybody, said or not", async () => {
  const { forwarded, follow, asked } = setUp();
  follow(["me", 1], ["a", 2], ["b", 3]);
  await settle();
  forwarded.wish("a", "small");
  for (const most of ["none", "small", "large"]) forwarded.limit(most);
  assert.equal(forwarded.wants("a"), true);
  const wishes = (who) =>
    asked.filter(([event, { publisher }]) => event === "wish" && publisher === who).map(([, { picture }]) => picture);
  assert.deepEqual(wishes("a"), ["small", "none", "small"]);
  assert.deepEqual(wishes("b"), ["none", "small", "large"]);
  forwarded.close();
});

test("the connection that sends sends as the ladder says, from its first packet on", async () => {
  const { forwarded, follow, made } = setUp();
  forwarded.adapt({ isRedundant: false, sending: sendingOf("small", null) });
  follow();
  await settle();
  const [voice, picture] = made[0].transceivers;
  assert.deepEqual(picture.options.sendEncodings.map(({ active }) => active), [true, false]);
  for (const [rung, active] of [["full", [true, true]], ["voice", [false, false]], ["small", [true, false]]]) {
    forwarded.adapt({ isRedundant: false, sending: sendingOf(rung, null) });
    await settle();
    assert.deepEqual(picture.sender.encodings.map((each) => each.active), active);
    assert.equal(voice.sender.encodings[0].maxBitrate, sendingOf(rung, null).voiceBitrate);
  }
  forwarded.close();
});

test("what came of whom is counted by section; the ladder hears of voice as a whole", async () => {
  const { forwarded, follow, made } = setUp();
  follow(["me", 1], ["a", 2], ["b", 3]);
  await settle();
  made[1].transceivers.forEach((each, place) => {
    each.mid = String(place);
  });
  const inbound = (mid, kind, more) => [`in${mid}`, { type: "inbound-rtp", mid, kind, ...more }];
  made[1].stats = new Map([
    inbound("0", "audio", { packetsReceived: 50, packetsLost: 5 }),
    inbound("1", "audio", { packetsReceived: 30, packetsLost: -1 }),
    inbound("3", "video", { framesReceived: 7 }),
    inbound("9", "audio", { packetsReceived: 1000 }),
  ]);
  made[0].stats = new Map([["T", { type: "transport", selectedCandidatePairId: "P" }]]);
  assert.deepEqual([...(await forwarded.received())], [
    ["a", { voice: 50, lost: 5, frames: 0 }],
    ["b", { voice: 30, lost: 0, frames: 7 }],
  ]);
  const report = (await forwarded.reportsByPeer()).get(RELAY);
  assert.deepEqual([...report.values()].map(({ type }) => type), ["transport", "inbound-rtp"]);
  assert.equal(report.get("heard").packetsReceived, 80);
  forwarded.close();
});

test("a track that is switched goes where it is sent", async () => {
  const { forwarded, follow, made } = setUp();
  follow();
  await settle();
  const track = { kind: "audio" };
  await forwarded.replaceTrack("audio", track);
  assert.equal(made[0].transceivers[0].sender.track, track);
  forwarded.close();
});

/** With a TURN server named, a connection that is still looking for its addresses. */
function looking() {
  const world = setUp();
  world.forwarded.configure([{ urls: ["turn:turn.example"] }]);
  world.forwarded.follow({ own: "p1", epoch: 1, publishers: [] });
  return { ...world, pc: world.made[0] };
}

test("an offer waits for an address at the TURN server: whom the relay is not told of, it may not hear", async () => {
  const { asked, pc } = looking();
  await settle();
  pc.onicecandidate({ candidate: { type: "host", sdpMLineIndex: 0 } });
  pc.onicecandidate({ candidate: { type: "relay", sdpMLineIndex: 1 } });
  await settle();
  assert.deepEqual(asked, []);
  pc.localDescription.sdp = "offer with an address";
  pc.onicecandidate({ candidate: { type: "relay", sdpMLineIndex: 0 } });
  await settle();
  assert.deepEqual(asked.map(([event, { description }]) => [event, description.sdp]), [["publish", "offer with an address"]]);
});

test("it waits no longer than there are addresses to be found", async () => {
  const { asked, pc } = looking();
  await settle();
  assert.deepEqual(asked, []);
  pc.iceGatheringState = "complete";
  pc.onicegatheringstatechange();
  await settle();
  assert.equal(asked.length, 1);
});
