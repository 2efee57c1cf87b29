// @ts-check
/**
 * Keeps a call on its rung of the ladder: looks at every connection once a second, applies what the
 * ladder decides, tells the others, and exchanges stills. No DOM. docs/protocol.md section 8.
 */
import { Ladder, LinkReader, RUNGS, sendingOf } from "./ladder.js";

/**
 * @typedef {import("./call.js").Call} Call
 * @typedef {import("./ladder.js").Decision} Decision
 * @typedef {import("./ladder.js").Reason} Reason
 * @typedef {import("./ladder.js").Rung} Rung
 * @typedef {import("./ladder.js").Still} Still
 * @typedef {import("./seat.js").Mode} Mode
 * @typedef {import("./seat.js").Seat} Seat
 * @typedef {{ ladder: Ladder, reader: LinkReader }} Pair
 *
 * @typedef {object} ModesParts
 * @property {Pick<Call, "adapt" | "reportsByPeer">} call
 * @property {Pick<Seat, "tellMode" | "sendStill" | "sawStill">} seat
 * @property {(still: Still) => Promise<string>} capture A WebP picture in base64; "" for none.
 * @property {() => void} onChange The own mode is another one.
 * @property {(participant: string, image: string) => void} onStill
 * @property {() => number} [now] Milliseconds that only grow.
 */

const LOOK_EVERY_MS = 1000;
const STILL_LOST_MS = 20_000;
const STILLS_REMEMBERED = 4;
const LEAST_STILL_MS = 50;
/** @type {Mode} */
const START = { rung: "small", reason: "start", ask: "full", ask_reason: "start" };
const SMALL = sendingOf("small", null);
/** What is sent until something is known; the very first picture waits for no beat. */
export const START_SENDING = {
  isRedundant: false,
  sending: { ...SMALL, picture: SMALL.picture && { ...SMALL.picture, maxFramerate: null } },
};

/** The stills to one other participant: one at a time, the next after the last has been seen. */
export class StillLine {
  #number = 0;
  #sentAt = -Infinity;
  #characters = 0;
  #isWaiting = false;
  /** @type {number[]} */
  #speeds = [];

  /** What got through beside the voice (kbit/s); null before the first. */
  get spare() {
    return this.#speeds.length > 0 ? Math.max(...this.#speeds) : null;
  }

