import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import { ApiError, get, newKey, post, send } from "../../static/js/api.js";
import { settle, Timers } from "./timers.mjs";

const json = (status, body, headers = {}) =>
  new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json", ...headers } });

/** What fetch says when there is no network. */
const noNetwork = () => Promise.reject(new TypeError("Failed to fetch"));

/** A server that never answers; it notices only that the asker gives up. */
const silence = (_url, { signal }) =>
  new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

describe("a question to the server", () => {
  /** @type {Timers} */
  let timers;
  /** @type {{ url: string, init: any }[]} */
  let asked;
  const realFetch = globalThis.fetch;

  /** Answers in turn; each is called as fetch would be. */
  const script = (...answers) => {
    globalThis.fetch = /** @type {any} */ (
      (url, init) => {
        asked.push({ url, init });
        return answers.shift()(url, init);
      }
    );
  };
  const headers = () => asked.map(({ init }) => init.headers["Idempotency-Key"]);

  beforeEach(() => {
    timers = new Timers().install();
    asked = [];
  });
  afterEach(() => {
    timers.restore();
    globalThis.fetch = realFetch;
  });

  it("takes JSON and gives JSON", async () => {
    script(async () => json(200, { revision: 4 }));
    assert.deepEqual(await post("/draft", { revision: 3 }, { key: "k1" }), { revision: 4 });
    const [{ url, init }] = asked;
    assert.equal(url, "/draft");
    assert.equal(init.method, "POST");
    assert.equal(init.body, '{"revision":3}');
    assert.deepEqual(init.headers, {
      Accept: "application/json",
      "Content-Type": "application/json",
      "Idempotency-Key": "k1",
    });
    assert.deepEqual(timers.pending, []);
  });

  it("takes a picture as it is, and no key where none is wanted", async () => {
    const picture = new Blob(["x"], { type: "image/jpeg" });
    script(async () => json(200, {}));
    await send("POST", "/scan", { body: picture, key: "" });
    assert.equal(asked[0].init.body, picture);
    assert.deepEqual(asked[0].init.headers, { Accept: "application/json", "Content-Type": "image/jpeg" });
  });

  it("that only reads carries no key", async () => {
    script(async () => json(200, []));
    assert.deepEqual(await get("/worklist"), []);
    assert.deepEqual(headers(), [undefined]);
  });

  it("may be answered with nothing", async () => {
    script(async () => new Response(null, { status: 204 }));
    assert.equal(await post("/seen", {}), null);
  });

  it("is repeated under the same key when there was no answer", async () => {
    script(noNetwork, async () => json(503, { code: "busy" }), async () => json(200, { id: 1 }));
    const answer = post("/consults", {});
    await settle();
    await timers.pass(1000);
    await timers.pass(4000);
    assert.deepEqual(await answer, { id: 1 });
    assert.equal(new Set(headers()).size, 1);
    assert.equal(asked.length, 3);
  });

  it("waits as long as the server asks before it is repeated", async () => {
    script(async () => json(429, { code: "throttled" }, { "Retry-After": "30" }), async () => json(200, {}));
    const answer = post("/messages", {});
    await settle();
    assert.deepEqual(timers.pending, [30_000]);
    await timers.pass(30_000);
    await answer;
  });

  it("is given up after the last repetition, with the link as the reason", async () => {
    script(noNetwork);
    await assert.rejects(post("/draft", {}, { retries: 0 }), { code: "link_lost", status: 0, isUnanswered: true });
  });

  it("does not wait for ever", async () => {
    script(silence);
    const answer = assert.rejects(get("/slow", { retries: 0, timeout: 8000 }), { code: "no_answer" });
    await timers.pass(8000);
    await answer;
  });

  it("stops at once when the user gives up", async () => {
    script(silence);
    const user = new AbortController();
    const answer = assert.rejects(send("POST", "/upload", { signal: user.signal }), { code: "given_up" });
    user.abort();
    await answer;
    assert.equal(asked.length, 1);
  });

  it("that is refused is not repeated, and says which fields are wrong", async () => {
    script(async () =>
      json(422, {
        code: "invalid_form",
        message: "Có chỗ cần sửa",
        fields: [{ field: "spo2", code: "out_of_bounds", message: "SpO2 phải từ 30 đến 100" }],
        request_id: "r1",
      }),
    );
    const refusal = await post("/submit", {}).catch((error) => error);
    assert.ok(refusal instanceof ApiError);
    assert.equal(refusal.code, "invalid_form");
    assert.equal(refusal.message, "Có chỗ cần sửa");
    assert.deepEqual(refusal.fields, { spo2: "SpO2 phải từ 30 đến 100" });
    assert.equal(refusal.requestId, "r1");
    assert.equal(asked.length, 1);
  });

  it("that met a conflict hands on what the server has", async () => {
    script(async () => json(409, { code: "draft_conflict", message: "", current: { revision: 7 } }));
    const refusal = await post("/draft", {}).catch((error) => error);
    assert.deepEqual(refusal.data.current, { revision: 7 });
  });

  it("that ended on a page is an expired session", async () => {
    script(async () => new Response("<!doctype html>", { headers: { "Content-Type": "text/html" } }));
    await assert.rejects(get("/worklist"), { status: 401, code: "http_401" });
  });

  it("whose error is a page still gets words", async () => {
    script(async () => new Response("Bad gateway", { status: 500 }));
    await assert.rejects(get("/worklist"), { code: "http_500", message: "Máy chủ gặp lỗi. Thử lại sau một phút" });
  });

  it("that was cut in the middle of the answer is unanswered", async () => {
    script(async () => new Response('{"revision":', { headers: { "Content-Type": "application/json" } }));
    await assert.rejects(post("/draft", {}, { retries: 0 }), { isUnanswered: true });
  });
});

describe("a key", () => {
  it("is new each time", () => assert.notEqual(newKey(), newKey()));

  it("is as long where the browser has no randomUUID", (context) => {
    const { randomUUID } = crypto;
    context.after(() => Object.defineProperty(crypto, "randomUUID", { value: randomUUID, configurable: true }));
    Object.defineProperty(crypto, "randomUUID", { value: undefined, configurable: true });
    assert.match(newKey(), /^[0-9a-f]{32}$/);
  });
});
