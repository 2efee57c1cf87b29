// @ts-check
/**
 * Keeps a call on its rung of the ladder: looks at every connection once a second, applies what the
 * ladder decides, tells the others, and exchanges stills. No DOM. docs/protocol.md section 8.
 */
import { RELAY } from "./forwarded.js";
import { Ladder, LinkReader, RUNGS, sendingOf } from "./ladder.js";

/**
 * @typedef {import("./ladder.js").Decision} Decision
 * @typedef {import("./ladder.js").Reason} Reason
 * @typedef {import("./ladder.js").Rung} Rung
 * @typedef {import("./ladder.js").Still} Still
 * @typedef {import("./seat.js").Mode} Mode
 * @typedef {import("./seat.js").Seat} Seat
 * @typedef {{ ladder: Ladder, reader: LinkReader }} Pair
 * @typedef {{ rung: Rung, reason: Reason }} Lack
 * @typedef {{ sentAt: number, bits: number, ms: number }} SeenStill Infinity for one that was lost.
 *
 * What the ladder looks at and steers: each other participant, or the relay for all of them.
 * @typedef {object} Line
 * @property {() => Promise<Map<string, { forEach(act: (entry: any) => void): void }>>} reportsByPeer
 * @property {(participant: string, decision: Decision) => void} adapt
 *
 * @typedef {object} ModesParts
 * @property {Line} line Whatever media goes over now.
 * @property {Pick<Seat, "tellMode" | "sendStill" | "sawStill">} seat
 * @property {() => Promise<Lack | null>} lack What the relay leaves out for this page; null for nothing.
 * @property {(still: Still) => Promise<string>} capture A WebP picture in base64; "" for none.
 * @property {() => void} onChange The own mode is another one.
 * @property {(participant: string, image: string) => void} onStill
 * @property {() => number} [now] Milliseconds that only grow.
 */

