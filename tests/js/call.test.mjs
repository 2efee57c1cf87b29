import assert from "node:assert/strict";
import { test } from "node:test";

import { Call } from "../../static/js/call.js";
import { MediaWatch } from "../../static/js/connection.js";

/** A peer connection that only keeps the rules of the signalling state. */
class FakeConnection {
  signalingState = "stable";
  connectionState = "new";
  localDescription = null;
  remoteDescription = null;
  candidates = [];
  transceivers = [];
  restarts = 0;
  offers = 0;
  isClosed = false;
  gathered = "";
  stats = [];

  async createAnswer() {
    return { type: "answer", sdp: `sdp ${this.offers}` };
  }

  async setLocalDescription(description) {
    if (description?.type === "pranswer") {
      if (!this.gathered) throw new Error("not known here");
      // As a browser does: what has been gathered beforehand is told at once.
      this.onicecandidate?.({ candidate: { candidate: this.gathered } });
      return;
    }
    const isAnswer = this.signalingState === "have-remote-offer";
    this.offers += isAnswer ? 0 : 1;
    this.localDescription = { type: isAnswer ? "answer" : "offer", sdp: `sdp ${this.offers}` };
    this.signalingState = isAnswer ? "stable" : "have-local-offer";
  }

  async setRemoteDescription(description) {
    if (description.sdp === "nonsense") throw new Error("nonsense");
    const isOffer = description.type === "offer";
    if (isOffer && this.transceivers.length === 0) this.#receive();
    this.remoteDescription = description;
    this.signalingState = isOffer ? "have-remote-offer" : "stable";
  }

  #receive() {
    for (const kind of ["audio", "video"]) {
      this.transceivers.push({ ...transceiver(kind, null), direction: "recvonly" });
    }
  }

  async addIceCandidate(candidate) {
    assert.ok(this.remoteDescription, "a candidate before the description");
    this.candidates.push(candidate);
  }

  addTransceiver(trackOrKind, { direction }) {
    const kind = trackOrKind.kind ?? trackOrKind;
    const made = { ...transceiver(kind, trackOrKind.kind ? trackOrKind : null), direction };
    this.transceivers.push(made);
    queueMicrotask(() => this.onnegotiationneeded?.());
    return made;
  }

  getTransceivers() {
    return this.transceivers;
  }

  restartIce() {
    this.restarts += 1;
  }

  setConfiguration(config) {
    this.config = config;
  }

  async getStats() {
    return this.stats;
  }

  become(state) {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }

  close() {
    this.isClosed = true;
  }
}

/** One path, looked for before it is known whom to. */
const configOf = (iceServers) => ({ iceServers, bundlePolicy: "max-bundle", iceCandidatePoolSize: 1 });

