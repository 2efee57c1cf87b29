import assert from "node:assert/strict";
import { test } from "node:test";

import { recordingShown, recordingWords } from "../../static/js/pages/recording-words.js";

const view = (state, waits_for = [], agreed = []) => ({ uid: "r", state, waits_for, agreed, started_at: null });
const shown = (given, who = {}) =>
  recordingShown({ view: given, own: "me", maySteer: false, isStation: false, nameOf: (id) => `BS ${id}`, ...who });

test("nothing is shown of what is not there, or over", () => {
  for (const given of [null, view("refused"), view("stopped", ["me"])]) {
    assert.deepEqual(shown(given, { maySteer: true }), { tone: "off", text: "", isAsked: false, acts: [] });
  }
});

test("who is asked reads the question and has two answers, whatever their role", () => {
  const { isAsked, acts, tone } = shown(view("asked", ["me", "patient"]));
  assert.deepEqual([isAsked, acts, tone], [true, ["agree", "refuse"], "asked"]);
});

test("the station answers for the patient too, and goes on when only the patient is open", () => {
  const station = { isStation: true, maySteer: true };
  assert.deepEqual(shown(view("asked", ["me", "patient"]), station).acts, ["patient", "agree", "refuse", "stop"]);
  assert.deepEqual(shown(view("asked", ["patient"], ["me"]), station).acts, ["patient", "refuse", "stop", "withdraw"]);
});

test("whoever waits is told for whom", () => {
  assert.equal(shown(view("asked", ["him", "patient"], ["me"])).text, "Xin phép ghi: chờ BS him, người bệnh trả lời.");
  assert.equal(shown(view("awaiting", ["him"], ["me"])).text, "Tạm dừng ghi, chờ BS him trả lời.");
});

test("a running recording is on for everybody, and can be taken back by everybody", () => {
  const { tone, text, acts } = shown(view("running", [], ["me", "patient"]));
  assert.deepEqual([tone, text, acts], ["on", "Đang ghi", ["withdraw"]]);
  const steering = shown(view("running", [], ["me", "patient"]), { maySteer: true, isStation: true });
  assert.deepEqual(steering.acts, ["pause", "stop", "withdraw", "withdraw-patient"]);
  assert.deepEqual(shown(view("paused", [], []), { maySteer: true }).acts, ["resume", "stop"]);
});

test("the log tells whose answer it was", () => {
  assert.equal(recordingWords("recording_agreed", "BS Hà", {}), "BS Hà đồng ý cho ghi");
  assert.equal(recordingWords("recording_agreed", "BS Hà", { patient: "yes" }), "Người bệnh đồng ý cho ghi, BS Hà ghi nhận");
  assert.equal(recordingWords("recording_kept", "", { files: 0 }), "");
  assert.equal(recordingWords("chat", "BS Hà", {}), "");
});
