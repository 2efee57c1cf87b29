import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import { ApiError } from "../../static/js/api.js";
import { Draft, differences, readFields, same, writeFields } from "../../static/js/drafts.js";
import { settle, Timers } from "./timers.mjs";

/** One page with one draft: a form that is a plain object, a device that is a variable, a scripted server. */
class Page {
  values = { reason: "" };
  kept = null;
  deviceFails = false;
  /** @type {(Error | null)[]} */
  failures = [];
  /** @type {import("../../static/js/drafts.js").Attempt[]} */
  sent = [];
  serverRevision = 3;
  states = [];

  constructor({ revision = 3, kept = null, values = { reason: "" } } = {}) {
    this.values = values;
    this.kept = kept;
    this.serverRevision = revision;
    this.draft = new Draft({
      read: () => structuredClone(this.values),
      write: (values) => (this.values = structuredClone(values)),
      device: {
        get: async () => this.kept,
        put: async (copy) => {
          if (this.deviceFails) throw new Error("full");
          this.kept = structuredClone(copy);
        },
        remove: async () => {
          this.kept = null;
        },
      },
      save: async (attempt) => {
        this.sent.push(structuredClone(attempt));
        const failure = this.failures.shift();
        if (failure) throw failure;
        this.serverRevision += 1;
        return { revision: this.serverRevision };
      },
      show: (state) => this.states.push(state),
      revision,
      now: () => 1000,
    });
  }

  type(text) {
    this.values = { ...this.values, reason: text };
    this.draft.touch();
  }

  get shown() {
    return this.states.map((state) => state.kind);
  }
}

const lost = () => new ApiError("link_lost", "Mất kết nối");
const conflict = (revision, values) =>
  new ApiError("draft_conflict", "Có bản mới hơn", { status: 409, data: { current: { revision, values } } });

describe("a draft that is typed", () => {
  /** @type {Timers} */
  let timers;
  beforeEach(() => (timers = new Timers().install()));
  afterEach(() => timers.restore());

  it("goes out half a second after the last key, once", async () => {
    const page = new Page();
    page.type("Sốt");
    await timers.pass(499);
    page.type("Sốt 3 ngày");
    await timers.pass(499);
    assert.equal(page.sent.length, 0);
    await timers.pass(1);
    assert.deepEqual(
      page.sent.map(({ values, revision }) => ({ values, revision })),
      [{ values: { reason: "Sốt 3 ngày" }, revision: 3 }],
    );
    assert.equal(page.draft.revision, 4);
    assert.deepEqual(page.states, [{ kind: "server", at: 1000 }]);
  });

  it("is on the device before it is sent and leaves it once the server has it", async () => {
    const page = new Page();
    page.type("Sốt");
    const flushed = page.draft.flush();
    await settle();
    assert.equal(await flushed, "safe");
    assert.equal(page.kept, null);
    assert.ok(page.draft.isSafe);
  });

  it("stays on the device and is sent again when the link is lost", async () => {
    const page = new Page();
    page.failures = [lost()];
    page.type("Sốt");
    assert.equal(await page.draft.flush(), "unanswered");
    assert.deepEqual(page.shown, ["device"]);
    assert.equal(page.kept.values.reason, "Sốt");
    assert.equal(page.kept.isSent, false);
    await timers.pass(2000);
    assert.deepEqual(page.shown, ["device", "server"]);
    assert.equal(page.kept, null);
  });

  it("repeats an unanswered attempt as it was, under its key, before it sends newer text", async () => {
    const page = new Page();
    page.failures = [lost()];
    page.type("Sốt");
    await page.draft.flush();
    page.type("Sốt, ho");
    await page.draft.flush();
    const [first, again, newer] = page.sent;
    assert.deepEqual(again, first);
    assert.deepEqual(newer.values, { reason: "Sốt, ho" });
    assert.equal(newer.revision, 4);
    assert.notEqual(newer.key, first.key);
  });

  it("says in red that it stands only in the page when neither device nor server took it", async () => {
    const page = new Page();
    page.deviceFails = true;
    page.failures = [lost()];
    page.type("Sốt");
    await page.draft.flush();
    assert.deepEqual(page.shown, ["failed"]);
    assert.ok(page.draft.isAtRisk);
    assert.equal(page.values.reason, "Sốt");
  });

  it("is safe without a device when the server takes it", async () => {
    const page = new Page();
    page.deviceFails = true;
    page.type("Sốt");
    assert.equal(await page.draft.flush(), "safe");
    assert.deepEqual(page.shown, ["server"]);
  });

  it("is not sent again by itself after a refusal", async () => {
    const page = new Page();
    page.failures = [new ApiError("too_long", "Quá dài", { status: 422 })];
    page.type("Sốt");
    assert.equal(await page.draft.flush(), "refused");
    await timers.pass(600_000);
    assert.equal(page.sent.length, 1);
    assert.deepEqual(page.states, [{ kind: "failed", status: 422, message: "Quá dài" }]);
    assert.equal(page.kept.values.reason, "Sốt");
  });

  it("tells an expired session apart, so that the form waits", async () => {
    const page = new Page();
    page.failures = [new ApiError("unauthenticated", "Đăng nhập lại", { status: 401 })];
    page.type("Sốt");
    assert.equal(await page.draft.flush(), "signed_out");
  });

  it("says that it is on the device while a slow server has not answered", async () => {
    const page = new Page();
    let answer = () => {};
    page.draft = new Draft({
      read: () => page.values,
      write: () => {},
      device: { get: async () => null, put: async () => {}, remove: async () => {} },
      save: () => new Promise((resolve) => (answer = () => resolve({ revision: 4 }))),
      show: (state) => page.states.push(state),
      revision: 3,
    });
    page.draft.touch();
    const flushed = page.draft.flush();
    await settle();
    await timers.pass(2000);
    assert.deepEqual(page.shown, ["device"]);
    answer();
    await flushed;
    assert.deepEqual(page.shown, ["device", "server"]);
  });

  it("sends what was typed while it was being sent", async () => {
    const page = new Page();
    page.type("Sốt");
    const flushed = page.draft.flush();
    page.type("Sốt, ho");
    await flushed;
    assert.ok(page.draft.isSafe);
    assert.deepEqual(page.sent.at(-1)?.values, { reason: "Sốt, ho" });
  });
});