function transceiver(kind, track) {
  return {
    receiver: { track: { kind } },
    sender: {
      track,
      async replaceTrack(other) {
        this.track = other;
      },
    },
  };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
const peer = (more) => ({ participant: "p2", connected: true, epoch: 3, polite: true, ...more });
const joined = (more) => ({ epoch: 4, participants: [peer()], ice_servers: [], ...more });
const offer = (epoch = 4, sdp = "theirs") => ({
  from: "p2",
  kind: "offer",
  epoch,
  description: { type: "offer", sdp },
});
const candidate = (line, epoch = 4) => ({
  from: "p2",
  kind: "candidate",
  epoch,
  candidate: { candidate: line },
});
const received = (packets) => [{ type: "inbound-rtp", packetsReceived: packets }];

function started() {
  const world = { made: [], sent: [], trouble: [], renewed: 0, now: 0, refuse: false };
  world.call = new Call({
    send: async (kind, to, epoch, content) => {
      if (world.refuse) throw new Error("link lost");
      world.sent.push({ kind, to, epoch, ...content });
    },
    onTrack() {},
    onConnection() {},
    onTrouble: (participant) => world.trouble.push(participant),
    onRenew: () => (world.renewed += 1),
    createConnection: (config) => {
      const connection = new FakeConnection();
      connection.config = config;
      world.made.push(connection);
      return connection;
    },
    now: () => world.now,
  });
  return world;
}

/** In the room first, with nobody else; the other one comes later and offers. */
async function waiting({ polite = true } = {}) {
  const world = started();
  world.call.adopt(joined({ epoch: 3, participants: [] }));
  world.call.heard(peer({ epoch: 4, polite }));
  await settled();
  return { ...world, world, connection: world.made[0] };
}

/** Came last, has offered. */
async function offering({ polite = true } = {}) {
  const world = started();
  world.call.adopt(joined({ participants: [peer({ polite })] }));
  await settled();
  return { ...world, world, connection: world.made[0] };
}

const kinds = (world) => world.sent.map(({ kind }) => kind);

test("who came last offers at once, audio before video", async () => {
  const { world, connection } = await offering();
  assert.deepEqual(kinds(world), ["offer"]);
  assert.deepEqual(world.sent[0], {
    kind: "offer",
    to: "p2",
    epoch: 4,
    description: { type: "offer", sdp: "sdp 1" },
  });
  assert.deepEqual(connection.transceivers.map(({ receiver }) => receiver.track.kind), ["audio", "video"]);
});

test("who was there first waits, then answers with the own tracks", async () => {
  const { world, call, connection } = await waiting();
  await call.replaceTrack("video", { kind: "video", id: "cam" });
  assert.deepEqual(kinds(world), []);
  call.got(offer());
  await settled();
  assert.deepEqual(kinds(world), ["answer"]);
  assert.deepEqual(connection.transceivers.map(({ direction }) => direction), ["sendrecv", "sendrecv"]);
  assert.equal(connection.transceivers[1].sender.track.id, "cam");
});

test("what was gathered beforehand goes with the first answer, where a browser keeps it", async () => {
  const world = started();
  world.call.adopt(joined({ epoch: 3, participants: [], ice_servers: [{ urls: ["turn:turn.example"] }] }));
  world.call.heard(peer({ epoch: 4 }));
  world.made[0].gathered = "relayed";
  world.call.got(offer());
  world.call.got(offer(4, "theirs again"));
  await settled();
  assert.deepEqual(kinds(world), ["answer", "candidate", "answer"]);
});

test("the servers of the latest join are used", () => {
  const world = started();
  const servers = [{ urls: ["turn:turn.example"] }];
  world.call.adopt(joined({ ice_servers: servers }));
  assert.deepEqual(world.made[0].config, configOf(servers));
});

const fresh = [{ urls: ["turn:turn.example"], username: "later" }];

test("fresh credentials wait until a new path is looked for", async () => {
  const { call, connection } = await offering();
  const before = connection.config;
  call.configure(fresh);
  call.got({ from: "p2", kind: "answer", epoch: 4, description: { type: "answer", sdp: "a" } });
  await settled();
  assert.equal(connection.config, before);
  connection.become("failed");
  await call.look();
  call.mend("p2");
  assert.deepEqual(connection.config, configOf(fresh));
});

test("a path that the other side looks for has fresh credentials on this side too", async () => {
  const { call, connection } = await waiting();
  const path = (ufrag) => offer(4, `v=0\r\na=ice-ufrag:${ufrag}\r\n`);
  call.got(path("one"));
  await settled();
  const before = connection.config;
  call.configure(fresh);
  call.got(path("one"));
  await settled();
  assert.equal(connection.config, before);
  call.got(path("two"));
  await settled();
  assert.deepEqual(connection.config, configOf(fresh));
});

test("a rejoin brings fresh credentials to a connection that is kept and restarted", async () => {
  const { call, connection } = await offering();
  call.adopt(joined({ ice_servers: fresh }));
  assert.equal(connection.restarts, 1);
  assert.deepEqual(connection.config, configOf(fresh));
});

test("who waits for an offer takes it with the servers of the latest join", async () => {
  const world = started();
  world.call.adopt(joined({ epoch: 3, participants: [] }));
  world.call.adopt(joined({ epoch: 3, participants: [], ice_servers: fresh }));
  world.call.heard(peer({ epoch: 4 }));
  world.call.got(offer());
  await settled();
  assert.equal(world.made.length, 1);
  assert.deepEqual(world.made[0].config, configOf(fresh));
});

test("two offers cross: the polite side gives way and answers", async () => {
  const { world, call, connection } = await offering({ polite: true });
  call.got(offer());
  await settled();
  assert.deepEqual(kinds(world), ["offer", "answer"]);
  assert.equal(connection.remoteDescription.sdp, "theirs");
});

test("two offers cross: the impolite side ignores the other offer and its candidates", async () => {
  const { world, call, connection } = await offering({ polite: false });
  call.got(offer());
  call.got(candidate("of the ignored offer"));
  call.got({ from: "p2", kind: "answer", epoch: 4, description: { type: "answer", sdp: "a" } });
  call.got(candidate("of the answer"));
  await settled();
  assert.deepEqual(kinds(world), ["offer"]);
  assert.equal(connection.remoteDescription.sdp, "a");
  assert.deepEqual(connection.candidates, [{ candidate: "of the answer" }]);
});

test("signals of another epoch or of a stranger are dropped", async () => {
  const { world, call, connection } = await waiting();
  call.got(offer(3));
  call.got(offer(5));
  call.got({ ...offer(), from: "p9" });
  await settled();
  assert.equal(connection.remoteDescription, null);
  assert.deepEqual(kinds(world), []);
});

test("early candidates are held until the description is there", async () => {
  const { call, connection } = await waiting();
  call.got(candidate("one"));
  call.got(candidate("two"));
  call.got({ from: "p2", kind: "candidate", epoch: 4, candidate: null });
  await settled();
  assert.deepEqual(connection.candidates, []);
  call.got(offer());
  call.got(candidate("three"));
  await settled();
  assert.deepEqual(connection.candidates.map((each) => each.candidate), ["one", "two", "three"]);
});

test("nonsense from the other side does not stop what comes after it", async (context) => {
  context.mock.method(console, "warn", () => {});
  const { world, call } = await waiting();
  call.got(offer(4, "nonsense"));
  call.got(offer());
  await settled();
  assert.deepEqual(kinds(world), ["answer"]);
});

test("an answer nobody waits for is dropped", async () => {
  const { call, connection } = await waiting();
  call.got({ from: "p2", kind: "answer", epoch: 4, description: { type: "answer", sdp: "a" } });
  await settled();
  assert.equal(connection.remoteDescription, null);
});

test("candidates go out with the fields of the protocol only", async () => {
  const { world, connection } = await offering();
  connection.onicecandidate({
    candidate: { candidate: "c", sdpMid: "0", sdpMLineIndex: 0, usernameFragment: "u", port: 9 },
  });
  connection.onicecandidate({ candidate: null });
  assert.deepEqual(world.sent.slice(1).map((each) => each.candidate), [
    { candidate: "c", sdpMid: "0", sdpMLineIndex: 0, usernameFragment: "u" },
    null,
  ]);
});

test("a peer that sits down anew gets a fresh connection, and the old one is closed", async () => {
  const { call, made } = await offering();
  call.heard(peer({ epoch: 9 }));
  assert.equal(made.length, 2);
  assert.equal(made[0].isClosed, true);
});

test("a state of the same epoch, or of one not known yet, changes nothing", async () => {
  const { call, made } = await offering();
  call.heard(peer({ muted: true }));
  call.heard(peer({ epoch: null, connected: false }));
  assert.equal(made.length, 1);
  assert.equal(made[0].isClosed, false);
});

test("after a rejoin a good connection is left alone", async () => {
  const { call, connection } = await offering();
  connection.become("connected");
  call.adopt(joined());
  await settled();
  assert.equal(connection.restarts, 0);
});

test("after a rejoin a broken connection is restarted with a new offer", async () => {
  const { world, call, connection } = await offering();
  connection.become("failed");
  call.adopt(joined());
  await settled();
  assert.equal(connection.restarts, 1);
  assert.deepEqual(kinds(world), ["offer", "offer"]);
});

test("what was sent into the void is made good when the peer is back", async () => {
  const { world, call, connection } = await offering();
  connection.become("connected");
  world.refuse = true;
  connection.onicecandidate({ candidate: null });
  await settled();
  world.refuse = false;
  call.heard(peer({ connected: true }));
  await settled();
  assert.equal(connection.restarts, 1);
});

test("who is no longer in the room is dropped at the rejoin", async () => {
  const { call, connection } = await offering();
  call.adopt(joined({ participants: [] }));
  assert.equal(connection.isClosed, true);
});

test("another track goes to every connection without a new offer", async () => {
  const { world, call, connection } = await offering();
  await call.replaceTrack("audio", { kind: "audio", id: "headset" });
  assert.equal(connection.transceivers[0].sender.track.id, "headset");
  await call.replaceTrack("audio", null);
  assert.equal(connection.transceivers[0].sender.track, null);
  assert.deepEqual(kinds(world), ["offer"]);
});

test("media that stops is told as trouble, again only after a pause", async () => {
  const { world, call, connection } = await offering();
  connection.become("connected");
  for (const [at, packets] of [[0, 0], [500, 50], [1000, 100], [1500, 100], [2600, 100], [3100, 100]]) {
    world.now = at;
    connection.stats = received(packets);
    await call.look();
  }
  assert.deepEqual(world.trouble, ["p2"]);
  world.now = 7000;
  await call.look();
  assert.deepEqual(world.trouble, ["p2", "p2"]);
});

test("a new path is looked for while it is needed, and once until the other side has answered", async () => {
  const { world, call, connection } = await offering();
  call.got({ from: "p2", kind: "answer", epoch: 4, description: { type: "answer", sdp: "a" } });
  connection.become("connected");
  call.mend("p2");
  assert.equal(connection.restarts, 0);
  connection.become("disconnected");
  await call.look();
  for (const [at, restarts] of [[1000, 1], [5000, 1], [8900, 1], [9000, 2]]) {
    await settled();
    world.now = at;
    call.mend("p2");
    assert.equal(connection.restarts, restarts, `after ${at} ms`);
  }
  // What flows again while the server is asked whether the link is alive needs no new path.
  connection.become("connected");
  world.now = 30_000;
  call.mend("p2");
  assert.equal(connection.restarts, 2);
});

test("an offer whose answer was lost is made again, though media goes on", async () => {
  const { world, call, connection } = await offering();
  connection.become("connected");
  const said = [];
  for (const [at, packets] of [[1000, 50], [7900, 400], [8000, 410], [9000, 450], [16_000, 800]]) {
    world.now = at;
    connection.stats = received(packets);
    await call.look();
    said.push(kinds(world).length);
  }
  assert.deepEqual(said, [1, 1, 2, 2, 3]);
  call.heard(peer({ connected: false }));
  world.now = 30_000;
  await call.look();
  assert.equal(kinds(world).length, 3);
  // Whoever was away may have missed it, and need not be waited for any longer.
  call.heard(peer());
  world.now = 32_900;
  call.heard(peer());
  assert.equal(kinds(world).length, 4);
  call.got({ from: "p2", kind: "answer", epoch: 4, description: { type: "answer", sdp: "a" } });
  await settled();
  world.now = 60_000;
  await call.look();
  call.heard(peer());
  assert.deepEqual(kinds(world), ["offer", "offer", "offer", "offer"]);
});

test("a request for a new path that never went out is made again at once", async () => {
  const { world, call, connection } = await offering();
  connection.become("failed");
  await call.look();
  world.refuse = true;
  call.mend("p2");
  await settled();
  world.refuse = false;
  call.mend("p2");
  assert.equal(connection.restarts, 2);
});

test("a voice alone may stand still for as long as something else passes a narrow link", () => {
  const watch = new MediaWatch(0);
  watch.isStalled(0, "connected", 0, true);
  watch.isStalled(20, "connected", 1000, true);
  assert.equal(watch.isStalled(20, "connected", 3900, true), false);
  assert.equal(watch.isStalled(20, "connected", 4000, true), true);
});

test("when media is back, a whole picture is sent at once", async () => {
  const { world, call, connection } = await offering();
  const { sender } = connection.transceivers[1];
  const asked = [];
  sender.getParameters = () => ({ encodings: [{ active: true }] });
  sender.setParameters = async (parameters, options) => asked.push([parameters, options]);
  connection.become("connected");
  for (const [at, packets] of [[0, 0], [500, 50], [1000, 100], [2500, 100], [2750, 110], [3000, 120]]) {
    world.now = at;
    connection.stats = received(packets);
    await call.look();
    await settled();
  }
  assert.deepEqual(asked, [[{ encodings: [{ active: true }] }, { encodingOptions: [{ keyFrame: true }] }]]);
});

test("trouble that stays leads to a new seat, on the impolite side first", async () => {
  const impolite = await offering({ polite: false });
  const polite = await offering({ polite: true });
  for (const { world, call, connection } of [impolite, polite]) {
    connection.become("failed");
    await call.look();
    world.now = 15_000;
    await call.look();
  }
  assert.deepEqual([impolite.world.renewed, polite.world.renewed], [1, 0]);
});

test("trouble while the peer's own link is broken never leads to a new seat", async () => {
  const { world, call, connection } = await offering({ polite: false });
  call.heard(peer({ connected: false, polite: false }));
  connection.become("failed");
  await call.look();
  world.now = 60_000;
  await call.look();
  assert.equal(world.renewed, 0);
});

test("figures are summed over the streams", async () => {
  const { call, connection } = await offering();
  connection.stats = [
    { type: "inbound-rtp", packetsReceived: 10 },
    { type: "inbound-rtp", packetsReceived: 20, framesDecoded: 7 },
    { type: "candidate-pair", nominated: true, responsesReceived: 2, currentRoundTripTime: 0.0421 },
    { type: "candidate-pair", nominated: false, responsesReceived: 90 },
  ];
  assert.deepEqual((await call.figures()).get("p2"), {
    framesDecoded: 7,
    packetsReceived: 30,
    pulse: 32,
    roundTripMs: 42,
    state: "new",
  });
});

test("silence is stalled after 1.5 s where packets flowed, after 7 s where little came", () => {
  const flowing = new MediaWatch(0);
  assert.equal(flowing.isStalled(0, "connected", 0), false);
  assert.equal(flowing.isStalled(50, "connected", 500), false);
  assert.equal(flowing.isStalled(50, "connected", 1900), false);
  assert.equal(flowing.isStalled(50, "connected", 2000), true);
  const quiet = new MediaWatch(0);
  assert.equal(quiet.isStalled(1, "connected", 0), false);
  assert.equal(quiet.isStalled(2, "connected", 500), false);
  assert.equal(quiet.isStalled(2, "connected", 7400), false);
  assert.equal(quiet.isStalled(2, "connected", 7500), true);
});

test("a connection begun early is used by whoever comes last", async () => {
  const world = started();
  world.call.prepare([]);
  await settled();
  world.made[0].onicecandidate({ candidate: { candidate: "c" } });
  // As a browser does: what has been found stands in the description from then on.
  world.made[0].localDescription.sdp += " c";
  await world.call.replaceTrack("video", { kind: "video", id: "cam" });
  assert.deepEqual(world.sent, []);
  world.call.adopt(joined());
  await settled();
  assert.equal(world.made.length, 1);
  assert.deepEqual(world.sent.map(({ kind, to, epoch, description }) => [kind, to, epoch, description.sdp]), [
    ["offer", "p2", 4, "sdp 1 c"],
  ]);
  world.made[0].onicecandidate({ candidate: { candidate: "d" } });
  world.made[0].onicecandidate({ candidate: { candidate: "t", protocol: "tcp", type: "host" } });
  assert.deepEqual(world.sent.slice(1).map(({ candidate }) => candidate.candidate), ["d"]);
  assert.equal(world.made[0].transceivers[1].sender.track.id, "cam");
});

test("a connection begun before anybody pressed is kept while the servers are the same", () => {
  const world = started();
  const servers = [{ urls: ["turn:turn.example"], username: "u" }];
  world.call.prepare(servers);
  world.call.prepare([{ urls: ["turn:turn.example"], username: "u" }]);
  assert.equal(world.made.length, 1);
  world.call.prepare(fresh);
  assert.deepEqual(world.made.map(({ isClosed }) => isClosed), [true, false]);
});

test("a connection begun early is dropped where nobody is there, or the servers are others", async () => {
  const alone = started();
  alone.call.prepare([]);
  alone.call.adopt(joined({ participants: [] }));
  assert.equal(alone.made[0].isClosed, true);
  const elsewhere = started();
  elsewhere.call.prepare([{ urls: ["turn:old.example"] }]);
  elsewhere.call.adopt(joined({ ice_servers: [{ urls: ["turn:new.example"] }] }));
  await settled();
  assert.deepEqual(elsewhere.made.map(({ isClosed }) => isClosed), [true, false]);
  assert.deepEqual(kinds(elsewhere), ["offer"]);
});

test("who waits has a connection ready, whose patience begins with the other one", async () => {
  const world = started();
  world.call.adopt(joined({ epoch: 3, participants: [] }));
  world.call.adopt(joined({ epoch: 3, participants: [] }));
  assert.equal(world.made.length, 1);
  world.now = 600_000;
  world.call.heard(peer({ epoch: 4 }));
  await world.call.look();
  world.call.got(offer());
  await settled();
  assert.equal(world.made.length, 1);
  assert.deepEqual(kinds(world), ["answer"]);
  assert.deepEqual(world.trouble, []);
});

test("a closed call closes every connection", async () => {
  const { call, connection } = await offering();
  call.close();
  assert.equal(connection.isClosed, true);
});

test("voice in long packets that stops just after a look is missed as soon as any other", () => {
  const watch = new MediaWatch(0);
  let pulse = 0;
  for (let now = 0; now <= 3000; now += 250) watch.isStalled((pulse += 4), "connected", now);
  assert.equal(watch.isStalled((pulse += 1), "connected", 3250), false);
  assert.equal(watch.isStalled(pulse, "connected", 4500), false);
  assert.equal(watch.isStalled(pulse, "connected", 4750), true);
});

test("consent checks alone are no flow", () => {
  const watch = new MediaWatch(0);
  let pulse = 0;
  for (let now = 0; now <= 10_000; now += 2500) watch.isStalled((pulse += 4), "connected", now);
  assert.equal(watch.isStalled(pulse, "connected", 12_500), false);
});
