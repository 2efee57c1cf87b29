import assert from "node:assert/strict";
import { test } from "node:test";

import { asAnswer, DOWN_AFTER_MS, Ladder, LinkReader, MOST_WAIT_MS, RUNGS, shapedForVoice, UP_AFTER_MS } from "../../static/js/ladder.js";
import { StillLine } from "../../static/js/modes.js";

const fine = { available: 2000, sent: 1000, lossOut: 0, lossIn: 0, concealed: 0, roundTripMs: 40, bufferMs: 40, framesIn: 30, packetsIn: 50 };
const slow = { ...fine, available: 70 };
const middling = { ...fine, available: 300 };
const lossy = { ...fine, lossOut: 0.15 };
const dead = { ...fine, lossOut: 1, concealed: 1, packetsIn: 0 };
const auto = { asked: "full", theirs: "full", chosen: null };
const height = (rung) => RUNGS.indexOf(rung);

/** A ladder that is asked once a second. */
function climber() {
  let now = 0;
  const ladder = new Ladder(now);
  return {
    get now() {
      return now;
    },
    run(seconds, figures, wishes = auto) {
      const decisions = [];
      for (let second = 0; second < seconds; second += 1) {
        now += 1000;
        decisions.push({ now, ...ladder.decide(now, figures, wishes) });
      }
      return decisions;
    },
    last(...given) {
      return this.run(...given).at(-1);
    },
  };
}

/** A small generator of numbers that is the same in every run. */
function numbers(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

test("a call starts low and climbs when all is well", () => {
  const call = climber();
  const decisions = call.run(15, fine);
  assert.equal(decisions[0].rung, "small");
  assert.equal(decisions[0].reason, "start");
  const first = decisions.find(({ rung }) => rung === "full");
  assert.ok(first.now >= UP_AFTER_MS && first.now <= UP_AFTER_MS + 1000);
  assert.equal(first.reason, "link_good");
});

test("a slow link takes the picture within about two seconds, and says why", () => {
  const call = climber();
  call.run(15, fine);
  const fallen = call.run(4, slow).find(({ rung }) => rung === "voice");
  assert.ok(fallen.now - 15_000 <= DOWN_AFTER_MS + 1000);
  assert.equal(fallen.reason, "link_slow");
  assert.deepEqual(
    [fallen.sending.picture, fallen.sending.packetMs, fallen.sending.voiceBitrate, fallen.sending.voice],
    [null, 60, 12_000, true],
  );
  assert.deepEqual([fallen.sending.still.width, fallen.sending.still.everyMs], [160, 3000]);
});

test("between the two the picture is small and gives way to the voice", () => {
  const call = climber();
  call.run(20, fine);
  const { rung, sending } = call.last(4, middling);
  assert.equal(rung, "small");
  assert.equal(call.last(1, { ...middling, available: 150 }).sending.picture.maxBitrate, 60_000);
  assert.ok(sending.picture.maxBitrate <= 120_000 && sending.picture.maxFramerate <= 10);
});

test("an estimate that has not been tried is tried, and given the time to be found out", () => {
  const call = climber();
  const untried = { ...fine, available: 250, sent: 150 };
  assert.equal(call.last(12, untried).rung, "full");
  assert.equal(call.last(4, untried).rung, "full");
  assert.equal(call.last(30, fine).rung, "full");
  const narrow = climber();
  narrow.run(12, untried);
  assert.equal(narrow.last(10, { ...untried, sent: 240 }).rung, "small");
  assert.equal(narrow.last(60, { ...untried, sent: 240 }).rung, "small");
});

test("one bad second is no reason to fall", () => {
  const call = climber();
  call.run(15, fine);
  for (let round = 0; round < 20; round += 1) {
    assert.equal(call.last(2, slow).rung, "full");
    assert.equal(call.last(1, fine).rung, "full");
  }
});

test("every rung is reached, down and up again", () => {
  const call = climber();
  const seen = [...call.run(20, fine), ...call.run(4, middling), ...call.run(6, slow), ...call.run(12, dead), ...call.run(200, fine)];
  const way = seen.map(({ rung }) => rung).filter((rung, index, all) => rung !== all[index - 1]);
  assert.deepEqual(way, ["small", "full", "small", "voice", "written", "voice", "small", "full"]);
});

test("a climb that fails doubles the wait for the next, up to a bound", () => {
  const call = climber();
  const climbs = [];
  let before = "small";
  for (let second = 0; second < 4000; second += 1) {
    const { rung, now } = call.last(1, before === "voice" ? fine : slow);
    if (rung === "small" && before === "voice") climbs.push(now);
    before = rung;
  }
  const waits = climbs.slice(1).map((at, index) => at - climbs[index]);
  assert.ok(waits.length >= 5);
  for (const [index, wait] of waits.slice(1).entries()) {
    assert.ok(wait >= Math.min(1.6 * waits[index], MOST_WAIT_MS), `waits ${waits}`);
    assert.ok(wait <= MOST_WAIT_MS + 15_000);
  }
});

test("whatever the link does, the ladder is never faster than its hysteresis", () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const next = numbers(seed);
    const call = climber();
    let before = call.last(1, fine);
    let changed = 0;
    for (let second = 0; second < 300; second += 1) {
      const figures = {
        ...fine,
        available: next() < 0.1 ? null : next() * 1500,
        lossOut: next() < 0.1 ? null : next() ** 3,
        concealed: next() ** 2,
        packetsIn: next() < 0.2 ? 0 : 50,
      };
      const decision = call.last(1, figures);
      const step = height(decision.rung) - height(before.rung);
      if (step > 0) assert.ok(step === 1 && decision.now - changed >= UP_AFTER_MS, `seed ${seed}`);
      if (step < 0) assert.ok(decision.now - changed >= DOWN_AFTER_MS, `seed ${seed}`);
      if (step !== 0) changed = decision.now;
      before = decision;
    }
  }
});

