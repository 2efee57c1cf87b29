import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import { ApiError } from "../../static/js/api.js";
import { CardCamera } from "../../static/js/card-camera.js";
import { settle, Timers } from "./timers.mjs";

const CARD = "011059000123|040123456|Lò Văn Pánh|12031959|Nam|Bản Co Chạy|01072021";
const ANSWER = { fields: { full_name: "Lò Văn Pánh" }, existing: null };
const ABSENT = new ApiError("qr_absent", "Chưa thấy mã", { status: 422, fields: { picture: "Chưa thấy mã" } });

class FakeTrack extends EventTarget {
  isStopped = false;
  stop() {
    this.isStopped = true;
  }
}

/** Everything around the camera; what it finds is up to the test. */
class Desk {
  tracks = [];
  asked = [];
  sent = [];
  cards = [];
  states = [];
  detections = 0;
  video = { srcObject: null, play: async () => {} };
  /** @type {() => Promise<any>} */
  answer = async () => Promise.reject(ABSENT);
  picture = new Blob(["x"], { type: "image/jpeg" });
  permission = async () => {};

  constructor(timers) {
    this.timers = timers;
  }

  camera(find = null) {
    const detector = find && { detect: async () => ((this.detections += 1), find(this.detections)) };
    const parts = {
      video: this.video,
      media: { getUserMedia: (wishes) => this.#allow(wishes) },
      detector,
      grab: async () => this.picture,
      ask: (picture, signal) => {
        this.sent.push({ at: this.timers.now, picture, signal });
        return this.answer(signal);
      },
      now: () => this.timers.now,
    };
    return new CardCamera(/** @type {any} */ (parts), {
      onCard: (card) => this.cards.push({ card, isOff: this.isOff }),
      onState: (state, words) => this.states.push(words ? `${state}: ${words}` : state),
    });
  }

  get isOff() {
    return this.video.srcObject === null && this.tracks.every((track) => track.isStopped);
  }

  async #allow(wishes) {
    this.asked.push(wishes);
    await this.permission();
    const track = new FakeTrack();
    this.tracks.push(track);
    return { getTracks: () => [track], getVideoTracks: () => [track] };
  }
}

