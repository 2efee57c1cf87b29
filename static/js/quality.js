// @ts-check
/**
 * How a call was for this page: sums of differences between looks at `getStats`, so that a path found
 * anew and a connection made anew go on where the one before was. No DOM, no server.
 */

const LOOK_EVERY_MS = 2_000;
const TELL_EVERY_MS = 20_000;
const FIRST_SLOT_MS = 10_000;
const MOST_SLOTS = 60;
const MOST_PERMILLE = 1000;

/**
 * @typedef {"video" | "small_video" | "stills" | "voice" | "written"} Mode
 * @typedef {{ lost: number, received: number, concealed: number, samples: number, rtt: number, rtts: number, down: number, up: number, ms: number, from: number }} Slot
 * @typedef {{ source: object, report: { forEach: (act: (entry: any) => void) => void } }} Look One connection and its statistics.
 */

/** Sums over the life of one page. */
export class QualityRecord {
  #now;
  #page;
  #number = 0;
  /** Last counts by connection and entry. @type {WeakMap<object, Map<string, Record<string, number>>>} */
  #seen = new WeakMap();
  #enteredAt = 0;
  /** @type {number | null} */
  #startedAt = null;
  /** @type {number | null} */
  #setupMs = null;
  /** @type {number | null} */
  #lookedAt = null;
  #sums = { packets_received: 0, packets_lost: 0, samples: 0, concealed: 0, freezes: 0, freezeSeconds: 0, bytes_up: 0, bytes_down: 0, mediaMs: 0 };
  #rtts = { sum: 0, count: 0, worst: 0 };
  #upRates = { sum: 0, count: 0 };
  #slotMs = FIRST_SLOT_MS;
  /** @type {Slot[]} */
  #slots = [];
  /** @type {Mode | null} */
  #mode = null;
  #modeChanges = 0;
  /** @type {Partial<Record<Mode, number>>} */
  #modes = {};

  /** @param {{ page: string, now?: () => number }} parts `now`: milliseconds that only grow */
  constructor({ page, now = () => performance.now() }) {
    this.#page = page;
    this.#now = now;
  }

  /** On the way into the room. */
  entered() {
    this.#enteredAt = this.#now();
  }

  /**
   * Somebody else is there; counted from the own coming in when they were there before.
   * @param {boolean} wereThere
   */
  met(wereThere) {
    this.#startedAt ??= wereThere ? this.#enteredAt : this.#now();
  }

