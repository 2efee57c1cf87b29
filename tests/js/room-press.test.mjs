import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import { LiveError } from "../../static/js/live.js";
import { press } from "../../static/js/pages/room-press.js";
import { build, openPage } from "./page.mjs";
import { Timers } from "./timers.mjs";

describe("a press that the server may refuse", () => {
  /** @type {Timers} */
  let timers;
  let button;
  let toasts;

  beforeEach(() => {
    timers = new Timers().install();
    button = build("button", {}, "Mời");
    toasts = build("div", { "data-role": "toasts" });
    openPage(build("body", {}, button, toasts));
  });
  afterEach(() => timers.restore());

  it("keeps the button busy until it is done", async () => {
    const isDone = await press(button, async () => assert.equal(button.getAttribute("aria-busy"), "true"));
    assert.equal(isDone, true);
    assert.equal(button.getAttribute("aria-busy"), null);
    assert.equal(toasts.textContent, "");
  });

  it("says a refusal in its words, and lets go of the button", async () => {
    const refused = new LiveError({ code: "already_inside", message: "Người này đang ở trong phòng" });
    assert.equal(await press(button, () => Promise.reject(refused)), false);
    assert.equal(toasts.textContent, "Người này đang ở trong phòng");
    assert.equal(button.getAttribute("aria-busy"), null);
  });

  it("hides no mistake of the page itself", async () => {
    await assert.rejects(press(null, () => Promise.reject(new TypeError("mistake"))), /mistake/);
    await assert.rejects(press(button, () => Promise.reject(new TypeError("mistake"))), /mistake/);
    assert.equal(button.getAttribute("aria-busy"), null);
  });
});