describe("a camera that looks for a card", () => {
  /** @type {Timers} */
  let timers;
  /** @type {Desk} */
  let desk;
  const code = (text) => async () => [{ rawValue: text }];
  const pass = async (ms, step = 100) => {
    for (let past = 0; past < ms; past += step) await timers.pass(step);
  };
  const refusal = (name) => () => Promise.reject(new DOMException("no", name));

  beforeEach(() => {
    timers = new Timers().install();
    desk = new Desk(timers);
  });
  afterEach(() => timers.restore());

  it("asks for the one at the back and for no sound", async () => {
    desk.camera().open();
    await settle();
    assert.deepEqual(Object.keys(desk.asked[0]), ["video"]);
    assert.deepEqual(desk.asked[0].video.facingMode, { ideal: "environment" });
  });

  it("reads here and sends nothing where the browser reads codes", async () => {
    const camera = desk.camera((count) => (count < 4 ? [] : [{ rawValue: CARD }]));
    camera.open();
    await pass(1000);
    assert.deepEqual(desk.cards, [{ card: { text: CARD }, isOff: true }]);
    assert.deepEqual(desk.states, ["opening", "looking"]);
    assert.equal(desk.detections, 4);
    assert.deepEqual(desk.sent, []);
    assert.equal(camera.isRemote, false);
    assert.deepEqual(timers.pending, []);
  });

  it("goes on when it sees another code, and says what it looks for", async () => {
    desk.camera((count) => [{ rawValue: count < 3 ? "https://example.test/" : CARD }]).open();
    await pass(1000);
    assert.deepEqual(desk.states, ["opening", "looking", "strange", "strange"]);
    assert.equal(desk.cards.length, 1);
  });

  it("turns to the server when the browser's reader fails time after time", async () => {
    desk.answer = async () => ANSWER;
    const camera = desk.camera(async () => Promise.reject(new Error("no service")));
    camera.open();
    await pass(800);
    assert.equal(desk.sent.length, 0);
    await pass(400);
    assert.equal(camera.isRemote, true);
    assert.deepEqual(desk.cards, [{ card: { answer: ANSWER }, isOff: true }]);
  });

  it("forgives a reader that fails now and then", async () => {
    const camera = desk.camera(async (count) => (count % 5 ? Promise.reject(new Error("busy")) : []));
    camera.open();
    await pass(10_000);
    assert.equal(camera.isRemote, false);
    assert.deepEqual(desk.sent, []);
  });

  it("sends one picture at a time, 700 ms apart at least", async () => {
    let free = () => {};
    desk.answer = () => new Promise((_resolve, reject) => (free = () => reject(ABSENT)));
    desk.camera().open();
    await pass(2000);
    assert.equal(desk.sent.length, 1);
    free();
    await pass(200);
    assert.equal(desk.sent.length, 2);
    desk.answer = () => Promise.reject(ABSENT);
    free();
    await pass(3000);
    const gaps = desk.sent.slice(2).map(({ at }, index) => at - desk.sent[index + 1].at);
    assert.ok(gaps.length >= 3);
    assert.ok(gaps.every((gap) => gap >= 700 && gap <= 800), String(gaps));
  });

  it("hands over what the server read, with the camera off", async () => {
    desk.answer = async () => (desk.sent.length < 3 ? Promise.reject(ABSENT) : ANSWER);
    desk.camera().open();
    await pass(3000);
    assert.deepEqual(desk.cards, [{ card: { answer: ANSWER }, isOff: true }]);
    assert.equal(desk.sent.length, 3);
    assert.deepEqual(timers.pending, []);
  });

  it("waits for the first picture", async () => {
    desk.picture = null;
    desk.camera().open();
    await pass(2000);
    assert.deepEqual(desk.sent, []);
  });

  for (const find of [null, () => []]) {
    it(`gives up after half a minute, ${find ? "looking here" : "asking the server"}, and may go on`, async () => {
      const camera = desk.camera(find);
      camera.open();
      await pass(31_000);
      assert.equal(desk.states.at(-1), "tired");
      assert.equal(desk.isOff, true);
      assert.ok(desk.sent.length <= 43, String(desk.sent.length));
      assert.deepEqual(timers.pending, []);
      camera.open();
      await settle();
      assert.equal(desk.tracks.length, 2);
      assert.equal(desk.isOff, false);
      camera.close();
    });
  }

  for (const [name, state] of [
    ["NotAllowedError", "denied"],
    ["NotFoundError", "absent"],
    ["NotReadableError", "busy"],
    ["OverconstrainedError", "absent"],
    ["TypeError", "failed"],
  ]) {
    it(`says ${state} for ${name}`, async () => {
      desk.permission = refusal(name);
      desk.camera().open();
      await settle();
      assert.deepEqual(desk.states, ["opening", state]);
      assert.deepEqual(timers.pending, []);
    });
  }

  it("says so when the camera is pulled out, and stops", async () => {
    desk.camera().open();
    await pass(1000);
    desk.tracks[0].dispatchEvent(new Event("ended"));
    const { length } = desk.sent;
    await pass(5000);
    assert.equal(desk.states.at(-1), "busy");
    assert.equal(desk.sent.length, length);
    assert.equal(desk.isOff, true);
  });

  it("is off at once when it is closed, and what was on its way counts no more", async () => {
    let arrive = () => {};
    desk.answer = () => new Promise((resolve) => (arrive = () => resolve(ANSWER)));
    const camera = desk.camera();
    camera.open();
    await pass(100);
    camera.close();
    assert.equal(desk.isOff, true);
    assert.equal(desk.sent[0].signal.aborted, true);
    arrive();
    await pass(5000);
    assert.deepEqual(desk.cards, []);
    assert.equal(desk.sent.length, 1);
    assert.deepEqual(timers.pending, []);
  });

  it("lets go of a camera that is allowed after it was closed", async () => {
    let allow = () => {};
    desk.permission = () => new Promise((resolve) => (allow = () => resolve(undefined)));
    const camera = desk.camera();
    camera.open();
    camera.close();
    allow();
    await settle();
    assert.equal(desk.tracks[0].isStopped, true);
    assert.equal(desk.video.srcObject, null);
    assert.deepEqual(desk.states, ["opening"]);
  });

  it("says what is wrong with the link, waits as long as it is told, and goes on", async () => {
    const slow = new ApiError("too_many_attempts", "Chờ 4 giây", { status: 429, retryAfter: 4 });
    const lost = new ApiError("link_lost", "Mất kết nối");
    const answers = [slow, lost];
    desk.answer = async () => (answers.length ? Promise.reject(answers.shift()) : ANSWER);
    desk.camera().open();
    await pass(3900);
    assert.equal(desk.sent.length, 1);
    await pass(1500);
    assert.deepEqual(desk.states, ["opening", "looking", "link: Chờ 4 giây", "link: Mất kết nối"]);
    assert.equal(desk.cards.length, 1);
  });

  it("says what the server says of a code that is no card, and goes on", async () => {
    const strange = new ApiError("qr_unknown", "Đây không phải", { status: 422, fields: { qr: "Đây không phải" } });
    desk.answer = async () => Promise.reject(desk.sent.length < 2 ? strange : ABSENT);
    desk.camera().open();
    await pass(1000);
    assert.deepEqual(desk.states, ["opening", "looking", "strange: Đây không phải", "looking"]);
  });

  it("ends with the words of a refusal that stays", async () => {
    desk.answer = async () => Promise.reject(new ApiError("http_401", "Phiên đã hết", { status: 401 }));
    desk.camera().open();
    await pass(5000);
    assert.deepEqual(desk.states, ["opening", "looking", "refused: Phiên đã hết"]);
    assert.equal(desk.sent.length, 1);
    assert.equal(desk.isOff, true);
  });

  it("takes a card-like code that only the server can judge", async () => {
    desk.camera(code("a|b|c|d|e|f")).open();
    await pass(100);
    assert.deepEqual(desk.cards[0].card, { text: "a|b|c|d|e|f" });
  });
});