test("the ladder never switches the voice off", () => {
  for (let seed = 1; seed <= 100; seed += 1) {
    const next = numbers(seed);
    const call = climber();
    for (let second = 0; second < 200; second += 1) {
      const figures = { ...fine, available: next() * 800, lossOut: next(), concealed: next(), packetsIn: next() < 0.5 ? 0 : 40 };
      const asked = RUNGS[Math.floor(next() * 4)];
      assert.equal(call.last(1, figures, { ...auto, asked }).sending.voice, true);
    }
  }
});

test("while packets of voice get through, it stays above writing", () => {
  for (const share of [0.2, 0.4, 0.6]) {
    const call = climber();
    const rungs = call.run(120, { ...slow, lossOut: share, concealed: share * 0.9, packetsIn: 8 }).map(({ rung, ask }) => [rung, ask]).flat();
    assert.ok(!rungs.includes("written"), `${share}`);
  }
});

test("what was lost before the picture was left out says nothing of the voice alone", () => {
  const call = climber();
  call.run(15, fine);
  const stale = { ...slow, lossOut: 0.9, lossAt: 1, concealed: 0.3, packetsIn: 8 };
  assert.equal(call.last(30, stale).rung, "voice");
  assert.equal(call.last(30, { ...stale, lossAt: 2 }).rung, "voice");
  assert.equal(call.last(5, { ...stale, lossAt: 3 }).rung, "written");
});

test("a link that was away for a while leaves the call where it stood", () => {
  for (const away of [3, 4, 5]) {
    const call = climber();
    call.run(15, fine);
    const nothing = { ...fine, packetsIn: 0, concealed: 0.5, sent: 0 };
    // The report of the time away, and an estimate that has to find itself again.
    const back = { ...fine, available: 80, lossOut: 0.9, lossAt: 5, concealed: 0.15 };
    const seen = [...call.run(away, nothing), ...call.run(2, back), ...call.run(20, fine)];
    assert.deepEqual([...new Set(seen.flatMap(({ rung, ask }) => [rung, ask]))], ["full"], `${away} s`);
  }
  const call = climber();
  call.run(15, fine);
  call.run(4, { ...fine, packetsIn: 0 });
  assert.equal(call.last(12, slow).rung, "voice");
});

test("by hand wins until it is given back", () => {
  const call = climber();
  call.run(15, fine);
  for (const chosen of ["voice", "small"]) {
    for (const figures of [fine, slow, lossy, middling]) {
      for (const { rung, reason, ask } of call.run(30, figures, { ...auto, chosen })) {
        assert.deepEqual([rung, reason, ask], [chosen, "chosen", chosen]);
      }
    }
  }
  assert.equal(call.last(1, fine, { ...auto, chosen: "written" }).sending.voice, false);
  const given = call.last(60, fine);
  assert.deepEqual([given.rung, given.sending.voice], ["full", true]);
});

