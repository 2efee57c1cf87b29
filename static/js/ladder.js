// @ts-check
/**
 * Speech first: which rung of the ladder a call stands on, and why. Full picture, small picture, voice
 * with stills, written. Decides from figures alone: no DOM, no connection, no clock of its own.
 */

/**
 * @typedef {"full" | "small" | "voice" | "written"} Rung
 * @typedef {"start" | "link_good" | "link_slow" | "link_lossy" | "voice_breaking" | "silent" | "asked" | "chosen"} Reason
 *
 * What one second was like; null where nothing is known.
 * @typedef {object} Figures
 * @property {number | null} available Outgoing, as the browser estimates it (kbit/s).
 * @property {number | null} sent What goes out (kbit/s).
 * @property {number | null} lossOut Share of the own packets that the other side missed.
 * @property {number} [lossAt] When the other side said so; always anew where it is not known.
 * @property {number | null} lossIn
 * @property {number | null} concealed Share of the heard voice that had to be made up.
 * @property {number | null} roundTripMs
 * @property {number | null} [leastTripMs] What a round trip takes when nothing waits.
 * @property {number | null} bufferMs Of the voice that comes in.
 * @property {number | null} framesIn Pictures a second that come in.
 * @property {number | null} packetsIn Of voice, in this second.
 * @property {number | null} [spare] What a still got through beside the voice (kbit/s).
 *
 * @typedef {object} Wishes
 * @property {Rung} asked The most that the other side can take.
 * @property {Rung} theirs What the other side sends.
 * @property {Rung | null} chosen By hand; null leaves it to the ladder.
 *
 * @typedef {object} Decision
 * @property {Rung} rung What is sent.
 * @property {Reason} reason
 * @property {Rung} ask The most that the other side should send.
 * @property {Reason} askReason
 * @property {boolean} isRedundant Every packet of voice carries the one before as well (RED).
 * @property {Sending} sending
 *
 * @typedef {object} Sending
 * @property {boolean} voice
 * @property {number} voiceBitrate (bit/s)
 * @property {number} packetMs Voice in one packet.
 * @property {Picture | null} picture Null for no moving picture.
 * @property {Still | null} still Null for no stills.
 *
 * @typedef {{ maxBitrate: number, scaleResolutionDownBy: number, maxFramerate: number | null }} Picture
 * @typedef {{ width: number, height: number, quality: number, mostBytes: number, everyMs: number }} Still
 */

/** From the lowest up. @type {readonly Rung[]} */
export const RUNGS = ["written", "voice", "small", "full"];

export const DOWN_AFTER_MS = 2000;
export const UP_AFTER_MS = 10_000;
export const MOST_WAIT_MS = 320_000;
/** A fall this soon after a climb means that the climb failed. */
const TRIAL_MS = 20_000;
/** A rung that holds this long is where the call belongs: the next climb is not held back. */
const PROVEN_MS = 60_000;
/** So long does one side need to take up what the other has just changed. */
const SETTLE_MS = 3000;

/** Nothing at all for this long is a link that is away, which says nothing of what it carries. */
const AWAY_MS = 2500;
const SILENT_MS = 4000;

