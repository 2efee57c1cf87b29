import assert from "node:assert/strict";
import { test } from "node:test";

import { problemWords, situationOf, wordsOf } from "../../static/js/pages/room-words.js";

const peer = { name: "BS Hà", connected: true };
const facts = (more) => ({
  link: "up",
  out: "",
  refusal: "",
  isIn: true,
  peer: null,
  connection: "new",
  other: "BS Hà",
  isRinging: false,
  hasBeenCalled: false,
  ...more,
});

for (const [what, given, text, act] of [
  ["a good call says nothing", { peer, connection: "connected" }, "", undefined],
  ["coming in", { isIn: false }, "Đang vào phòng…", undefined],
  ["a call that rings", { isRinging: true, hasBeenCalled: true }, "Đang gọi BS Hà…", undefined],
  ["a call that nobody took", { hasBeenCalled: true }, "BS Hà chưa có trong phòng.", "call"],
  ["nobody was called", {}, "Chỉ có bạn trong phòng.", "call"],
  ["connecting", { peer }, "Đang nối hình và tiếng với BS Hà…", undefined],
  ["lost media", { peer, connection: "failed" }, "Mất hình và tiếng của BS Hà, đang nối lại.", undefined],
  ["left", { out: "left" }, "Bạn đã rời phòng.", "enter"],
  ["another page", { out: "replaced" }, "Bạn đang ở trong phòng trên một trang khác.", "enter"],
  ["media given up", { peer, isMediaLost: true }, "Không nối được hình và tiếng với BS Hà. Kiểm tra mạng, rồi nối lại.", "renew"],
  ["the server given up", { link: "lost", isIn: false, peer }, "Không nối lại được với máy chủ. Kiểm tra mạng, rồi nối lại.", "reconnect"],
  ["a join that failed", { out: "failed" }, "Chưa vào được phòng.", "enter"],
  ["no right any more", { out: "revoked" }, "Bạn không còn trong ca này.", "home"],
  ["the end", { out: "session_ended" }, "Buổi gọi đã kết thúc.", "home"],
  ["the server's words", { out: "revoked", refusal: "Phòng đã đủ 2 người" }, "Phòng đã đủ 2 người", "home"],
  ["signed out", { link: "refused", out: "revoked" }, "Phiên làm việc đã hết.", "sign_in"],
]) {
  test(`${what}: ${text || "silence"}`, () => {
    const situation = situationOf(facts(given));
    assert.equal(situation.text, text);
    assert.equal(situation.act, act);
    assert.equal(Boolean(situation.act), Boolean(situation.label));
  });
}

test("a broken line is told by whose it is", () => {
  const own = situationOf(facts({ isIn: false, link: "connecting", peer, connection: "connected" }));
  const theirs = situationOf(facts({ peer: { ...peer, connected: false }, connection: "connected" }));
  assert.match(own.text, /^Mất kết nối với máy chủ/);
  assert.match(theirs.text, /^BS Hà mất kết nối/);
  assert.deepEqual([own.tone, theirs.tone], ["w", "w"]);
});

test("unknown events of the log say nothing", () => {
  assert.equal(wordsOf("something_new", "BS Hà"), "");
  assert.equal(wordsOf("participant_joined", "BS Hà"), "BS Hà vào phòng");
});

test("every trouble with a device says what to do", () => {
  for (const problem of ["denied", "absent", "busy", "insecure", "failed"]) {
    assert.match(problemWords("audio", problem), /micrô/);
  }
});