const LOOK_EVERY_MS = 1000;
const STILL_LOST_MS = 20_000;
const STILLS_REMEMBERED = 4;
const LEAST_STILL_MS = 50;
const VOICE = RUNGS.indexOf("voice");
const NARROW = { ...sendingOf("voice", null), voiceBitrate: 16_000 };
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
  /** @type {SeenStill[]} */
  #seen = [];

  /**
   * What got through beside the voice (kbit/s); null while nothing tells. There and back is a round
   * trip, whatever the size: what that takes when nothing waits is known only afterwards.
   * @param {(moment: number) => number | null} leastTripSince (ms)
   */
  spare(leastTripSince) {
    const told = this.#seen.map((still) => speedOf(still, leastTripSince(still.sentAt))).filter((kbps) => kbps !== null);
    return told.length > 0 ? Math.max(...told) : null;
  }

  /** @param {number} now @param {number} everyMs */
  isDue(now, everyMs) {
    if (this.#isWaiting && now - this.#sentAt < STILL_LOST_MS) return false;
    return now - this.#sentAt >= everyMs;
  }

  /** @param {number} now @param {number} characters @returns {number} the number to send it under */
  begin(now, characters) {
    if (this.#isWaiting) this.#remember(Infinity);
    this.#isWaiting = true;
    this.#sentAt = now;
    this.#characters = characters;
    return ++this.#number;
  }

  /** @param {number} number @param {number} now */
  seen(number, now) {
    if (number !== this.#number || !this.#isWaiting) return;
    this.#isWaiting = false;
    this.#remember(now - this.#sentAt);
  }

  /** It never went out. */
  failed() {
    this.#isWaiting = false;
  }

  /** What was learnt is of no use once a moving picture was tried. */
  forget() {
    this.#seen = [];
  }

  /** @param {number} ms */
  #remember(ms) {
    this.#seen = [...this.#seen, { sentAt: this.#sentAt, bits: this.#characters * 8, ms }].slice(-STILLS_REMEMBERED);
  }
}

/** In kbit/s; null where it tells nothing. @param {SeenStill} still @param {number | null} leastTripMs */
function speedOf({ bits, ms }, leastTripMs) {
  if (ms === Infinity) return 0;
  return leastTripMs === null || ms < leastTripMs ? null : bits / Math.max(LEAST_STILL_MS, ms - leastTripMs);
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
  /** Where the ladder towards the relay begins. @type {Lack | undefined} */
  #from;
  #hasLacked = false;
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

  /**
   * Another way of media: forget every connection, and tell the others that nothing holds back any
   * more. The relay is reached over the same link, so there the ladder goes on where it stood.
   * @param {boolean} isRelayed
   * @returns {import("./connection.js").Adapted} how to send until something is known
   */
  begin(isRelayed) {
    const { rung, reason } = this.#own;
    this.#from = isRelayed && this.#pairs.size > 0 ? { rung, reason } : undefined;
    this.#pairs.clear();
    this.#lines.clear();
    this.#theirs.clear();
    this.#own = { ...START, rung: "full" };
    this.#hasLacked = false;
    this.#parts.seat.tellMode(this.#own);
    if (!this.#from) return START_SENDING;
    return { isRedundant: rung === "full", sending: sendingOf(rung, null) };
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
    this.#lines.get(from)?.seen(number, this.#parts.now());
  }

  /** Look at every connection, decide, apply. */
  async look() {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const reports = await this.#parts.line.reportsByPeer();
      const decisions = [...reports].map(([participant, report]) => this.#decide(participant, report));
      this.#tell(decisions, await this.#parts.lack());
    } finally {
      this.#isLooking = false;
    }
  }

  /**
   * @param {string} participant
   * @param {{ forEach(act: (entry: any) => void): void }} report
   * @returns {Decision}
   */
  #decide(participant, report) {
    const now = this.#parts.now();
    const pair = this.#pairOf(participant, now);
    const line = this.#lineOf(participant);
    /** @type {any[]} */
    const entries = [];
    report.forEach((entry) => entries.push(entry));
    const read = pair.reader.read(entries, now);
    const figures = { ...read, spare: line.spare((moment) => pair.reader.leastTripSince(moment)) };
    const decided = pair.ladder.decide(now, figures, this.#wishesOf(participant));
    const decision = participant === RELAY ? this.#forAll(decided) : decided;
    this.#parts.line.adapt(participant, decision);
    // What was learnt beside a moving picture tells nothing of the link without it.
    if (decision.rung !== "voice") line.forget();
    const still = decision.sending.still;
    if (still && line.isDue(now, still.everyMs)) void this.#sendStill(participant, line, still);
    return decision;
  }

  /** To the relay goes what all others get. @param {Decision} decision @returns {Decision} */
  #forAll(decision) {
    // What this page can receive, the relay finds out.
    /** @type {Decision} */
    const own = { ...decision, ask: this.#chosen ?? "full", askReason: this.#chosen ? "chosen" : "start" };
    const isWeakOneThere = [...this.#theirs.values()].some(({ ask }) => RUNGS.indexOf(ask) <= VOICE);
    if (!isWeakOneThere || RUNGS.indexOf(own.rung) <= VOICE) return own;
    // Their link has to carry everybody's voice, which nobody loses by being packed tighter.
    const { still, packetMs, voiceBitrate } = NARROW;
    return { ...own, sending: { ...own.sending, still, packetMs, voiceBitrate } };
  }

  /** @param {string} participant @returns {import("./ladder.js").Wishes} */
  #wishesOf(participant) {
    const chosen = this.#chosen;
    // One weak viewer must not lower what all others see: the relay fits each picture to each link.
    if (participant === RELAY) return { asked: "full", theirs: "full", chosen };
    const theirs = this.#theirs.get(participant);
    return { asked: theirs?.ask ?? "full", theirs: theirs?.rung ?? "small", chosen };
  }

  /** @param {string} participant @param {number} now */
  #pairOf(participant, now) {
    const known = this.#pairs.get(participant);
    if (known) return known;
    const from = participant === RELAY ? this.#from : undefined;
    const pair = { ladder: new Ladder(now, from), reader: new LinkReader() };
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
    try {
      await this.#parts.seat.sendStill(participant || null, number, image);
      // The server passes it on to each as fast as their link goes: here only the own one counts.
      if (participant === RELAY) line.seen(number, this.#parts.now());
    } catch {
      line.failed();
    }
  }

  /** @param {Decision[]} decisions @param {Lack | null} lack */
  #tell(decisions, lack) {
    if (decisions.length === 0) return;
    const lowest = (/** @type {"rung" | "ask"} */ what) =>
      decisions.reduce((low, each) => (RUNGS.indexOf(each[what]) < RUNGS.indexOf(low[what]) ? each : low));
    const [sends, asks] = [lowest("rung"), lowest("ask")];
    /** @type {Mode} */
    const mode = { rung: sends.rung, reason: sends.reason, ask: asks.ask, ask_reason: asks.askReason };
    if (lack && RUNGS.indexOf(lack.rung) < RUNGS.indexOf(mode.ask)) {
      mode.ask = lack.rung;
      mode.ask_reason = lack.reason;
      this.#hasLacked = true;
    } else if (this.#hasLacked && mode.ask_reason === "start") {
      mode.ask_reason = "link_good";
    }
    if (JSON.stringify(mode) === JSON.stringify(this.#own)) return;
    this.#own = mode;
    this.#parts.seat.tellMode(mode);
    this.#parts.onChange();
  }
}
