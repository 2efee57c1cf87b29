// @ts-check
/**
 * Requests of which somebody was told, on every page that listens: one card for the most urgent, until
 * they have said that they have seen it, or somebody has taken it. An emergency sounds again and again.
 */
import { icon, make, part, warn } from "./dom.js";
import { t } from "./i18n.js";
import { Tone } from "./tone.js";

const TONE_EVERY_MS = 6000;
/** Who takes a request tells nobody else: so long may a card stay that is over. */
const LOOK_AGAIN_MS = 20_000;
const HINTS = new Set(["watched", "escalated"]);
const BELL_HINTS = new Set(["watched", "noticed"]);
const MOST_COUNTED = 99;
// A page that looks by itself must not keep its reader signed in.
const BY_ITSELF = { Accept: "application/json", "X-By-Itself": "1" };

/**
 * @typedef {import("./live.js").Live} Live
 * @typedef {{ uid: string, urgency: "emergency" | "urgent" | "routine", specialty: string, station: string, since: string }} Alert
 */

/**
 * Keep the bell's number, and show what waits for whoever is signed in on this page; a page that lists it anyhow sounds once.
 * @param {Live} live
 * @param {{ isListed?: boolean }} [page]
 */
export function hearAlerts(live, { isListed = false } = {}) {
  const { person, alerts } = document.body.dataset;
  if (!person) return;
  live.watch(`person:${person}`, ({ event }) => {
    if (BELL_HINTS.has(event)) void countUnread();
  });
  if (alerts !== undefined) new Alerts(live, person, isListed);
}

/** The number beside the bell: what was not read yet. */
async function countUnread() {
  const place = part("unread");
  if (!place) return;
  try {
    const response = await fetch("/notices/count", { headers: BY_ITSELF, cache: "no-store" });
    if (!response.ok) return;
    const { unread } = await response.json();
    place.hidden = unread === 0;
    place.textContent = unread > MOST_COUNTED ? `${MOST_COUNTED}+` : String(unread);
  } catch {
    // The next hint asks again.
  }
}

class Alerts {
  #isListed;
  #tone = new Tone();
  /** @type {HTMLElement | null} */
  #card = null;
  /** What has been spoken of already. @type {Set<string>} */
  #known = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #again;

  /**
   * @param {Live} live
   * @param {string} person
   * @param {boolean} isListed
   */
  constructor(live, person, isListed) {
    this.#isListed = isListed;
    live.watch(`person:${person}`, ({ event }) => {
      if (HINTS.has(event)) void this.look();
    });
  }

  /** Ask what waits now. */
  async look() {
    clearTimeout(this.#again);
    try {
      const response = await fetch("/alerts", { headers: BY_ITSELF, cache: "no-store" });
      if (response.ok) this.#show((await response.json()).alerts);
    } catch {
      // The next look asks again; the worklist shows the same.
    }
    if (this.#card) this.#again = setTimeout(() => void this.look(), LOOK_AGAIN_MS);
  }

  /** @param {Alert[]} alerts the most urgent first */
  #show(alerts) {
    // What has a day is found in the worklist.
    const pressing = alerts.filter(({ urgency }) => urgency !== "routine");
    const news = pressing.filter(({ uid }) => !this.#known.has(uid));
    this.#known = new Set(pressing.map(({ uid }) => uid));
    for (const alert of news) warn(wordsOf(alert));
    const [first, ...others] = this.#isListed ? [] : pressing;
    this.#card?.remove();
    this.#card = first ? this.#make(first, others.length) : null;
    if (this.#card) part("toasts")?.append(this.#card);
    if (first?.urgency === "emergency") {
      this.#tone.start(TONE_EVERY_MS);
      return;
    }
    this.#tone.stop();
    if (news.length > 0) this.#tone.play();
  }

  /**
   * @param {Alert} alert
   * @param {number} others
   */
  #make(alert, others) {
    const words = wordsOf(alert);
    const seen = make("button", { class: "btn", type: "button" }, icon("eye"), t("Tôi đã xem"));
    seen.addEventListener("click", () => void this.#see(alert.uid));
    return make(
      "section",
      { class: "next tight", "aria-label": words, "data-role": "alert", "data-urgency": alert.urgency },
      make("p", { class: "k" }, icon(alert.urgency === "emergency" ? "stop" : "warn"), " ", t("Ca đang báo bạn")),
      make("p", {}, make("b", {}, words)),
      make("p", { class: "small soft" }, t("{station}, chờ từ {time}", { station: alert.station, time: alert.since })),
      make("div", { class: "row" }, make("a", { class: "btn go", href: `/worklist?case=${alert.uid}` }, icon("next"), t("Xem ca")), seen),
      ...(others > 0 ? [make("p", { class: "small" }, make("a", { href: "/worklist" }, t("Còn {count} ca gấp khác", { count: others })))] : []),
    );
  }

  /** @param {string} uid */
  async #see(uid) {
    this.#card?.remove();
    this.#tone.stop();
    try {
      const headers = { Accept: "application/json", "Content-Type": "application/x-www-form-urlencoded" };
      await fetch(`/consults/${uid}/seen`, { method: "POST", headers, redirect: "manual" });
    } finally {
      // What did not arrive is shown again.
      void this.look();
    }
  }
}

/** @param {Alert} alert */
function wordsOf({ urgency, specialty }) {
  const name = urgency === "emergency" ? t("Cấp cứu") : t("Khẩn");
  return t("{urgency}: {specialty} đang chờ bạn", { urgency: name, specialty });
}
