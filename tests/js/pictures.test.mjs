import assert from "node:assert/strict";
import { test } from "node:test";

import { LiveError } from "../../static/js/live.js";
import { OPEN_FOR_MS, PictureRefused, Pictures, takeSharp } from "../../static/js/pictures.js";
import { noteWords } from "../../static/js/pages/room-pictures.js";
import { Timers, settle } from "./timers.mjs";

/** A camera that can do so much, and what was asked of it. */
function cameraOf(most) {
  const before = { width: { ideal: 640 }, deviceId: { exact: "c" } };
  const track = {
    applied: [],
    settings: { width: 640, height: 480 },
    getCapabilities: () => (most ? { width: { max: most.width }, height: { max: most.height } } : {}),
    getConstraints: () => before,
    getSettings: () => track.settings,
    async applyConstraints(wish) {
      track.applied.push(wish);
      track.settings = wish === before ? { width: 640, height: 480 } : { ...most };
    },
  };
  return { track, before };
}

const FRAME = { frame: async (_track, { width, height }) => `frame ${width}x${height}`, photographer: () => null };

test("a picture has the most that the camera can give, and the camera has its own size back", async () => {
  const { track, before } = cameraOf({ width: 1920, height: 1080 });
  assert.equal(await takeSharp(track, FRAME), "frame 1920x1080");
  assert.deepEqual(track.applied, [
    { ...before, width: { ideal: 1920 }, height: { ideal: 1080 } },
    before,
  ]);
});

test("a camera that does not tell what it can do gives what it is set to", async () => {
  const { track } = cameraOf(null);
  assert.equal(await takeSharp(track, FRAME), "frame 640x480");
});

test("a camera that gives no frame has its own size back all the same", async () => {
  const { track, before } = cameraOf({ width: 1920, height: 1080 });
  const frame = () => Promise.reject(new Error("no frame"));
  await assert.rejects(takeSharp(track, { ...FRAME, frame }), /no frame/);
  assert.equal(track.applied.at(-1), before);
});

test("photographs are taken where they are better than the moving picture", async () => {
  const able = (imageWidth, imageHeight, takePhoto) => () => ({
    getPhotoCapabilities: async () => ({ imageWidth: { max: imageWidth }, imageHeight: { max: imageHeight } }),
    takePhoto,
  });
  const photo = async ({ imageWidth, imageHeight }) => `photo ${imageWidth}x${imageHeight}`;
  const take = (photographer) => takeSharp(cameraOf({ width: 1920, height: 1080 }).track, { ...FRAME, photographer });
  assert.equal(await take(able(4000, 3000, photo)), "photo 4000x3000");
  assert.equal(await take(able(1920, 1080, photo)), "frame 1920x1080");
  assert.equal(await take(able(4000, 3000, () => Promise.reject(new Error("x")))), "frame 1920x1080");
});

/** The station's side of a session, with a request in it. */
async function station(parts = {}) {
  const said = [];
  const state = { rung: "full", uploads: [] };
  const upload = (picture, signal) =>
    new Promise((resolve, refuse) => {
      signal.addEventListener("abort", () => refuse(new Error("aborted")));
      state.uploads.push({ picture, resolve, refuse });
    });
  const pictures = new Pictures({
    ask: async () => ({ ask: 5 }),
    answer: async (answer) => void said.push(answer),
    take: async () => "picture",
    upload,
    rung: () => state.rung,
    onChange: () => {},
    onTrouble: (what) => said.push(what),
    ...parts,
  });
  pictures.joined("own");
  pictures.gotEvent({ kind: "picture_asked", number: 5, name: "Hà", data: { to: "own" } });
  return { pictures, said, state };
}

/** With timers that the tests pass themselves. */
function timed(name, act) {
  test(name, async () => {
    const timers = new Timers().install();
    try {
      await act(timers);
    } finally {
      timers.restore();
    }
  });
}

timed("one press takes, sends and answers", async () => {
  const { pictures, said, state } = await station();
  assert.equal(pictures.asked.name, "Hà");
  void pictures.give();
  await settle();
  assert.equal(pictures.step, "sending");
  state.uploads[0].resolve("f1");
  await settle();
  assert.deepEqual(said, [{ ask: 5, outcome: "taken", file: "f1" }]);
  assert.deepEqual([pictures.asked, pictures.step], [null, ""]);
});

