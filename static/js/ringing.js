// @ts-check
/**
 * Who is calling, on every page that listens: a card that floats, a tone, a mark in the title.
 * The hint only says that something rings; who it is comes from the server, for this person alone.
 */
import { icon, make, part, warn } from "./dom.js";
import { t } from "./i18n.js";
import { Tone } from "./tone.js";

const TONE_EVERY_MS = 3000;
const LOOK_AGAIN_MS = 1000;
const HINTS = new Set(["watched", "ringing", "ring-ended"]);

/**
 * @typedef {import("./live.js").Live} Live
 * @typedef {{ session: string, url: string, from: string, role: string, capacity: string, facility: string, patient: string, title: string, expires_at: string }} Incoming
 */

/**
 * Show the calls to whoever is signed in on this page.
 * @param {Live} live
 */
export function hearCalls(live) {
  const { person } = document.body.dataset;
  if (person) new Ringing(live, person);
}

/** The calls to one person, shown until they are answered, declined or over. */
class Ringing {
  #live;
  #tone = new Tone();
  #title = document.title;
  /** @type {Map<string, HTMLElement>} */
  #cards = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #expiry;

  /**
   * @param {Live} live
   * @param {string} person
   */
  constructor(live, person) {
    this.#live = live;
    live.watch(`person:${person}`, ({ event }) => {
      if (HINTS.has(event)) void this.look();
    });
  }

  /** Ask who is calling now. */
  async look() {
    try {
      // A page that looks by itself must not keep its reader signed in.
      const headers = { Accept: "application/json", "X-By-Itself": "1" };
      const response = await fetch("/sessions/ringing", { headers, cache: "no-store" });
      const { calls, now } = await response.json();
      this.#show(calls, Date.parse(now));
    } catch {
      // The next hint asks again; a call that could not be shown is seen on the page of the case.
    }
  }

  /**
   * @param {Incoming[]} calls
   * @param {number} now by the server's clock; that of an old PC may be anywhere
   */
  #show(calls, now) {
    const ringing = new Set(calls.map(({ session }) => session));
    for (const [session, card] of this.#cards) {
      if (ringing.has(session)) continue;
      card.remove();
      this.#cards.delete(session);
    }
    for (const call of calls) if (!this.#cards.has(call.session)) this.#add(call);
    document.title = this.#cards.size > 0 ? `(${this.#cards.size}) ${this.#title}` : this.#title;
    if (this.#cards.size > 0) this.#tone.start(TONE_EVERY_MS);
    else this.#tone.stop();
    clearTimeout(this.#expiry);
    const ends = calls.map((call) => Date.parse(call.expires_at) - now);
    if (ends.length > 0) {
      this.#expiry = setTimeout(() => void this.look(), Math.max(LOOK_AGAIN_MS, ...ends));
    }
  }

  /** @param {Incoming} call */
  #add(call) {
    const about = call.patient ? t("về ca {name}", { name: call.patient }) : call.title;
    const words = t("{name} đang gọi", { name: call.from });
    const later = make("button", { class: "btn", type: "button" }, t("Để sau"));
    later.addEventListener("click", () => this.#decline(call.session));
    const card = make(
      "section",
      { class: "next tight", "aria-label": words, "data-role": "ringing" },
      make("p", { class: "k" }, icon("phone"), " ", t("Cuộc gọi đến")),
      make("p", {}, make("b", {}, words), " ", about),
      make("p", { class: "small soft" }, [call.role, call.facility].filter(Boolean).join(" · ")),
      ...(call.capacity ? [make("p", { class: "small" }, t("Bạn được mời với tư cách: {capacity}", { capacity: call.capacity }))] : []),
      make("div", { class: "row" }, make("a", { class: "btn go", href: call.url }, icon("video"), t("Vào phòng")), later),
    );
    this.#cards.set(call.session, card);
    part("toasts")?.append(card);
    warn(`${words} ${about}`);
  }

  /** @param {string} session */
  #decline(session) {
    this.#cards.get(session)?.remove();
    // Not answered is declined as well, only later.
    this.#live.send("session:decline-ring", { session }).catch(() => {});
    this.#tone.stop();
    document.title = this.#title;
  }
}