  /** The first picture of somebody else is seen. */
  gotFrame() {
    if (this.#startedAt !== null) this.#setupMs ??= this.#now() - this.#startedAt;
  }

  /** How one talks from now on. @param {Mode} mode */
  setMode(mode) {
    if (mode === this.#mode) return;
    if (this.#mode) this.#modeChanges += 1;
    this.#mode = mode;
  }

  /** Add what has come since the last look. @param {Look[]} looks */
  add(looks) {
    const now = this.#now();
    const ms = this.#lookedAt === null ? 0 : now - this.#lookedAt;
    this.#lookedAt = now;
    const found = { packets_received: 0, packets_lost: 0, samples: 0, concealed: 0, freezes: 0, freezeSeconds: 0, bytes_up: 0, bytes_down: 0 };
    /** @type {number[]} */
    const rtts = [];
    for (const { source, report } of looks) {
      report.forEach((entry) => this.#addEntry(source, entry, found, rtts));
    }
    if (found.packets_received === 0 && found.bytes_up === 0) return;
    for (const name of /** @type {(keyof typeof found)[]} */ (Object.keys(found))) this.#sums[name] += found[name];
    this.#sums.mediaMs += ms;
    if (this.#mode) this.#modes[this.#mode] = (this.#modes[this.#mode] ?? 0) + ms;
    this.#addSlot(found, rtts, ms);
  }

  /** What is told to the server; null while there is nothing. */
  summary() {
    if (this.#sums.mediaMs === 0) return null;
    this.#number += 1;
    const { mediaMs, samples, concealed, freezeSeconds, packets_received, packets_lost, freezes, bytes_up, bytes_down } = this.#sums;
    const timeline = this.#slots.map(toldSlot);
    return {
      page: this.#page,
      number: this.#number,
      media_ms: whole(mediaMs),
      setup_ms: this.#setupMs === null ? null : whole(this.#setupMs),
      mode_changes: this.#modeChanges,
      packets_received,
      // Counted again when it comes late, so the sum may pass below nothing for a moment.
      packets_lost: Math.max(0, packets_lost),
      audio_ms: whole(samples / 48),
      concealed_ms: whole(Math.min(concealed, samples) / 48),
      freezes,
      freeze_ms: whole(freezeSeconds * 1000),
      bytes_up,
      bytes_down,
      rtt_ms: this.#rtts.count ? whole(this.#rtts.sum / this.#rtts.count) : null,
      worst_rtt_ms: this.#rtts.count ? whole(this.#rtts.worst) : null,
      up_kbps: this.#upRates.count ? whole(this.#upRates.sum / this.#upRates.count) : null,
      down_kbps: timeline.length ? Math.max(...timeline.map((slot) => slot[4] ?? 0)) : null,
      timeline,
      modes: Object.fromEntries(Object.entries(this.#modes).map(([mode, ms]) => [mode, whole(ms)])),
    };
  }

  /**
   * @param {object} source
   * @param {any} entry
   * @param {Record<string, number>} found
   * @param {number[]} rtts
   */
  #addEntry(source, entry, found, rtts) {
    const add = (/** @type {string} */ name, /** @type {string} */ counter) => {
      found[name] = (found[name] ?? 0) + this.#grown(source, entry, counter);
    };
    if (entry.type === "inbound-rtp") {
      add("packets_received", "packetsReceived");
      add("packets_lost", "packetsLost");
      add("samples", "totalSamplesReceived");
      add("freezes", "freezeCount");
      add("freezeSeconds", "totalFreezesDuration");
      // What fills silence that was never sent is no loss.
      add("concealed", "concealedSamples");
      found.concealed = (found.concealed ?? 0) - this.#grown(source, entry, "silentConcealedSamples");
    } else if (entry.type === "transport") {
      add("bytes_up", "bytesSent");
      add("bytes_down", "bytesReceived");
    } else if (entry.type === "candidate-pair" && entry.nominated && entry.state === "succeeded") {
      if (entry.currentRoundTripTime !== undefined) rtts.push(entry.currentRoundTripTime * 1000);
      if (entry.availableOutgoingBitrate) {
        this.#upRates.sum += entry.availableOutgoingBitrate / 1000;
        this.#upRates.count += 1;
      }
    }
  }

  /**
   * How much a counter has grown; one that starts anew starts from nothing.
   * @param {object} source
   * @param {any} entry
   * @param {string} counter
   */
  #grown(source, entry, counter) {
    const value = entry[counter];
    if (typeof value !== "number") return 0;
    const entries = this.#seen.get(source) ?? new Map();
    this.#seen.set(source, entries);
    const counts = entries.get(entry.id) ?? {};
    entries.set(entry.id, counts);
    const before = counts[counter] ?? 0;
    counts[counter] = value;
    // Lost packets may become fewer; everything else only grows.
    return counter === "packetsLost" || value >= before ? value - before : value;
  }

  /**
   * @param {{ packets_received: number, packets_lost: number, samples: number, concealed: number, bytes_up: number, bytes_down: number }} found
   * @param {number[]} rtts
   * @param {number} ms
   */
  #addSlot(found, rtts, ms) {
    let slot = this.#slots.at(-1);
    if (!slot || slot.ms >= this.#slotMs) {
      slot = { lost: 0, received: 0, concealed: 0, samples: 0, rtt: 0, rtts: 0, down: 0, up: 0, ms: 0, from: this.#sums.mediaMs - ms };
      this.#slots.push(slot);
      if (this.#slots.length > MOST_SLOTS) this.#halve();
      slot = /** @type {Slot} */ (this.#slots.at(-1));
    }
    slot.lost += found.packets_lost;
    slot.received += found.packets_received;
    slot.concealed += found.concealed;
    slot.samples += found.samples;
    slot.down += found.bytes_down;
    slot.up += found.bytes_up;
    slot.ms += ms;
    for (const rtt of rtts) {
      slot.rtt += rtt;
      slot.rtts += 1;
      this.#rtts.sum += rtt;
      this.#rtts.count += 1;
      this.#rtts.worst = Math.max(this.#rtts.worst, rtt);
    }
  }

  /** A long call has the same number of slots, each twice as long. */
  #halve() {
    this.#slotMs *= 2;
    /** @type {Slot[]} */
    const halved = [];
    for (const [index, slot] of this.#slots.entries()) {
      const before = halved.at(-1);
      if (index % 2 === 0 || !before) halved.push(slot);
      else for (const name of /** @type {(keyof Slot)[]} */ (Object.keys(slot))) if (name !== "from") before[name] += slot[name];
    }
    this.#slots = halved;
  }
}

/** @param {Slot} slot */
function toldSlot(slot) {
  return [
    whole(slot.from / 1000),
    permille(slot.lost, slot.lost + slot.received),
    permille(slot.concealed, slot.samples),
    slot.rtts ? whole(slot.rtt / slot.rtts) : 0,
    slot.ms ? whole((slot.down * 8) / slot.ms) : 0,
    slot.ms ? whole((slot.up * 8) / slot.ms) : 0,
  ];
}

/** @param {number} part @param {number} all */
function permille(part, all) {
  return all > 0 ? Math.min(MOST_PERMILLE, whole((1000 * part) / all)) : 0;
}

/** @param {number} value */
function whole(value) {
  return Math.max(0, Math.round(value));
}

/** Looks at the call now and then, and tells the server what it was like. */
export class QualityKeeper {
  #record;
  #look;
  #tell;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #untilTold = TELL_EVERY_MS;

  /**
   * @param {QualityRecord} record
   * @param {object} parts
   * @param {() => Promise<Look[]>} parts.look
   * @param {(summary: object) => void} parts.tell Lost or not: the next one says everything again.
   */
  constructor(record, { look, tell }) {
    this.#record = record;
    this.#look = look;
    this.#tell = tell;
  }

  start() {
    this.#timer ??= setTimeout(() => void this.#round(), LOOK_EVERY_MS);
  }

  /** No more; what is known is told. */
  stop() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.tell();
  }

  tell() {
    this.#untilTold = TELL_EVERY_MS;
    const summary = this.#record.summary();
    if (summary) this.#tell(summary);
  }

  async #round() {
    const timer = this.#timer;
    this.#record.add(await this.#look());
    if (this.#timer !== timer) return;
    this.#untilTold -= LOOK_EVERY_MS;
    if (this.#untilTold <= 0) this.tell();
    this.#timer = undefined;
    this.start();
  }
}