timed("nothing is taken without a press, and a request to somebody else is none of ours", async () => {
  const { pictures, said } = await station();
  pictures.gotEvent({ kind: "picture_asked", number: 6, name: "Hà", data: { to: "another" } });
  assert.equal(pictures.asked.number, 5);
  pictures.decline();
  assert.deepEqual(said, [{ ask: 5, outcome: "declined" }]);
  await pictures.give();
  assert.equal(said.length, 1);
});

for (const rung of ["voice", "written"]) {
  timed(`on a link for ${rung} alone the picture waits, and goes when it is better`, async () => {
    const { pictures, said, state } = await station();
    state.rung = rung;
    await pictures.give();
    assert.deepEqual([pictures.step, state.uploads.length], ["waiting", 0]);
    pictures.look();
    assert.deepEqual(said, [{ ask: 5, outcome: "waiting" }]);
    state.rung = "small";
    pictures.look();
    state.uploads[0].resolve("f1");
    await settle();
    assert.deepEqual(said.at(-1), { ask: 5, outcome: "taken", file: "f1" });
  });
}

timed("a link that gets weak stops the upload, and the person may send all the same", async () => {
  const { pictures, said, state } = await station();
  void pictures.give();
  await settle();
  state.rung = "voice";
  pictures.look();
  await settle();
  assert.equal(pictures.step, "waiting");
  void pictures.sendNow();
  pictures.look();
  await settle();
  assert.equal(pictures.step, "sending");
  state.uploads[1].resolve("f1");
  await settle();
  assert.deepEqual(said.map(({ outcome }) => outcome), ["waiting", "taken"]);
});

timed("an upload that broke is tried again, one that was refused is not", async (timers) => {
  const { pictures, said, state } = await station();
  void pictures.give();
  await settle();
  state.uploads[0].refuse(new Error("gone"));
  await settle();
  assert.equal(pictures.step, "waiting");
  await timers.pass(5000);
  state.uploads[1].refuse(new PictureRefused("full"));
  await settle();
  assert.deepEqual(said, [{ ask: 5, outcome: "waiting" }, { ask: 5, outcome: "failed" }, "refused"]);
  await timers.pass(60_000);
  assert.equal(state.uploads.length, 2);
});

timed("a camera without a picture is an answer too", async () => {
  const { pictures, said } = await station({ take: () => Promise.reject(new Error("busy")) });
  await pictures.give();
  assert.deepEqual(said, [{ ask: 5, outcome: "failed" }, "camera"]);
});

timed("a picture that was declined while it was on its way is not sent again", async (timers) => {
  const { pictures, said, state } = await station();
  void pictures.give();
  await settle();
  pictures.decline();
  await timers.pass(60_000);
  assert.deepEqual([said, state.uploads.length], [[{ ask: 5, outcome: "declined" }], 1]);
});

timed("what was said into a broken line is said again inside, what was refused is not", async () => {
  const tried = [];
  let error = new LiveError({ code: "link_lost" });
  const answer = (each) => (tried.push(each), error ? Promise.reject(error) : Promise.resolve());
  const { pictures } = await station({ answer });
  pictures.decline();
  await settle();
  error = new LiveError({ code: "picture_not_asked" });
  pictures.joined("own");
  await settle();
  pictures.joined("own");
  assert.deepEqual(tried, [{ ask: 5, outcome: "declined" }, { ask: 5, outcome: "declined" }]);
});

timed("a request that nobody answers does not keep the next one waiting", async (timers) => {
  const { pictures } = await station();
  assert.equal(pictures.asking("own").number, 5);
  await timers.pass(OPEN_FOR_MS);
  assert.equal(pictures.asking("own"), null);
  assert.equal(pictures.asked.number, 5);
});

test("the note at the camera has a way on and a way out", () => {
  for (const [step, isOff] of [["", false], ["", true], ["waiting", false]]) {
    const { text, act, decline } = noteWords("Hà", step, isOff);
    assert.ok(text && act && decline);
  }
  assert.equal(noteWords("Hà", "taking", false).act, "");
});