const FULL_KBPS = 700;
const FULL_FLOOR_KBPS = 560;
const SMALL_FLOOR_KBPS = 100;
/** What stills have to get through before larger ones are tried, and before a moving picture is. */
const LARGE_STILL_KBPS = 60;
const SPARE_KBPS = 90;
/** Who sends less than this share of the estimate has not found out what the link carries. */
const UNTRIED = 0.75;
/** So long does the browser take to find out, once there is more to send. */
const FINDING_OUT_MS = 8000;
const LOSS_FOR_FULL = 0.05;
const LOSS_AGAINST_FULL = 0.1;
const LOSS_AGAINST_VOICE = 0.7;
/** The first report after a fall tells of the rung before as well. */
const REPORTS_AGAINST_VOICE = 2;
const REDUNDANT_FROM = 0.03;
const REDUNDANT_UNTIL = 0.01;
/** A voice that is sent twice takes 13 kbit/s more. */
const REDUNDANT_SPARE_KBPS = 20;
const REDUNDANT_HOLD_MS = 20_000;
/** With so much lost, and nothing waiting, neither the estimate nor a still (TCP) tells how wide the link is. */
const LOSS_THAT_BLINDS = 0.2;
/** The voice has been alone for a while; where no still tells, nothing may wait either. */
const REDUNDANT_TRIAL_AFTER_MS = 5000;
const CALM_MS = 100;
/** Waiting for this long means that it was too much for the link; behind a still anything waits. */
const QUEUE_MS = 250;
const QUEUE_BEHIND_STILL_MS = 400;
const REDUNDANT_BARRED_MS = 60_000;
const CONCEALED_TOO_MUCH = 0.1;
/** Too bad to try the rungs in between. */
const CONCEALED_BADLY = 0.25;
const CONCEALED_LITTLE = 0.05;
const CONCEALED_UNHEARD = 0.6;
const SMOOTHING = 0.4;

/** @param {Rung} rung */
const heightOf = (rung) => RUNGS.indexOf(rung);
/** @param {Rung[]} rungs @returns {Rung} */
const lowest = (...rungs) => RUNGS[Math.min(...rungs.map(heightOf))];
/** @param {Rung} rung @param {number} by @returns {Rung} */
const step = (rung, by) => RUNGS[Math.max(0, Math.min(RUNGS.length - 1, heightOf(rung) + by))];

/** A rung with its hysteresis: quick down, slow up, slower after every climb that failed. */
export class Hysteresis {
  #rung;
  #reason;
  #wait = UP_AFTER_MS;
  /** Null since the last fall. @type {number | null} */
  #climbedAt = null;
  #changedAt;
  /** @type {number | null} */
  #badSince = null;
  /** @type {number | null} */
  #goodSince = null;

  /** @param {Rung} rung @param {number} now @param {Reason} [reason] */
  constructor(rung, now, reason = "start") {
    this.#rung = rung;
    this.#reason = reason;
    this.#changedAt = now;
  }

  get rung() {
    return this.#rung;
  }

  get reason() {
    return this.#reason;
  }

  get changedAt() {
    return this.#changedAt;
  }

  /** When it climbed here; null after a fall. */
  get climbedAt() {
    return this.#climbedAt;
  }

  /** How long all has to be well before the next climb (ms). */
  get wait() {
    return this.#wait;
  }

