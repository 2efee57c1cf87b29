import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { formatBytes, formatDate, formatDateTime, formatNumber, formatRemaining, formatTime, t } from "../../static/js/i18n.js";

const MORNING = "2026-11-22T02:41:52Z";

describe("words", () => {
  it("are their own Vietnamese", () => assert.equal(t("Gửi yêu cầu"), "Gửi yêu cầu"));

  it("take what belongs into their places", () =>
    assert.equal(t("{name} đã xem {time}", { name: "Bác sĩ Hà", time: "10:00" }), "Bác sĩ Hà đã xem 10:00"));

  it("leave a place open that nothing was given for", () => assert.equal(t("Còn {n}", {}), "Còn {n}"));

  it("do not read what was put in as a place", () => assert.equal(t("{a}", { a: "{b}", b: "x" }), "{b}"));
});

describe("figures", () => {
  it("give the time of Điện Biên on a clock of 24 hours", () => {
    assert.equal(formatTime(MORNING), "09:41");
    assert.equal(formatTime(MORNING, { seconds: true }), "09:41:52");
    assert.equal(formatTime("2026-11-22T17:05:00Z"), "00:05");
  });

  it("give the day first", () => {
    assert.equal(formatDate(MORNING), "22/11/2026");
    assert.equal(formatDateTime(MORNING), "09:41 22/11/2026");
  });

  it("have a decimal comma and dots between thousands", () => {
    assert.equal(formatNumber(38.6), "38,6");
    assert.equal(formatNumber(4213), "4.213");
  });

  it("say sizes as on the file tiles", () => {
    assert.equal(formatBytes(900), "900\u00a0B");
    assert.equal(formatBytes(64_200), "64\u00a0kB");
    assert.equal(formatBytes(1_930_000), "1,9\u00a0MB");
  });
});

describe("what is left of the time", () => {
  const cases = [
    [0.2, "Còn 1\u00a0phút"],
    [5.1, "Còn 6\u00a0phút"],
    [100, "Còn 100\u00a0phút"],
    [101, "Còn 2\u00a0giờ"],
    [2881, "Còn 2\u00a0ngày"],
    [-0.2, "Quá 1\u00a0phút"],
    [-4.9, "Quá 4\u00a0phút"],
    [-200, "Quá 3\u00a0giờ"],
    [-5000, "Quá 3\u00a0ngày"],
  ];
  for (const [minutes, words] of cases) {
    it(`of ${minutes} minutes is “${words}”`, () => assert.equal(formatRemaining(minutes), words));
  }
});

describe("another language", () => {
  const speak = async (context, lang) => {
    globalThis.document = { documentElement: { lang } };
    context.after(() => delete globalThis.document);
    return import(`../../static/js/i18n.js?${lang}`);
  };

  it("without a table is answered in Vietnamese", async (context) => {
    const other = await speak(context, "xx");
    assert.equal(other.t("Còn {n} ca", { n: 2 }), "Còn 2 ca");
  });

  it("writes figures as the server does, in every language", async (context) => {
    const english = await speak(context, "en");
    assert.equal(english.formatNumber(4213.5), "4.213,5");
    assert.equal(english.formatDateTime(MORNING), "09:41 22/11/2026");
  });
});
