// @ts-check
/** The page of a case: what the others do appears by itself, a message is sent without leaving. */
import { hearAlerts } from "../alerts.js";
import { ApiError, newKey, post } from "../api.js";
import { find, label, make, part, say, showLink, warn } from "../dom.js";
import { formatTime, t } from "../i18n.js";
import { Live } from "../live.js";
import { isInUse, loadPage, PageError, patchPart, takeParts } from "../parts.js";
import { hearDrills } from "../drill.js";
import { hearCalls } from "../ringing.js";

const RETRY_MS = 10_000;
const PARTS = ["moments", "state", "pictures"];

const page = find("[data-role=case]", HTMLElement);
const url = `/consults/${page.dataset.uid}`;
let lastEvent = Number(page.dataset.lastEvent ?? 0);
let isLoading = false;
let isStale = false;

/** A message on its way: its bubble, its key, what it says. */
class Outgoing {
  #text;
  #key = newKey();
  #status = make("p", { class: "st" });
  bubble;

  /** @param {string} text */
  constructor(text) {
    this.#text = text;
    const at = make("p", { class: "small soft" }, formatTime(Date.now()));
    this.bubble = make("div", { class: "msg mine" }, at, make("p", { class: "said" }, text), this.#status);
    label(this.#status, "clock", t("Đang gửi"));
  }

  get text() {
    return this.#text;
  }

  /** True when the server has it; rejects when the server refuses it. */
  async send() {
    try {
      await post(`${url}/messages`, { text: this.#text }, { key: this.#key });
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.isUnanswered) return false;
      throw error;
    }
  }
}

/** @type {Outgoing[]} */
const outgoing = [];

/** @param {Document} fresh */
function takeOver(fresh) {
  const kept = outgoing.map((one) => one.bubble);
  takeParts(fresh, PARTS);
  patchPart(fresh, "lines", kept);
  const next = part("next");
  const isChanged = next && part("next", fresh)?.dataset.state !== next.dataset.state;
  if (next && isInUse(next)) showStrip(Boolean(isChanged));
  else takeParts(fresh, ["next"]);
  lastEvent = Number(part("case", fresh)?.dataset.lastEvent ?? lastEvent);
  markRead();
}

/** @param {boolean} isShown */
function showStrip(isShown) {
  const strip = find("[data-role=strip]", HTMLElement);
  if (isShown) strip.hidden = false;
}

/** Only one at a time; what was asked for meanwhile is fetched after it. */
async function refresh() {
  isStale = true;
  if (isLoading) return;
  isLoading = true;
  try {
    while (isStale) {
      isStale = false;
      takeOver(await loadPage(location.pathname + location.search));
    }
  } catch (error) {
    if (!(error instanceof PageError)) throw error;
    if (error.status === 404) location.assign("/home");
  } finally {
    isLoading = false;
  }
}

function markRead() {
  const lines = part("lines");
  if (!lines || document.visibilityState !== "visible" || !Number(lines.dataset.new)) return;
  lines.dataset.new = "0";
  // Unread marks are only late when this is lost: the next look sends them again.
  post(`${url}/read`, { up_to: Number(lines.dataset.newest) }).catch(() => {});
}

const form = part("talk");
const typed = form ? find("textarea", HTMLTextAreaElement, form) : null;

let isFlushing = false;

/** In the order they were written; what got no answer is sent again, under the same key. */
async function flush() {
  if (isFlushing) return;
  isFlushing = true;
  try {
    while (outgoing.length > 0 && (await isDone(outgoing[0]))) {
      outgoing.shift()?.bubble.remove();
      await refresh();
    }
  } finally {
    isFlushing = false;
  }
  if (outgoing.length > 0) setTimeout(flush, RETRY_MS);
}

/** @param {Outgoing} one */
async function isDone(one) {
  try {
    if (!(await one.send())) return false;
    say(t("Máy chủ đã nhận tin nhắn"));
  } catch (error) {
    giveBack(one, error);
  }
  return true;
}

/** @param {Outgoing} one @param {unknown} error */
function giveBack(one, error) {
  if (!(error instanceof ApiError)) throw error;
  if (typed && !typed.value) typed.value = one.text;
  warn(Object.values(error.fields)[0] ?? error.message);
}

form?.addEventListener("submit", (event) => {
  if (!typed) return;
  event.preventDefault();
  const text = typed.value.trim();
  if (!text) return typed.focus();
  const one = new Outgoing(text);
  outgoing.push(one);
  part("lines")?.append(one.bubble);
  typed.value = "";
  typed.focus();
  void flush();
});

typed?.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  if (form instanceof HTMLFormElement) form.requestSubmit();
});

addEventListener("beforeunload", (event) => {
  if (outgoing.length > 0) event.preventDefault();
});
document.addEventListener("visibilitychange", markRead);

const live = new Live();
let wasUp = false;
live.onLink((link) => {
  wasUp ||= link === "up";
  if (wasUp) showLink(link === "up" ? "ok" : "off");
  if (link === "up" && outgoing.length > 0) void flush();
});
live.watch(`consult:${page.dataset.uid}`, (hint) => {
  const isAboutReading = hint.event === "messages_read";
  if (isAboutReading || hint.number > lastEvent) void refresh();
});
hearCalls(live);
hearAlerts(live);
hearDrills(live);
live.connect();
markRead();