test("what the other side cannot take is not sent, and comes back slowly", () => {
  const call = climber();
  call.run(15, fine);
  const asked = call.last(1, fine, { ...auto, asked: "voice" });
  assert.deepEqual([asked.rung, asked.reason], ["voice", "asked"]);
  assert.equal(call.last(100, fine, { ...auto, asked: "voice" }).rung, "voice");
  assert.equal(call.last(100, fine).rung, "full");
});

test("a voice that breaks asks the other side for less, one rung after the other", () => {
  const call = climber();
  call.run(15, fine);
  const breaking = { ...fine, concealed: 0.2 };
  assert.deepEqual(call.last(5, breaking, { ...auto, theirs: "full" }).ask, "small");
  const { ask, askReason } = call.last(4, breaking, { ...auto, theirs: "small" });
  assert.deepEqual([ask, askReason], ["voice", "voice_breaking"]);
  assert.equal(call.last(60, breaking, { ...auto, theirs: "voice" }).ask, "voice");
  assert.equal(call.last(120, fine).ask, "full");
  assert.equal(call.last(5, { ...fine, concealed: 0.5 }, { ...auto, theirs: "full" }).ask, "voice");
});

test("voice is sent twice where packets are lost, but not where there is no room for it", () => {
  const call = climber();
  assert.equal(call.last(5, fine).isRedundant, false);
  assert.equal(call.last(3, lossy).isRedundant, true);
  assert.equal(call.last(5, fine).isRedundant, true);
  assert.equal(call.last(5, { ...slow, lossOut: 0.15 }).isRedundant, false);
  assert.equal(call.last(1, { ...slow, lossOut: 0.15, spare: 15 }).isRedundant, false);
  assert.equal(call.last(3, { ...slow, lossOut: 0.15, spare: 45 }).isRedundant, true);
  // Twice 12 kbit/s fits where twice 16 does not.
  assert.equal(call.last(1, { ...slow, lossOut: 0.15, spare: 45 }).sending.voiceBitrate, 12_000);
  const again = climber();
  again.run(5, lossy);
  assert.equal(again.last(60, { ...middling, sent: 290 }).isRedundant, false);
  assert.equal(climber().last(20, fine).isRedundant, true);
});

test("where no still tells, a voice alone is sent twice as a trial, which ends when packets wait", () => {
  const losing = { ...slow, lossOut: 0.08, leastTripMs: 300, roundTripMs: 320 };
  const alone = { ...auto, asked: "voice" };
  const call = climber();
  const decisions = call.run(6, losing, alone);
  assert.deepEqual(decisions.map(({ isRedundant }) => isRedundant), [false, false, false, false, false, true]);
  assert.equal(call.last(30, { ...losing, roundTripMs: 450 }, alone).isRedundant, true);
  assert.equal(call.last(1, { ...losing, roundTripMs: 560 }, alone).isRedundant, false);
  assert.equal(call.last(59, losing, alone).isRedundant, false);
  assert.equal(call.last(1, losing, alone).isRedundant, true);
  assert.equal(climber().last(60, { ...losing, roundTripMs: 420 }, alone).isRedundant, false);
  const fallen = climber();
  fallen.run(5, lossy);
  // What is left of the picture on the link is not the voice's doing.
  fallen.run(5, { ...losing, roundTripMs: 800 });
  assert.equal(fallen.last(8, losing, alone).isRedundant, true);
  // Behind a still anything waits for a while; for longer, and the still was not all that was in the way.
  const told = climber();
  told.run(6, losing, alone);
  assert.equal(told.last(5, { ...losing, roundTripMs: 680, spare: 40 }, alone).isRedundant, true);
  assert.equal(told.last(1, { ...losing, roundTripMs: 720, spare: 40 }, alone).isRedundant, false);
});

test("where very much is lost a still that crawls says nothing against a voice sent twice", () => {
  const losing = { ...slow, lossOut: 0.3, leastTripMs: 300, roundTripMs: 330, spare: 4 };
  const alone = { ...auto, asked: "voice" };
  assert.equal(climber().last(20, losing, alone).isRedundant, true);
  assert.equal(climber().last(20, { ...losing, lossOut: 0.15 }, alone).isRedundant, false);
  // Packets that wait: it is the link that is narrow.
  assert.equal(climber().last(20, { ...losing, roundTripMs: 420 }, alone).isRedundant, false);
  const call = climber();
  call.run(20, losing, alone);
  assert.equal(call.last(5, { ...losing, roundTripMs: 600 }, alone).isRedundant, true);
  assert.equal(call.last(1, { ...losing, roundTripMs: 750 }, alone).isRedundant, false);
});

