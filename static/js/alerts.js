// @ts-check
/**
 * Requests of which somebody was told, on every page that listens: a card that floats until they have
 * said that they have seen it, or somebody has taken it. Emergencies sound again and again.
 */
import { icon, make, part, warn } from "./dom.js";
import { t } from "./i18n.js";
import { Tone } from "./tone.js";

const TONE_EVERY_MS = 6000;
/** Who takes a request tells nobody else: so long may a card stay that is over. */
const LOOK_AGAIN_MS = 20_000;
const HINTS = new Set(["watched", "escalated"]);
const MARKS = { emergency: "stop", urgent: "warn", routine: "ring" };

/**
 * @typedef {import("./live.js").Live} Live
 * @typedef {{ uid: string, urgency: "emergency" | "urgent" | "routine", specialty: string, station: string, since: string }} Alert
 */

/**
 * Show what waits for whoever is signed in on this page.
 * @param {Live} live
 */
export function hearAlerts(live) {
  const { person, alerts } = document.body.dataset;
  if (person && alerts !== undefined) new Alerts(live, person);
}

class Alerts {
  #tone = new Tone();
  /** @type {Map<string, HTMLElement>} */
  #cards = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #again;

  /**
   * @param {Live} live
   * @param {string} person
   */
  constructor(live, person) {
    live.watch(`person:${person}`, ({ event }) => {
      if (HINTS.has(event)) void this.look();
    });
  }

  /** Ask what waits now. */
  async look() {
    clearTimeout(this.#again);
    try {
      // A page that looks by itself must not keep its reader signed in.
      const headers = { Accept: "application/json", "X-By-Itself": "1" };
      const response = await fetch("/alerts", { headers, cache: "no-store" });
      if (response.ok) this.#show((await response.json()).alerts);
    } catch {
      // The next look asks again; the worklist shows the same.
    }
    if (this.#cards.size > 0) this.#again = setTimeout(() => void this.look(), LOOK_AGAIN_MS);
  }

  /** @param {Alert[]} alerts */
  #show(alerts) {
    const waiting = new Set(alerts.map(({ uid }) => uid));
    for (const uid of [...this.#cards.keys()]) if (!waiting.has(uid)) this.#drop(uid);
    for (const alert of alerts) if (!this.#cards.has(alert.uid)) this.#add(alert);
    if (alerts.some(({ urgency }) => urgency === "emergency")) this.#tone.start(TONE_EVERY_MS);
    else this.#tone.stop();
  }

  /** @param {Alert} alert */
  #add(alert) {
    const names = { emergency: t("Cấp cứu"), urgent: t("Khẩn"), routine: t("Thường quy") };
    const words = t("{urgency}: {specialty} đang chờ bạn", { urgency: names[alert.urgency], specialty: alert.specialty });
    const seen = make("button", { class: "btn", type: "button" }, icon("eye"), t("Tôi đã xem"));
    seen.addEventListener("click", () => void this.#see(alert.uid));
    const card = make(
      "section",
      { class: "next tight", "aria-label": words, "data-role": "alert", "data-urgency": alert.urgency },
      make("p", { class: "k" }, icon(MARKS[alert.urgency]), " ", t("Ca đang báo bạn")),
      make("p", {}, make("b", {}, words)),
      make("p", { class: "small soft" }, t("{station}, chờ từ {time}", { station: alert.station, time: alert.since })),
      make("div", { class: "row" }, make("a", { class: "btn go", href: `/worklist?case=${alert.uid}` }, icon("next"), t("Xem ca")), seen),
    );
    this.#cards.set(alert.uid, card);
    part("toasts")?.append(card);
    warn(words);
    if (alert.urgency === "urgent") this.#tone.play();
  }

  /** @param {string} uid */
  async #see(uid) {
    this.#drop(uid);
    try {
      const headers = { Accept: "application/json", "Content-Type": "application/x-www-form-urlencoded" };
      await fetch(`/consults/${uid}/seen`, { method: "POST", headers, redirect: "manual" });
    } finally {
      // What did not arrive is shown again.
      void this.look();
    }
  }

  /** @param {string} uid */
  #drop(uid) {
    this.#cards.get(uid)?.remove();
    this.#cards.delete(uid);
    if (this.#cards.size === 0) this.#tone.stop();
  }
}