describe("a draft that comes back", () => {
  const copy = (more) => ({ values: { reason: "Sốt" }, revision: 3, isSent: false, attempt: null, other: null, ...more });

  it("is put into the form and sent", async () => {
    const page = new Page({ kept: copy({}) });
    await page.draft.resume();
    assert.equal(page.values.reason, "Sốt");
    assert.equal(page.sent.length, 1);
    assert.equal(page.kept, null);
  });

  it("is forgotten when the server already has the same", async () => {
    const page = new Page({ kept: copy({}), values: { reason: "Sốt" }, revision: 4 });
    await page.draft.resume();
    assert.equal(page.sent.length, 0);
    assert.equal(page.kept, null);
  });

  it("goes on over its own attempt that arrived without an answer", async () => {
    const attempt = { values: { reason: "Số" }, revision: 3, key: "k" };
    const page = new Page({ kept: copy({ attempt }), values: { reason: "Số" }, revision: 4 });
    await page.draft.resume();
    assert.equal(page.values.reason, "Sốt");
    assert.deepEqual(page.shown, ["server"]);
    assert.equal(page.sent[0].revision, 4);
  });

  it("stands beside a newer text of the server, and nothing is sent until one is chosen", async () => {
    const page = new Page({ kept: copy({}), values: { reason: "Ho" }, revision: 5 });
    await page.draft.resume();
    assert.deepEqual(page.states, [{ kind: "conflict", mine: { reason: "Sốt" }, theirs: { reason: "Ho" } }]);
    assert.equal(page.sent.length, 0);
    assert.equal(await page.draft.flush(), "conflict");
  });

  it("shows nothing when the device has nothing", async () => {
    const page = new Page();
    await page.draft.resume();
    assert.deepEqual(page.states, []);
  });

  it("survives a device that cannot be read", async () => {
    const page = new Page();
    Object.defineProperty(page, "kept", { get: () => { throw new Error("broken"); } });
    await page.draft.resume();
    assert.deepEqual(page.states, []);
  });
});