  /**
   * @param {number} now
   * @param {{ to: Rung, reason: Reason } | null} bad where this second says to go down to
   * @param {boolean} isGood whether this second would carry the rung above
   * @param {Rung} ceiling no climbing beyond
   */
  judge(now, bad, isGood, ceiling) {
    if (this.#climbedAt !== null && now - this.#climbedAt >= PROVEN_MS) this.#wait = UP_AFTER_MS;
    this.#badSince = bad ? (this.#badSince ?? now) : null;
    this.#goodSince = isGood && !bad ? (this.#goodSince ?? now) : null;
    if (bad && this.#badSince !== null && now - this.#badSince >= DOWN_AFTER_MS) {
      this.#fall(now, bad.to, bad.reason);
    } else if (this.#goodSince !== null && now - this.#goodSince >= this.#wait) {
      this.#climb(now, ceiling);
    }
  }

  /** The other side's word counts at once: it has waited already. @param {number} now @param {Rung} to */
  press(now, to) {
    if (heightOf(to) < heightOf(this.#rung)) this.#fall(now, to, "asked");
  }

  /** @param {number} now @param {Rung} to @param {Reason} reason */
  #fall(now, to, reason) {
    if (heightOf(to) >= heightOf(this.#rung)) return;
    const hasFailed = this.#climbedAt !== null && now - this.#climbedAt < TRIAL_MS;
    if (hasFailed) this.#wait = Math.min(2 * this.#wait, MOST_WAIT_MS);
    this.#climbedAt = null;
    this.#set(now, to, reason);
  }

  /** @param {number} now @param {Rung} ceiling */
  #climb(now, ceiling) {
    if (heightOf(this.#rung) >= heightOf(ceiling) || now - this.#changedAt < this.#wait) return;
    this.#climbedAt = now;
    this.#set(now, step(this.#rung, 1), "link_good");
  }

  /** @param {number} now @param {Rung} rung @param {Reason} reason */
  #set(now, rung, reason) {
    this.#rung = rung;
    this.#reason = reason;
    this.#changedAt = now;
    this.#badSince = null;
    this.#goodSince = null;
  }
}

/** Where one call stands, towards one other participant. */
export class Ladder {
  #out;
  #in;
  /** The losses call for every packet of voice to carry the one before as well. */
  #isWanted = false;
  #isRedundant = false;
  #lossyAt = -Infinity;
  #barredUntil = -Infinity;
  #concealed = 0;
  #lossOut = 0;
  #lossAt = -Infinity;
  /** How often the other side has told of losses since the rung is what it is. */
  #reports = 0;
  /** How many of these are still about a time when the link was away. */
  #unheeded = 0;
  /** @type {number | null} */
  #silentSince = null;
  #lookedAt;
  #backAt = -Infinity;
  #startedAt;

  /**
   * Starts low and climbs, or goes on from where another connection over the same link stood.
   * @param {number} now
   * @param {{ rung: Rung, reason: Reason }} [from]
   */
  constructor(now, { rung, reason } = { rung: "small", reason: "start" }) {
    this.#startedAt = now;
    this.#lookedAt = now;
    this.#out = new Hysteresis(rung, now, reason);
    this.#in = new Hysteresis("full", now);
  }

  /**
   * Once a second.
   * @param {number} now Milliseconds that only grow.
   * @param {Figures} figures
   * @param {Wishes} wishes
   * @returns {Decision}
   */
  decide(now, figures, wishes) {
    this.#noteAway(now, figures);
    if (this.#silentSince === null) this.#concealed += SMOOTHING * ((figures.concealed ?? 0) - this.#concealed);
    this.#noteLoss(figures);
    const isSettled = now - this.#startedAt >= SETTLE_MS;
    const before = this.#out.rung;
    this.#out.press(now, wishes.asked);
    this.#out.judge(now, isSettled ? this.#badOut(now, figures) : null, this.#goodOut(figures), wishes.asked);
    if (this.#out.rung !== before) this.#reports = 0;
    this.#judgeRedundancy(now, figures);
    this.#in.judge(now, isSettled ? this.#badIn(now, figures, wishes.theirs) : null, this.#goodIn(figures), "full");
    return this.#decision(figures, wishes);
  }

  /** @param {number} now @param {Figures} figures */
  #noteAway(now, { packetsIn }) {
    const since = this.#silentSince ?? this.#lookedAt;
    this.#lookedAt = now;
    if (packetsIn === 0) this.#silentSince ??= now;
    if (!packetsIn) return;
    this.#silentSince = null;
    if (now - since < AWAY_MS) return;
    // It begins anew where it stood: the picture need not wait for what a slow link has to prove.
    this.#backAt = now;
    this.#startedAt = now;
    this.#concealed = 0;
    this.#lossOut = 0;
    this.#unheeded = 2;
  }

  /** @param {Figures} figures */
  #noteLoss({ lossOut, lossAt }) {
    const isNew = lossAt === undefined || lossAt > this.#lossAt;
    this.#lossAt = lossAt ?? this.#lossAt;
    if (isNew) {
      this.#reports += 1;
      this.#unheeded = Math.max(0, this.#unheeded - 1);
    }
    if (this.#unheeded === 0) this.#lossOut += SMOOTHING * ((lossOut ?? this.#lossOut) - this.#lossOut);
  }

  /** @param {number} now @param {Figures} figures */
  #judgeRedundancy(now, figures) {
    // Where there is room for it in any case, it is there before the loss is.
    if (this.#lossOut > REDUNDANT_FROM || this.#out.rung === "full") this.#isWanted = true;
    if (this.#lossOut > REDUNDANT_UNTIL || this.#out.rung === "full") this.#lossyAt = now;
    else if (now - this.#lossyAt >= REDUNDANT_HOLD_MS) this.#isWanted = false;
    if (heightOf(this.#out.rung) > heightOf("voice")) {
      this.#isRedundant = this.#isWanted;
      return;
    }
    // What waits just after a fall is left of the picture.
    const isSettled = now - this.#out.changedAt >= REDUNDANT_TRIAL_AFTER_MS;
    const patience = figures.spare == null ? QUEUE_MS : QUEUE_BEHIND_STILL_MS;
    if (isSettled && this.#isRedundant && queueOf(figures) > patience) this.#barredUntil = now + REDUNDANT_BARRED_MS;
    this.#isRedundant = this.#isWanted && isSettled && now >= this.#barredUntil && this.#hasRoom(figures);
  }

  /** Whether a voice that is sent twice fits where nothing else does. @param {Figures} figures */
  #hasRoom(figures) {
    const isCalm = this.#isRedundant || queueOf(figures) <= CALM_MS;
    if (figures.spare == null) return isCalm;
    return figures.spare >= REDUNDANT_SPARE_KBPS || (isCalm && this.#lossOut >= LOSS_THAT_BLINDS);
  }

  /** Very much is lost though nothing waits: what lies in the way is not want of room. @param {Figures} figures */
  #isBlind(figures) {
    return this.#lossOut >= LOSS_THAT_BLINDS && figures.leastTripMs != null && queueOf(figures) <= CALM_MS;
  }

  /** @param {number} now @param {Figures} figures @returns {{ to: Rung, reason: Reason } | null} */
  #badOut(now, figures) {
    const available = this.#isBlind(figures) ? null : figures.available;
    const rung = this.#out.rung;
    if (rung === "written") return null;
    const isKnown = rung !== "voice" || this.#reports >= REPORTS_AGAINST_VOICE;
    if (isKnown && this.#lossOut > LOSS_AGAINST_VOICE) return { to: step(rung, -1), reason: "silent" };
    if (now - this.#backAt < FINDING_OUT_MS) return null;
    const isFindingOut = now - (this.#out.climbedAt ?? -Infinity) < FINDING_OUT_MS;
    if (rung === "voice" || (rung === "small" && isFindingOut)) return null;
    if (available !== null && available < SMALL_FLOOR_KBPS) return { to: "voice", reason: "link_slow" };
    if (rung === "small") return null;
    if (!isFindingOut && available !== null && available < FULL_FLOOR_KBPS) return { to: "small", reason: "link_slow" };
    return this.#lossOut > LOSS_AGAINST_FULL ? { to: "small", reason: "link_lossy" } : null;
  }

  /**
   * The estimate follows what is sent, so that it says little while little is sent, and going up
   * is a trial; from the voice up, what the stills get through is the best witness.
   * @param {Figures} figures
   */
  #goodOut(figures) {
    const { available, sent, spare, packetsIn } = figures;
    if (packetsIn === 0) return false;
    if (this.#out.rung === "written") return this.#lossOut < LOSS_AGAINST_VOICE / 2;
    // A voice sent twice and a small picture get through such a line better than a voice alone.
    if (this.#out.rung === "voice" && this.#isBlind(figures)) return true;
    if (this.#out.rung === "voice") return spare == null ? this.#lossOut < REDUNDANT_FROM : spare >= SPARE_KBPS && this.#lossOut < 0.25;
    if (available === null || this.#lossOut >= LOSS_FOR_FULL) return false;
    return available >= FULL_KBPS || (sent !== null && sent < UNTRIED * available);
  }

  /** @param {number} now @param {Figures} figures @param {Rung} theirs @returns {{ to: Rung, reason: Reason } | null} */
  #badIn(now, { packetsIn }, theirs) {
    const from = lowest(this.#in.rung, theirs);
    const isSilent = this.#silentSince !== null && now - this.#silentSince >= SILENT_MS;
    if (packetsIn === 0 && !isSilent) return null;
    if (isSilent || this.#concealed > CONCEALED_UNHEARD) {
      return from === "written" ? null : { to: step(from, -1), reason: "silent" };
    }
    if (this.#concealed <= CONCEALED_TOO_MUCH || heightOf(from) <= heightOf("voice")) return null;
    const to = this.#concealed > CONCEALED_BADLY ? "voice" : step(from, -1);
    return { to, reason: "voice_breaking" };
  }

  /** @param {Figures} figures */
  #goodIn({ packetsIn }) {
    if (packetsIn === 0) return false;
    if (this.#in.rung === "written") return this.#concealed < CONCEALED_UNHEARD / 2;
    // Whatever the voice loses by itself is no reason against a picture that takes little more.
    return this.#concealed < CONCEALED_LITTLE;
  }

  /** @param {Figures} figures @param {Wishes} wishes @returns {Decision} */
  #decision(figures, { chosen, asked }) {
    const rung = chosen ? lowest(chosen, asked) : this.#out.rung;
    const isChosen = chosen !== null && rung === chosen;
    return {
      rung,
      reason: isChosen ? "chosen" : chosen ? "asked" : this.#out.reason,
      ask: chosen ?? this.#in.rung,
      askReason: chosen ? "chosen" : this.#in.reason,
      isRedundant: this.#isRedundant,
      sending: sendingOf(rung, figures, chosen === "written"),
    };
  }
}

/**
 * @param {Rung} rung
 * @param {Figures | null} figures
 * @param {boolean} isVoiceUnwanted only the person may switch the voice off
 * @returns {Sending}
 */
export function sendingOf(rung, figures, isVoiceUnwanted = false) {
  const isNarrow = heightOf(rung) <= heightOf("voice");
  return {
    voice: !isVoiceUnwanted,
    voiceBitrate: isNarrow ? narrowBitrate(figures?.spare ?? null) : rung === "small" ? 20_000 : 32_000,
    packetMs: isNarrow ? 60 : 20,
    picture: pictureOf(rung, figures?.available ?? null),
    still: rung === "voice" ? stillOf(figures?.spare ?? null) : null,
  };
}

/** How long packets wait on the link, by the round trip (ms). @param {Figures} figures */
function queueOf({ roundTripMs, leastTripMs }) {
  return roundTripMs === null || leastTripMs == null ? 0 : roundTripMs - leastTripMs;
}

/** @param {number | null} spare */
function narrowBitrate(spare) {
  return spare === null || spare < LARGE_STILL_KBPS ? 12_000 : 16_000;
}

/** @param {Rung} rung @param {number | null} available @returns {Picture | null} */
function pictureOf(rung, available) {
  if (rung === "full") return { maxBitrate: 1_500_000, scaleResolutionDownBy: 1, maxFramerate: null };
  if (rung !== "small") return null;
  // With room to spare the small picture grows in steps, so that it is not changed every second.
  if ((available ?? 0) >= 400) return { maxBitrate: 240_000, scaleResolutionDownBy: 2, maxFramerate: 15 };
  if ((available ?? 0) >= 200) return { maxBitrate: 120_000, scaleResolutionDownBy: 2, maxFramerate: 10 };
  return { maxBitrate: 60_000, scaleResolutionDownBy: 4, maxFramerate: 5 };
}

/** @param {number | null} spare @returns {Still} */
function stillOf(spare) {
  // Small until it is known that more gets through: a still must not stand in the way of the voice.
  const isTight = spare === null || spare < LARGE_STILL_KBPS;
  return isTight
    ? { width: 160, height: 120, quality: 0.5, mostBytes: 2000, everyMs: 3000 }
    : { width: 320, height: 240, quality: 0.5, mostBytes: 6000, everyMs: 3000 };
}

/**
 * @typedef {object} Counts
 * @property {number} at (ms)
 * @property {number} samples
 * @property {number} concealed
 * @property {number} received
 * @property {number} lost
 * @property {number} bufferSeconds
 * @property {number} emitted
 * @property {number} frames
 * @property {number} bytesOut
 */

/** The round trip is measured every few seconds, and one of these will have met an empty link. */
const TRIPS_WITHIN_MS = 10_000;
/** What the oldest still that is remembered may have to be held against. */
const TRIPS_KEPT_MS = 60_000;

/** Turns the counters of getStats, which only grow, into what the last second was like. */
export class LinkReader {
  /** @type {Counts | null} */
  #before = null;
  /** When, and how long each took (ms). @type {[number, number][]} */
  #trips = [];
  /** @type {number | undefined} */
  #answers;

  /**
   * @param {Iterable<any>} entries
   * @param {number} now
   * @returns {Figures}
   */
  read(entries, now) {
    const counts = { at: now, samples: 0, concealed: 0, received: 0, lost: 0, bufferSeconds: 0, emitted: 0, frames: 0, bytesOut: 0 };
    /** @type {Figures} */
    const figures = { available: null, sent: null, lossOut: null, lossIn: null, concealed: null, roundTripMs: null, leastTripMs: null, bufferMs: null, framesIn: null, packetsIn: null };
    const all = [...entries];
    // Several pairs may be nominated; one is in use.
    const selected = all.find(({ type }) => type === "transport")?.selectedCandidatePairId;
    for (const entry of all) {
      if (entry.type === "inbound-rtp") addInbound(counts, entry);
      else if (entry.id === selected && selected) {
        addPair(counts, figures, entry);
        this.#noteTrip(now, figures.roundTripMs, entry.responsesReceived);
      }
      else if (entry.type === "remote-inbound-rtp" && entry.kind === "audio") {
        figures.lossOut = entry.fractionLost ?? null;
        figures.lossAt = entry.timestamp;
      }
    }
    if (figures.roundTripMs !== null) figures.leastTripMs = Math.min(figures.roundTripMs, ...this.#tripsSince(now - TRIPS_WITHIN_MS));
    const before = this.#before;
    this.#before = counts;
    // Counters that went back belong to another connection.
    if (!before || counts.samples < before.samples || counts.received < before.received) return figures;
    return { ...figures, ...between(before, counts) };
  }

  /**
   * The least (ms) of the round trips that were begun after a moment; null while there is none.
   * @param {number} moment
   */
  leastTripSince(moment) {
    const trips = this.#tripsSince(moment);
    return trips.length > 0 ? Math.min(...trips) : null;
  }

  /** @param {number} moment */
  #tripsSince(moment) {
    return this.#trips.filter(([at, ms]) => at - ms > moment).map(([, ms]) => ms);
  }

  /**
   * @param {number} now
   * @param {number | null} trip
   * @param {number | undefined} answers how many round trips were measured, where the browser counts
   */
  #noteTrip(now, trip, answers) {
    if (trip === null || (answers !== undefined && answers === this.#answers)) return;
    this.#answers = answers;
    this.#trips.push([now, trip]);
    this.#trips = this.#trips.filter(([at]) => now - at < TRIPS_KEPT_MS);
  }
}

/** @param {Counts} counts @param {any} entry */
function addInbound(counts, entry) {
  if (entry.kind === "video") {
    counts.frames += entry.framesDecoded ?? 0;
    return;
  }
  counts.samples += entry.totalSamplesReceived ?? 0;
  // Silence that is made up is not heard as a gap of speech.
  counts.concealed += (entry.concealedSamples ?? 0) - (entry.silentConcealedSamples ?? 0);
  counts.received += entry.packetsReceived ?? 0;
  counts.lost += entry.packetsLost ?? 0;
  counts.bufferSeconds += entry.jitterBufferDelay ?? 0;
  counts.emitted += entry.jitterBufferEmittedCount ?? 0;
}

/** @param {Counts} counts @param {Figures} figures @param {any} pair */
function addPair(counts, figures, pair) {
  counts.bytesOut += pair.bytesSent ?? 0;
  if (pair.availableOutgoingBitrate !== undefined) figures.available = pair.availableOutgoingBitrate / 1000;
  if (pair.currentRoundTripTime !== undefined) figures.roundTripMs = pair.currentRoundTripTime * 1000;
}

/** @param {Counts} before @param {Counts} after @returns {Partial<Figures>} */
function between(before, after) {
  const received = after.received - before.received;
  const lost = Math.max(0, after.lost - before.lost);
  const samples = after.samples - before.samples;
  const emitted = after.emitted - before.emitted;
  const seconds = (after.at - before.at) / 1000;
  const bytesOut = after.bytesOut - before.bytesOut;
  return {
    sent: seconds > 0 && bytesOut >= 0 ? (bytesOut * 8) / 1000 / seconds : null,
    packetsIn: after.samples > 0 ? received : null,
    lossIn: received + lost > 0 ? lost / (received + lost) : null,
    concealed: samples > 0 ? Math.max(0, after.concealed - before.concealed) / samples : null,
    bufferMs: emitted > 0 ? ((after.bufferSeconds - before.bufferSeconds) / emitted) * 1000 : null,
    framesIn: seconds > 0 ? (after.frames - before.frames) / seconds : null,
  };
}

/**
 * The last description of the other side as an answer to an offer that it never sees: how the own
 * voice is packed is nobody else's business, and on a narrow link two descriptions and two answers
 * would cost seconds of speech.
 * @param {string} remote
 * @param {string} local
 */
export function asAnswer(remote, local) {
  const isActive = /^a=setup:active/m.test(local);
  return remote
    .replace(/^a=(?:candidate:.*|end-of-candidates)\r?\n/gm, "")
    .replace(/^a=setup:actpass/gm, isActive ? "a=setup:passive" : "a=setup:active");
}

/**
 * A description of the other side, saying how the own voice is to be sent: which codec first, how
 * much in one packet, and with a picture or alone. What the other side had said of it is replaced.
 * @param {string} sdp
 * @param {{ isRedundant: boolean, packetMs: number, isAlone: boolean }} how
 */
export function shapedForVoice(sdp, { isRedundant, packetMs, isAlone }) {
  const sections = (isAlone ? sdp.replace(PICTURE_ONLY, "") : sdp).split(/(?=^m=)/m);
  return sections.map((section) => (section.startsWith("m=audio") ? shapedAudio(section, isRedundant, packetMs) : section)).join("");
}

/**
 * What only a picture needs and a voice on a narrow link pays for. A picture that is no longer sent
 * would be sent again for half a minute, packet for packet; feedback on every packet and the padding
 * that looks for more bandwidth take a quarter of 32 kbit/s.
 */
const PICTURE_ONLY = /^a=(?:rtcp-fb:\S+ (?:nack|transport-cc)|extmap:\S+ \S*(?:transport-wide-cc|abs-send-time|toffset)\S*)\r?\n/gm;

/** @param {string} section @param {boolean} isRedundant @param {number} packetMs */
function shapedAudio(section, isRedundant, packetMs) {
  const types = [...section.matchAll(/^a=rtpmap:(\d+) ([a-z]+)\/48000\/2/gim)];
  const order = isRedundant ? ["red", "opus"] : ["opus", "red"];
  const first = order.flatMap((name) => types.filter((type) => type[2].toLowerCase() === name).map((type) => type[1]));
  const shaped = section
    .replace(/^a=(?:max)?ptime:.*\r?\n/gm, "")
    .replace(/^(m=audio \d+ \S+) ([\d ]+)/, (_line, head, listed) => {
      const rest = listed.trim().split(" ").filter((/** @type {string} */ type) => !first.includes(type));
      return [head, ...first, ...rest].join(" ");
    });
  return packetMs === 20 ? shaped : `${shaped.trimEnd()}\r\na=ptime:${packetMs}\r\n`;
}
