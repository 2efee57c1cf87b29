// @ts-check
/** Which pictures the relay leaves out because this page's link does not carry them. No DOM. */

/** This long without a frame, while the same person is heard, is no chance. */
export const WITHOUT_AFTER_MS = 3000;
const LOSSY = 0.1;
const SMOOTHING = 0.4;

/**
 * @typedef {import("./ladder.js").Reason} Reason
 * What has come of somebody so far: packets of voice, how many were lost, frames of the picture.
 * @typedef {{ voice: number, lost: number, frames: number }} Counted
 */

/** Looked at once a second. */
export class Reception {
  /** @type {Map<string, Counted & { missedMs: number, isWithout: boolean }>} */
  #known = new Map();
  #lookedAt = 0;
  #loss = 0;

  /** Who is heard and not seen. */
  get without() {
    return new Set([...this.#known].filter(([, { isWithout }]) => isWithout).map(([participant]) => participant));
  }

  /** Why. @returns {Reason} */
  get reason() {
    return this.#loss > LOSSY ? "link_lossy" : "link_slow";
  }

  /**
   * @param {number} now (ms)
   * @param {Map<string, Counted>} counted
   * @param {(participant: string) => boolean} isExpected whether a moving picture should be coming
   */
  look(now, counted, isExpected) {
    const passed = now - this.#lookedAt;
    this.#lookedAt = now;
    let [heard, lost] = [0, 0];
    for (const participant of [...this.#known.keys()]) {
      if (!counted.has(participant) || !isExpected(participant)) this.#known.delete(participant);
    }
    for (const [participant, count] of counted) {
      if (!isExpected(participant)) continue;
      const before = this.#known.get(participant);
      // Counters that went back belong to another connection.
      if (!before || count.voice < before.voice || count.frames < before.frames) {
        this.#known.set(participant, { ...count, missedMs: 0, isWithout: before?.isWithout ?? false });
        continue;
      }
      heard += count.voice - before.voice;
      lost += Math.max(0, count.lost - before.lost);
      const { missedMs, isWithout } = judge(before, count, passed);
      this.#known.set(participant, { ...count, missedMs, isWithout });
    }
    if (heard + lost > 0) this.#loss += SMOOTHING * (lost / (heard + lost) - this.#loss);
  }

  /** Another way of media: nothing is known. */
  clear() {
    this.#known.clear();
  }
}

/**
 * @param {Counted & { missedMs: number, isWithout: boolean }} before
 * @param {Counted} count
 * @param {number} passed (ms)
 */
function judge(before, count, passed) {
  if (count.frames > before.frames) return { missedMs: 0, isWithout: false };
  // Who is not heard either is away: the relay holds back no voice.
  const missedMs = before.missedMs + (count.voice > before.voice ? passed : 0);
  return { missedMs, isWithout: before.isWithout || missedMs >= WITHOUT_AFTER_MS };
}