describe("two texts of one draft", () => {
  const inConflict = async () => {
    const page = new Page();
    page.failures = [conflict(7, { reason: "Ho" })];
    page.serverRevision = 7;
    page.values = { reason: "Sốt" };
    page.draft.touch();
    await page.draft.flush();
    return page;
  };

  it("are both shown", async () => {
    const page = await inConflict();
    assert.deepEqual(page.states, [{ kind: "conflict", mine: { reason: "Sốt" }, theirs: { reason: "Ho" } }]);
  });

  it("leave mine on the server and keep theirs aside when mine is chosen", async () => {
    const page = await inConflict();
    await page.draft.choose("mine");
    assert.deepEqual(page.sent.at(-1)?.values, { reason: "Sốt" });
    assert.equal(page.sent.at(-1)?.revision, 7);
    assert.deepEqual(page.kept.other, { reason: "Ho" });
    assert.equal(page.kept.isSent, true);
  });

  it("put theirs into the form and keep mine aside when theirs is chosen", async () => {
    const page = await inConflict();
    await page.draft.choose("theirs");
    assert.deepEqual(page.values, { reason: "Ho" });
    assert.deepEqual(page.kept.other, { reason: "Sốt" });
  });

  it("are one when they say the same", async () => {
    const page = new Page();
    page.failures = [conflict(7, { reason: "Sốt" })];
    page.values = { reason: "Sốt" };
    page.draft.touch();
    assert.equal(await page.draft.flush(), "safe");
    assert.equal(page.draft.revision, 7);
  });

  it("show the kept one again on the next visit until it is dropped", async () => {
    const before = await inConflict();
    await before.draft.choose("mine");
    const page = new Page({ kept: before.kept, values: before.values, revision: 8 });
    await page.draft.resume();
    assert.deepEqual(page.states, [{ kind: "kept_aside", other: { reason: "Ho" } }]);
    await page.draft.dropOther();
    assert.equal(page.kept, null);
  });
});

describe("values of a form", () => {
  const field = (name, value, more = {}) => ({ name, value, type: "text", dataset: {}, ...more });

  it("are texts, lists for repeated names and boxes, and never secrets or files", () => {
    const values = readFields([
      field("reason", "Sốt"),
      field("questions", "một", { dataset: { list: "" } }),
      field("drugs", "a"),
      field("drugs", "b"),
      field("urgency", "routine", { type: "radio", checked: false }),
      field("urgency", "urgent", { type: "radio", checked: true }),
      field("purposes", "consult", { type: "checkbox", checked: true }),
      field("purposes", "teaching", { type: "checkbox", checked: false }),
      field("password", "bí mật", { type: "password" }),
      field("revision", "3", { type: "hidden" }),
      field("photo", "C:\\fakepath", { type: "file" }),
      field("", "không tên"),
    ]);
    assert.deepEqual(values, {
      reason: "Sốt",
      questions: ["một"],
      drugs: ["a", "b"],
      urgency: "urgent",
      purposes: ["consult"],
    });
  });

  it("go back into the same fields", () => {
    const fields = [
      field("reason", ""),
      field("drugs", "x"),
      field("drugs", "y"),
      field("urgency", "urgent", { type: "radio", checked: false }),
      field("purposes", "consult", { type: "checkbox", checked: true }),
      field("other", "như cũ"),
    ];
    writeFields(fields, { reason: "Sốt", drugs: ["a"], urgency: "urgent", purposes: [] });
    assert.deepEqual(
      fields.map((each) => each.checked ?? each.value),
      ["Sốt", "a", "", true, false, "như cũ"],
    );
  });

  it("are the same when only empty fields, blanks at the ends and line ends differ", () => {
    assert.ok(same({ a: " một\r\nhai", list: ["x", ""] }, { a: "một\nhai ".normalize("NFD"), list: ["x"], c: "" }));
    assert.deepEqual(differences({ a: "1", b: "2" }, { a: "1", b: "3" }), ["b"]);
  });
});
