import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import { TypedCards } from "../../static/js/typed-cards.js";
import { Timers } from "./timers.mjs";

const CARD = "011059000123|040123456|Lò Văn Pánh|12031959|Nam|Bản Co Chạy, Mường Pồn|01072021";

/** A field that takes what is typed, as a browser's does. */
class FakeField {
  events = [];
  maxLength = -1;
  constructor(value = "", start = value.length, end = start) {
    Object.assign(this, { value, selectionStart: start, selectionEnd: end });
  }
  setSelectionRange(start, end) {
    Object.assign(this, { selectionStart: start, selectionEnd: end });
  }
  dispatchEvent(event) {
    this.events.push(event.type);
  }
  focus() {
    page.focused = this;
  }
  insert(text) {
    const head = this.value.slice(0, this.selectionStart);
    const tail = this.value.slice(this.selectionEnd);
    if (this.maxLength >= 0 && head.length + tail.length >= this.maxLength) return;
    this.value = head + text + tail;
    this.setSelectionRange(head.length + text.length, head.length + text.length);
  }
}

const page = { focused: /** @type {any} */ (null), at: 0 };

describe("a hand scanner that types", () => {
  /** @type {Timers} */
  let timers;
  let taken;
  let home;
  let cards;

  beforeEach(() => {
    timers = new Timers().install();
    taken = [];
    home = new FakeField();
    page.focused = null;
    page.at = 10_000;
    cards = new TypedCards(/** @type {any} */ (home), (text) => taken.push(text), () => page.focused);
  });
  afterEach(() => timers.restore());

  /** One key; what it does by default is done unless somebody prevents it. */
  const press = (key, { gap = 8, shown = key, ...more } = {}) => {
    page.at += gap;
    const event = {
      key,
      timeStamp: page.at,
      target: page.focused ?? {},
      isPrevented: false,
      isStopped: false,
      preventDefault() {
        this.isPrevented = true;
      },
      stopPropagation() {
        this.isStopped = true;
      },
      ...more,
    };
    cards.gotKey(/** @type {any} */ (event));
    if (!event.isPrevented && shown.length === 1) page.focused?.insert?.(shown);
    return event;
  };
  const type = (text, how = {}) => [...text].map((key) => press(key, how));

  it("is read from the field for cards, and Enter sends nothing", () => {
    page.focused = home;
    type(CARD);
    const enter = press("Enter");
    assert.deepEqual(taken, [CARD]);
    assert.equal(enter.isPrevented, true);
    assert.equal(enter.isStopped, true);
    assert.equal(home.value, "");
  });

  for (const [what, before, start, end] of [
    ["an empty field", "", 0, 0],
    ["a field with text", "0912 345 678", 4, 4],
    ["a field with a selection", "Giàng A Thử", 0, 5],
  ]) {
    it(`leaves ${what} as it was`, () => {
      const field = new FakeField(before, start, end);
      page.focused = field;
      type(CARD);
      assert.notEqual(field.value, before);
      press("Enter");
      assert.deepEqual(taken, [CARD]);
      assert.equal(field.value, before);
      assert.deepEqual([field.selectionStart, field.selectionEnd], [start, end]);
      assert.deepEqual(field.events, ["input"]);
    });
  }

  it("is whole although the field takes only twenty letters", () => {
    const field = new FakeField("");
    field.maxLength = 20;
    page.focused = field;
    type(CARD);
    press("Enter");
    assert.deepEqual(taken, [CARD]);
    assert.equal(field.value, "");
  });

  it("goes to the field for cards when nothing has the focus", () => {
    type(CARD);
    assert.equal(page.focused, home);
    press("Enter");
    assert.deepEqual(taken, [CARD]);
    assert.equal(home.value, "");
  });

  it("presses no button with its blanks", () => {
    page.focused = { tagName: "BUTTON", value: "" };
    const events = type("1 2 3");
    assert.deepEqual(events.map((event) => event.isPrevented), [false, false, true, false, false]);
    assert.equal(home.value, "1 2 3");
  });

  it("chooses nothing from a list", () => {
    const list = { value: "01" };
    page.focused = list;
    press("0");
    list.value = "02";
    type("110");
    assert.equal(list.value, "01");
    assert.equal(home.value, "0110");
  });

  it("is read behind something that covers the page", () => {
    home.focus = () => {};
    page.focused = {};
    const events = type(CARD);
    assert.ok(events.slice(2).every((event) => event.isPrevented));
    press("Enter");
    assert.deepEqual(taken, [CARD]);
  });

  it("need not press Enter", async () => {
    page.focused = new FakeField("x");
    type(CARD);
    await timers.pass(1100);
    assert.deepEqual(taken, [CARD]);
    assert.equal(page.focused.value, "x");
  });

  for (const stop of [1, 2, 3, 20]) {
    it(`is whole although the machine stands still after ${stop} letters`, async () => {
      type(CARD.slice(0, stop));
      await timers.pass(3000);
      type(CARD.slice(stop));
      press("Enter");
      assert.deepEqual(taken, [CARD]);
      assert.equal(home.value, "");
    });
  }

  it("may end with an Enter that is not quick", () => {
    page.focused = new FakeField("");
    type(CARD);
    assert.equal(press("Enter", { gap: 300 }).isPrevented, true);
    assert.deepEqual(taken, [CARD]);
    assert.equal(page.focused.value, "");
  });

  for (const [what, gap] of [
    ["twice", 8],
    ["late", 900],
  ]) {
    it(`may press Enter ${what}, and nothing that was filled is sent`, async () => {
      page.focused = new FakeField("");
      type(CARD);
      if (what === "twice") press("Enter");
      else await timers.pass(1100);
      assert.deepEqual(taken, [CARD]);
      page.focused = new FakeField("Lò Văn Pánh");
      assert.equal(press("Enter", { gap }).isPrevented, true);
      // A hand that has looked at the form may.
      assert.equal(press("Enter", { gap: 1500 }).isPrevented, false);
      assert.equal(taken.length, 1);
    });
  }

  it("may press Tab", () => {
    page.focused = new FakeField("");
    type(CARD);
    assert.equal(press("Tab").isPrevented, true);
    assert.deepEqual(taken, [CARD]);
  });

  it("is taken once", async () => {
    type(CARD);
    press("Enter");
    await timers.pass(1000);
    assert.equal(taken.length, 1);
    type(CARD.replace("Pánh", "Pó"), { gap: 9 });
    press("Enter");
    assert.deepEqual(taken, [CARD, CARD.replace("Pánh", "Pó")]);
  });

  it("may give letters by their numbers", () => {
    const field = new FakeField("");
    page.focused = field;
    for (const letter of CARD) {
      if (letter < "\x7f") press(letter);
      else {
        for (const digit of String(letter.codePointAt(0))) press(digit, { altKey: true, shown: "" });
        field.insert(letter);
      }
    }
    press("Enter");
    assert.deepEqual(taken, [CARD]);
  });

  it("is told from a hand", () => {
    const field = new FakeField("");
    page.focused = field;
    type("a|b|c|d|e|f|g", { gap: 140 });
    const enter = press("Enter", { gap: 140 });
    assert.deepEqual(taken, []);
    assert.equal(enter.isPrevented, false);
    assert.equal(field.value, "a|b|c|d|e|f|g");
  });

  it("may read other codes, which stay where they fell", async () => {
    const field = new FakeField("");
    page.focused = field;
    type("8934567890123");
    const enter = press("Enter");
    await timers.pass(1000);
    assert.equal(enter.isPrevented, false);
    assert.equal(field.value, "8934567890123");
    assert.deepEqual(taken, []);
  });

  it("is not looked for in shortcuts and keys that are held", () => {
    for (const more of [{ ctrlKey: true }, { metaKey: true }, { repeat: true }]) type("     ", more);
    assert.equal(home.value, "");
    assert.equal(page.focused, null);
  });

  it("brings what an input method made of it, for the server to judge", () => {
    const field = new FakeField("");
    page.focused = field;
    // “aa” became “â”: the method hides its keys and changes the field.
    for (const letter of "DT4|4câ|1959|1|4c|11019") press(letter === "â" ? "Process" : letter, { shown: letter });
    press("Enter");
    assert.deepEqual(taken, ["DT4|4câ|1959|1|4c|11019"]);
  });
});