test("an estimate that losses alone have brought down does not take the picture away", () => {
  const losing = { ...slow, lossOut: 0.3, leastTripMs: 300, roundTripMs: 330, available: 40 };
  const call = climber();
  call.run(4, { ...losing, available: 400 });
  assert.deepEqual([call.last(30, losing).rung, call.last(1, losing).isRedundant], ["small", true]);
  // The same with packets that wait is a narrow link.
  assert.equal(call.last(10, { ...losing, roundTripMs: 900 }).rung, "voice");
  // What fell before the losses were known comes back by a trial, which the other side may end.
  assert.equal(call.last(60, losing).rung, "small");
});

test("stills that crawl are a reason not to try a picture", () => {
  const call = climber();
  assert.equal(call.last(8, slow).rung, "voice");
  assert.equal(call.last(100, { ...slow, spare: 30 }).rung, "voice");
  assert.equal(call.last(1, { ...slow, spare: 30 }).sending.still.width, 160);
  // A link of 64 kbit/s lets stills through at once, and would not carry a picture.
  const passable = call.last(100, { ...slow, spare: 70 });
  assert.deepEqual([passable.rung, passable.sending.still.width], ["voice", 320]);
  assert.equal(call.last(15, { ...fine, spare: 500 }).rung, "small");
});

const audio = (more) => ({ type: "inbound-rtp", kind: "audio", totalSamplesReceived: 0, concealedSamples: 0, silentConcealedSamples: 0, packetsReceived: 0, packetsLost: 0, jitterBufferDelay: 0, jitterBufferEmittedCount: 0, ...more });

test("figures are of the last second alone", () => {
  const reader = new LinkReader();
  const transport = { type: "transport", selectedCandidatePairId: "P" };
  const idle = { type: "candidate-pair", id: "Q", nominated: true, availableOutgoingBitrate: 0 };
  const pair = { type: "candidate-pair", id: "P", nominated: true, bytesSent: 12_500, availableOutgoingBitrate: 150_000, currentRoundTripTime: 0.3 };
  reader.read([audio({ totalSamplesReceived: 48_000, concealedSamples: 40_000, packetsReceived: 50 })], 1000);
  const after = audio({ totalSamplesReceived: 96_000, concealedSamples: 46_400, silentConcealedSamples: 1600, packetsReceived: 90, packetsLost: 10, jitterBufferDelay: 48 * 60, jitterBufferEmittedCount: 48_000 });
  const figures = reader.read([after, transport, pair, idle, { type: "inbound-rtp", kind: "video", framesDecoded: 5 }, { type: "remote-inbound-rtp", kind: "audio", fractionLost: 0.1, timestamp: 7 }], 2000);
  assert.deepEqual(figures, { available: 150, sent: 100, lossOut: 0.1, lossAt: 7, lossIn: 0.2, concealed: 0.1, roundTripMs: 300, leastTripMs: 300, bufferMs: 60, framesIn: 5, packetsIn: 40 });
  const slower = reader.read([transport, { ...pair, currentRoundTripTime: 0.7 }], 3000);
  assert.deepEqual([slower.roundTripMs, slower.leastTripMs], [700, 300]);
  assert.equal(reader.read([transport, { ...pair, currentRoundTripTime: 0.6 }], 12_500).leastTripMs, 600);
  assert.equal(reader.read([audio({})], 13_000).packetsIn, null);
  assert.deepEqual(new LinkReader().read([], 0).available, null);
});

const SDP = [
  "v=0",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0",
  "a=rtpmap:111 opus/48000/2",
  "a=fmtp:111 minptime=10;useinbandfec=1",
  "a=rtpmap:63 red/48000/2",
  "a=ptime:20",
  "a=maxptime:60",
  "m=video 9 UDP/TLS/RTP/SAVPF 96",
  "a=rtpmap:96 VP8/90000",
  "",
].join("\r\n");