  /** @param {number} now @param {number} everyMs */
  isDue(now, everyMs) {
    if (this.#isWaiting && now - this.#sentAt < STILL_LOST_MS) return false;
    return now - this.#sentAt >= everyMs;
  }

  /** @param {number} now @param {number} characters @returns {number} the number to send it under */
  begin(now, characters) {
    if (this.#isWaiting) this.#remember(0);
    this.#isWaiting = true;
    this.#sentAt = now;
    this.#characters = characters;
    return ++this.#number;
  }

  /** @param {number} number @param {number} now @param {number} roundTripMs */
  seen(number, now, roundTripMs) {
    if (number !== this.#number || !this.#isWaiting) return;
    this.#isWaiting = false;
    // There and back is a round trip, whatever the size; one from a time of long queues tells nothing.
    if (now - this.#sentAt < roundTripMs) return;
    const passed = Math.max(LEAST_STILL_MS, now - this.#sentAt - roundTripMs);
    this.#remember((this.#characters * 8) / passed);
  }

  /** It never went out. */
  failed() {
    this.#isWaiting = false;
  }

  /** What was learnt is of no use once a moving picture was tried. */
  forget() {
    this.#speeds = [];
  }

  /** @param {number} kbps */
  #remember(kbps) {
    this.#speeds = [...this.#speeds, kbps].slice(-STILLS_REMEMBERED);
  }
}

/** The rungs of all connections of one call. */
export class Modes {
  #parts;
  /** @type {Map<string, Pair>} */
  #pairs = new Map();
  /** @type {Map<string, StillLine>} */
  #lines = new Map();
  /** @type {Map<string, Mode>} */
  #theirs = new Map();
  /** @type {Rung | null} */
  #chosen = null;
  #own = START;
  #roundTripMs = 0;
  #isLooking = false;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /** @param {ModesParts} parts */
  constructor(parts) {
    this.#parts = { now: () => performance.now(), ...parts };
  }

  /** The mode of this page. */
  get own() {
    return this.#own;
  }

  get chosen() {
    return this.#chosen;
  }

  start() {
    this.#timer ??= setInterval(() => void this.look(), LOOK_EVERY_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#pairs.clear();
    this.#lines.clear();
    this.#theirs.clear();
    this.#own = START;
  }

  /** Forget every connection, and tell the others that nothing holds back any more. */
  begin() {
    this.#pairs.clear();
    this.#lines.clear();
    this.#theirs.clear();
    this.#own = { ...START, rung: "full" };
    this.#parts.seat.tellMode(this.#own);
  }

  /** By hand; null gives it back to the ladder. @param {Rung | null} rung */
  choose(rung) {
    this.#chosen = rung;
    void this.look();
  }

  /** What somebody sends and asks for. @param {string} participant @param {Mode | null | undefined} mode */
  gotMode(participant, mode) {
    if (mode) this.#theirs.set(participant, mode);
  }

  /** @param {string} participant */
  drop(participant) {
    this.#pairs.delete(participant);
    this.#lines.delete(participant);
    this.#theirs.delete(participant);
  }

  /** @param {{ from: string, number: number, image: string }} still */
  gotStill({ from, number, image }) {
    this.#parts.onStill(from, image);
    this.#parts.seat.sawStill(from, number).catch(() => {});
  }

  /** @param {{ from: string, number: number }} seen */
  gotStillSeen({ from, number }) {
    this.#lines.get(from)?.seen(number, this.#parts.now(), this.#roundTripMs);
  }

  /** Look at every connection, decide, apply. */
  async look() {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const reports = await this.#parts.call.reportsByPeer();
      const decisions = [...reports].map(([participant, report]) => this.#decide(participant, report));
      this.#tell(decisions);
    } finally {
      this.#isLooking = false;
    }
  }

  /** @param {string} participant @param {RTCStatsReport} report */
  #decide(participant, report) {
    const now = this.#parts.now();
    const pair = this.#pairOf(participant, now);
    const line = this.#lineOf(participant);
    /** @type {any[]} */
    const entries = [];
    report.forEach((entry) => entries.push(entry));
    const figures = { ...pair.reader.read(entries, now), spare: line.spare };
    this.#roundTripMs = figures.roundTripMs ?? this.#roundTripMs;
    const theirs = this.#theirs.get(participant);
    const decision = pair.ladder.decide(now, figures, {
      asked: theirs?.ask ?? "full",
      theirs: theirs?.rung ?? "small",
      chosen: this.#chosen,
    });
    this.#parts.call.adapt(participant, decision);
    const still = decision.sending.still;
    if (!still) line.forget();
    else if (line.isDue(now, still.everyMs)) void this.#sendStill(participant, line, still);
    return decision;
  }

  /** @param {string} participant @param {number} now */
  #pairOf(participant, now) {
    const known = this.#pairs.get(participant);
    if (known) return known;
    const pair = { ladder: new Ladder(now), reader: new LinkReader() };
    this.#pairs.set(participant, pair);
    return pair;
  }

  /** @param {string} participant */
  #lineOf(participant) {
    const line = this.#lines.get(participant) ?? new StillLine();
    this.#lines.set(participant, line);
    return line;
  }

  /** @param {string} participant @param {StillLine} line @param {Still} still */
  async #sendStill(participant, line, still) {
    const image = await this.#parts.capture(still);
    if (!image || !line.isDue(this.#parts.now(), still.everyMs)) return;
    const number = line.begin(this.#parts.now(), image.length);
    await this.#parts.seat.sendStill(participant, number, image).catch(() => line.failed());
  }

  /** @param {Decision[]} decisions */
  #tell(decisions) {
    if (decisions.length === 0) return;
    const lowest = (/** @type {"rung" | "ask"} */ what) =>
      decisions.reduce((low, each) => (RUNGS.indexOf(each[what]) < RUNGS.indexOf(low[what]) ? each : low));
    const [sends, asks] = [lowest("rung"), lowest("ask")];
    const mode = { rung: sends.rung, reason: sends.reason, ask: asks.ask, ask_reason: asks.askReason };
    if (JSON.stringify(mode) === JSON.stringify(this.#own)) return;
    this.#own = mode;
    this.#parts.seat.tellMode(mode);
    this.#parts.onChange();
  }
}
