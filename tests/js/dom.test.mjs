import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import { busy, find, findAll, icon, label, make, part, say, showLink, showUnsent, tickClocks, toast } from "../../static/js/dom.js";
import { FakeElement, build, openPage } from "./page.mjs";
import { Timers } from "./timers.mjs";

const MINUTE = 60_000;

describe("a page", () => {
  /** @type {Timers} */
  let timers;
  let page;
  const role = (name, ...children) => build("p", { "data-role": name }, ...children);

  beforeEach(() => {
    timers = new Timers().install();
    page = openPage(
      build("body", {}, role("link"), role("unsent"), role("says"), role("warns"), role("toasts")),
    );
  });
  afterEach(() => timers.restore());

  it("gives the element that was asked for, or says what is missing", () => {
    assert.equal(find(".k", FakeElement, build("div", {}, build("b", { class: "k" }))).tagName, "b");
    assert.throws(() => find(".none", FakeElement), /no \.none in the page/);
    class Input extends FakeElement {}
    assert.throws(() => find("p", Input), /p is not a Input/);
  });

  it("gives all elements of a kind", () => assert.equal(findAll("p", FakeElement).length, 5));

  it("gives nothing for a role it does without", () => assert.equal(part("minutes"), null));

  it("takes strings as text, never as markup", () => {
    const line = make("p", { class: "k", hidden: true, title: null, inert: false }, "<b>x</b>");
    assert.deepEqual(line.children, ["<b>x</b>"]);
    assert.deepEqual([...line.attributes], [["class", "k"], ["hidden", ""]]);
  });

  it("takes its marks from the sprite beside the modules", () => {
    const [use] = icon("send").children;
    assert.match(use.getAttribute("href"), /\/static\/icons\.svg#send$/);
  });

  it("replaces a label as a whole", () => {
    const place = build("span", {}, "trước");
    label(place, "done", "Đã lưu");
    assert.equal(place.textContent, "Đã lưu");
  });

  it("speaks a sentence again although it is the same", async () => {
    say("Đã lưu");
    await timers.pass(50);
    say("Đã lưu");
    assert.equal(part("says").textContent, "");
    await timers.pass(50);
    assert.equal(part("says").textContent, "Đã lưu");
  });

  it("is silent about a good link at first, and speaks of every change", async () => {
    showLink("ok");
    await timers.pass(50);
    assert.equal(part("says").textContent, "");
    showLink("off");
    await timers.pass(50);
    assert.equal(part("link").textContent, "Mất kết nối");
    assert.ok(part("link").classList.contains("e"));
    assert.equal(part("says").textContent, "Mất kết nối");
    showLink("weak");
    assert.equal(part("link").className, "w");
  });

  it("counts what is unsent in amber, and says so when there is nothing", () => {
    showUnsent(2);
    assert.equal(part("unsent").textContent, "2 chưa gửi");
    assert.ok(part("unsent").classList.contains("w"));
    showUnsent(0);
    assert.equal(part("unsent").textContent, "Đã gửi hết");
    assert.ok(!part("unsent").classList.contains("w"));
  });

  it("shows a toast for ten seconds", async () => {
    toast("Đã bỏ tệp");
    await timers.pass(9_999);
    assert.equal(part("toasts").textContent, "Đã bỏ tệp");
    await timers.pass(1);
    assert.equal(part("toasts").textContent, "");
  });

  it("offers a way back in a toast", () => {
    let isBack = false;
    toast("Đã bỏ tệp", { action: "Lấy lại", onAction: () => (isBack = true) });
    part("toasts").querySelector("button").click();
    assert.ok(isBack);
    assert.equal(part("toasts").textContent, "");
  });

  it("makes a button wait with its verb and gives it back", () => {
    const button = build("button", {}, "Nhận ca");
    const undo = busy(button, "Đang nhận ca…");
    assert.equal(button.textContent, "Đang nhận ca…");
    assert.equal(button.getAttribute("aria-busy"), "true");
    undo();
    assert.equal(button.textContent, "Nhận ca");
    assert.equal(button.getAttribute("aria-busy"), null);
  });

  describe("with a clock", () => {
    const due = Date.parse("2026-11-22T03:30:00Z");
    let clock;
    let bar;

    beforeEach(() => {
      clock = build("span", { class: "clock" });
      bar = build("progress");
      const attributes = { "data-due": "2026-11-22T03:30:00Z", "data-limit": "30", "data-about": "Lò Văn Pánh" };
      page.append(build("span", attributes, clock, bar));
    });

    it("counts down", () => {
      tickClocks(due - 19 * MINUTE);
      assert.equal(clock.textContent, "Còn 19\u00a0phút");
      assert.equal(bar.value, 11);
      assert.equal(bar.getAttribute("aria-label"), "Còn 19\u00a0phút");
      assert.ok(!clock.classList.contains("e"));
    });

    it("turns red when it is overdue", () => {
      tickClocks(due + 4.5 * MINUTE);
      assert.equal(clock.textContent, "Quá 4\u00a0phút");
      assert.equal(bar.value, 30);
      assert.ok(clock.classList.contains("e"));
    });

    it("speaks when half of the time is over and when all of it is, and at no other time", async () => {
      const spoken = [];
      for (const minutes of [20, 16, 14, 9, 1, -1, -5]) {
        part("says").replaceChildren();
        tickClocks(due - minutes * MINUTE);
        await timers.pass(50);
        spoken.push(part("says").textContent);
      }
      assert.deepEqual(spoken, [
        "", "", "Lò Văn Pánh: Còn 14\u00a0phút", "", "", "Lò Văn Pánh: Quá 1\u00a0phút", "",
      ]);
    });
  });
});