test("a description says how the voice is to be packed, and says it once", () => {
  const narrow = shapedForVoice(SDP, { isRedundant: false, packetMs: 60, isAlone: false });
  assert.equal(narrow.match(/^a=ptime:60\r$/gm).length, 1);
  assert.ok(narrow.indexOf("a=ptime:60") < narrow.indexOf("m=video"));
  assert.equal(shapedForVoice(narrow, { isRedundant: false, packetMs: 60, isAlone: false }), narrow);
  const redundant = shapedForVoice(narrow, { isRedundant: true, packetMs: 20, isAlone: false });
  assert.match(redundant, /^m=audio 9 UDP\/TLS\/RTP\/SAVPF 63 111 9 0\r$/m);
  assert.doesNotMatch(redundant, /ptime:\d/);
  assert.match(shapedForVoice(redundant, { isRedundant: false, packetMs: 20, isAlone: false }), /SAVPF 111 63 9 0\r$/m);
  assert.match(redundant, /m=video 9 UDP\/TLS\/RTP\/SAVPF 96\r\na=rtpmap:96 VP8\/90000\r\n$/);
});

test("a voice that goes alone carries nothing that only pictures need", () => {
  const extension = "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n";
  const kept = "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n";
  const said = SDP.replace("a=ptime", `${extension}${kept}a=rtcp-fb:111 transport-cc\r\na=ptime`);
  const asking = `${said}${extension}a=rtcp-fb:96 goog-remb\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\n`;
  const alone = shapedForVoice(asking, { isRedundant: false, packetMs: 60, isAlone: true });
  assert.doesNotMatch(alone, /nack\r$|transport|wide/m);
  assert.match(alone, /goog-remb\r\na=rtcp-fb:96 nack pli\r$/m);
  assert.ok(alone.includes(kept));
  const both = shapedForVoice(asking, { isRedundant: false, packetMs: 60, isAlone: false });
  assert.equal(both.match(/transport-wide/g).length, 2);
});

test("an offer of the other side serves as its answer", () => {
  const offer = SDP.replace("a=ptime:20", "a=setup:actpass\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\na=end-of-candidates");
  assert.match(asAnswer(offer, "a=setup:active\r\n"), /^a=setup:passive\r$/m);
  assert.match(asAnswer(offer, "a=setup:passive\r\n"), /^a=setup:active\r$/m);
  assert.doesNotMatch(asAnswer(offer, ""), /candidate|\r\n\r\n/);
  const answer = SDP.replace("a=ptime:20", "a=setup:active");
  assert.equal(asAnswer(answer, "a=setup:actpass\r\n"), answer);
});

test("the least round trip after a moment is of those measured since", () => {
  const reader = new LinkReader();
  const transport = { type: "transport", selectedCandidatePairId: "P" };
  const pair = { type: "candidate-pair", id: "P", currentRoundTripTime: 0.04, responsesReceived: 1 };
  reader.read([transport, pair], 1000);
  // The same answer as before, and one to a question from before.
  reader.read([transport, pair], 2000);
  reader.read([transport, { ...pair, currentRoundTripTime: 0.9, responsesReceived: 2 }], 2500);
  assert.equal(reader.leastTripSince(1900), null);
  reader.read([transport, { ...pair, currentRoundTripTime: 0.5, responsesReceived: 3 }], 4000);
  reader.read([transport, { ...pair, currentRoundTripTime: 0.3, responsesReceived: 4 }], 5000);
  assert.equal(reader.leastTripSince(1900), 300);
  assert.equal(reader.leastTripSince(0), 40);
});

test("the next still waits for the last to be seen, or to be lost", () => {
  const line = new StillLine();
  assert.equal(line.isDue(0, 3000), true);
  assert.equal(line.begin(0, 6000), 1);
  assert.equal(line.isDue(9000, 3000), false);
  line.seen(7, 1000);
  assert.equal(line.isDue(9000, 3000), false);
  line.seen(1, 1300);
  assert.equal(line.isDue(2900, 3000), false);
  assert.equal(line.isDue(3000, 3000), true);
  line.begin(6000, 6000);
  assert.equal(line.isDue(26_000, 3000), true);
});

test("what a still got through is known once a round trip was measured after it", () => {
  const line = new StillLine();
  line.begin(0, 6000);
  line.seen(1, 1300);
  assert.equal(line.spare(() => null), null);
  assert.equal(line.spare(() => 300), 48);
  assert.equal(line.spare(() => 1400), null);
  line.begin(3000, 6000);
  line.seen(2, 3600);
  assert.equal(line.spare((moment) => (moment < 3000 ? 300 : 100)), 96);
  line.begin(6000, 6000);
  line.begin(26_000, 6000);
  assert.equal(line.spare((moment) => (moment < 6000 ? null : 100)), 0);
  line.forget();
  assert.equal(line.spare(() => 300), null);
});
